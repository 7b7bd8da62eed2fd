//! `perf record` of the same program: an entry and a return probe for each of the functions that are
//! called most. More of them take perf too long to attach and to detach.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::program::Program;
use crate::bench::store::commands::ask;
use crate::project::{output, run};

const UPROBE_EVENTS: &str = "/sys/kernel/tracing/uprobe_events";
const GROUP: &str = "scope_bench_store";

/// What perf recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    pub bytes: u64,
    pub events: u64,
    /// `perf script`, all of it.
    pub script: Duration,
}

/// Records the program, with probes on some functions, and has `perf script` print all events.
pub fn measure(program: &Program, functions: &[String], folder: &Path) -> Result<Recorded> {
    let probes = Probes::make(&program.path, functions)?;
    let data = folder.join("perf.data");
    let mut record = Command::new("perf");
    record
        .args(["record", "--quiet", "--mmap-pages", "4096", "--event", &format!("{GROUP}:*")])
        .arg("--output")
        .arg(&data)
        .arg("--");
    program.add_to(&mut record);
    run(record.stdin(Stdio::null()).stdout(Stdio::null()))?;
    drop(probes);
    let mut script = Command::new("perf");
    let script = ask(script.args(["script", "--input"]).arg(&data))?;
    ensure!(script.lines > 0, "perf recorded nothing");
    Ok(Recorded { bytes: fs::metadata(&data)?.len(), events: script.lines, script: script.passed })
}

/// Probes in tracefs; removed when dropped.
struct Probes(usize);

impl Probes {
    fn make(program: &Path, functions: &[String]) -> Result<Self> {
        let text_offset = text_offset(program)?;
        let listed = output(Command::new("nm").arg(program))?;
        let addresses: HashMap<&str, u64> = listed
            .lines()
            .filter_map(|line| {
                let mut fields = line.split_whitespace();
                let address = u64::from_str_radix(fields.next()?, 16).ok()?;
                Some((fields.nth(1)?, address))
            })
            .collect();
        let mut probes = Self(0);
        for function in functions {
            let address = addresses.get(function.as_str());
            let address = address.with_context(|| format!("the program has no {function}"))?;
            let place = format!("{}:{:#x}", program.display(), address.wrapping_sub(text_offset));
            let number = probes.0;
            // What an interrupted bench left behind.
            let _ = remove(number);
            write(&format!("p:{GROUP}/entry_{number} {place}"))?;
            probes.0 += 1;
            write(&format!("r:{GROUP}/exit_{number} {place}"))?;
        }
        Ok(probes)
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for number in 0..self.0 {
            let _ = remove(number);
        }
    }
}

fn remove(number: usize) -> Result<()> {
    write(&format!("-:{GROUP}/entry_{number}"))?;
    write(&format!("-:{GROUP}/exit_{number}"))
}

fn write(line: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(UPROBE_EVENTS)
        .with_context(|| format!("cannot open {UPROBE_EVENTS}"))?;
    writeln!(file, "{line}").with_context(|| format!("the kernel refuses `{line}`"))
}

/// By how much the addresses of the program's code exceed its places in the file.
fn text_offset(program: &Path) -> Result<u64> {
    let headers = output(Command::new("readelf").args(["-lW"]).arg(program))?;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let found = headers.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let executable = fields.first() == Some(&"LOAD") && fields.contains(&"E");
        let executable = executable.then_some(&fields)?;
        hex(executable.get(2)?)?.checked_sub(hex(executable.get(1)?)?)
    });
    found.context("the program has no code")
}
