//! A recording of a real program, and what uftrace and perf record of the same program.
//!
//! Recording needs root; without it this part is named as not run and its numbers are left out. The
//! rivals see less: neither writes down call sites or return values, and perf, which needs long to
//! attach, has probes on the functions that are called most. All are held against the events that each
//! recorded itself.

mod perf;
mod program;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use scope_model::Event;
use scope_store::Trace;
use serde_json::Value;

use super::answers;
use super::commands::{self, ask};
use super::peers;
use super::questions::{self, Effort};
use super::synthetic::bytes_of;
use crate::bench::results::Results;
use crate::bench::sample::millis;
use crate::bench::table::Rows;
use crate::project::{is_root, output, run, which};
pub use program::Program;

/// Functions that perf has probes on.
const PERF_FUNCTIONS: usize = 40;
/// Bytes of a record of uftrace.
const UFTRACE_RECORD: u64 = 16;

/// Records, and asks.
pub fn measure(folder: &Path, scope: &Path, effort: Effort, results: &mut Results) -> Result<()> {
    if !is_root() {
        results.remark("not run: the recorded trace, which needs root".to_owned());
        return Ok(());
    }
    if which("cc").is_none() {
        results.remark("not run: the recorded trace, which needs a C compiler".to_owned());
        return Ok(());
    }
    let folder = folder.join("real");
    fs::create_dir(&folder)?;
    super::progress("recording a real program");
    let program = Program::build(&folder)?;
    let trace = folder.join("real.scope");
    record(scope, &program, &trace)?;
    let report = output(commands::scope(scope, "report", &trace).args(["--json", "--limit", "0"]))?;
    let report: Value = serde_json::from_str(&report).context("scope report prints JSON")?;

    let answers = questions::ask(&trace, &[], effort)?;
    let bytes = bytes_of(&trace)?;
    let events = answers.events as f64;
    results.number("real_events", events);
    let lost = report["lost_events"].as_u64().context("a report has lost_events")?;
    results.number("real_lost_events", lost as f64);
    results.single("real_bytes_per_event", bytes as f64 / events, "B");
    results.remark(format!("the recorded trace has {events} events, {lost} were lost"));
    for level in peers::LEVELS {
        let plain = plain_bytes(&trace, &folder.join("plain.zst"), level)? as f64;
        results.single(&format!("real_plain_zstd{level}_bytes_per_event"), plain / events, "B");
    }
    answers::report(&answers, "real_", results);
    answers::recorded(&answers, results);

    super::progress("the same program with uftrace and perf");
    crate::test::mount_tracefs();
    let mut rows = Rows::default();
    let (functions, calls) = most_called(&report)?;
    for _ in 0..effort.rounds {
        ask_scope(scope, &trace, events, &mut rows)?;
        if which("uftrace").is_some() {
            uftrace(&program, &folder, &mut rows)?;
        } else {
            results.remark("not run: uftrace, which is not installed".to_owned());
        }
        if which("perf").is_some() {
            let recorded = perf::measure(&program, &functions, &folder)?;
            let events = recorded.events as f64;
            rows.push("real_perf_events", events, "");
            rows.push("real_perf_lost_events", (calls * 2) as f64 - events, "");
            rows.push("real_perf_bytes_per_event", recorded.bytes as f64 / events, "B");
            let per_s = events / recorded.script.as_secs_f64();
            rows.push("real_perf_script_events_per_s", per_s, "/s");
        } else {
            results.remark("not run: perf, which is not installed".to_owned());
        }
    }
    rows.report(results);
    Ok(())
}

/// Records the program from its start to its end, every function that can be probed.
pub fn record(scope: &Path, program: &Program, trace: &Path) -> Result<()> {
    let mut command = Command::new(scope);
    command
        .args(["trace", "--no-tui", "--quiet", "--all", "--ring-size", "64M", "--output"])
        .arg(trace)
        .arg("--");
    program.add_to(&mut command);
    run(command.stdin(Stdio::null()).stdout(Stdio::null()))
}

/// Names of the functions that were called most; without those that the compiler derived from
/// others, which have dots in their names and share them. And how often they were called.
fn most_called(report: &Value) -> Result<(Vec<String>, u64)> {
    let functions = report["functions"].as_array().context("a report has functions")?;
    let mut called: Vec<(u64, &str)> = functions
        .iter()
        .filter_map(|row| Some((row["calls"].as_u64()?, row["symbol"].as_str()?)))
        .filter(|(calls, symbol)| *calls > 0 && !symbol.contains('.'))
        .collect();
    called.sort_by(|a, b| b.cmp(a));
    ensure!(!called.is_empty(), "scope recorded no calls");
    called.truncate(PERF_FUNCTIONS);
    let calls = called.iter().map(|(calls, _)| calls).sum();
    Ok((called.into_iter().map(|(_, symbol)| symbol.to_owned()).collect(), calls))
}

/// The events of a trace as plain records: the bytes of the file.
fn plain_bytes(trace: &Path, into: &Path, level: i32) -> Result<u64> {
    let events: Result<Vec<Event>, _> = Trace::open(trace)?.events().collect();
    peers::plain::write(&events?, into, level)?;
    bytes_of(into)
}

fn ask_scope(scope: &Path, trace: &Path, events: f64, rows: &mut Rows) -> Result<()> {
    let dump = ask(&mut commands::scope(scope, "dump", trace))?;
    rows.push("real_scope_dump_events_per_s", events / dump.passed.as_secs_f64(), "/s");
    let report = ask(commands::scope(scope, "report", trace).args(["--limit", "0"]))?;
    rows.push("real_scope_report_s", report.passed.as_secs_f64(), "s");
    let at = ask(commands::scope(scope, "at", trace).arg("50%"))?;
    rows.push("real_scope_at_ms", millis(at.passed), "ms");
    Ok(())
}

/// `uftrace record` of all functions, patched in the process, then `replay` and `report`.
fn uftrace(program: &Program, folder: &Path, rows: &mut Rows) -> Result<()> {
    let data = folder.join("uftrace.data");
    if data.exists() {
        fs::remove_dir_all(&data).context("cannot remove the last round's recording")?;
    }
    let mut record = Command::new("uftrace");
    record.args(["record", "--patch", ".", "--no-libcall", "--no-event", "--data"]).arg(&data);
    program.add_to(&mut record);
    run(record.stdin(Stdio::null()).stdout(Stdio::null()))?;
    let mut records = 0;
    for entry in fs::read_dir(&data)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "dat") {
            records += fs::metadata(&path)?.len() / UFTRACE_RECORD;
        }
    }
    ensure!(records > 0, "uftrace recorded nothing");
    let events = records as f64;
    rows.push("real_uftrace_events", events, "");
    rows.push("real_uftrace_bytes_per_event", bytes_of(&data)? as f64 / events, "B");
    let replay = ask(&mut commands::uftrace("replay", &data))?;
    rows.push("real_uftrace_replay_events_per_s", events / replay.passed.as_secs_f64(), "/s");
    let report = ask(&mut commands::uftrace("report", &data))?;
    rows.push("real_uftrace_report_s", report.passed.as_secs_f64(), "s");
    Ok(())
}
