//! `uftrace tui` on a recording of the same program: how soon its first screen is there, and what
//! memory it takes then.
//!
//! The program is compiled with `-pg -g`. uftrace records its calls and returns; scope the same
//! functions, and scheduling and system calls with them. Both files are in the page cache.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::stage::SIZE;
use super::terminal::{self, memory};
use crate::bench::results::Results;
use crate::bench::sample::millis;
use crate::bench::series::Series;
use crate::project::{is_root, output, root, run, which};
use crate::pty::Pty;

/// Trees of calls that the program makes: some 2 M calls.
const TREES: &str = "14";
/// Rounds at most: uftrace takes seconds.
const MOST_ROUNDS: u32 = 5;

/// Measures.
pub fn measure(folder: &Path, scope: &Path, rounds: u32, results: &mut Results) -> Result<()> {
    for (missing, why) in [
        (which("uftrace").is_none(), "uftrace, which is not installed"),
        (which("cc").is_none(), "uftrace tui, which needs a C compiler"),
        (!is_root(), "uftrace tui: recording by scope needs root"),
    ] {
        if missing {
            results.remark(format!("not run: {why}"));
            return Ok(());
        }
    }
    eprintln!("recording a program with uftrace and scope");
    let program = folder.join("work");
    run(Command::new("cc")
        .args(["-O1", "-pg", "-g", "-o"])
        .arg(&program)
        .arg(root().join("xtask/src/bench/tui/work.c")))?;
    let theirs = folder.join("work.uftrace");
    let quietly = |command: &mut Command| {
        // The profiler that `-pg` adds writes its own file where the program runs.
        output(command.current_dir(folder)).map(drop)
    };
    quietly(Command::new("uftrace").arg("record").arg("-d").arg(&theirs).arg(&program).arg(TREES))?;
    let ours = folder.join("work.scope");
    let mut record = Command::new(scope);
    record.args([
        "trace",
        "--no-tui",
        "--quiet",
        "--all",
        "--file",
        "*/work.c",
        "--ring-size",
        "64M",
    ]);
    record.arg("--output").arg(&ours).arg("--").arg(&program).arg(TREES).stdin(Stdio::null());
    quietly(&mut record)?;

    let (mut load, mut theirs_load, mut ours_load) =
        (Series::default(), Series::default(), Series::default());
    let (mut theirs_rss, mut ours_rss) = (Series::default(), Series::default());
    for round in 1..=rounds.min(MOST_ROUNDS) {
        eprintln!("scope replay and uftrace tui: round {round}");
        let (pty, first) = terminal::start(&terminal::replay(scope, &ours))?;
        ours_rss.push(memory(pty.pid())?.greatest_kib as f64 / 1024.0);
        terminal::leave(pty)?;
        terminal::forget_session(&ours);
        let (shown, rss) = uftrace(&theirs)?;
        theirs_rss.push(rss);
        ours_load.push(millis(first.whole));
        theirs_load.push(millis(shown));
        load.push(shown.as_secs_f64() / first.whole.as_secs_f64());
    }
    results.series("load_over_uftrace", &load, "times as long until the first screen");
    results.series("peer_scope_load_ms", &ours_load, "ms to the first screen");
    results.series("peer_uftrace_load_ms", &theirs_load, "ms to the first screen");
    results.series("peer_scope_rss_mib", &ours_rss, "MiB, files included");
    results.series("peer_uftrace_rss_mib", &theirs_rss, "MiB, files included");
    let events = report_events(scope, &ours)?;
    let bytes: u64 = fs::read_dir(&theirs)?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    results.remark(format!(
        "the program of the comparison: {events} calls in scope's trace, {} MiB of uftrace's",
        bytes >> 20
    ));
    Ok(())
}

/// Until `uftrace tui` shows the graph, and its memory in MiB then.
fn uftrace(recording: &Path) -> Result<(Duration, f64)> {
    let mut command = Command::new("uftrace");
    command.arg("tui").arg("-d").arg(recording);
    let mut pty = Pty::start(&command, SIZE)?;
    let begun = pty.begun;
    pty.until("uftrace's graph", |screen| {
        let text = screen.contents();
        text.contains("TOTAL TIME") && text.contains("main")
    })?;
    let shown = begun.elapsed();
    let rss = memory(pty.pid())?.greatest_kib as f64 / 1024.0;
    pty.send(b"q")?;
    ensure!(pty.wait()?.success(), "uftrace tui failed");
    Ok((shown, rss))
}

fn report_events(scope: &Path, trace: &Path) -> Result<u64> {
    let text =
        output(Command::new(scope).arg("report").arg(trace).args(["--json", "--limit", "0"]))?;
    let report: serde_json::Value = serde_json::from_str(&text).context("report prints JSON")?;
    let rows = report["functions"].as_array().context("a report has functions")?;
    let lost = report["lost_events"].as_u64().unwrap_or_default();
    ensure!(lost == 0, "{lost} events were lost in the recording to compare with");
    Ok(rows.iter().filter_map(|row| row["calls"].as_u64()).sum())
}
