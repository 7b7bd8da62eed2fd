//! A steady load with default rings: everything must be recorded.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::TARGET_CPU;
use super::programs::Programs;
use super::target::Target;
use super::tracers::{calls_of, report, start_scope_trace};
use crate::bench::results::Results;

/// Calls a second (two events each), and seconds.
const RATE: u64 = 150_000;
const SECONDS: u64 = 10;

/// Records the load and compares with what the target did.
pub fn measure(programs: &Programs, results: &mut Results) -> Result<()> {
    eprintln!("{} events a second for {SECONDS} seconds", 2 * RATE);
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(TARGET_CPU.to_string()).arg(&programs.paced);
    let target = Target::start(command.args([RATE.to_string(), SECONDS.to_string()]))?;
    let pid = target.pid().to_string();
    let trace = programs.folder.join("steady.scope");
    let mut recorder = start_scope_trace(programs, &trace, &[&pid, "--function", "leaf"])?;
    let said = target.finish()?;
    recorder.wait()?;
    let wall_ns = said
        .iter()
        .find_map(|line| {
            let fact: serde_json::Value = serde_json::from_str(line).ok()?;
            (fact["fact"] == "wall_ns").then(|| fact["value"].as_f64())?
        })
        .context("the target says how long it took")?;
    let report = report(programs, &trace)?;
    let recorded = calls_of(&report, "leaf");
    let lost = report["lost_events"].as_u64().context("a report has lost_events")?;
    let made = RATE * SECONDS;
    if lost == 0 && recorded != made {
        bail!("{made} calls were made, {recorded} recorded and none lost");
    }
    results.single("sustained_events_per_s", 2.0 * recorded as f64 / (wall_ns / 1e9), "recorded");
    results.single("lost_events", lost as f64, "of all kinds");
    Ok(())
}
