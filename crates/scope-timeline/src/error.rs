//! What can go wrong on the way through a trace: each variant one sentence.

use scope_code::CodeError;
use scope_store::StoreError;

use crate::units::moment;

/// Error of the timeline. Ends of the trace, of threads and of calls are no errors: see
/// [`crate::Stop`].
#[derive(Debug, thiserror::Error)]
pub enum TimelineError {
    /// The trace cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The code of the trace cannot be read.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// A condition asks about syntax.
    #[error("the trace has no sources, and a condition asks about the syntax of calls")]
    NoSources,
    /// An event number that the trace does not have.
    #[error("there is no event {event}: {}", events_are(*first, *end))]
    NoSuchEvent {
        /// The number asked for.
        event: u64,
        /// Number of the first event.
        first: u64,
        /// Number after the last event.
        end: u64,
    },
    /// The number of an event that begins no call.
    #[error(
        "event {event} is no call: it is a {kind} event; a call's id is the number of its enter event"
    )]
    NotACall {
        /// The number asked for.
        event: u64,
        /// Name of the event's kind.
        kind: &'static str,
    },
    /// A time at which nothing is known.
    #[error("{} is outside the trace, which goes from {} to {}", moment(*time_ns), moment(*first_ns), moment(*last_ns))]
    OutsideTrace {
        /// The time asked for, relative to the start, ns.
        time_ns: i64,
        /// Where the trace begins, relative to the start, ns: later than 0 where its oldest events were
        /// dropped.
        first_ns: i64,
        /// Where it ends, relative to the start, ns.
        last_ns: i64,
    },
    /// A bookmark that is not there.
    #[error("there is no bookmark {name}{}", bookmarks_are(known))]
    NoSuchBookmark {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A name in a condition that nothing in the trace has.
    #[error("no {what} of the trace matches {pattern}{}", nearest_are(nearest))]
    NoMatch {
        /// What was looked for: a function, a source file, a system call.
        what: &'static str,
        /// The pattern.
        pattern: String,
        /// What may have been meant, the best first.
        nearest: Vec<String>,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

fn events_are(first: u64, end: u64) -> String {
    match end.checked_sub(1) {
        Some(last) if last >= first => format!("the trace has events {first} to {last}"),
        _ => "the trace has none".to_owned(),
    }
}

fn bookmarks_are(known: &[String]) -> String {
    if known.is_empty() {
        return ": there are none".to_owned();
    }
    format!("; there are {}", known.join(", "))
}

fn nearest_are(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    format!("; nearest: {}", nearest.join(", "))
}

impl From<Box<TimelineError>> for TimelineError {
    fn from(error: Box<TimelineError>) -> Self {
        *error
    }
}
