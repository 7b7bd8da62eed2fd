//! The JSON of `scope report`. Its names are a contract: fields are added, never renamed or removed.

use scope_source::NodeId;
use scope_timeline::{FunctionProfile, Profile, ThreadProfile};
use serde::Serialize;

use crate::commands::nodes::Nodes;
use crate::commands::reading;

/// The document. Times are in ns; what is not known is null.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    trace: String,
    duration_ns: u64,
    events: u64,
    lost_events: u64,
    threads: Vec<ThreadRow<'a>>,
    functions: Vec<Function<'a>>,
    /// Functions that `--limit` left out.
    functions_not_shown: usize,
}

/// A thread, as `report` and `info` have it.
#[derive(Debug, Serialize)]
pub struct ThreadRow<'a> {
    tid: u32,
    pid: u32,
    name: &'a str,
    events: u64,
    lost_events: u64,
    on_cpu_ns: u64,
    /// Blocked; waiting for a CPU is `runnable_ns`.
    off_cpu_ns: u64,
    runnable_ns: u64,
    unknown_ns: u64,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    id: u32,
    name: String,
    symbol: Option<&'a str>,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    /// Its node; null where that is not known.
    node_id: Option<NodeId>,
    #[serde(flatten)]
    numbers: Numbers,
    /// With `--by-thread`: the share of each thread.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    threads: Vec<Share<'a>>,
}

#[derive(Debug, Serialize)]
struct Share<'a> {
    tid: u32,
    pid: u32,
    thread_name: &'a str,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Serialize)]
struct Numbers {
    calls: u64,
    unfinished: u64,
    unwound: u64,
    /// Calls whose end had no probe.
    unobserved: u64,
    /// Calls that cross a gap.
    unknown_durations: u64,
    total_ns: u64,
    self_ns: u64,
    on_cpu_ns: u64,
    /// Blocked or waiting for a CPU.
    off_cpu_ns: u64,
    min_ns: Option<u64>,
    mean_ns: Option<u64>,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl<'a> Report<'a> {
    /// The document of a profile whose functions are in the order to show, `limit` at most.
    pub fn new(nodes: &Nodes<'a>, profile: &'a Profile, limit: usize) -> Self {
        let trace = nodes.trace();
        let shown = profile.functions.len().min(limit);
        Self {
            trace: trace.path().display().to_string(),
            duration_ns: profile.duration_ns,
            events: profile.events,
            lost_events: profile.lost_events,
            threads: profile.threads.iter().map(ThreadRow::new).collect(),
            functions: profile.functions[..shown]
                .iter()
                .map(|function| Function::new(nodes, profile, function))
                .collect(),
            functions_not_shown: profile.functions.len() - shown,
        }
    }
}

impl<'a> ThreadRow<'a> {
    /// The row of a thread.
    pub fn new(thread: &'a ThreadProfile) -> Self {
        Self {
            tid: thread.tid.0,
            pid: thread.pid.0,
            name: &thread.name,
            events: thread.events,
            lost_events: thread.lost_events,
            on_cpu_ns: thread.on_cpu_ns,
            off_cpu_ns: thread.off_cpu_ns,
            runnable_ns: thread.runnable_ns,
            unknown_ns: thread.unknown_ns,
        }
    }
}

impl<'a> Function<'a> {
    fn new(nodes: &Nodes<'a>, profile: &'a Profile, function: &FunctionProfile) -> Self {
        let trace = nodes.trace();
        let known = reading::function(trace, function.id);
        let threads = super::shares(profile, function.id)
            .map(|(thread, share)| Share {
                tid: thread.tid.0,
                pid: thread.pid.0,
                thread_name: &thread.name,
                numbers: Numbers::new(share),
            })
            .collect();
        Self {
            id: function.id.0,
            name: reading::function_name(trace, function.id),
            symbol: known.map(|known| known.symbol.as_str()),
            module: known.and_then(|known| reading::module_path(trace, known)),
            file: known.and_then(|known| known.file.as_deref()),
            line: known.and_then(|known| known.line),
            node_id: nodes.of_function(function.id),
            numbers: Numbers::new(function),
            threads,
        }
    }
}

impl Numbers {
    fn new(function: &FunctionProfile) -> Self {
        let durations = &function.durations;
        Self {
            calls: function.calls,
            unfinished: function.unfinished,
            unwound: function.unwound,
            unobserved: function.unobserved,
            unknown_durations: function.unknown_durations,
            total_ns: function.times.total_ns,
            self_ns: function.self_ns,
            on_cpu_ns: function.times.on_cpu_ns,
            off_cpu_ns: function.times.off_cpu_ns,
            min_ns: durations.min_ns(),
            mean_ns: durations.mean_ns(),
            p50_ns: durations.quantile_ns(0.5),
            p90_ns: durations.quantile_ns(0.9),
            p99_ns: durations.quantile_ns(0.99),
            max_ns: durations.max_ns(),
        }
    }
}
