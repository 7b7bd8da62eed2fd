//! Everything that is asked of one trace, through `scope-timeline` as the commands ask it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use scope_model::FunctionId;
use scope_store::Trace;
use scope_timeline::Timeline;

use super::finds::{self, RareTimes};
use super::states;
use super::steps::{self, StepTimes};
use crate::bench::sample::{Times, timed};

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Openings and pictures.
    pub rounds: u32,
    /// States of a trace in the page cache, and of one that is not.
    pub moments: u64,
    pub cold: u64,
    /// Places that each kind of step begins at, and steps made from each.
    pub places: u64,
    pub walk: u64,
    /// Whether to read and search all events too.
    pub whole: bool,
}

/// What a trace was asked, and how long the answers took.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Opening it and saying when it ends; its first opening is not among them.
    pub open: Times,
    pub warm: Times,
    /// Opening it and a state, with nothing in memory; `None` where nothing is ever forgotten.
    pub cold: Option<(Times, Times)>,
    pub steps: StepTimes,
    pub rare: RareTimes,
    /// Pictures of 200 columns: of a trace just opened, and later ones.
    pub overview_first: Times,
    pub overview: Times,
    /// Searching all events, and reading them in order.
    pub search: Option<Duration>,
    pub read: Option<Duration>,
    pub events: u64,
}

/// From when to when a trace goes.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Span {
    pub fn of(timeline: &Timeline<'_>) -> Result<Self> {
        Ok(Self { start_ns: timeline.trace().manifest().start_ns, end_ns: timeline.end_ns()? })
    }

    /// One of its times, for each number.
    pub fn time(self, number: u64) -> u64 {
        self.start_ns + number % (self.end_ns - self.start_ns).max(1)
    }
}

/// Asks everything of the trace at a path.
pub fn ask(path: &Path, rare: &[FunctionId], effort: Effort) -> Result<Answers> {
    drop(Trace::open(path)?);
    let mut open = Times::default();
    for _ in 0..effort.rounds.max(3) {
        let (end_ns, passed) = timed(|| -> Result<u64> {
            let trace = Trace::open(path)?;
            Ok(Timeline::new(&trace).end_ns()?)
        });
        ensure!(end_ns? > 0, "the trace has no end");
        open.push(passed);
    }

    let (mut overview_first, mut overview) = (Times::default(), Times::default());
    for _ in 0..effort.rounds {
        let trace = Trace::open(path)?;
        let span = Span::of(&Timeline::new(&trace))?;
        overview_first.push(picture(&trace, span)?);
        overview.push(picture(&trace, span)?);
    }

    let trace = Trace::open(path)?;
    let timeline = Timeline::new(&trace);
    let (search, read) = if effort.whole {
        (Some(finds::unindexed(&timeline)?), Some(read_all(&trace)?))
    } else {
        (None, None)
    };
    Ok(Answers {
        open,
        warm: states::warm(&timeline, effort)?,
        steps: steps::steps(&timeline, effort)?,
        cold: states::cold(path, effort)?,
        rare: finds::rare(path, rare)?,
        overview_first,
        overview,
        search,
        read,
        events: timeline.end()? - timeline.start(),
    })
}

/// A picture of the whole trace, all threads, 200 columns.
fn picture(trace: &Trace, span: Span) -> Result<Duration> {
    let (picture, passed) = timed(|| trace.overview(span.start_ns, span.end_ns + 1, 200, None));
    let calls: u64 = picture?.threads.iter().flat_map(|t| &t.cells).map(|cell| cell.calls).sum();
    ensure!(calls > 0, "the picture is empty");
    Ok(passed)
}

/// Reads all events in stored order.
pub fn read_all(trace: &Trace) -> Result<Duration> {
    let (count, passed) = timed(|| -> Result<u64> {
        let mut count = 0;
        for event in trace.events() {
            event?;
            count += 1;
        }
        Ok(count)
    });
    ensure!(count? == trace.end_event()? - trace.first_event(), "events are missing");
    Ok(passed)
}
