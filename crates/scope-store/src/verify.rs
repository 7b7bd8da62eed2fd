//! Checking a trace: every checksum, and what must hold between events.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use scope_model::{EventKind, FunctionId, State, Tid};

use crate::{StoreError, Trace};

mod sealed;

use sealed::SealedCheck;

/// Problems told one by one; further ones are counted.
const MAX_PROBLEMS: usize = 20;

/// What [`verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events that can be read.
    pub events: u64,
    /// Segments.
    pub segments: u64,
    /// Blocks that can be read.
    pub blocks: u64,
    /// Bytes of the trace.
    pub bytes: u64,
    /// Where the readable part ends before the committed one does.
    pub torn: Option<Torn>,
    /// What does not hold, a sentence each; at most 20 and one that counts the rest.
    pub problems: Vec<String>,
    /// The recorder finished. A trace that is not complete is sound as far as it goes.
    pub complete: bool,
}

impl VerifyReport {
    /// Nothing is wrong with the trace.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.torn.is_none() && self.problems.is_empty()
    }
}

/// Where and why reading stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The damaged segment.
    pub file: PathBuf,
    /// What is wrong with it: the sentence of the error.
    pub what: String,
    /// Events before the damage.
    pub events_kept: u64,
    /// Committed bytes of segments from the damaged block on.
    pub bytes_lost: u64,
    /// Events lost, where the manifest still knows.
    pub events_lost: Option<u64>,
}

/// Reads a trace from end to end and checks it: checksums, that calls are nested and times do not
/// go back within a thread, that tables have what events refer to, what the manifest says, and that
/// all that sealed segments say of their events is so.
///
/// # Errors
///
/// Where the trace cannot be opened at all.
pub fn verify(path: impl AsRef<Path>) -> Result<VerifyReport, StoreError> {
    let trace = Trace::open(path)?;
    let mut report = VerifyReport {
        segments: trace.segments().len() as u64,
        bytes: trace.bytes(),
        complete: trace.is_complete(),
        ..VerifyReport::default()
    };
    let mut problems = Problems::default();
    check_tables(&trace, &mut problems);
    check_parts(&trace, &mut problems);
    let mut sealed = SealedCheck::new(&trace);
    let mut threads = Threads::default();
    if trace.first_event() > 0 {
        // Calls whose beginning was dropped.
        match trace.state_before(0) {
            Ok(state) => threads.begin(&state),
            Err(error) => problems.add(|| error.to_string()),
        }
    }
    let mut events = trace.events();
    while let Some(event) = events.next() {
        match event {
            Ok(event) => {
                let number = trace.first_event() + report.events;
                sealed.check(number, &event, &mut problems);
                threads.check(number, &event, trace.functions().len(), &mut problems);
                report.events += 1;
            }
            Err(error) => report.torn = Some(torn(&trace, &events, report.events, &error)),
        }
    }
    sealed.finish(&mut problems);
    report.blocks = events.blocks_read();
    report.problems = problems.into_sentences();
    Ok(report)
}

fn torn(trace: &Trace, events: &crate::Events, events_kept: u64, error: &StoreError) -> Torn {
    let (index, offset) = events.damaged_at();
    let from_here = &trace.segments()[index.min(trace.segments().len())..];
    let committed: u64 = from_here.iter().map(|view| view.committed).sum();
    let total = trace
        .segments()
        .last()
        .and_then(|view| view.first_event().checked_add(view.closed?.events))
        .map(|end| end.saturating_sub(trace.first_event()));
    Torn {
        file: from_here.first().map_or_else(PathBuf::new, |view| view.path().to_path_buf()),
        what: error.to_string(),
        events_kept,
        bytes_lost: committed.saturating_sub(offset),
        events_lost: total.map(|total| total.saturating_sub(events_kept)),
    }
}

fn check_tables(trace: &Trace, problems: &mut Problems) {
    for (row, module) in trace.modules().iter().enumerate() {
        if module.id.0 as usize != row {
            problems.add(|| format!("module {row} has the id {}", module.id));
        }
    }
    for function in trace.functions() {
        if function.module.0 as usize >= trace.modules().len() {
            problems.add(|| {
                format!(
                    "function {} is in module {}, which is not there",
                    function.id, function.module
                )
            });
        }
    }
    let manifest = trace.manifest();
    if trace.is_complete() && manifest.end_ns.is_none() {
        problems.add(|| "the manifest says complete, but not when recording ended".to_owned());
    }
    if trace.is_complete() && manifest.segments.iter().any(|entry| entry.closed.is_none()) {
        problems.add(|| "the manifest says complete, but a segment is still open".to_owned());
    }
}

/// Sentences about what does not hold.
#[derive(Default)]
struct Problems {
    sentences: Vec<String>,
    more: u64,
}

impl Problems {
    fn add(&mut self, sentence: impl FnOnce() -> String) {
        if self.sentences.len() < MAX_PROBLEMS {
            self.sentences.push(sentence());
        } else {
            self.more += 1;
        }
    }

    fn into_sentences(mut self) -> Vec<String> {
        if self.more > 0 {
            self.sentences.push(format!("{} further problems", self.more));
        }
        self.sentences
    }
}

/// What is remembered of each thread while its events are checked.
#[derive(Default)]
struct Threads {
    threads: HashMap<Tid, ThreadCheck>,
}

#[derive(Default)]
struct ThreadCheck {
    last_ns: u64,
    open: Vec<FunctionId>,
}

impl Threads {
    /// The threads are in a state when the trace begins.
    fn begin(&mut self, state: &State) {
        for thread in state.threads() {
            let open = thread.stack.iter().map(|call| call.function).collect();
            self.threads.insert(thread.tid, ThreadCheck { last_ns: 0, open });
        }
    }

    fn check(
        &mut self,
        number: u64,
        event: &scope_model::Event,
        functions: usize,
        problems: &mut Problems,
    ) {
        let tid = event.tid;
        let thread = self.threads.entry(tid).or_default();
        if event.time_ns < thread.last_ns {
            let back = thread.last_ns - event.time_ns;
            problems.add(|| format!("event {number}: time goes back by {back} ns in thread {tid}"));
        }
        thread.last_ns = thread.last_ns.max(event.time_ns);
        match event.kind {
            EventKind::Enter { function, .. } => {
                if function.index() >= functions {
                    problems
                        .add(|| format!("event {number}: function {function} is not in the table"));
                }
                thread.open.push(function);
            }
            EventKind::Leave { function, .. } => match thread.open.pop() {
                Some(open) if open == function => {}
                Some(open) => problems.add(|| {
                    format!(
                        "event {number}: thread {tid} leaves function {function}, but is in {open}"
                    )
                }),
                None => problems.add(|| {
                    format!(
                        "event {number}: thread {tid} leaves function {function}, but is in none"
                    )
                }),
            },
            EventKind::Gap { until_ns, .. } if until_ns < event.time_ns => {
                problems.add(|| format!("event {number}: a gap ends before it begins"));
            }
            EventKind::ThreadExit { .. } if !thread.open.is_empty() => {
                problems.add(|| {
                    format!(
                        "event {number}: thread {tid} ends with {} calls open",
                        thread.open.len()
                    )
                });
            }
            _ => {}
        }
    }
}

fn check_parts(trace: &Trace, problems: &mut Problems) {
    match trace.parts().names() {
        Ok(parts) => {
            for part in parts {
                if let Err(error) = trace.parts().read(&part) {
                    problems.add(|| error.to_string());
                }
            }
        }
        Err(error) => problems.add(|| error.to_string()),
    }
}
