//! Who called whom: calls and durations by caller and callee, in one pass over a trace.
//!
//! The time of an edge is that of its calls from begin to end, however they ended, or to the end of the
//! trace. Unlike a function's total it counts every call, recursive ones too. Durations are those that
//! are known exactly, as everywhere.

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Event, EventKind, FunctionId, OpenCall, State, Tid};
use scope_store::Trace;
use scope_timeline::Durations;

use super::reading::{self, Next};

/// A caller, if any was recorded, and what it called.
pub type Edge = (Option<FunctionId>, FunctionId);

/// The calls along one edge.
#[derive(Clone, Debug, Default)]
pub struct Along {
    /// Calls made; inherited ones are none.
    pub calls: u64,
    /// Their time, ns.
    pub total_ns: u64,
    /// How long they took, where that is known.
    pub durations: Durations,
}

impl Along {
    fn end(&mut self, call: &OpenCall, end_ns: u64, returned: bool, crosses_gap: bool) {
        let elapsed_ns = end_ns.saturating_sub(call.entered_ns);
        self.total_ns = self.total_ns.saturating_add(elapsed_ns);
        if returned && !crosses_gap && !call.crosses_gap && !call.inherited {
            self.durations.record(elapsed_ns);
        }
    }
}

/// All edges of a trace.
pub fn of(trace: &Trace) -> anyhow::Result<FxHashMap<Edge, Along>> {
    let mut edges: FxHashMap<Edge, Along> = FxHashMap::default();
    let mut state = match trace.first_event() {
        0 => State::new(),
        _ => State::clone(&*trace.checkpoint(0)?),
    };
    let mut number = trace.first_event();
    reading::each_event(trace, |event| {
        take(number, &event, &mut state, &mut edges);
        number += 1;
        Ok(Next::Go)
    })?;
    let end_ns = trace.manifest().end_ns.unwrap_or_default().max(state.latest_ns());
    for thread in state.threads() {
        for (depth, call) in thread.stack.iter().enumerate() {
            let caller = depth.checked_sub(1).map(|below| thread.stack[below].function);
            edges.entry((caller, call.function)).or_default().end(call, end_ns, false, false);
        }
    }
    Ok(edges)
}

fn take(number: u64, event: &Event, state: &mut State, edges: &mut FxHashMap<Edge, Along>) {
    let ended = state.apply(number, event);
    let innermost = |state: &State, tid: Tid, skip: usize| {
        let stack = &state.thread(tid)?.stack;
        Some(stack.get(stack.len().checked_sub(1 + skip)?)?.function)
    };
    match event.kind {
        EventKind::Enter { function, inherited: false, .. } => {
            let caller = innermost(state, event.tid, 1);
            edges.entry((caller, function)).or_default().calls += 1;
        }
        EventKind::Leave { end, crosses_gap, .. } => {
            let Some(call) = ended else { return };
            let caller = innermost(state, event.tid, 0);
            let returned = end == CallEnd::Returned;
            let along = edges.entry((caller, call.function)).or_default();
            along.end(&call, event.time_ns, returned, crosses_gap);
        }
        _ => {}
    }
}
