//! What one traced call costs: every tracer at every site, in interleaved rounds.

use anyhow::{Context, Result};

use super::TARGET_CPU;
use super::programs::Programs;
use super::target::Target;
use super::tracers::Tracer;
use crate::bench::results::Results;
use crate::bench::series::Series;

/// Tracer, site, calls a round (so that a round takes a good part of a second), and the name of its
/// number.
const VARIANTS: [(Tracer, &str, u64, &str); 13] = [
    (Tracer::Untraced, "site_push", 20_000_000, "untraced_ns"),
    (Tracer::Floor, "site_push", 200_000, "floor_ns"),
    (Tracer::Scope, "site_push", 200_000, "scope_ns"),
    (Tracer::ScopeNoSyscalls, "site_push", 200_000, "scope_no_syscalls_ns"),
    (Tracer::Perf, "site_push", 100_000, "perf_ns"),
    (Tracer::Bpftrace, "site_push", 20_000, "bpftrace_ns"),
    (Tracer::Uftrace, "site_push", 1_000_000, "uftrace_ns"),
    (Tracer::Untraced, "site_mov", 20_000_000, "untraced_mov_ns"),
    (Tracer::Floor, "site_mov", 200_000, "floor_moved_ns"),
    (Tracer::Scope, "site_mov", 200_000, "scope_moved_ns"),
    (Tracer::Floor, "site_stuck", 40_000, "floor_unmoved_ns"),
    (Tracer::Scope, "site_stuck", 40_000, "scope_unmoved_ns"),
    (Tracer::Perf, "site_stuck", 40_000, "perf_unmoved_ns"),
];

/// Ratios of added costs: name, of what, over what.
const RATIOS: [(&str, &str, &str); 7] = [
    ("scope_over_floor", "scope_ns", "floor_ns"),
    ("scope_no_syscalls_over_floor", "scope_no_syscalls_ns", "floor_ns"),
    ("scope_over_floor_moved", "scope_moved_ns", "floor_moved_ns"),
    ("scope_over_perf", "scope_ns", "perf_ns"),
    ("scope_over_bpftrace", "scope_ns", "bpftrace_ns"),
    ("scope_over_uftrace", "scope_ns", "uftrace_ns"),
    ("moved_over_unmoved", "scope_moved_ns", "scope_unmoved_ns"),
];

/// Measures all variants.
pub fn measure(programs: &Programs, rounds: u32, results: &mut Results) -> Result<()> {
    let mut target = start(programs)?;
    let mut series: Vec<Series> = vec![Series::default(); VARIANTS.len()];
    for round in 1..=rounds {
        eprintln!("cost of a call: round {round} of {rounds}");
        for (series, (tracer, site, calls, name)) in series.iter_mut().zip(VARIANTS) {
            let measured = tracer
                .measure(programs, &mut target, site, calls)
                .with_context(|| format!("{} at {site}", tracer.name()))?;
            let Some(measured) = measured else {
                results.remark(format!("{name} is not measured: no {} here", tracer.name()));
                continue;
            };
            if let Some(recorded) = measured.recorded
                && recorded != calls
            {
                let lost = measured.lost;
                results.remark(format!(
                    "{name}, round {round}: {recorded} of {calls} calls recorded, {lost} lost"
                ));
            }
            series.push(measured.timed.ns / measured.timed.calls as f64);
        }
    }
    for ((.., name), series) in VARIANTS.iter().zip(&series) {
        results.series(name, series, "ns a call");
    }
    for (name, of, over) in RATIOS {
        if let (Some(of), Some(over)) = (added(&series, of), added(&series, over)) {
            results.single(name, of / over, "of added cost");
        }
    }
    Ok(())
}

fn start(programs: &Programs) -> Result<Target> {
    let mut command = std::process::Command::new(&programs.calls);
    Target::start(command.arg(TARGET_CPU.to_string()))
}

/// Median of a variant less that of the untraced target at the same site.
fn added(series: &[Series], name: &str) -> Option<f64> {
    let median = |name: &str| {
        let index = VARIANTS.iter().position(|(.., other)| *other == name)?;
        series[index].median()
    };
    let (_, site, ..) = VARIANTS.iter().find(|(.., other)| *other == name)?;
    let base = if *site == "site_push" { "untraced_ns" } else { "untraced_mov_ns" };
    Some(median(name)? - median(base)?)
}
