//! The same events kept in other ways, in interleaved rounds: how large they get, how long it takes to
//! write them, to read them all, and to say what every thread did in the middle of the recording.

mod chrome;
pub mod plain;
mod uftrace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scope_model::{Event, EventKind, FunctionId, State};
use scope_store::Trace;
use scope_timeline::Timeline;

use super::commands::{self, ask};
use super::generator::START_NS;
use super::questions::read_all;
use super::synthetic::{self, bytes_of};
use crate::bench::results::Results;
use crate::bench::sample::{millis, timed};
use crate::bench::table::Rows;
use crate::project::which;

/// Events that are also written as Chrome's JSON: parsing more takes too long.
const CHROME_EVENTS: usize = 1_000_000;
/// Levels of zstd.
pub const LEVELS: [i32; 2] = [1, 3];

/// Measures all; `scope` is the program, where commands are to be compared too.
pub fn measure(
    events: &[Event],
    folder: &Path,
    scope: Option<&Path>,
    rounds: u32,
    results: &mut Results,
) -> Result<()> {
    let middle_ns = middle(events)?;
    let mut rows = Rows::default();
    for _ in 0..rounds {
        let files = Files::new(folder)?;
        let records = write(events, &files, &mut rows)?;
        read(&files, events.len(), middle_ns, &mut rows)?;
        if let Some(scope) = scope {
            ask_scope(&files, scope, events.len(), middle_ns, &mut rows)?;
            if which("uftrace").is_some() {
                let functions = called(events).len() as u64;
                ask_uftrace(&files, records, functions, middle_ns, &mut rows)?;
            } else {
                results.remark("not run: uftrace, which is not installed".to_owned());
            }
        }
    }
    results.number("peers_events", events.len() as f64);
    results.remark(format!(
        "peers: the first {} events; Chrome's JSON: the first {}",
        events.len(),
        events.len().min(CHROME_EVENTS)
    ));
    rows.report(results);
    Ok(())
}

/// Where everything is written; emptied before each round.
struct Files {
    scope: PathBuf,
    plain: [PathBuf; 2],
    chrome: PathBuf,
    uftrace: PathBuf,
}

impl Files {
    fn new(folder: &Path) -> Result<Self> {
        let folder = folder.join("peers");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove the last round's files")?;
        }
        fs::create_dir(&folder)?;
        Ok(Self {
            scope: folder.join("same.scope"),
            plain: LEVELS.map(|level| folder.join(format!("plain.zst{level}"))),
            chrome: folder.join("chrome.json"),
            uftrace: folder.join("uftrace.data"),
        })
    }
}

/// Writes the events in every format; how many calls and returns they are.
fn write(events: &[Event], files: &Files, rows: &mut Rows) -> Result<u64> {
    let count = events.len() as f64;
    let per_s = |passed: Duration| count / passed.as_secs_f64();
    let written = synthetic::write(&files.scope, events)?;
    rows.push("peers_scope_bytes_per_event", written.bytes_per_event(), "B");
    rows.push("peers_scope_write_events_per_s", written.events_per_s(), "/s");
    for (level, path) in LEVELS.into_iter().zip(&files.plain) {
        let (done, passed) = timed(|| plain::write(events, path, level));
        done?;
        let bytes = bytes_of(path)? as f64;
        rows.push(&format!("plain_zstd{level}_bytes_per_event"), bytes / count, "B");
        rows.push(&format!("plain_zstd{level}_write_events_per_s"), per_s(passed), "/s");
    }
    let (records, passed) = timed(|| uftrace::write(events, &files.uftrace));
    let records = records?;
    let bytes = bytes_of(&files.uftrace)? as f64;
    rows.push("uftrace_bytes_per_event", bytes / records as f64, "B");
    rows.push("uftrace_write_events_per_s", records as f64 / passed.as_secs_f64(), "/s");

    let events = &events[..events.len().min(CHROME_EVENTS)];
    let written = chrome::write(events, &files.chrome)?;
    let bytes = bytes_of(&files.chrome)? as f64;
    rows.push("chrome_bytes_per_event", bytes / written as f64, "B");
    let since_ns = middle(events)? - START_NS;
    let (parsed, passed) = timed(|| chrome::parse_until(&files.chrome, u64::MAX));
    ensure!(parsed? == written, "events of the JSON are missing");
    let rate = written as f64 / passed.as_secs_f64();
    rows.push("chrome_read_events_per_s", rate, "/s");
    let (parsed, passed) = timed(|| chrome::parse_until(&files.chrome, since_ns));
    ensure!(parsed? < written, "the middle is the end");
    rows.push("chrome_parse_to_middle_ms", millis(passed), "ms");
    Ok(records)
}

fn read(files: &Files, count: usize, middle_ns: u64, rows: &mut Rows) -> Result<()> {
    let per_s = |passed: Duration| count as f64 / passed.as_secs_f64();
    let passed = read_all(&Trace::open(&files.scope)?)?;
    rows.push("peers_scope_read_events_per_s", per_s(passed), "/s");
    for (level, path) in LEVELS.into_iter().zip(&files.plain) {
        let (read, passed) = timed(|| plain::read(path, |_| true));
        ensure!(read? == count as u64, "plain records are missing");
        rows.push(&format!("plain_zstd{level}_read_events_per_s"), per_s(passed), "/s");
    }

    let (state, passed) = timed(|| -> Result<State> {
        let trace = Trace::open(&files.scope)?;
        let timeline = Timeline::new(&trace);
        Ok(timeline.state_at(timeline.moment_at(middle_ns)?)?)
    });
    let state = state?;
    rows.push("peers_scope_open_and_state_ms", millis(passed), "ms");
    for (level, path) in LEVELS.into_iter().zip(&files.plain) {
        let (replayed, passed) = timed(|| plain::state_at(path, middle_ns));
        let replayed = replayed?;
        ensure!(
            replayed.sorted_threads() == state.sorted_threads(),
            "a replay of plain records gives another state"
        );
        rows.push(&format!("plain_zstd{level}_state_ms"), millis(passed), "ms");
    }
    Ok(())
}

/// Every event, the times of every function, and what happens in the middle.
fn ask_scope(
    files: &Files,
    scope: &Path,
    events: usize,
    middle_ns: u64,
    rows: &mut Rows,
) -> Result<()> {
    let scope = |subcommand| commands::scope(scope, subcommand, &files.scope);
    let dump = ask(&mut scope("dump"))?;
    ensure!(dump.lines >= events as u64, "scope dump left out events");
    let per_s = events as f64 / dump.passed.as_secs_f64();
    rows.push("peers_scope_dump_events_per_s", per_s, "/s");
    let report = ask(scope("report").args(["--limit", "0"]))?;
    rows.push("peers_scope_report_s", report.passed.as_secs_f64(), "s");
    let at = ask(scope("at").arg(format!("{}ns", middle_ns - START_NS)))?;
    ensure!(at.lines > 2, "scope finds nothing in the middle");
    rows.push("peers_scope_at_ms", millis(at.passed), "ms");
    Ok(())
}

/// The same of `uftrace`, which can show a range of time, to the ms.
fn ask_uftrace(
    files: &Files,
    records: u64,
    functions: u64,
    middle_ns: u64,
    rows: &mut Rows,
) -> Result<()> {
    let uftrace = |subcommand| commands::uftrace(subcommand, &files.uftrace);
    let replay = ask(&mut uftrace("replay"))?;
    // A call that calls nothing has one line.
    ensure!(replay.lines > records / 2, "uftrace replay left out calls");
    let per_s = records as f64 / replay.passed.as_secs_f64();
    rows.push("uftrace_replay_events_per_s", per_s, "/s");
    let report = ask(&mut uftrace("report"))?;
    ensure!(
        report.lines == functions + 2,
        "uftrace reports {} lines of {functions} functions",
        report.lines
    );
    rows.push("uftrace_report_s", report.passed.as_secs_f64(), "s");
    let millis_in = (middle_ns - START_NS) / 1_000_000;
    let text = |millis: u64| format!("{}.{:03}s", millis / 1000, millis % 1000);
    let range = format!("{}~{}", text(millis_in), text(millis_in + 1));
    let some = ask(uftrace("replay").args(["--time-range", &range]))?;
    ensure!(some.lines > 2, "uftrace finds nothing in the middle");
    rows.push("uftrace_range_ms", millis(some.passed), "ms");
    Ok(())
}

/// The functions that are called.
fn called(events: &[Event]) -> BTreeSet<FunctionId> {
    let function = |event: &Event| match event.kind {
        EventKind::Enter { function, .. } => Some(function),
        _ => None,
    };
    events.iter().filter_map(function).collect()
}

/// The time in the middle between the first event and the last.
fn middle(events: &[Event]) -> Result<u64> {
    let last = events.last().context("there are no events")?;
    Ok(START_NS + (last.time_ns - START_NS) / 2)
}
