//! `scope dump`: the events of a trace, one a line.

mod document;
mod text;

pub use document::Line;
pub use text::{line, task_state};

use std::collections::HashMap;
use std::process::ExitCode;

use scope_model::{CallEnd, Event, EventKind, Function, FunctionId, Tid};
use scope_store::Trace;
use scope_symbols::glob::Glob;
use scope_symbols::names;

use super::nodes::Nodes;
use super::reading::{self, Next, since};
use crate::cli::DumpArgs;
use crate::output;

/// Prints the events.
pub fn run(args: &DumpArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let filter = Filter::new(args, &trace);
    let limit = if args.limit == 0 { u64::MAX } else { args.limit };
    let mut out = output::stdout();
    let nodes = Nodes::of(&trace);
    let mut stacks = Stacks::default();
    let mut printed = 0_u64;
    reading::each_event(&trace, |event| {
        let placed = stacks.place(event, trace.manifest().start_ns);
        if filter.is_past(&placed) {
            return Ok(Next::Stop);
        }
        if filter.takes(&placed) {
            if args.json {
                output::json::line(&mut out, &Line::new(&nodes, &placed))?;
            } else {
                line(&mut out, &nodes, &placed)?;
            }
            printed += 1;
        }
        Ok(if printed == limit { Next::Stop } else { Next::Go })
    })?;
    std::io::Write::flush(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

/// An event and its place.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// The event.
    pub event: Event,
    /// Time since recording began, ns; what was found out before it is negative.
    pub time_ns: i64,
    /// Open calls of the thread around it; a call and its end have the same depth.
    pub depth: usize,
    /// Of a call that ends: how long it took, where that is known.
    pub duration_ns: Option<u64>,
}

/// The open calls of every thread, as entry times.
#[derive(Debug, Default)]
struct Stacks(HashMap<Tid, Vec<(FunctionId, u64)>>);

impl Stacks {
    fn place(&mut self, event: Event, start_ns: u64) -> Placed {
        let mut placed =
            Placed { event, time_ns: since(event.time_ns, start_ns), depth: 0, duration_ns: None };
        // A gap of unknown threads is around no call.
        let stack = self.0.entry(event.tid).or_default();
        match event.kind {
            EventKind::Enter { function, .. } => {
                placed.depth = stack.len();
                stack.push((function, event.time_ns));
            }
            EventKind::Leave { function, end, crosses_gap, .. } => {
                // In a sound trace it is the last one.
                if let Some(index) = stack.iter().rposition(|(open, _)| *open == function) {
                    let entered_ns = stack[index].1;
                    stack.truncate(index);
                    if end == CallEnd::Returned && !crosses_gap {
                        placed.duration_ns = event.time_ns.checked_sub(entered_ns);
                    }
                }
                placed.depth = stack.len();
            }
            _ => placed.depth = stack.len(),
        }
        if let EventKind::ThreadExit { .. } = event.kind {
            self.0.remove(&event.tid);
        }
        placed
    }
}

/// Which events are printed.
#[derive(Debug)]
struct Filter {
    thread: Option<Tid>,
    from_ns: i64,
    to_ns: i64,
    /// By function id, whether it is chosen; `None`: events of every kind.
    functions: Option<Vec<bool>>,
}

impl Filter {
    fn new(args: &DumpArgs, trace: &Trace) -> Self {
        let ns = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let globs: Vec<Glob> = args.functions.iter().map(|pattern| Glob::new(pattern)).collect();
        Self {
            thread: args.thread.map(Tid),
            from_ns: args.from.map_or(i64::MIN, ns),
            to_ns: args.to.map_or(i64::MAX, ns),
            functions: (!globs.is_empty()).then(|| {
                let fits = |function: &Function| {
                    globs.iter().any(|glob| {
                        names::matches(glob, &function.name) || glob.matches(&function.symbol)
                    })
                };
                trace.functions().iter().map(fits).collect()
            }),
        }
    }

    /// Nothing that follows is printed. Threads are stored merged by time, but only as well as
    /// late records allow: an event is past only by more than that.
    fn is_past(&self, placed: &Placed) -> bool {
        const LATENESS_NS: i64 = 1_000_000_000;
        placed.time_ns.saturating_sub(LATENESS_NS) >= self.to_ns
    }

    fn takes(&self, placed: &Placed) -> bool {
        let function = match placed.event.kind {
            EventKind::Enter { function, .. } | EventKind::Leave { function, .. } => Some(function),
            _ => None,
        };
        self.thread.is_none_or(|tid| tid == placed.event.tid)
            && (self.from_ns..self.to_ns).contains(&placed.time_ns)
            && self.functions.as_ref().is_none_or(|chosen| {
                function.is_some_and(|id| chosen.get(id.index()).copied().unwrap_or(false))
            })
    }
}
