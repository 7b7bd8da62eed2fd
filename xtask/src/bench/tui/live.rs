//! The UI on a trace that is being recorded: 300,000 events a second, as root. Its frames are timed
//! while keys are pressed and the trace grows; what the recorder lost is counted, also without a UI.
//!
//! The target has one CPU and the recorder the other, as in `bench capture`; the UI takes its time
//! from both.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::Stage;
use crate::bench::capture::TARGET_CPU;
use crate::bench::capture::recorder::Recorder;
use crate::bench::capture::target::Target;
use crate::bench::results::Results;
use crate::project::{is_root, output, root, run, which};

/// Calls a second, of two events each.
const RATE: u64 = 150_000;
/// Between two keys.
const KEY_EVERY: Duration = Duration::from_millis(40);
/// Between two looks whether the trace has grown, as the program has it.
const GROWTH: Duration = Duration::from_millis(250);
/// What is pressed, over and over: following in each pane, then away from the end and back.
const KEYS: [&str; 30] = [
    "t", "1", "+", "+", "2", "3", "4", "5", "-", "j", "k", "l", "h", "0", "n", "s", "N", "u", "+",
    "1", "f", "F", ",", ".", "h", "l", "4", ">", "<", "G",
];

/// Measures.
pub fn measure(folder: &Path, scope: &Path, seconds: u64, results: &mut Results) -> Result<()> {
    if !is_root() {
        results.remark("not run: frames while recording, which needs root".to_owned());
        return Ok(());
    }
    if which("cc").is_none() {
        results.remark("not run: frames while recording, which needs a C compiler".to_owned());
        return Ok(());
    }
    let program = folder.join("paced");
    // Not optimized, so that its function begins with `push` and is not single-stepped.
    run(Command::new("cc")
        .args(["-O0", "-g", "-no-pie", "-pthread", "-o"])
        .arg(&program)
        .arg(root().join("tests/workloads/paced.c")))?;
    eprintln!("{} events a second for {seconds} seconds, without a UI", 2 * RATE);
    let without = record(&program, scope, &folder.join("alone.scope"), seconds, |_| Ok(()))?;
    eprintln!("{} events a second for {seconds} seconds, and the UI", 2 * RATE);
    let mut frames = None;
    let with = record(&program, scope, &folder.join("live.scope"), seconds, |recording| {
        let mut stage = Stage::open(recording.trace)?;
        let (mut pressed, mut refreshed) = (Instant::now(), Instant::now());
        let mut keys = KEYS.iter().cycle();
        while !recording.is_over() {
            stage.take(Duration::from_millis(5))?;
            if refreshed.elapsed() >= GROWTH {
                refreshed = Instant::now();
                stage.refresh();
            }
            if pressed.elapsed() >= KEY_EVERY
                && let Some(key) = keys.next()
            {
                pressed = Instant::now();
                stage.press_at_once(key)?;
            }
        }
        frames = Some((stage.measured.frames.clone(), stage.model.facts.end));
        Ok(())
    })?;
    let (frames, seen) = frames.context("nothing was drawn")?;
    ensure!(seen > 0, "the UI saw no event of the recording");
    results.single("live_frame_p50_ms", frames.millis(0.5), "ms");
    results.single("live_frame_p99_ms", frames.millis(0.99), "ms");
    results.single("live_frame_max_ms", frames.millis(1.0), "ms");
    results.single("live_events_per_s", with.events_per_s, "recorded");
    results.single("live_lost_events", with.lost, "of all kinds");
    results.single("live_lost_events_without_ui", without.lost, "of all kinds");
    results.remark(format!("{} frames were drawn while recording", frames.len()));
    Ok(())
}

/// A recording that goes on.
struct Recording<'a> {
    trace: &'a Path,
    target: thread::JoinHandle<Result<Vec<String>>>,
}

impl Recording<'_> {
    fn is_over(&self) -> bool {
        self.target.is_finished()
    }
}

/// What became of a recording.
struct Recorded {
    lost: f64,
    events_per_s: f64,
}

fn record(
    program: &Path,
    scope: &Path,
    trace: &Path,
    seconds: u64,
    meanwhile: impl FnOnce(&Recording<'_>) -> Result<()>,
) -> Result<Recorded> {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(TARGET_CPU.to_string()).arg(program);
    let target = Target::start(command.args([RATE.to_string(), seconds.to_string()]))?;
    let pid = target.pid().to_string();
    let path = trace.to_str().context("the folder has a name that is no text")?;
    let arguments = ["trace", "--no-tui", "--quiet", "--output", path, &pid, "--function", "leaf"];
    let folder = trace.parent().context("a trace is in a folder")?;
    let mut recorder = Recorder::start_scope(scope, folder, &arguments)?
        .context("scope trace ended before its probes were in")?;
    let recording = Recording { trace, target: thread::spawn(move || target.finish()) };
    let done = meanwhile(&recording);
    let said = recording.target.join().map_err(|_| anyhow::anyhow!("the target's thread"))??;
    recorder.wait()?;
    done?;
    let wall_ns = said
        .iter()
        .find_map(|line| {
            let fact: Value = serde_json::from_str(line).ok()?;
            (fact["fact"] == "wall_ns").then(|| fact["value"].as_f64())?
        })
        .context("the target says how long it took")?;
    let report = output(Command::new(scope).args(["report", path, "--json", "--limit", "0"]))?;
    let report: Value = serde_json::from_str(&report).context("scope report prints JSON")?;
    let lost = report["lost_events"].as_f64().context("a report has lost_events")?;
    let rows = report["functions"].as_array().context("a report has functions")?;
    let calls = rows.iter().find(|row| row["name"] == "leaf").and_then(|row| row["calls"].as_f64());
    let calls = calls.context("no call was recorded")?;
    let made = (RATE * seconds) as f64;
    ensure!(lost > 0.0 || calls >= made, "{made} calls were made, {calls} recorded, none lost");
    Ok(Recorded { lost, events_per_s: 2.0 * calls / (wall_ns / 1e9) })
}
