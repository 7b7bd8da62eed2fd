//! What the reading commands share: opening a trace, walking its events with progress, names.

use std::path::Path;

use anyhow::anyhow;
use scope_model::{Event, Function, FunctionId};
use scope_store::{StoreError, Trace};

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

fn known_events(trace: &Trace) -> Option<u64> {
    let segments = &trace.manifest().segments;
    trace.is_complete().then(|| {
        segments.iter().filter_map(|segment| segment.closed).map(|closed| closed.events).sum()
    })
}

fn damaged(trace: &Trace, error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Io { .. } => error.into(),
        error => anyhow!("{error}; scope verify {} tells what is left", trace.path().display()),
    }
}
