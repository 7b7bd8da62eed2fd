//! `cargo xtask bench capture`: what a traced call costs, how fast probes come and go, and whether a
//! steady load is recorded without loss.
//!
//! The target stays on CPU 0 and times itself; every tracer stays on CPU 1. Calls are counted by the
//! target and compared with what the tracer recorded.

mod attach;
mod cost;
mod programs;
pub(super) mod recorder;
mod steady;
pub(super) mod target;
mod tracers;

use anyhow::{Result, bail};

use super::results::Results;
use crate::install;
use crate::project::{is_root, which};
use programs::Programs;

/// CPU of the target, and of every tracer.
pub(super) const TARGET_CPU: u32 = 0;
const TRACER_CPU: u32 = 1;

/// Runs all parts.
pub fn run(rounds: u32) -> Result<Results> {
    if !is_root() {
        bail!("tracing needs root; run the bench as root");
    }
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    if cpus < 2 {
        bail!("the bench needs two CPUs, one for the target and one for the tracer");
    }
    crate::test::mount_tracefs();
    for (program, package) in
        [("perf", "linux-perf"), ("bpftrace", "bpftrace"), ("uftrace", "uftrace")]
    {
        if which(program).is_none()
            && let Err(error) = install::packages(&[package], program)
        {
            eprintln!("note: {error:#}");
        }
    }
    let programs = Programs::build()?;
    let mut results = Results::default();
    cost::measure(&programs, rounds, &mut results)?;
    attach::measure(&programs, rounds, &mut results)?;
    steady::measure(&programs, &mut results)?;
    Ok(results)
}
