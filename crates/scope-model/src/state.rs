//! What every thread is doing after a run of events: its open calls, its run state, its system call
//! and what was lost of it.
//!
//! One machine for all who need that: the store computes its checkpoints with it, the timeline
//! answers with it what was at a moment, and both therefore agree. It is a function of the events
//! alone: a state and the events after it give the state of the whole.
//!
//! Nothing is invented. A thread whose scheduler events were lost is in an unknown run state until
//! it is seen again; a call that was open when events of its thread were lost says so.
//!
//! Absent here: how to store a state, and going backward.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::event::{CallEnd, Event, EventKind, ThreadName};
use crate::ids::{FunctionId, Pid, Tid};
use crate::run_state::RunState;

/// Stands for a CPU that is not known: the thread was seen to do what only a running thread can do,
/// but not to get its CPU.
pub const CPU_UNKNOWN: u16 = u16::MAX;

/// Ended threads that are kept until their last switch; beyond that the one that ended first goes.
const MOST_ENDED: usize = 32;

/// A call that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Number of its `Enter` in the trace: the call's id.
    pub id: u64,
    /// The called function.
    pub function: FunctionId,
    /// When it was entered, ns.
    pub entered_ns: u64,
    /// Return address; 0 after a tail call.
    pub return_address: u64,
    /// Address of the word that holds the return address.
    pub stack_pointer: u64,
    /// It was open in the parent process when this one was forked.
    pub inherited: bool,
    /// Entries or exits of the thread were lost since it was entered.
    pub crosses_gap: bool,
}

/// A system call that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSyscall {
    /// Its number on the recorded machine.
    pub number: u32,
    /// When it began, ns.
    pub since_ns: u64,
}

/// What was lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Entries.
    pub entries: u64,
    /// Exits.
    pub exits: u64,
    /// Other events.
    pub others: u64,
    /// Up to when entries or exits are missing, ns; 0 where none are.
    pub calls_until_ns: u64,
    /// Up to when other events are missing, ns; 0 where none are.
    pub others_until_ns: u64,
}

impl Lost {
    /// Events lost, of any kind.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.entries.saturating_add(self.exits).saturating_add(self.others)
    }

    /// Up to when anything is missing, by this or the other, ns; 0 where nothing is.
    fn until_ns(&self, other: &Self) -> u64 {
        let own = self.calls_until_ns.max(self.others_until_ns);
        own.max(other.calls_until_ns).max(other.others_until_ns)
    }

    fn add(&mut self, until_ns: u64, entries: u32, exits: u32, others: u32) {
        self.entries = self.entries.saturating_add(entries.into());
        self.exits = self.exits.saturating_add(exits.into());
        self.others = self.others.saturating_add(others.into());
        if entries != 0 || exits != 0 {
            self.calls_until_ns = self.calls_until_ns.max(until_ns);
        }
        if others != 0 {
            self.others_until_ns = self.others_until_ns.max(until_ns);
        }
    }
}

/// One thread at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadState {
    /// Its process; 0 where no event said.
    pub pid: Pid,
    /// The thread.
    pub tid: Tid,
    /// Its latest name; empty where none was seen.
    pub name: ThreadName,
    /// What the scheduler has it do.
    pub run: RunState,
    /// Since when, ns.
    pub run_since_ns: u64,
    /// The system call it is in.
    pub syscall: Option<OpenSyscall>,
    /// Open calls, outermost first.
    pub stack: Vec<OpenCall>,
    /// What was lost of it since it began.
    pub lost: Lost,
}

/// All threads at a moment between two events.
#[derive(Clone, Debug, Default)]
pub struct State {
    threads: Vec<ThreadState>,
    index: FxHashMap<Tid, u32>,
    /// Ended threads by the time of their end.
    ended: BTreeSet<(u64, Tid)>,
    /// Where the thread of the latest event is: the next event is often of the same one.
    latest: usize,
    /// Number of the event that comes next.
    next_event: u64,
    latest_ns: u64,
    lost: Lost,
}

impl State {
    /// Before the first event: no threads.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state with these threads, losses of unknown threads, number of the next event, and latest
    /// time of an event so far. Of threads with one id the last counts.
    #[must_use]
    pub fn from_parts(
        threads: Vec<ThreadState>,
        lost: Lost,
        next_event: u64,
        latest_ns: u64,
    ) -> Self {
        let mut state = Self { next_event, latest_ns, lost, ..Self::default() };
        state.threads.reserve(threads.len());
        for thread in threads {
            state.put_thread(thread);
        }
        state
    }

    /// Puts a thread in, in the place of the one with its id.
    pub fn put_thread(&mut self, thread: ThreadState) {
        self.take_thread(thread.tid);
        self.push(thread);
    }

    /// Changes a thread where it is; one that is not there is made first. Its id stays what it is.
    pub fn edit_thread<T>(&mut self, tid: Tid, edit: impl FnOnce(&mut ThreadState) -> T) -> T {
        let index = match self.index.get(&tid) {
            Some(index) => *index as usize,
            None => {
                self.push(ThreadState { tid, ..ThreadState::default() });
                self.threads.len() - 1
            }
        };
        let thread = &mut self.threads[index];
        let before = thread.end();
        let result = edit(thread);
        thread.tid = tid;
        let now = thread.end();
        if before != now {
            if let Some(before) = before {
                self.ended.remove(&before);
            }
            self.ended.extend(now);
        }
        result
    }

    /// Takes a thread out.
    pub fn take_thread(&mut self, tid: Tid) -> Option<ThreadState> {
        let index = *self.index.get(&tid)?;
        Some(self.remove(index as usize))
    }

    /// Says what is true of no thread in particular; see [`State::from_parts`].
    pub fn set_moment(&mut self, lost: Lost, next_event: u64, latest_ns: u64) {
        (self.lost, self.next_event, self.latest_ns) = (lost, next_event, latest_ns);
    }

    /// Takes the event with this number; returns the call that it ends, if it is known. Events must
    /// come in the order of the trace.
    pub fn apply(&mut self, number: u64, event: &Event) -> Option<OpenCall> {
        self.next_event = number.saturating_add(1);
        self.latest_ns = self.latest_ns.max(event.time_ns);
        match event.kind {
            EventKind::Gap { until_ns, entries, exits, others } if event.tid == Tid(0) => {
                self.lost.add(until_ns, entries, exits, others);
                for thread in &mut self.threads {
                    thread.lose(event.time_ns, entries != 0 || exits != 0, others != 0);
                }
                return None;
            }
            EventKind::Exec { .. } if event.pid != Pid(0) => self.end_other_threads(event),
            _ => {}
        }
        let index = self.thread_index(event);
        self.apply_at(index, number, event)
    }

    /// The open calls of a thread whose calls and returns change nothing else, and up to when they do,
    /// ns (0: never): it was seen to run as a thread of this process, and nothing is missing of it after that
    /// time. Whoever goes through the calls of one thread after the other pushes and pops here,
    /// which is the same as [`State::apply`] for each in less time, and says with
    /// [`State::set_moment`] where that led.
    #[inline]
    pub fn calls_of(&mut self, tid: Tid, pid: Pid) -> Option<(u64, &mut Vec<OpenCall>)> {
        let known = self.threads.get(self.latest).is_some_and(|thread| thread.tid == tid);
        if !known {
            self.latest = *self.index.get(&tid)? as usize;
        }
        let everywhere = &self.lost;
        let thread = self.threads.get_mut(self.latest)?;
        let runs = matches!(thread.run, RunState::Running { .. });
        let is_same = pid == Pid(0) || thread.pid == pid;
        (runs && is_same).then(|| (thread.lost.until_ns(everywhere), &mut thread.stack))
    }

    fn apply_at(&mut self, index: usize, number: u64, event: &Event) -> Option<OpenCall> {
        let everywhere = self.lost;
        let thread = &mut self.threads[index];
        let end_before = thread.end();
        let ended = thread.apply(number, event, &everywhere);
        let end = thread.end();
        if end.is_some() && end == end_before && matches!(event.kind, EventKind::SwitchOut { .. }) {
            // Its last: it is not heard of again.
            self.remove(index);
        } else if end != end_before {
            self.note_end(end_before, end);
        }
        ended
    }

    /// The thread with this id, if it lives or its last switch is still to come.
    #[must_use]
    pub fn thread(&self, tid: Tid) -> Option<&ThreadState> {
        if let Some(thread) = self.threads.get(self.latest)
            && thread.tid == tid
        {
            return Some(thread);
        }
        self.threads.get(*self.index.get(&tid)? as usize)
    }

    /// All threads, in no particular order.
    #[must_use]
    pub fn threads(&self) -> &[ThreadState] {
        &self.threads
    }

    /// All threads, by thread id.
    #[must_use]
    pub fn sorted_threads(&self) -> Vec<&ThreadState> {
        let mut threads: Vec<_> = self.threads.iter().collect();
        threads.sort_unstable_by_key(|thread| thread.tid);
        threads
    }

    /// What was lost of threads unknown.
    #[must_use]
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Number of the event that comes next.
    #[must_use]
    pub fn next_event(&self) -> u64 {
        self.next_event
    }

    /// Latest time of an event so far, ns.
    #[must_use]
    pub fn latest_ns(&self) -> u64 {
        self.latest_ns
    }

    /// The thread an event is about, made anew where its id was not known or begins again.
    fn thread_index(&mut self, event: &Event) -> usize {
        let known = match self.threads.get(self.latest) {
            Some(thread) if thread.tid == event.tid => Some(self.latest),
            _ => self.index.get(&event.tid).map(|index| *index as usize),
        };
        let fresh = || ThreadState {
            pid: event.pid,
            tid: event.tid,
            run_since_ns: event.time_ns,
            ..ThreadState::default()
        };
        self.latest = match known {
            Some(index) => {
                // One that recording found (parent 0) was perhaps heard of before.
                if matches!(event.kind, EventKind::ThreadStart { parent, .. } if parent != Tid(0)) {
                    let end = self.threads[index].end();
                    self.threads[index] = fresh();
                    if end.is_some() {
                        self.note_end(end, None);
                    }
                }
                index
            }
            None => {
                self.push(fresh());
                self.threads.len() - 1
            }
        };
        self.latest
    }

    /// A new program has one thread, under the id of its process. Those that ended before keep their
    /// place until their last switch.
    fn end_other_threads(&mut self, exec: &Event) {
        let mut index = 0;
        while let Some(thread) = self.threads.get(index) {
            if thread.pid == exec.pid && thread.tid != exec.tid && thread.run != RunState::Ended {
                self.remove(index);
            } else {
                index += 1;
            }
        }
    }

    fn note_end(&mut self, before: Option<(u64, Tid)>, now: Option<(u64, Tid)>) {
        if let Some(before) = before {
            self.ended.remove(&before);
        }
        self.ended.extend(now);
        if self.ended.len() > MOST_ENDED
            && let Some((_, first)) = self.ended.first()
            && let Some(index) = self.index.get(first)
        {
            self.remove(*index as usize);
        }
    }

    fn push(&mut self, thread: ThreadState) {
        // Thread ids are of 32 bits, so that there are no more threads than that.
        self.index.insert(thread.tid, self.threads.len() as u32);
        self.ended.extend(thread.end());
        self.threads.push(thread);
    }

    fn remove(&mut self, index: usize) -> ThreadState {
        let thread = self.threads.swap_remove(index);
        self.index.remove(&thread.tid);
        if let Some(end) = thread.end() {
            self.ended.remove(&end);
        }
        if let Some(moved) = self.threads.get(index) {
            self.index.insert(moved.tid, index as u32);
        }
        thread
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        (self.next_event, self.latest_ns, self.lost)
            == (other.next_event, other.latest_ns, other.lost)
            && self.threads.len() == other.threads.len()
            && self.threads.iter().all(|thread| other.thread(thread.tid) == Some(thread))
    }
}

impl Eq for State {}

impl ThreadState {
    /// When it ended, if it did; its place among the ended.
    fn end(&self) -> Option<(u64, Tid)> {
        (self.run == RunState::Ended).then_some((self.run_since_ns, self.tid))
    }

    /// Takes an event of the thread; `everywhere` is what was lost of threads unknown.
    #[inline]
    fn apply(&mut self, number: u64, event: &Event, everywhere: &Lost) -> Option<OpenCall> {
        if event.pid != Pid(0) {
            self.pid = event.pid;
        }
        // Nearly all events: calls of a thread that was seen to run, where nothing was lost.
        let lost_until_ns = self.lost.until_ns(everywhere);
        if matches!(self.run, RunState::Running { .. })
            && (lost_until_ns == 0 || event.time_ns > lost_until_ns)
        {
            match event.kind {
                EventKind::Enter { function, return_address, stack_pointer, inherited } => {
                    self.stack.push(OpenCall {
                        id: number,
                        function,
                        entered_ns: event.time_ns,
                        return_address,
                        stack_pointer,
                        inherited,
                        crosses_gap: false,
                    });
                    return None;
                }
                EventKind::Leave { .. } => return self.stack.pop(),
                _ => {}
            }
        }
        self.apply_any(number, event, everywhere)
    }

    fn apply_any(&mut self, number: u64, event: &Event, everywhere: &Lost) -> Option<OpenCall> {
        let time_ns = event.time_ns;
        let mut ended = None;
        match event.kind {
            EventKind::Enter { function, return_address, stack_pointer, inherited } => {
                let lost_until_ns = self.lost.calls_until_ns.max(everywhere.calls_until_ns);
                self.stack.push(OpenCall {
                    id: number,
                    function,
                    entered_ns: time_ns,
                    return_address,
                    stack_pointer,
                    inherited,
                    crosses_gap: lost_until_ns != 0 && time_ns <= lost_until_ns,
                });
            }
            EventKind::Leave { .. } => ended = self.stack.pop(),
            EventKind::ThreadStart { name, .. } | EventKind::Rename { name } => self.name = name,
            EventKind::Exec { name } => {
                self.name = name;
                self.stack.clear();
                self.lost.calls_until_ns = 0;
            }
            EventKind::ThreadExit { .. } => {
                self.stack.clear();
                self.syscall = None;
            }
            EventKind::SyscallEnter { number } => {
                self.syscall = Some(OpenSyscall { number, since_ns: time_ns });
            }
            EventKind::SyscallExit { .. } => self.syscall = None,
            EventKind::Gap { until_ns, entries, exits, others } => {
                self.lost.add(until_ns, entries, exits, others);
                self.lose(time_ns, entries != 0 || exits != 0, others != 0);
            }
            EventKind::SwitchIn { .. } | EventKind::SwitchOut { .. } | EventKind::Waking { .. } => {
            }
        }
        let state = self.run.after(&event.kind);
        let lost_until_ns = self.lost.others_until_ns.max(everywhere.others_until_ns);
        let state = if state == RunState::Ended {
            state
        } else if lost_until_ns != 0 && time_ns <= lost_until_ns {
            // The next event may be the one that is missing.
            RunState::Unknown
        } else if only_running(&event.kind) && !matches!(state, RunState::Running { .. }) {
            RunState::Running { cpu: CPU_UNKNOWN }
        } else {
            state
        };
        self.run_is(state, time_ns);
        ended
    }

    fn lose(&mut self, time_ns: u64, calls: bool, others: bool) {
        if calls {
            for call in &mut self.stack {
                call.crosses_gap = true;
            }
        }
        if others && self.run != RunState::Ended {
            self.syscall = None;
            self.run_is(RunState::Unknown, time_ns);
        }
    }

    fn run_is(&mut self, state: RunState, time_ns: u64) {
        if state != self.run {
            self.run = state;
            self.run_since_ns = time_ns;
        }
    }
}

/// Whether only a running thread can cause the event.
const fn only_running(kind: &EventKind) -> bool {
    match kind {
        EventKind::Enter { inherited, .. } => !*inherited,
        EventKind::Leave { end, .. } => matches!(*end, CallEnd::Returned),
        EventKind::SyscallEnter { .. } | EventKind::SyscallExit { .. } | EventKind::Exec { .. } => {
            true
        }
        _ => false,
    }
}
