//! The UI on a trace that is being recorded: 300,000 events a second, as root. Its frames are timed
//! while keys are pressed and the trace grows; what the recorder lost is counted, also without a UI.
//!
//! The target has one CPU and the recorder the other, as in `bench capture`; the UI takes its time
//! from both. Then the recorder has its UI itself, as people start it, on any CPU: how soon that is
//! there, and what becomes of a key, is seen on its terminal.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::{SIZE, Stage};
use crate::bench::capture::TARGET_CPU;
use crate::bench::capture::recorder::Recorder;
use crate::bench::capture::target::Target;
use crate::bench::results::Results;
use crate::bench::sample::{Times, millis};
use crate::project::{is_root, output, root, run, which};
use crate::pty::Pty;

/// Calls a second, of two events each.
const RATE: u64 = 150_000;
/// Between two keys.
const KEY_EVERY: Duration = Duration::from_millis(40);
/// Between two looks whether the trace has grown, as the program has it.
const GROWTH: Duration = Duration::from_millis(250);
/// How long the frame of a key may take.
const PATIENCE: Duration = Duration::from_secs(5);
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
    let paced = Paced { program: &program, scope, seconds };
    let without = paced.record(&folder.join("alone.scope"), |_| Ok(()))?;
    eprintln!("{} events a second for {seconds} seconds, and the UI", 2 * RATE);
    let mut frames = None;
    let with = paced.record(&folder.join("live.scope"), |recording| {
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
    eprintln!("{} events a second for {seconds} seconds, on a terminal", 2 * RATE);
    let (own, first, keys) = paced.record_on_terminal(&folder.join("own.scope"))?;
    results.single("live_first_frame_ms", millis(first), "ms, from exec of scope trace");
    results.single("live_key_p50_ms", keys.millis(0.5), "ms, key to the terminal gets a frame");
    results.single("live_key_p99_ms", keys.millis(0.99), "ms");
    results.single("live_frame_p50_ms", frames.millis(0.5), "ms");
    results.single("live_frame_p99_ms", frames.millis(0.99), "ms");
    results.single("live_frame_max_ms", frames.millis(1.0), "ms");
    results.single("live_events_per_s", with.events_per_s, "recorded");
    results.single("live_lost_events", with.lost + own.lost, "of all kinds");
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

    /// What the target said, at its end.
    fn said(self) -> Result<Vec<String>> {
        self.target.join().map_err(|_| anyhow::anyhow!("the target's thread ended by a panic"))?
    }
}

/// What became of a recording.
struct Recorded {
    lost: f64,
    events_per_s: f64,
}

/// The target, and what it takes to record it.
struct Paced<'a> {
    program: &'a Path,
    scope: &'a Path,
    seconds: u64,
}

impl Paced<'_> {
    /// Starts the target; it waits for its input to end.
    fn target(&self) -> Result<Target> {
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(TARGET_CPU.to_string()).arg(self.program);
        Target::start(command.args([RATE.to_string(), self.seconds.to_string()]))
    }

    /// Records it on the recorder's CPU, without a UI.
    fn record(
        &self,
        trace: &Path,
        meanwhile: impl FnOnce(&Recording<'_>) -> Result<()>,
    ) -> Result<Recorded> {
        let target = self.target()?;
        let pid = target.pid().to_string();
        let path = trace.to_str().context("the folder has a name that is no text")?;
        let arguments =
            ["trace", "--no-tui", "--quiet", "--output", path, &pid, "--function", "leaf"];
        let folder = trace.parent().context("a trace is in a folder")?;
        let mut recorder = Recorder::start_scope(self.scope, folder, &arguments)?
            .context("scope trace ended before its probes were in")?;
        let recording = Recording { trace, target: thread::spawn(move || target.finish()) };
        let done = meanwhile(&recording);
        let said = recording.said()?;
        recorder.wait()?;
        done?;
        self.recorded(trace, &said)
    }

    /// Records it with the UI of the recorder, and presses keys; until its first screen, and from keys
    /// to frames.
    fn record_on_terminal(&self, trace: &Path) -> Result<(Recorded, Duration, Times)> {
        let target = self.target()?;
        let mut command = Command::new(self.scope);
        command.arg("trace").arg(target.pid().to_string()).args(["--function", "leaf", "--output"]);
        command.arg(trace).env("XDG_CONFIG_HOME", "/nonexistent");
        let mut pty = Pty::start(&command, SIZE)?;
        pty.until("the UI of scope trace", |screen| screen.contents().contains("following"))?;
        let first = pty.begun.elapsed();
        let recording = Recording { trace, target: thread::spawn(move || target.finish()) };
        let mut keys = Times::default();
        for key in KEYS.iter().cycle() {
            if recording.is_over() {
                break;
            }
            // What it draws by itself is not the frame of a key.
            pty.rest(Duration::from_millis(2))?;
            pty.send(key.as_bytes())?;
            let sent = Instant::now();
            ensure!(pty.read(PATIENCE)?, "nothing came of the key {key}");
            keys.push(sent.elapsed());
            while sent.elapsed() < KEY_EVERY {
                pty.read(KEY_EVERY.saturating_sub(sent.elapsed()))?;
            }
        }
        let said = recording.said()?;
        pty.until("the end of the recording", |screen| screen.contents().contains("complete"))?;
        pty.send(b"q")?;
        ensure!(pty.wait()?.success(), "scope trace failed");
        Ok((self.recorded(trace, &said)?, first, keys))
    }

    /// What is in the trace, held against what the target says it did.
    fn recorded(&self, trace: &Path, said: &[String]) -> Result<Recorded> {
        let wall_ns = said
            .iter()
            .find_map(|line| {
                let fact: Value = serde_json::from_str(line).ok()?;
                (fact["fact"] == "wall_ns").then(|| fact["value"].as_f64())?
            })
            .context("the target says how long it took")?;
        let mut report = Command::new(self.scope);
        let report = output(report.arg("report").arg(trace).args(["--json", "--limit", "0"]))?;
        let report: Value = serde_json::from_str(&report).context("scope report prints JSON")?;
        let lost = report["lost_events"].as_f64().context("a report has lost_events")?;
        let rows = report["functions"].as_array().context("a report has functions")?;
        let leaf = rows.iter().find(|row| row["name"] == "leaf");
        let calls = leaf.and_then(|row| row["calls"].as_f64()).context("no call was recorded")?;
        let made = (RATE * self.seconds) as f64;
        ensure!(lost > 0.0 || calls >= made, "{made} calls were made, {calls} recorded, none lost");
        Ok(Recorded { lost, events_per_s: 2.0 * calls / (wall_ns / 1e9) })
    }
}
