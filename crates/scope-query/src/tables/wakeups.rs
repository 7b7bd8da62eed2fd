//! `wakeups`: who woke whom, and what both were doing.

use std::collections::BTreeSet;

use scope_model::{EventKind, RunState, State, Tid};

use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;
use crate::walk::{Seen, Watch};

const COLUMNS: &[Column] = &[
    column("event", Type::Int, "number of the event"),
    column("time", Type::Int, "ns since the start of the trace"),
    column("tid", Type::Id, "the thread that is woken"),
    column("pid", Type::Id, "its process"),
    column("waker", Type::Id, "the thread that woke it; 0: the kernel itself"),
    column("waker_pid", Type::Id, "process of the waker"),
    column("blocked", Type::Int, "how long it had been blocked, ns; null where it was not"),
    column("call_id", Type::Int, "innermost open call of the thread that is woken"),
    column("waker_call_id", Type::Int, "innermost open call of the waker"),
];

const EVENT: usize = 0;
const TIME: usize = 1;
const TID: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Wakeups;

impl Watch for Wakeups {
    const NAME: &'static str = "wakeups";
    const ABOUT: &'static str = "who woke whom";
    const COLUMNS: &'static [Column] = COLUMNS;
    const TIME: usize = TIME;
    const EVENT: usize = EVENT;
    const TID: usize = TID;
    // What the waker was doing takes the waker's events.
    const OTHERS: &'static [&'static str] = &["waker_call_id"];

    fn begin(&mut self, _: &State, _: bool) {}

    fn see(&mut self, seen: &Seen<'_>, state: &mut State, rows: &mut Rows) {
        let event = seen.event;
        if let EventKind::Waking { waker, waker_pid } = event.kind
            && seen.within
        {
            let innermost = |tid: Tid| Some(state.thread(tid)?.stack.last()?.id);
            let blocked = state.thread(event.tid).and_then(|thread| match thread.run {
                RunState::Blocked { .. } => event.time_ns.checked_sub(thread.run_since_ns),
                _ => None,
            });
            rows.push(|column| match column {
                EVENT => Cell::count(seen.number),
                TIME => Cell::Int(seen.source.since_start(event.time_ns)),
                TID => Cell::Id(event.tid.0),
                3 => Cell::Id(event.pid.0),
                4 => Cell::Id(waker.0),
                5 => Cell::Id(waker_pid.0),
                6 => Cell::count_if(blocked),
                7 => Cell::count_if(innermost(event.tid)),
                _ => Cell::count_if(innermost(waker)),
            });
        }
        state.apply(seen.number, event);
    }

    fn unfinished(&self) -> BTreeSet<Tid> {
        BTreeSet::new()
    }

    fn end(&mut self, _: &Source, _: u64, _: &mut Rows) {}
}
