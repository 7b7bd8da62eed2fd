//! Where an open call ends, found in checkpoints.

use scope_model::{Event, OpenCall, Tid};
use scope_store::{ThreadEvents, Trace};

use crate::QueryError;

/// A call, its place in the stack, and the event that ended it; `None` where it is open at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) call: OpenCall,
    pub(crate) parent: Option<u64>,
    pub(crate) depth: usize,
    pub(crate) pid: scope_model::Pid,
    pub(crate) end: Option<(u64, Event)>,
}

/// Finds the end of a call that is open before a block. `None` where it is not open there.
pub(crate) fn find(
    trace: &Trace,
    tid: Tid,
    id: u64,
    from: usize,
) -> Result<Option<Ending>, QueryError> {
    let blocks = trace.block_count()?;
    let is_open = |block: usize| -> Result<bool, QueryError> {
        let state = trace.checkpoint_of(block, tid)?;
        Ok(state.thread(tid).is_some_and(|thread| thread.stack.iter().any(|call| call.id == id)))
    };
    // Most calls end soon: ever longer steps, then a search in the last one.
    let (mut open, mut step) = (from, 1);
    let mut gone = loop {
        let next = open.saturating_add(step).min(blocks);
        if next == open {
            break None;
        }
        if !is_open(next)? {
            break Some(next);
        }
        (open, step) = (next, step * 2);
    };
    if let Some(gone) = &mut gone {
        while *gone - open > 1 {
            let middle = open + (*gone - open) / 2;
            if is_open(middle)? {
                open = middle;
            } else {
                *gone = middle;
            }
        }
    }
    let (mut state, events) = if open == blocks {
        (trace.checkpoint_of(open, tid)?, Vec::new())
    } else {
        let ThreadEvents { before, events } = trace.thread_in(open, tid)?;
        (before, events)
    };
    let mut found = None;
    let mut end = None;
    let mut events = events.into_iter();
    loop {
        let thread = state.thread(tid);
        let depth = thread.and_then(|thread| thread.stack.iter().rposition(|call| call.id == id));
        let Some((thread, depth)) = thread.zip(depth) else { break };
        let stack = &thread.stack;
        let parent = depth.checked_sub(1).map(|below| stack[below].id);
        found = Some(Ending { call: stack[depth], parent, depth, pid: thread.pid, end: None });
        end = events.next();
        let Some((number, event)) = &end else { break };
        state.apply(*number, event);
    }
    Ok(found.map(|ending| Ending { end, ..ending }))
}
