//! Questions about a trace, and their answers: all reading of the UI is here, and none elsewhere.
//!
//! A question is a plain value and its answer depends on it and on the trace alone, so that the same
//! code answers for the worker thread, which keeps screens and keys free of reading, and for tests,
//! which ask at once. What costs more the longer a trace is (executions of a function, running to a
//! breakpoint, the times of a long call) is done in slices or can be interrupted.
//!
//! Absent here: who asks what and when (`model`), and pictures of the answers (`view`).

pub mod executions;
pub mod facts;
pub mod find;
pub mod functions;
pub mod health;
pub mod hits;
pub mod picture;
pub mod sites;
pub mod totals;
pub mod travel;
pub mod tree;

use std::sync::Arc;

use scope_model::{FunctionId, ThreadState, Tid};
use scope_timeline::{CallView, Timeline, TimelineError};

use crate::source::{LeftAt, LineCost, SourceText, SourceView};

pub use executions::{Executions, Which};
pub use facts::Facts;
pub use find::{FindKind, FindRow, Finds};
pub use functions::{FunctionRow, Functions};
pub use hits::Hits;
pub use picture::{Bar, Flame, Flames, Picture, WakeUp};
pub use totals::{FunctionTimes, Totals};
pub use travel::{Arrival, Destination, Travel};
pub use tree::Tree;

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Go somewhere.
    Travel(Travel),
    /// What all threads were doing.
    States {
        /// The moment.
        moment: u64,
    },
    /// The calls around a moment of a thread.
    Tree(tree::TreeQuery),
    /// Lanes of threads.
    Picture(picture::PictureQuery),
    /// All of the trace in a line.
    Bar {
        /// Its cells.
        columns: usize,
    },
    /// The open calls of a thread over time.
    Flames(picture::FlamesQuery),
    /// Where the time of a call went.
    Call {
        /// Its id.
        id: u64,
    },
    /// What matches a text.
    Find {
        /// The text, as typed.
        text: String,
    },
    /// The text of a function.
    Source {
        /// Which.
        function: FunctionId,
        /// The call by which it is left at the moment, where there is one.
        left_at: Option<LeftAt>,
    },
    /// What lines of a function cost.
    Lines {
        /// Which.
        function: FunctionId,
    },
    /// All functions and their times.
    Functions,
    /// The times of all functions that need all events.
    Totals,
    /// How the recording is getting on.
    Health,
    /// Where a condition holds.
    Hits(hits::HitsQuery),
    /// The slowest calls of a function, or of those made from one place.
    Executions {
        /// Which.
        of: Which,
    },
}

/// An answer, to the question of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Where a way led.
    Travel(Arrival),
    /// All threads, by id.
    States(Arc<Vec<ThreadState>>),
    /// Calls.
    Tree(Arc<Tree>),
    /// Lanes.
    Picture(Arc<Picture>),
    /// All of the trace.
    Bar(Arc<Bar>),
    /// Open calls over time.
    Flames(Arc<Flames>),
    /// A call.
    Call(Arc<CallView>),
    /// What matched.
    Find(Arc<Finds>),
    /// A function's text, or why there is none.
    Source(Result<Arc<SourceText>, String>),
    /// What lines cost, by line.
    Lines(Arc<Vec<LineCost>>),
    /// Functions.
    Functions(Arc<Functions>),
    /// How the recording is getting on.
    Health(Arc<health::Condition>),
    /// Where a condition holds.
    Hits(Arc<Hits>),
    /// Times of functions.
    Totals(Arc<Totals>),
    /// Calls of a function.
    Executions(Arc<Executions>),
}

/// How many kinds of question there are.
pub const SLOTS: usize = 15;

impl Query {
    /// Its kind, as an index: of two questions of one kind only the later one matters. Lower ones are
    /// answered first.
    #[must_use]
    pub const fn slot(&self) -> usize {
        match self {
            Self::Travel(_) => 0,
            Self::States { .. } => 1,
            Self::Tree(_) => 2,
            Self::Picture(_) => 3,
            Self::Bar { .. } => 4,
            Self::Flames(_) => 5,
            Self::Find { .. } => 6,
            Self::Source { .. } => 7,
            Self::Call { .. } => 8,
            Self::Functions => 9,
            Self::Executions { .. } => 10,
            Self::Totals => 11,
            Self::Hits(_) => 12,
            Self::Lines { .. } => 13,
            Self::Health => 14,
        }
    }

    /// Whether answering may take long: such questions have a worker of their own.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        matches!(
            self,
            Self::Travel(_)
                | Self::Call { .. }
                | Self::Executions { .. }
                | Self::Totals
                | Self::Hits(_)
                | Self::Lines { .. }
        )
    }

    /// Whether the answer may change when the trace grows.
    #[must_use]
    pub const fn ages(&self) -> bool {
        match self {
            Self::Travel(_) | Self::States { .. } | Self::Find { .. } | Self::Totals => false,
            Self::Tree(_)
            | Self::Picture(_)
            | Self::Bar { .. }
            | Self::Flames(_)
            | Self::Call { .. }
            | Self::Functions
            | Self::Health
            | Self::Hits(_)
            | Self::Source { .. }
            | Self::Lines { .. }
            | Self::Executions { .. } => true,
        }
    }
}

/// Answers a question as a whole, unless the timeline is interrupted.
///
/// # Errors
///
/// What reading the trace gives; [`TimelineError::Interrupted`].
pub fn answer(
    timeline: &Timeline<'_>,
    facts: &Facts,
    sources: &dyn SourceView,
    query: &Query,
) -> Result<Answer, TimelineError> {
    Ok(match query {
        Query::Travel(way) => Answer::Travel(travel::travel(timeline, way, &|_, _| {})?),
        Query::States { moment } => {
            let state = timeline.state_at(clamp(timeline, *moment)?)?;
            Answer::States(Arc::new(state.sorted_threads().into_iter().cloned().collect()))
        }
        Query::Tree(query) => Answer::Tree(Arc::new(tree::tree(timeline, query)?)),
        Query::Picture(query) => Answer::Picture(Arc::new(picture::picture(timeline, query)?)),
        Query::Bar { columns } => Answer::Bar(Arc::new(picture::bar(timeline, facts, *columns)?)),
        Query::Flames(query) => Answer::Flames(Arc::new(picture::flames(timeline, query)?)),
        Query::Call { id } => Answer::Call(Arc::new(timeline.call(*id, tree::MOST_WAITS)?)),
        Query::Find { text } => Answer::Find(Arc::new(find::find(timeline, text)?)),
        Query::Source { function, left_at } => {
            Answer::Source(sources.text(facts, *function, left_at.as_ref()).map(Arc::new))
        }
        Query::Lines { function } => {
            let mut job = sites::Job::default();
            while job.go_on(timeline, usize::MAX)? {}
            Answer::Lines(Arc::new(sources.costs(facts, *function, job.sites())))
        }
        Query::Functions => Answer::Functions(Arc::new(functions::functions(timeline)?)),
        Query::Health => Answer::Health(Arc::new(health::condition(timeline)?)),
        Query::Hits(query) => Answer::Hits(Arc::new(hits::hits(timeline, query)?)),
        Query::Totals => {
            let mut job = totals::Job::new(timeline)?;
            while job.go_on(usize::MAX)? {}
            Answer::Totals(Arc::new(job.finish()))
        }
        Query::Executions { of } => {
            let mut job = executions::Job::new(of.clone());
            while job.go_on(timeline, usize::MAX)? {}
            Answer::Executions(Arc::new(job.found()))
        }
    })
}

/// A moment within what the trace still has: a flight recording may have dropped it meanwhile.
pub(crate) fn clamp(timeline: &Timeline<'_>, moment: u64) -> Result<u64, TimelineError> {
    Ok(moment.clamp(timeline.start(), timeline.end()?))
}

/// The name of a thread where it is first seen; `None` where it has none there.
pub(crate) fn first_name(
    timeline: &Timeline<'_>,
    tid: Tid,
) -> Result<Option<String>, TimelineError> {
    let threads = [tid];
    let filter =
        scope_store::BlockFilter { threads: Some(&threads), ..scope_store::BlockFilter::default() };
    let trace = timeline.trace();
    let mut blocks = trace.blocks_with(filter, scope_store::Direction::Forward, 0);
    // A candidate may turn out not to have it; a few are enough for a name.
    for block in blocks.by_ref().take(4) {
        let way = trace.thread_in(block?, tid)?;
        let mut state = way.before;
        for (number, event) in &way.events {
            state.apply(*number, event);
            let name = state.thread(tid).map(|thread| thread.name.text()).unwrap_or_default();
            if !name.is_empty() {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}
