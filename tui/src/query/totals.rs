//! Where the time of a whole trace went, by function: what needs every event to be read once. In
//! slices, and kept: a trace that is complete does not change.

use rustc_hash::FxHashMap;
use scope_model::FunctionId;
use scope_store::Events;
use scope_timeline::{ProfileOptions, Profiler, Timeline, TimelineError};

/// The time of one function, as `scope report` counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionTimes {
    /// From entry to end, ns; recursion counts once.
    pub total_ns: u64,
    /// Of that, the part in which no recorded callee was open, ns.
    pub self_ns: u64,
    /// Of the total, the part on a CPU, ns.
    pub on_cpu_ns: u64,
}

/// Times by function.
pub type Totals = FxHashMap<FunctionId, FunctionTimes>;

/// The reading.
#[derive(Debug)]
pub struct Job {
    profiler: Profiler,
    events: Events,
    end_ns: Option<u64>,
}

impl Job {
    /// Begins.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn new(timeline: &Timeline<'_>) -> Result<Self, TimelineError> {
        let trace = timeline.trace();
        let profiler = Profiler::of(trace, ProfileOptions::default())?;
        Ok(Self { profiler, events: trace.events(), end_ns: trace.manifest().end_ns })
    }

    /// Reads at most so many events; returns whether more are left.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn go_on(&mut self, most_events: usize) -> Result<bool, TimelineError> {
        for _ in 0..most_events {
            let Some(event) = self.events.next().transpose()? else { return Ok(false) };
            self.profiler.push(&event);
        }
        Ok(true)
    }

    /// What it counted.
    #[must_use]
    pub fn finish(self) -> Totals {
        let profile = self.profiler.finish(self.end_ns);
        let times = |function: &scope_timeline::FunctionProfile| FunctionTimes {
            total_ns: function.times.total_ns,
            self_ns: function.self_ns,
            on_cpu_ns: function.times.on_cpu_ns,
        };
        profile.functions.iter().map(|function| (function.id, times(function))).collect()
    }
}
