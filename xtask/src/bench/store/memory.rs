//! How much memory the questions take beside the page cache: measured in a process that does nothing
//! else, since memory that was used for writing a trace and given back would hide what is taken again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use scope_model::FunctionId;

use super::questions::{self, Effort};
use crate::project::output;

/// Options of the process.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The trace.
    trace: PathBuf,
    /// A function that is called seldom.
    #[arg(long)]
    rare: u32,
}

/// What is asked: all but searching and reading the whole, which keeps one block at a time.
const EFFORT: Effort =
    Effort { rounds: 3, moments: 2_000, cold: 3, places: 300, walk: 20, whole: false };

/// Asks in a process of its own; its greatest memory that was of no file, in MiB.
pub fn measure(trace: &Path, rare: FunctionId) -> Result<f64> {
    let this = std::env::current_exe().context("this program has no path")?;
    let mut command = Command::new(this);
    command.args(["bench", "store-memory"]).arg(trace).args(["--rare", &rare.0.to_string()]);
    let kib: f64 = output(&mut command)?.trim().parse().context("no number was printed")?;
    Ok(kib / 1024.0)
}

/// What that process does: asks, and prints the KiB.
pub fn run(options: &Options) -> Result<()> {
    questions::ask(&options.trace, &[FunctionId(options.rare)], EFFORT)?;
    println!("{}", greatest_anonymous_kib()?);
    Ok(())
}

/// The most that was resident at once, less what is of files: the program itself.
fn greatest_anonymous_kib() -> Result<u64> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.with_context(|| format!("the kernel does not say {name}"))?;
        Ok(kib.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(field("VmHWM:")?.saturating_sub(field("RssFile:")?))
}
