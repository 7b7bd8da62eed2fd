//! `cargo xtask bench store`: how fast a trace is written and sealed, how small it gets, and how long
//! the questions take that people ask of it; beside other ways to keep the same events, and on a
//! recording of a real program beside what other tracers record of it.
//!
//! The long trace is of a made-up program (see [`generator`]); the chance that went into it is stated
//! beside its size.

mod answers;
mod commands;
mod finds;
mod generator;
mod goals;
pub mod memory;
mod peers;
mod questions;
pub mod real;
mod states;
mod steps;
pub(super) mod synthetic;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::results::Results;
use crate::project::{cargo, run as run_command, target_dir};
use questions::{Answers, Effort};
use synthetic::{Synthetic, Written};

/// The fewest events that say anything.
const FEWEST: usize = 100_000;
/// Rounds of what takes seconds: other formats and commands.
const LONG_ROUNDS: u32 = 3;

/// Options of `cargo xtask bench store`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Events of the longest synthetic trace. They are kept in memory while it is written, 40 bytes
    /// each.
    #[arg(long, default_value_t = 100_000_000, value_name = "N")]
    events: usize,
    /// Folder for traces; what is put there is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the bench.
pub fn run(options: &Options, rounds: u32) -> Result<Results> {
    ensure!(options.events >= FEWEST, "a trace of fewer than {FEWEST} events says nothing");
    run_command(cargo().args(["build", "--quiet", "--release", "--package", "tracer-user"]))?;
    let scope = target_dir().join("release/scope");
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = folder.join(format!("scope-bench-store-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let effort = Effort { rounds, moments: 4_000, cold: 200, places: 400, walk: 20, whole: true };
    let mut results = Results::default();
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        let load = load.split_whitespace().next().unwrap_or_default().to_owned();
        results.remark(format!("load average before the run: {load}"));
    }
    let measured = measure(&folder, options.events, effort, &scope, &mut results);
    // Whatever happened, the space is given back.
    let removed = fs::remove_dir_all(&folder);
    measured?;
    removed.context("cannot remove the traces")?;
    Ok(results)
}

fn measure(
    folder: &Path,
    events: usize,
    effort: Effort,
    scope: &Path,
    results: &mut Results,
) -> Result<()> {
    let (synthetic, traces) = growth(folder, events, effort, results)?;
    if let Some((longest, _)) = traces.last() {
        let rare = longest.rare.first().context("no calls were made")?;
        results.single("rss_mib", memory::measure(&longest.path, rare.0)?, "MiB");
    }
    for (written, _) in &traces {
        fs::remove_dir_all(&written.path)?;
    }
    progress("other ways to keep the same events");
    let rounds = effort.rounds.min(LONG_ROUNDS);
    peers::measure(&synthetic.events, folder, Some(scope), rounds, results)?;
    drop(synthetic);
    real::measure(folder, scope, Effort { rounds, ..effort }, results)?;
    goals::show(results);
    Ok(())
}

/// Writes synthetic traces of a hundredth, a tenth and all of some events, and asks each the same.
/// What comes back has the events of the one before the longest.
fn growth(
    folder: &Path,
    events: usize,
    effort: Effort,
    results: &mut Results,
) -> Result<(Synthetic, Vec<(Written, Answers)>)> {
    let sizes = [events / 100, events / 10, events];
    progress("making up the synthetic trace");
    let mut synthetic = Synthetic::make(&sizes);
    let mut written = Vec::new();
    for size in sizes {
        progress(&format!("writing {size} events"));
        let path = folder.join(format!("{size}.scope"));
        written.push(synthetic::write(&path, &synthetic.events[..size])?);
    }
    synthetic.shorten(sizes[1]);

    let mut traces = Vec::new();
    for written in written {
        progress(&format!("asking the trace of {} events", written.events));
        let rare: Vec<_> = written.rare.iter().map(|(function, _)| *function).collect();
        let answers = questions::ask(&written.path, &rare, effort)?;
        traces.push((written, answers));
    }
    let (longest, answers) = traces.last().context("there is a longest trace")?;
    results.single("ingest_events_per_s", longest.events_per_s(), "/s");
    let append = longest.events as f64 / longest.appended.as_secs_f64();
    results.single("append_events_per_s", append, "/s");
    results.single("bytes_per_event", longest.bytes_per_event(), "B");
    if let Some((_, bytes)) = synthetic.entropy.last() {
        results.single("entropy_bytes_per_event", *bytes, "B");
    }
    if longest.waits > 0 {
        results.remark(format!("the writer waited for the sealer {} times", longest.waits));
    }
    let calls: Vec<_> = longest.rare.iter().map(|(_, calls)| calls.to_string()).collect();
    results.remark(format!("the rare functions were called {} times", calls.join(", ")));
    if answers.cold.is_none() {
        results.remark("not run: cold states, since the traces are in memory; see --folder".into());
    }
    answers::report(answers, "", results);
    answers::growth(&traces, results);
    Ok((synthetic, traces))
}

/// Says what goes on.
fn progress(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the synthetic trace and the formats without programs of their own must give.
    const NAMES: [&str; 24] = [
        "ingest_events_per_s",
        "bytes_per_event",
        "entropy_bytes_per_event",
        "open_ms",
        "state_at_warm_p50_us",
        "state_at_warm_p99_us",
        "step_p99_us",
        "step_first_p99_us",
        "step_following_p99_us",
        "step_back_out_p99_us",
        "step_previous_call_p99_us",
        "rare_find_ms",
        "rare_find_max_ms",
        "overview_200_ms",
        "search_unindexed_ms",
        "read_events_per_s",
        "open_ms_at_1e3",
        "state_at_warm_p99_us_at_1e4",
        "step_p99_us_at_1e5",
        "plain_zstd3_bytes_per_event",
        "plain_zstd1_state_ms",
        "chrome_parse_to_middle_ms",
        "uftrace_bytes_per_event",
        "peers_scope_open_and_state_ms",
    ];

    #[test]
    fn a_small_run_yields_the_names() {
        let folder = std::env::temp_dir().join(format!("scope-bench-test-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let effort = Effort { rounds: 1, moments: 20, cold: 1, places: 2, walk: 3, whole: true };
        let mut results = Results::default();
        let (synthetic, traces) = growth(&folder, FEWEST, effort, &mut results).unwrap();
        peers::measure(&synthetic.events, &folder, None, 1, &mut results).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(traces.len(), 3);
        let missing: Vec<_> = NAMES.iter().filter(|name| results.get(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
