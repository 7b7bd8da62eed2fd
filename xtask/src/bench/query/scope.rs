//! `scope query`, asked as a person would: a process a statement. It says itself how long planning and
//! answering took (`--timing`), apart from the start of the process and the opening of the trace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Row;
use crate::bench::sample::timed;
use crate::project::shown;

/// The program and the trace that is asked.
#[derive(Debug)]
pub struct Scope<'a> {
    pub program: &'a Path,
    pub trace: PathBuf,
}

/// What came of a statement.
#[derive(Debug)]
pub struct Answer {
    /// From the statement to its last row.
    pub engine: Duration,
    /// From the start of the process to its end.
    pub process: Duration,
    /// The most memory that was resident and not of files, MiB.
    pub anonymous_mib: f64,
    /// The most memory that was resident, pages of the trace included, MiB.
    pub resident_mib: f64,
    pub printed: String,
}

impl Scope<'_> {
    /// Runs a statement.
    pub fn ask(&self, statement: &str) -> Result<Answer> {
        let mut command = Command::new(self.program);
        command.arg("query").arg(&self.trace).arg(statement);
        command.args(["--format", "csv", "--timing"]).stdin(Stdio::null());
        let (output, process) = timed(|| command.output());
        let output = output.with_context(|| format!("cannot run {}", shown(&command)))?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {told}", shown(&command));
        let mut timing = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let timing = timing.next_back().context("scope query --timing prints JSON")?;
        let number = |name: &str| timing[name].as_f64().with_context(|| format!("no {name}"));
        Ok(Answer {
            engine: Duration::from_secs_f64((number("plan_ns")? + number("run_ns")?) / 1e9),
            process,
            anonymous_mib: number("peak_anonymous_bytes")? / f64::from(1 << 20),
            resident_mib: number("peak_rss_bytes")? / f64::from(1 << 20),
            printed: String::from_utf8(output.stdout).context("CSV is text")?,
        })
    }
}

impl Answer {
    /// The rows of a statement, `function_id, calls, p99`.
    pub fn rows(&self) -> Result<Vec<Row>> {
        let row = |line: &str| {
            let mut cells = line.split(',');
            let id = cells.next()?.parse().ok()?;
            let calls = cells.next()?.parse().ok()?;
            Some((id, calls, cells.next()?.parse().ok()))
        };
        self.printed.lines().skip(1).map(row).collect::<Option<_>>().context("a row has numbers")
    }
}
