//! `slices`: what the scheduler had each thread do, stretch by stretch.
//!
//! A stretch begins and ends where the run state of [`State`] changes, so that the times of a thread
//! add up as they do in `threads`.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use scope_model::{EventKind, OpenCall, OpenSyscall, Pid, RunState, State, ThreadState, Tid};

use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;
use crate::walk::{Seen, Watch};

const COLUMNS: &[Column] = &[
    column("event", Type::Int, "number of the event it begins with"),
    column("tid", Type::Id, "the thread"),
    column("pid", Type::Id, "its process"),
    column("start", Type::Int, "ns since the start of the trace"),
    column("duration", Type::Int, "ns; up to the end of the trace where it goes on there"),
    column("state", Type::Word, "running, runnable, blocked or unknown"),
    column("cpu", Type::Id, "of a thread that runs, where it is known"),
    column(
        "reason",
        Type::Word,
        "of one that does not: preempted, woken, sleeping, uninterruptible, ...",
    ),
    column(
        "waker",
        Type::Id,
        "blocked: the thread that ended it; runnable: the one that made it so",
    ),
    column("syscall", Type::Word, "the system call it was in"),
    column("call_id", Type::Int, "the innermost open call: `calls.id`"),
    column("goes_on", Type::Flag, "it goes on when the trace ends"),
];

const EVENT: usize = 0;
const TID: usize = 1;
const START: usize = 3;

/// The stretch that each thread is in.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    slices: FxHashMap<Tid, Slice>,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    event: Option<u64>,
    pid: Pid,
    start_ns: u64,
    run: RunState,
    syscall: Option<OpenSyscall>,
    innermost: Option<OpenCall>,
    /// It is a row of this part.
    own: bool,
}

impl Slice {
    fn of(thread: &ThreadState, event: Option<u64>, own: bool) -> Self {
        Self {
            event,
            pid: thread.pid,
            start_ns: thread.run_since_ns,
            run: thread.run,
            syscall: thread.syscall,
            innermost: thread.stack.last().copied(),
            own,
        }
    }

    fn give(
        &self,
        source: &Source,
        tid: Tid,
        end_ns: u64,
        next: Option<RunState>,
        rows: &mut Rows,
    ) {
        let duration = end_ns.saturating_sub(self.start_ns);
        // A thread that was not seen before this event was in no state before.
        let nothing = self.run == RunState::Unknown && duration == 0;
        if !self.own || nothing || self.run == RunState::Ended {
            return;
        }
        let waker = match (self.run, next) {
            (RunState::Runnable { woken_by }, _) => woken_by,
            (RunState::Blocked { .. }, Some(RunState::Runnable { woken_by })) => woken_by,
            _ => None,
        };
        rows.push(|column| match column {
            EVENT => Cell::count_if(self.event),
            TID => Cell::Id(tid.0),
            2 => Cell::Id(self.pid.0),
            START => Cell::Int(source.since_start(self.start_ns)),
            4 => Cell::count(duration),
            5 => Cell::Text(state_name(self.run)),
            6 => match self.run {
                RunState::Running { cpu } if cpu != scope_model::state::CPU_UNKNOWN => {
                    Cell::Id(cpu.into())
                }
                _ => Cell::Null,
            },
            7 => Cell::text_if(reason(self.run)),
            8 => Cell::id_if(waker.map(|tid| tid.0)),
            9 => Cell::text_if(self.syscall.and_then(|call| source.syscall(call.number))),
            10 => Cell::count_if(self.innermost.map(|call| call.id)),
            _ => Cell::Flag(next.is_none()),
        });
    }
}

impl Slices {
    fn update(&mut self, seen: &Seen<'_>, thread: &ThreadState, rows: &mut Rows) {
        let known = self.slices.get(&thread.tid);
        if known
            .is_some_and(|slice| slice.run == thread.run && slice.start_ns == thread.run_since_ns)
        {
            return;
        }
        if let Some(slice) = known {
            slice.give(seen.source, thread.tid, seen.event.time_ns, Some(thread.run), rows);
        }
        let slice = Slice::of(thread, Some(seen.number), seen.within);
        self.slices.insert(thread.tid, slice);
    }
}

impl Watch for Slices {
    const NAME: &'static str = "slices";
    const ABOUT: &'static str = "what the scheduler had threads do, stretch by stretch";
    const COLUMNS: &'static [Column] = COLUMNS;
    const TIME: usize = START;
    const EVENT: usize = EVENT;
    const TID: usize = TID;

    fn begin(&mut self, state: &State, whole: bool) {
        for thread in state.threads() {
            self.slices.insert(thread.tid, Slice::of(thread, None, whole));
        }
    }

    fn see(&mut self, seen: &Seen<'_>, state: &mut State, rows: &mut Rows) {
        let event = seen.event;
        state.apply(seen.number, event);
        let all = match event.kind {
            EventKind::Gap { others, .. } => event.tid == Tid(0) && others > 0,
            EventKind::Exec { .. } => true,
            _ => false,
        };
        if all {
            let mut tids: Vec<Tid> = self.slices.keys().copied().collect();
            tids.sort_unstable();
            for tid in tids {
                match state.thread(tid) {
                    Some(thread) => self.update(seen, thread, rows),
                    None => self.leave(seen, tid, rows),
                }
            }
        }
        match state.thread(event.tid) {
            Some(thread) => self.update(seen, thread, rows),
            None => self.leave(seen, event.tid, rows),
        }
    }

    fn unfinished(&self) -> BTreeSet<Tid> {
        let own = |(tid, slice): (&Tid, &Slice)| {
            (slice.own && slice.run != RunState::Ended).then_some(*tid)
        };
        self.slices.iter().filter_map(own).collect()
    }

    fn end(&mut self, source: &Source, end_ns: u64, rows: &mut Rows) {
        let mut slices: Vec<_> = self.slices.iter().collect();
        slices.sort_unstable_by_key(|(tid, _)| **tid);
        for (tid, slice) in slices {
            slice.give(source, *tid, end_ns, None, rows);
        }
    }
}

impl Slices {
    /// A thread is gone.
    fn leave(&mut self, seen: &Seen<'_>, tid: Tid, rows: &mut Rows) {
        if let Some(slice) = self.slices.remove(&tid) {
            slice.give(seen.source, tid, seen.event.time_ns, Some(RunState::Ended), rows);
        }
    }
}

/// The name of a run state.
pub(crate) fn state_name(run: RunState) -> &'static str {
    match run {
        RunState::Unknown => "unknown",
        RunState::Running { .. } => "running",
        RunState::Runnable { .. } => "runnable",
        RunState::Blocked { .. } => "blocked",
        RunState::Ended => "ended",
    }
}

/// Why a thread does not run (`include/linux/sched.h`), where one word says it.
pub(crate) fn reason(run: RunState) -> Option<&'static str> {
    /// That a sleeper may be frozen (Linux 6.1) or killed says nothing of what it does.
    const ASIDE: u32 = 0x6000 | 0x100;
    Some(match run {
        RunState::Runnable { woken_by: Some(_) } => "woken",
        RunState::Runnable { woken_by: None } => "preempted",
        RunState::Blocked { state } => match state & !ASIDE {
            0x1 => "sleeping",
            0x2 => "uninterruptible",
            0x4 => "stopped",
            0x8 => "traced",
            0x10 | 0x20 | 0x40 | 0x80 => "dead",
            0x402 => "idle",
            _ => return None,
        },
        _ => return None,
    })
}
