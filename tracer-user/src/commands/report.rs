//! `scope report`: where the time went, by function and by thread.

mod document;
mod text;

pub use document::ThreadRow;

use std::cmp::Reverse;
use std::process::ExitCode;

use anyhow::bail;
use scope_model::{FunctionId, Tid};
use scope_store::Trace;
use scope_timeline::{FunctionProfile, Profile, ProfileOptions, Profiler, ThreadProfile};

use super::nodes::Nodes;
use super::reading::{self, Next};
use crate::cli::{ReportArgs, SortKey};
use crate::output;

/// Prints the report.
pub fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let options = ProfileOptions { by_thread: args.by_thread, thread: args.thread.map(Tid) };
    let mut profiler = Profiler::of(&trace, options)?;
    reading::each_event(&trace, |event| {
        profiler.push(&event);
        Ok(Next::Go)
    })?;
    let mut profile = profiler.finish(trace.manifest().end_ns);
    if let Some(tid) = args.thread
        && profile.threads.is_empty()
    {
        bail!("thread {tid}: not in {0}; scope report {0} lists its threads", args.trace.display());
    }
    sort(&mut profile, args.sort, &trace);
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut out = output::stdout();
    if args.json {
        output::json::document(
            &mut out,
            &document::Report::new(&Nodes::of(&trace), &profile, limit),
        )?;
    } else {
        text::write(&mut out, &trace, &profile, limit)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Sorts functions; the largest first, functions without the value last, equal ones by name.
fn sort(profile: &mut Profile, key: SortKey, trace: &Trace) {
    let value = |function: &FunctionProfile| -> Option<u64> {
        match key {
            SortKey::Total => Some(function.times.total_ns),
            SortKey::SelfTime => Some(function.self_ns),
            SortKey::Calls => Some(function.calls),
            SortKey::OnCpu => Some(function.times.on_cpu_ns),
            SortKey::OffCpu => Some(function.times.off_cpu_ns),
            SortKey::P50 => function.durations.quantile_ns(0.5),
            SortKey::P99 => function.durations.quantile_ns(0.99),
            SortKey::Max => function.durations.max_ns(),
            SortKey::Name => None,
        }
    };
    profile.functions.sort_by_cached_key(|function| {
        (Reverse(value(function)), reading::function_name(trace, function.id), function.id)
    });
}

/// The parts of a function by thread, the largest total first; none unless split by thread.
fn shares(
    profile: &Profile,
    id: FunctionId,
) -> impl Iterator<Item = (&ThreadProfile, &FunctionProfile)> {
    let mut shares: Vec<_> = profile
        .threads
        .iter()
        .filter_map(|thread| {
            let at = thread.functions.binary_search_by_key(&id, |function| function.id).ok()?;
            Some((thread, &thread.functions[at]))
        })
        .collect();
    shares.sort_by_key(|(_, share)| Reverse(share.times.total_ns));
    shares.into_iter()
}
