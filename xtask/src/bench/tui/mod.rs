//! `cargo xtask bench tui`: how long a frame of the UI takes on a long trace and on one that is being
//! recorded, how soon it is there, what memory it takes; beside `uftrace tui`.
//!
//! Frames are timed inside ([`stage`]), where nothing but their work counts; what a user sees of the
//! real program, from a key to what the terminal gets, is timed from outside on a terminal
//! ([`terminal`]).

mod goals;
mod live;
mod peers;
mod stage;
mod terminal;
mod walk;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::results::Results;
use super::sample::Times;
use super::series::Series;
use super::store::synthetic::{self, Synthetic};
use crate::project::{cargo, run as run_command, target_dir};
use stage::Stage;

/// The fewest events that say anything.
const FEWEST: usize = 100_000;

/// Options of `cargo xtask bench tui`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Events of the synthetic trace, that of `bench store`. They are kept in memory while it is
    /// written, 40 bytes each.
    #[arg(long, default_value_t = 100_000_000, value_name = "N")]
    events: usize,
    /// Folder for traces; what is put there is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Look at this trace in place of a synthetic one.
    #[arg(long, value_name = "TRACE")]
    trace: Option<PathBuf>,
    /// Seconds of the recording that is looked at while it grows.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    live_seconds: u64,
}

/// Runs the bench.
pub fn run(options: &Options, rounds: u32) -> Result<Results> {
    ensure!(options.events >= FEWEST, "a trace of fewer than {FEWEST} events says nothing");
    run_command(cargo().args(["build", "--quiet", "--release", "--package", "tracer-user"]))?;
    let scope = target_dir().join("release/scope");
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = folder.join(format!("scope-bench-tui-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut results = Results::default();
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        let load = load.split_whitespace().next().unwrap_or_default().to_owned();
        results.remark(format!("load average before the run: {load}"));
    }
    let measured = measure(&folder, options, rounds, &scope, &mut results);
    // Whatever happened, the space is given back.
    let removed = fs::remove_dir_all(&folder);
    measured?;
    removed.context("cannot remove the traces")?;
    Ok(results)
}

fn measure(
    folder: &Path,
    options: &Options,
    rounds: u32,
    scope: &Path,
    results: &mut Results,
) -> Result<()> {
    let trace = match &options.trace {
        Some(trace) => trace.clone(),
        None => write_synthetic(folder, options.events)?,
    };
    // From outside first: what this process does later does not disturb it.
    terminal::measure(scope, &trace, rounds, results)?;
    frames(&trace, rounds, 1, results)?;
    live::measure(folder, scope, options.live_seconds, results)?;
    peers::measure(folder, scope, rounds, results)?;
    goals::show(results);
    Ok(())
}

fn write_synthetic(folder: &Path, events: usize) -> Result<PathBuf> {
    eprintln!("writing a trace of {events} events");
    let made = Synthetic::make(&[events]);
    let path = folder.join("synthetic.scope");
    synthetic::write(&path, &made.events)?;
    Ok(path)
}

/// Walks over a trace, from another place in each round, and times every frame. Of so many zooms one is
/// looked at.
fn frames(trace: &Path, rounds: u32, of_zooms: usize, results: &mut Results) -> Result<()> {
    let (mut p50, mut p99, mut most) = (Series::default(), Series::default(), Series::default());
    let (mut answer_p50, mut answer_p99) = (Series::default(), Series::default());
    let mut all = stage::Measured::default();
    let mut sent = 0;
    for round in 1..=rounds {
        eprintln!("frames: round {round} of {rounds}");
        let mut stage = Stage::open(trace)?;
        walk::walk(&mut stage, of_zooms, (round, rounds))?;
        let measured = &stage.measured;
        p50.push(measured.frames.millis(0.5));
        p99.push(measured.frames.millis(0.99));
        most.push(measured.frames.millis(1.0));
        answer_p50.push(measured.answers.millis(0.5));
        answer_p99.push(measured.answers.millis(0.99));
        all.frames.extend(&measured.frames);
        for (kind, times) in &measured.questions {
            all.questions.entry(kind).or_default().extend(times);
        }
        sent += stage.sent();
    }
    let frames = all.frames.len();
    ensure!(frames > 0, "nothing was drawn");
    results.series("frame_p50_ms", &p50, "ms");
    results.series("frame_p99_ms", &p99, "ms");
    results.series("frame_max_ms", &most, "ms");
    results.series("answer_p50_ms", &answer_p50, "ms, key to all answered");
    results.series("answer_p99_ms", &answer_p99, "ms, key to all answered");
    results.single("frame_bytes", sent as f64 / frames as f64, "B sent to a terminal, mean");
    results.remark(format!("{frames} frames were drawn"));
    questions(&all, results);
    Ok(())
}

/// A table of the kinds of questions.
fn questions(measured: &stage::Measured, results: &mut Results) {
    let head = ["", "asked", "p50", "p99", "max"].map(str::to_owned).to_vec();
    let row = |(kind, times): (&&str, &Times)| {
        let millis = |share| format!("{:.3}", times.millis(share));
        let asked = times.len().to_string();
        vec![(*kind).to_owned(), asked, millis(0.5), millis(0.99), millis(1.0)]
    };
    let rows: Vec<_> = [head].into_iter().chain(measured.questions.iter().map(row)).collect();
    results.table("from question to answer, ms".to_owned(), super::table::aligned(&rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_walk_yields_the_names_of_frames() {
        let folder = tempfile::tempdir().unwrap();
        let trace = write_synthetic(folder.path(), FEWEST).unwrap();
        let mut results = Results::default();
        frames(&trace, 1, 12, &mut results).unwrap();
        let names =
            ["frame_p50_ms", "frame_p99_ms", "frame_max_ms", "answer_p50_ms", "answer_p99_ms"];
        let missing: Vec<_> = names.iter().filter(|name| results.get(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(results.to_string().contains("open calls over time"));
    }
}
