//! What the reading commands share: opening a trace, walking its events with progress, names.

use std::path::Path;

use anyhow::anyhow;
use scope_model::{Event, Function, FunctionId};
use scope_store::{StoreError, Trace};
use scope_timeline::{Bookmarks, Moment, Place, Timeline, TimelineError, syscall};

use super::bookmarks::Kept;
use crate::output::progress::Progress;

/// Events between two looks at the clock.
const STRIDE: u64 = 1 << 16;

/// Opens a trace for reading.
pub fn open(path: &Path) -> anyhow::Result<Trace> {
    // The store's error says what and why and names the path.
    Ok(Trace::open(path)?)
}

/// Hands every event of a trace to `take`, until that says stop.
pub fn each_event(
    trace: &Trace,
    mut take: impl FnMut(Event) -> anyhow::Result<Next>,
) -> anyhow::Result<()> {
    let mut progress = Progress::new("reading", known_events(trace));
    let mut done = 0_u64;
    for event in trace.events() {
        let event = event.map_err(|error| damaged(trace, error))?;
        if let Next::Stop = take(event)? {
            break;
        }
        done += 1;
        if done.is_multiple_of(STRIDE) {
            progress.at(done);
        }
    }
    Ok(())
}

/// Whether a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To the next event.
    Go,
    /// No further.
    Stop,
}

/// The trace as it is shown: its folder's name.
pub fn label(trace: &Trace) -> String {
    let path = trace.path();
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string())
}

/// Readable name of a function; its number where the trace's table does not have it.
pub fn function_name(trace: &Trace, id: FunctionId) -> String {
    function(trace, id).map_or_else(|| format!("function {id}"), |function| function.name.clone())
}

/// A function of the trace's table.
pub fn function(trace: &Trace, id: FunctionId) -> Option<&Function> {
    trace.functions().get(id.index())
}

/// Path of the module that holds a function.
pub fn module_path<'a>(trace: &'a Trace, function: &Function) -> Option<&'a str> {
    trace.modules().get(function.module.0 as usize).map(|module| module.path.as_str())
}

/// Name of a system call of the recorded machine.
pub fn syscall_name(trace: &Trace, number: u32) -> Option<&'static str> {
    syscall::name(&trace.manifest().host.machine, number)
}

/// A time of the trace relative to its start, ns; what was found out before it is negative.
pub fn since_start(trace: &Trace, time_ns: u64) -> i64 {
    since(time_ns, trace.manifest().start_ns)
}

/// `time_ns` relative to `start_ns`.
pub fn since(time_ns: u64, start_ns: u64) -> i64 {
    let since = i128::from(time_ns) - i128::from(start_ns);
    i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX })
}

/// A moment by name.
pub fn resolve(timeline: &Timeline<'_>, place: &Place) -> anyhow::Result<Moment> {
    let bookmarks = match place {
        Place::Bookmark(_) => Kept::of(timeline.trace())?.moments(),
        _ => Bookmarks::default(),
    };
    timeline.resolve(place, &bookmarks).map_err(|error| travel_error(timeline.trace(), error))
}

/// What to say of an error on the way through a trace.
pub fn travel_error(trace: &Trace, error: TimelineError) -> anyhow::Error {
    match error {
        TimelineError::Store(error) => damaged(trace, error),
        error => error.into(),
    }
}

/// Number of the event just before a moment.
pub fn event_before(timeline: &Timeline<'_>, moment: u64) -> Option<u64> {
    (moment > timeline.start()).then(|| moment - 1)
}

fn known_events(trace: &Trace) -> Option<u64> {
    let segments = &trace.manifest().segments;
    trace.is_complete().then(|| {
        segments.iter().filter_map(|segment| segment.closed).map(|closed| closed.events).sum()
    })
}

fn damaged(trace: &Trace, error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Io { .. } => error.into(),
        StoreError::MissingFile { .. } if !trace.is_complete() => {
            anyhow!("the flight recording dropped what was being read; try again ({error})")
        }
        error => anyhow!("{error}; scope verify {} tells what is left", trace.path().display()),
    }
}
