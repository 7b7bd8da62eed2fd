//! `syscalls`: system calls, from begin to end.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scope_model::{Event, EventKind, State, Tid};
use scope_timeline::syscall;

use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;
use crate::walk::{Seen, Watch};

const COLUMNS: &[Column] = &[
    column("event", Type::Int, "number of the event it begins with"),
    column("tid", Type::Id, "the thread"),
    column("pid", Type::Id, "its process"),
    column("number", Type::Id, "its number on the recorded machine"),
    column("name", Type::Word, "its name"),
    column("start", Type::Int, "ns since the start of the trace"),
    column("duration", Type::Int, "ns; null where its end is not known"),
    column("result", Type::Int, "its result; -errno on failure"),
    column("error", Type::Word, "name of the error, where it failed"),
    column("call_id", Type::Int, "the innermost open call: `calls.id`"),
];

const EVENT: usize = 0;
const TID: usize = 1;
const START: usize = 5;

/// The system calls that began in the part and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Syscalls {
    open: FxHashMap<Tid, Call>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    event: u64,
    begin: Event,
    number: u32,
    call: Option<u64>,
}

impl Call {
    /// Gives the row; `end` is when it ended and with what result.
    fn give(&self, source: &Source, end: Option<(u64, i64)>, rows: &mut Rows) {
        let start_ns = self.begin.time_ns;
        rows.push(|column| match column {
            EVENT => Cell::count(self.event),
            TID => Cell::Id(self.begin.tid.0),
            2 => Cell::Id(self.begin.pid.0),
            3 => Cell::Id(self.number),
            4 => Cell::text_if(source.syscall(self.number)),
            START => Cell::Int(source.since_start(start_ns)),
            6 => Cell::count_if(end.and_then(|(end_ns, _)| end_ns.checked_sub(start_ns))),
            7 => end.map_or(Cell::Null, |(_, result)| Cell::Int(result)),
            8 => Cell::text_if(end.and_then(|(_, result)| syscall::error(result))),
            _ => Cell::count_if(self.call),
        });
    }
}

impl Watch for Syscalls {
    const NAME: &'static str = "syscalls";
    const ABOUT: &'static str = "system calls that were seen to begin";
    const COLUMNS: &'static [Column] = COLUMNS;
    const TIME: usize = START;
    const EVENT: usize = EVENT;
    const TID: usize = TID;

    fn begin(&mut self, _: &State, _: bool) {}

    fn see(&mut self, seen: &Seen<'_>, state: &mut State, rows: &mut Rows) {
        let event = seen.event;
        let tid = event.tid;
        state.apply(seen.number, event);
        let end = match event.kind {
            EventKind::SyscallExit { result, .. } => Some((event.time_ns, result)),
            _ => None,
        };
        match event.kind {
            EventKind::Exec { .. } | EventKind::Gap { .. } => {
                let mut gone: Vec<Tid> = self.open.keys().copied().collect();
                gone.retain(|tid| state.thread(*tid).is_none_or(|thread| thread.syscall.is_none()));
                gone.sort_unstable();
                for tid in gone {
                    if let Some(call) = self.open.remove(&tid) {
                        call.give(seen.source, None, rows);
                    }
                }
            }
            EventKind::SyscallEnter { .. }
            | EventKind::SyscallExit { .. }
            | EventKind::ThreadStart { .. }
            | EventKind::ThreadExit { .. } => {
                let goes_on = state.thread(tid).is_some_and(|thread| thread.syscall.is_some())
                    && !matches!(event.kind, EventKind::SyscallEnter { .. });
                if !goes_on && let Some(call) = self.open.remove(&tid) {
                    call.give(seen.source, end, rows);
                }
            }
            _ => {}
        }
        if seen.within
            && let EventKind::SyscallEnter { number } = event.kind
        {
            let call = state.thread(tid).and_then(|thread| thread.stack.last()).map(|call| call.id);
            self.open.insert(tid, Call { event: seen.number, begin: *event, number, call });
        }
    }

    fn unfinished(&self) -> BTreeSet<Tid> {
        self.open.keys().copied().collect()
    }

    fn end(&mut self, source: &Source, _: u64, rows: &mut Rows) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_unstable_by_key(|(tid, _)| *tid);
        for (_, call) in open {
            call.give(source, None, rows);
        }
    }
}
