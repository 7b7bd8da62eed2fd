//! How long the tables of a binary take: built, and from the cache.
//!
//! Each measurement is a process of its own, as a command is, that reports its own times: what is
//! measured begins at its `main` and ends with the first look-up, since tables from the cache are
//! read where they are used. Building includes filling the cache. Memory is the process' largest
//! resident set (`VmHWM`), pages of the mapped binary included.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use scope_symbols::DebugFiles;
use scope_symbols::code::{CodeCache, CodeTables, load_code};
use serde_json::{Value, json};

use crate::bench::results::Results;
use crate::bench::table::Rows;
use crate::project::output;

/// Options of the process.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The binary.
    binary: PathBuf,
    /// Folder of the cache.
    #[arg(long)]
    cache: PathBuf,
}

/// Measures both in turn, `rounds` times; the tables remain in the cache at `cache`.
pub fn measure(
    binary: &Path,
    cache: &Path,
    rounds: u32,
    rows: &mut Rows,
    results: &mut Results,
) -> Result<()> {
    // The binary's pages are in memory from here on.
    fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    for round in 1..=rounds {
        super::progress(&format!("building tables: round {round} of {rounds}"));
        if cache.exists() {
            fs::remove_dir_all(cache).context("cannot empty the cache")?;
        }
        let cold = ask(binary, cache)?;
        ensure!(cold["from_cache"] == false, "an empty cache had tables");
        let cached = ask(binary, cache)?;
        ensure!(cached["from_cache"] == true, "the cache was not filled");
        ensure!(cold["bytes"] == cached["bytes"], "the cache has other tables");
        rows.push("index_20k_cold_s", number(&cold, "seconds")?, "s");
        rows.push("index_20k_cached_s", number(&cached, "seconds")?, "s");
        rows.push("peak_rss_mib", number(&cold, "peak_kib")? / 1024.0, "MiB");
        rows.push("peak_rss_cached_mib", number(&cached, "peak_kib")? / 1024.0, "MiB");
        results.number("tables_mib", number(&cold, "bytes")? / f64::from(1 << 20));
    }
    Ok(())
}

/// Runs the process.
fn ask(binary: &Path, cache: &Path) -> Result<Value> {
    let this = std::env::current_exe().context("this program has no path")?;
    let mut command = Command::new(this);
    command.args(["bench", "code-index"]).arg(binary).arg("--cache").arg(cache);
    // As many threads as there are CPUs, which the bench has set.
    command.env_remove("RAYON_NUM_THREADS");
    serde_json::from_str(&output(&mut command)?).context("no JSON was printed")
}

fn number(answer: &Value, name: &str) -> Result<f64> {
    answer[name].as_f64().with_context(|| format!("no {name} was printed"))
}

/// What that process does.
pub fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let (tables, from_cache) = load(&options.binary, &options.cache)?;
    let first = tables.functions().next().and_then(|function| function.address);
    let found = first.is_some_and(|address| !tables.frames_at(address).is_empty());
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(found, "the first function has no frame");
    let answer = json!({
        "seconds": seconds,
        "from_cache": from_cache,
        "bytes": tables.as_bytes().len(),
        "peak_kib": peak_kib()?,
    });
    println!("{answer}");
    Ok(())
}

/// Tables of a binary, and whether they were in the cache.
pub fn load(binary: &Path, cache: &Path) -> Result<(CodeTables, bool)> {
    let file = File::open(binary).with_context(|| format!("cannot open {}", binary.display()))?;
    let cache = CodeCache::new(cache, u64::MAX);
    let name = binary.display().to_string();
    let loaded = load_code(&name, &file, &DebugFiles::new("/", binary), Some(&cache), &|_| {})?;
    Ok((loaded.tables, loaded.from_cache))
}

fn peak_kib() -> Result<u64> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("the kernel does not say VmHWM")?.trim().trim_end_matches(" kB");
    kib.parse().context("VmHWM is no number")
}
