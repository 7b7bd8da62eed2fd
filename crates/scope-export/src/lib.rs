//! Traces in the formats of other tools.
//!
//! Every format is made in one pass over the events ([`mod@walk`]), so that memory does not grow with
//! the length of a trace: what a format wants in another order waits in an unnamed temporary file.
//! What is known is kept: lost events, calls whose end was not seen and calls that are open where the
//! export ends are marked as such wherever the format has a way to say so, and each format's module
//! says how. Nothing is made up to please a viewer.
//!
//! Absent here: the command line, and reading any of these formats.

pub mod chrome;
mod error;
pub mod firefox;
pub mod folded;
mod functions;
mod json;
pub mod otlp;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod perfetto;
pub mod speedscope;
mod spool;
mod stacks;
pub mod walk;

use scope_model::Tid;
use scope_timeline::{Moment, Timeline, TimelineError};

pub use error::Error;

/// Which part of a trace is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From this moment on. Calls that are open there are cut: they begin there, and say so.
    pub from: Moment,
    /// Up to this moment.
    pub to: Moment,
    /// Only this thread.
    pub thread: Option<Tid>,
}

impl Window {
    /// The whole trace.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn whole(timeline: &Timeline<'_>) -> Result<Self, TimelineError> {
        let (trace, start) = (timeline.trace(), timeline.start());
        // Of a flight recording, its first event: what was before is gone.
        let time_ns = match start {
            0 => trace.manifest().start_ns,
            _ if trace.block_count()? == 0 => timeline.time_of(start)?,
            _ => trace.block_info(0)?.first_ns,
        };
        let from = Moment { event: start, time_ns };
        let to = Moment { event: timeline.end()?, time_ns: timeline.end_ns()? };
        Ok(Self { from, to, thread: None })
    }

    /// How many events it has, of all threads.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.to.event.saturating_sub(self.from.event)
    }
}

/// What was exported, and what to know before trusting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Calls, in the unit of the format: slices, spans, rows, or calls that stacks were made from.
    pub calls: u64,
    /// Calls that are open where the export ends.
    pub open_calls: u64,
    /// Events lost in the window.
    pub lost_events: u64,
}
