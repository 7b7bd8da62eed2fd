//! What is true of a trace as a whole: its name, its bounds and its tables.

use std::sync::Arc;

use scope_model::{Function, FunctionId};
use scope_store::Trace;
use scope_timeline::{Timeline, TimelineError, syscall};

/// A snapshot's facts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name: that of its folder.
    pub label: Arc<str>,
    /// When recording began, `CLOCK_MONOTONIC` ns: time 0 of all that is shown.
    pub start_ns: u64,
    /// When it ended, or the latest event, ns.
    pub end_ns: u64,
    /// The moment before the first event.
    pub first: u64,
    /// The moment after the last one.
    pub end: u64,
    /// Nothing comes any more.
    pub complete: bool,
    /// Bytes of the trace.
    pub bytes: u64,
    /// Process that was recorded.
    pub pid: u32,
    /// What it ran.
    pub command: Arc<str>,
    /// Machine type, as `uname -m` prints it.
    pub machine: Arc<str>,
    /// The functions, by id.
    pub functions: Arc<Vec<Function>>,
}

impl Facts {
    /// Those of a timeline's trace. The function table of `before` is taken over where it is still
    /// the same.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn of(timeline: &Timeline<'_>, before: Option<&Self>) -> Result<Self, TimelineError> {
        let trace = timeline.trace();
        let manifest = trace.manifest();
        let functions = match before {
            // Rows are only ever added.
            Some(before) if before.functions.len() == trace.functions().len() => {
                Arc::clone(&before.functions)
            }
            _ => Arc::new(trace.functions().to_vec()),
        };
        Ok(Self {
            label: label(trace).into(),
            start_ns: manifest.start_ns,
            end_ns: timeline.end_ns()?,
            first: timeline.start(),
            end: timeline.end()?,
            complete: trace.is_complete(),
            bytes: trace.bytes(),
            pid: manifest.target.pid,
            command: manifest.target.command.join(" ").into(),
            machine: manifest.host.machine.as_str().into(),
            functions,
        })
    }

    /// A function of the table.
    #[must_use]
    pub fn function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(id.index())
    }

    /// Readable name of a function; its number where the table does not have it.
    #[must_use]
    pub fn name(&self, id: FunctionId) -> String {
        self.function(id).map_or_else(|| format!("function {id}"), |known| known.name.clone())
    }

    /// Name of a system call; its number where it has none.
    #[must_use]
    pub fn syscall(&self, number: u32) -> String {
        syscall::name(&self.machine, number)
            .map_or_else(|| format!("system call {number}"), str::to_owned)
    }

    /// A time relative to the start of the trace, ns.
    #[must_use]
    pub fn since(&self, time_ns: u64) -> i64 {
        let since = i128::from(time_ns) - i128::from(self.start_ns);
        i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX })
    }

    /// From start to end, ns; never 0.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns).max(1)
    }
}

fn label(trace: &Trace) -> String {
    let path = trace.path();
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string())
}
