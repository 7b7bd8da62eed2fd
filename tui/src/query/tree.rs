//! The calls around a moment of a thread: its open calls, and what one of them called before and
//! after.
//!
//! Reads a number of callees in proportion to the rows asked for, however many a call made; calls
//! among them are passed, not read.

use scope_model::{EventKind, OpenCall, ThreadState, Tid};
use scope_timeline::{Callee, Cursor, Move, Outcome, Timeline, TimelineError};

use super::clamp;

/// Waits of a call that are kept.
pub const MOST_WAITS: usize = 64;

/// Which calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeQuery {
    /// The thread.
    pub tid: Tid,
    /// The moment.
    pub moment: u64,
    /// The call: so many frames out from the innermost open one.
    pub frame: usize,
    /// At most this many callees that began before the moment.
    pub before: usize,
    /// At most this many after it.
    pub after: usize,
}

/// The calls.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The thread at the moment; `None` where it is not known or gone.
    pub thread: Option<ThreadState>,
    /// Index in its stack of the call whose callees these are; `None` where none is open: then they
    /// are the outermost calls of the thread.
    pub frame: Option<usize>,
    /// Callees, in order.
    pub callees: Vec<Callee>,
    /// How many of them began before the moment.
    pub passed: usize,
    /// There are callees before these.
    pub more_before: bool,
    /// There are callees after these.
    pub more_after: bool,
}

impl Tree {
    /// The call whose callees these are.
    #[must_use]
    pub fn call(&self) -> Option<&OpenCall> {
        self.thread.as_ref()?.stack.get(self.frame?)
    }
}

/// Reads the calls.
///
/// # Errors
///
/// [`TimelineError::Interrupted`]; what reading the trace gives.
pub fn tree(timeline: &Timeline<'_>, query: &TreeQuery) -> Result<Tree, TimelineError> {
    let moment = clamp(timeline, query.moment)?;
    let thread = timeline.thread_at(moment, query.tid)?;
    let stack = thread.as_ref().map_or(&[] as &[_], |thread| &thread.stack);
    let frame = stack.len().checked_sub(1).map(|innermost| innermost.saturating_sub(query.frame));
    // Just before the callee that is open, or where the call itself is at work.
    let inner = frame.and_then(|frame| stack.get(frame + 1));
    let here = inner.map_or(moment, |inner| inner.id);
    if here < timeline.start() {
        // It began before what is kept: nothing is known of what came before it.
        return Ok(Tree { frame, more_before: true, thread, ..Tree::default() });
    }
    let depth = frame.map_or(0, |frame| frame + 1);
    let (from, more_before) = back(timeline, query.tid, here, depth, query.before)?;
    let limit = query.before + query.after + 1;
    let (callees, more_after) = forward(timeline, query.tid, from, depth, limit)?;
    let passed = callees.iter().filter(|callee| callee.id < moment).count();
    Ok(Tree { frame, callees, passed, more_before, more_after, thread })
}

/// The moment before so many callees that began before `here`, and whether there are more.
fn back(
    timeline: &Timeline<'_>,
    tid: Tid,
    here: u64,
    depth: usize,
    most: usize,
) -> Result<(u64, bool), TimelineError> {
    let mut cursor = Cursor { thread: Some(tid), moment: here };
    let mut from = here;
    for _ in 0..=most {
        let Outcome::Moved(moved) = cursor.step(timeline, Move::BackOver)? else {
            return Ok((from, false));
        };
        if moved.depth != depth {
            return Ok((from, false));
        }
        from = cursor.moment;
        let begins = matches!(moved.event.map(|event| event.kind), Some(EventKind::Enter { .. }));
        if moved.event.is_none() || begins {
            return Ok((from, false));
        }
    }
    Ok((from, true))
}

/// At most so many calls that begin at a depth from a moment on, and whether there are more.
fn forward(
    timeline: &Timeline<'_>,
    tid: Tid,
    from: u64,
    depth: usize,
    limit: usize,
) -> Result<(Vec<Callee>, bool), TimelineError> {
    let mut cursor = Cursor { thread: Some(tid), moment: from };
    let mut callees = Vec::new();
    loop {
        let Outcome::Moved(entered) = cursor.step(timeline, Move::Into)? else {
            return Ok((callees, false));
        };
        let Some(event) = entered.event else { return Ok((callees, false)) };
        let EventKind::Enter { function, return_address, inherited, .. } = event.kind else {
            if depth == 0 && entered.depth == 0 {
                // Of a call that began before what is kept.
                continue;
            }
            return Ok((callees, false));
        };
        if entered.depth != depth + 1 {
            return Ok((callees, false));
        }
        if callees.len() == limit {
            return Ok((callees, true));
        }
        let id = entered.moment - 1;
        let mut callee = Callee {
            id,
            function,
            entered_ns: event.time_ns,
            return_address,
            inherited,
            ending: None,
            duration_ns: None,
        };
        match cursor.step(timeline, Move::Out)? {
            Outcome::Moved(left) => {
                if let Some(number) = left.moment.checked_sub(1) {
                    let happening = timeline.happening(number)?;
                    callee.duration_ns = happening.duration_ns;
                    callee.ending = ending(number, &happening.event);
                }
                callees.push(callee);
            }
            Outcome::Stopped(_) => {
                callees.push(callee);
                return Ok((callees, false));
            }
        }
    }
}

fn ending(number: u64, event: &scope_model::Event) -> Option<scope_timeline::CallEnding> {
    let (end, return_value) = match event.kind {
        EventKind::Leave { end, return_value, .. } => (end, return_value),
        EventKind::ThreadExit { .. } => (scope_model::CallEnd::ThreadEnded, 0),
        EventKind::Exec { .. } => (scope_model::CallEnd::Exec, 0),
        _ => return None,
    };
    Some(scope_timeline::CallEnding { event: number, time_ns: event.time_ns, end, return_value })
}
