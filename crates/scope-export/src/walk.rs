//! One pass over the events of a trace, from which every format is made: what each thread called,
//! what the scheduler did to it, which system calls it made, who woke it, and what was lost.
//!
//! The state machine of [`scope_model::State`] follows the threads, so that what is exported is what
//! every other command shows. Added to it is what only an export asks of every call: its parent, its
//! own time, and its time by run state.
//!
//! Memory is that of the threads that live at one moment and of their open calls; nothing grows with
//! the length of the trace. Items of one thread come in the order of time: a time that runs backward
//! is taken for the latest one of its thread. Between threads the order is that of the trace, which
//! late records can disturb.
//!
//! Absent here: any format, and totals that leave losses out (those are `scope_timeline::profile`'s).

use rustc_hash::FxHashMap;
use scope_model::{
    CallEnd, Event, EventKind, FunctionId, OpenCall, Pid, RunState, State, ThreadName, Tid,
};
use scope_store::{Position, concerns};
use scope_timeline::{RunTimes, Timeline};

use crate::{Error, Window};

/// Events between two reports of progress.
const STRIDE: u64 = 1 << 14;

/// An open call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Number of its `Enter` in the trace: its id.
    pub id: u64,
    /// The call that made it, if one is open around it.
    pub parent: Option<u64>,
    /// The called function.
    pub function: FunctionId,
    /// Open calls around it.
    pub depth: usize,
    /// When it was entered, ns.
    pub entered_ns: u64,
    /// From when on it is in the window, ns: later than when it was entered if the window begins
    /// later.
    pub since_ns: u64,
    /// Return address; 0 after a tail call.
    pub return_address: u64,
    /// It was open in the parent process when this one was forked: not a call made.
    pub inherited: bool,
    /// Time of the thread by run state when it began.
    times: RunTimes,
    /// Time of the callees that ended, ns.
    callees_ns: u64,
}

impl Call {
    /// Whether it began before the window.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.since_ns != self.entered_ns
    }
}

/// How a call ended, and what it took.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// When that was, or where the window ends, ns.
    pub until_ns: u64,
    /// How; `None`: it is open where the window ends.
    pub end: Option<CallEnd>,
    /// Raw return register; 0 unless it returned.
    pub return_value: u64,
    /// Events of its thread were lost while it was open.
    pub crosses_gap: bool,
    /// How long it took, ns, where that is known exactly: it was seen to begin and to return, and
    /// nothing was lost meanwhile.
    pub duration_ns: Option<u64>,
    /// Of its time in the window, that without recorded callees, ns; `None` where it crosses a gap.
    pub self_ns: Option<u64>,
    /// Its time in the window by run state.
    pub times: RunTimes,
}

/// A thread that lives.
#[derive(Debug)]
pub struct Thread {
    /// Number of the thread in this export, from 0. A thread id that is used again has another one.
    pub index: usize,
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Its latest name; empty where none was seen.
    pub name: ThreadName,
    /// Open calls, outermost first.
    pub calls: Vec<Call>,
    /// What the scheduler has it do.
    pub run: RunState,
    /// Latest time of an item, ns.
    pub now_ns: u64,
    /// Its time by run state so far. Only differences mean something.
    pub times: RunTimes,
    run_since_ns: u64,
    run_syscall: Option<u32>,
    /// Number and beginning of the system call it is in.
    syscall: Option<(u32, u64)>,
}

/// A stretch of one run state.
#[derive(Clone, Copy, Debug)]
pub struct RunSlice {
    /// The state.
    pub run: RunState,
    /// From when, ns; not before the window.
    pub since_ns: u64,
    /// Until when, ns.
    pub until_ns: u64,
    /// The system call that it began in.
    pub syscall: Option<u32>,
    /// Who ended it, if it was blocked and that was seen.
    pub woken_by: Option<Tid>,
}

/// A system call.
#[derive(Clone, Copy, Debug)]
pub struct SyscallSlice {
    /// Its number on the recorded machine.
    pub number: u32,
    /// From when, ns; not before the window.
    pub since_ns: u64,
    /// Until when, ns.
    pub until_ns: u64,
    /// Its result; `None` where its end was not seen.
    pub result: Option<i64>,
}

/// Lost events.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Their thread; 0: unknown.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Time of the first, ns.
    pub since_ns: u64,
    /// Time of the last, ns.
    pub until_ns: u64,
    /// Entries lost.
    pub entries: u32,
    /// Exits lost.
    pub exits: u32,
    /// Other events lost.
    pub others: u32,
}

impl Gap {
    /// Events lost, of any kind.
    #[must_use]
    pub fn total(&self) -> u64 {
        u64::from(self.entries) + u64::from(self.exits) + u64::from(self.others)
    }
}

/// What happened to a thread.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// It is seen for the first time.
    Begins,
    /// It has another name or process.
    Renamed,
    /// A call begins: the last of [`Thread::calls`].
    Enter(&'a Call),
    /// A call ends, which is no more in [`Thread::calls`].
    Leave(&'a Call, &'a Ending),
    /// A stretch of one run state ends, where that was known.
    Run(&'a RunSlice),
    /// Its run state is another one from here on: [`Thread::run`].
    RunBegins,
    /// A system call begins.
    SyscallBegins(u32),
    /// A system call ends.
    Syscall(&'a SyscallSlice),
    /// It is being woken by this thread; the waker, where it is known and in this export.
    Waking(Tid, Option<&'a Thread>),
    /// Events of it were lost.
    Gap(&'a Gap),
    /// Nothing more comes of it.
    Ends {
        /// Its end was seen; else the window ends, or its end was lost.
        seen: bool,
    },
}

/// Takes the items of a [`walk`].
pub trait Sink {
    /// Something happened to a thread at its [`Thread::now_ns`].
    ///
    /// # Errors
    ///
    /// What writing gives; the walk ends with it.
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error>;

    /// Events of threads unknown were lost, or of a thread that is not in the export any more.
    ///
    /// # Errors
    ///
    /// As [`Sink::take`].
    fn gap(&mut self, gap: &Gap) -> Result<(), Error>;
}

/// Hands everything that happens in a window to a sink.
///
/// Threads and calls that are there where the window begins come first; what is open where it ends
/// is closed there, calls with an [`Ending`] that says so. `progress` is told now and then how many
/// events of the window are done.
///
/// # Errors
///
/// What reading the trace and the sink give.
pub fn walk(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    let state = timeline.state_at(window.from.event)?;
    let mut walk = Walk {
        state,
        only: window.thread,
        start_ns: window.from.time_ns,
        threads: Threads::default(),
        sink,
    };
    walk.resume()?;
    let mut done = 0;
    let wanted = window.to.event.saturating_sub(window.from.event);
    let mut events = timeline.trace().events_from(Position::after(window.from.event));
    while done < wanted {
        let Some(event) = events.next() else { break };
        walk.push(window.from.event + done, &event?)?;
        done += 1;
        if done.is_multiple_of(STRIDE) {
            timeline.check_interrupt()?;
            progress(done);
        }
    }
    walk.finish(window.to.time_ns)
}

/// The threads that live, found by id.
#[derive(Default)]
struct Threads {
    /// `None`: free to be used again.
    all: Vec<Option<Thread>>,
    free: Vec<usize>,
    of: FxHashMap<Tid, usize>,
    /// How many there were.
    count: usize,
}

impl Threads {
    fn place(&self, tid: Tid) -> Option<usize> {
        self.of.get(&tid).copied()
    }

    fn get(&self, tid: Tid) -> Option<&Thread> {
        self.all.get(self.place(tid)?)?.as_ref()
    }

    fn at(&mut self, place: usize) -> Option<&mut Thread> {
        self.all.get_mut(place)?.as_mut()
    }

    fn add(&mut self, tid: Tid, pid: Pid, now_ns: u64) -> usize {
        let thread = Thread {
            index: self.count,
            tid,
            pid,
            name: ThreadName::default(),
            calls: Vec::new(),
            run: RunState::Unknown,
            now_ns,
            times: RunTimes::default(),
            run_since_ns: now_ns,
            run_syscall: None,
            syscall: None,
        };
        self.count += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            self.all.len() - 1
        });
        self.all[place] = Some(thread);
        self.of.insert(tid, place);
        place
    }

    fn take(&mut self, place: usize) -> Option<Thread> {
        let thread = self.all.get_mut(place)?.take()?;
        self.of.remove(&thread.tid);
        self.free.push(place);
        Some(thread)
    }

    fn places(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|place| self.all[*place].is_some()).collect()
    }
}

struct Walk<'s> {
    state: State,
    /// The only thread that is exported.
    only: Option<Tid>,
    /// Where the window begins, ns.
    start_ns: u64,
    threads: Threads,
    sink: &'s mut dyn Sink,
}

impl Walk<'_> {
    /// Everything that is there where the window begins.
    fn resume(&mut self) -> Result<(), Error> {
        let known: Vec<_> = self.state.sorted_threads().into_iter().cloned().collect();
        for known in known {
            if known.run == RunState::Ended || self.only.is_some_and(|only| only != known.tid) {
                continue;
            }
            let place = self.threads.add(known.tid, known.pid, self.start_ns);
            let Some(thread) = self.threads.at(place) else { continue };
            thread.name = known.name;
            thread.run = known.run;
            thread.syscall = known.syscall.map(|call| (call.number, self.start_ns));
            thread.run_syscall = known.syscall.map(|call| call.number);
            self.sink.take(thread, Item::Begins)?;
            for call in &known.stack {
                let call = thread.open(call, Some(call.entered_ns));
                self.sink.take(thread, Item::Enter(&call))?;
            }
            if let Some((number, _)) = thread.syscall {
                self.sink.take(thread, Item::SyscallBegins(number))?;
            }
            if thread.run != RunState::Unknown {
                self.sink.take(thread, Item::RunBegins)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, number: u64, event: &Event) -> Result<(), Error> {
        if self.only.is_some_and(|only| !concerns(event, only)) {
            return Ok(());
        }
        match event.kind {
            EventKind::Gap { .. } if event.tid == Tid(0) => return self.gap(number, event),
            EventKind::Exec { .. } if event.pid != Pid(0) => self.end_other_threads(event)?,
            _ => {}
        }
        if self.only.is_some_and(|only| only != event.tid) {
            self.state.apply(number, event);
            return Ok(());
        }
        let mut place = self.threads.place(event.tid);
        let begins = matches!(event.kind, EventKind::ThreadStart { parent, .. } if parent.0 != 0);
        if let Some(old) = place.filter(|_| begins) {
            // The predecessor's end was lost.
            self.end(old, event.time_ns, CallEnd::Lost)?;
            place = None;
        }
        match place {
            Some(place) => self.follow(place, false, number, event),
            None => {
                let known = self.state.thread(event.tid);
                let revives = begins || matches!(event.kind, EventKind::Exec { .. });
                if !revives && known.is_some_and(|known| known.run == RunState::Ended) {
                    // Its last switch.
                    if let EventKind::Gap { .. } = event.kind {
                        self.sink.gap(&gap_of(event))?;
                    }
                    self.state.apply(number, event);
                    return Ok(());
                }
                let since_ns = event.time_ns;
                let place = self.threads.add(event.tid, event.pid, since_ns);
                self.follow(place, true, number, event)
            }
        }
    }

    /// Takes an event of a thread that lives.
    fn follow(
        &mut self,
        place: usize,
        is_new: bool,
        number: u64,
        event: &Event,
    ) -> Result<(), Error> {
        let Some(thread) = self.threads.all.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        thread.pass(event.time_ns);
        if let EventKind::ThreadExit { .. } | EventKind::Exec { .. } = event.kind {
            let is_exit = matches!(event.kind, EventKind::ThreadExit { .. });
            let end = if is_exit { CallEnd::ThreadEnded } else { CallEnd::Exec };
            close(thread, Some(end), &self.state, self.sink)?;
        }
        let ended = self.state.apply(number, event);
        let after = self.state.thread(event.tid);
        let named = match event.kind {
            EventKind::ThreadStart { name, .. }
            | EventKind::Rename { name }
            | EventKind::Exec { name } => name,
            _ => thread.name,
        };
        let pid = if event.pid == Pid(0) { thread.pid } else { event.pid };
        let changed = (named, pid) != (thread.name, thread.pid);
        (thread.name, thread.pid) = (named, pid);
        if is_new {
            self.sink.take(thread, Item::Begins)?;
        } else if changed {
            self.sink.take(thread, Item::Renamed)?;
        }
        match event.kind {
            EventKind::Enter { .. } => {
                if let Some(call) = after.and_then(|thread| thread.stack.last()) {
                    let call = thread.open(call, None);
                    self.sink.take(thread, Item::Enter(&call))?;
                }
            }
            EventKind::Leave { end, return_value, crosses_gap, .. } => {
                if let Some(ended) = ended {
                    let crosses_gap = crosses_gap || ended.crosses_gap;
                    let value = if end == CallEnd::Returned { return_value } else { 0 };
                    if let Some((call, ending)) = thread.close(Some(end), value, crosses_gap) {
                        self.sink.take(thread, Item::Leave(&call, &ending))?;
                    }
                }
            }
            EventKind::SyscallEnter { number } => {
                end_syscall(thread, None, self.sink)?;
                thread.syscall = Some((number, thread.now_ns));
                self.sink.take(thread, Item::SyscallBegins(number))?;
            }
            EventKind::SyscallExit { number, result } => {
                // An end of another one than was begun says nothing about that.
                let own = thread.syscall.is_some_and(|(begun, _)| begun == number);
                end_syscall(thread, own.then_some(result), self.sink)?;
            }
            EventKind::Gap { .. } => self.sink.take(thread, Item::Gap(&gap_of(event)))?,
            _ => {}
        }
        if after.is_none_or(|after| after.syscall.is_none()) {
            end_syscall(thread, None, self.sink)?;
        }
        let run = after.map_or(RunState::Ended, |after| after.run);
        change_run(thread, run, self.sink)?;
        if let EventKind::Waking { waker, .. } = event.kind
            && let Some(thread) = self.threads.all.get(place).and_then(Option::as_ref)
        {
            let waker_thread = self.threads.get(waker).filter(|other| other.tid != thread.tid);
            self.sink.take(thread, Item::Waking(waker, waker_thread))?;
        }
        if let EventKind::ThreadExit { .. } = event.kind {
            self.end(place, event.time_ns, CallEnd::ThreadEnded)?;
        }
        Ok(())
    }

    /// Losses of threads unknown: any thread may have had them.
    fn gap(&mut self, number: u64, event: &Event) -> Result<(), Error> {
        self.state.apply(number, event);
        self.sink.gap(&gap_of(event))?;
        for place in self.threads.places() {
            let Some(thread) = self.threads.at(place) else { continue };
            let Some(known) = self.state.thread(thread.tid) else { continue };
            thread.pass(event.time_ns);
            if known.syscall.is_none() {
                end_syscall(thread, None, self.sink)?;
            }
            change_run(thread, known.run, self.sink)?;
        }
        Ok(())
    }

    /// A new program has one thread, under the id of its process.
    fn end_other_threads(&mut self, exec: &Event) -> Result<(), Error> {
        for place in self.threads.places() {
            let other = self.threads.at(place);
            if other.is_some_and(|other| other.pid == exec.pid && other.tid != exec.tid) {
                self.end(place, exec.time_ns, CallEnd::Exec)?;
            }
        }
        Ok(())
    }

    /// A thread is seen no more.
    fn end(&mut self, place: usize, time_ns: u64, end: CallEnd) -> Result<(), Error> {
        let Some(mut thread) = self.threads.take(place) else { return Ok(()) };
        thread.pass(time_ns);
        close(&mut thread, Some(end), &self.state, self.sink)?;
        end_syscall(&mut thread, None, self.sink)?;
        change_run(&mut thread, RunState::Ended, self.sink)?;
        self.sink.take(&thread, Item::Ends { seen: end != CallEnd::Lost })
    }

    /// Everything that is there where the window ends.
    fn finish(mut self, until_ns: u64) -> Result<(), Error> {
        let mut rest: Vec<Thread> = self
            .threads
            .places()
            .into_iter()
            .filter_map(|place| self.threads.take(place))
            .collect();
        rest.sort_unstable_by_key(|thread| thread.index);
        for mut thread in rest {
            thread.pass(until_ns);
            close(&mut thread, None, &self.state, self.sink)?;
            end_syscall(&mut thread, None, self.sink)?;
            end_run(&mut thread, None, self.sink)?;
            self.sink.take(&thread, Item::Ends { seen: false })?;
        }
        Ok(())
    }
}

impl Thread {
    /// Time passes. Times that run backward do not count.
    fn pass(&mut self, time_ns: u64) {
        let passed = time_ns.saturating_sub(self.now_ns);
        self.now_ns += passed;
        let account = match self.run {
            RunState::Running { .. } => &mut self.times.running_ns,
            RunState::Runnable { .. } => &mut self.times.runnable_ns,
            RunState::Blocked { .. } => &mut self.times.blocked_ns,
            RunState::Unknown | RunState::Ended => &mut self.times.unknown_ns,
        };
        *account += passed;
    }

    /// A call begins now, or began at `entered_ns`, before the window.
    fn open(&mut self, call: &OpenCall, entered_ns: Option<u64>) -> Call {
        let call = Call {
            id: call.id,
            parent: self.calls.last().map(|parent| parent.id),
            function: call.function,
            depth: self.calls.len(),
            entered_ns: entered_ns.map_or(self.now_ns, |before_ns| before_ns.min(self.now_ns)),
            since_ns: self.now_ns,
            return_address: call.return_address,
            inherited: call.inherited,
            times: self.times,
            callees_ns: 0,
        };
        self.calls.push(call);
        call
    }

    /// The innermost call ends.
    fn close(
        &mut self,
        end: Option<CallEnd>,
        return_value: u64,
        crosses_gap: bool,
    ) -> Option<(Call, Ending)> {
        let call = self.calls.pop()?;
        let elapsed_ns = self.now_ns.saturating_sub(call.since_ns);
        if let Some(caller) = self.calls.last_mut() {
            caller.callees_ns += elapsed_ns;
        }
        let exact = end == Some(CallEnd::Returned) && !crosses_gap && !call.inherited;
        let ending = Ending {
            until_ns: self.now_ns,
            end,
            return_value,
            crosses_gap,
            duration_ns: exact.then(|| self.now_ns.saturating_sub(call.entered_ns)),
            self_ns: (!crosses_gap).then(|| elapsed_ns.saturating_sub(call.callees_ns)),
            times: RunTimes {
                running_ns: self.times.running_ns - call.times.running_ns,
                runnable_ns: self.times.runnable_ns - call.times.runnable_ns,
                blocked_ns: self.times.blocked_ns - call.times.blocked_ns,
                unknown_ns: self.times.unknown_ns - call.times.unknown_ns,
            },
        };
        Some((call, ending))
    }
}

/// Closes all calls of a thread, innermost first; `state` is that before whatever closes them.
fn close(
    thread: &mut Thread,
    end: Option<CallEnd>,
    state: &State,
    sink: &mut dyn Sink,
) -> Result<(), Error> {
    while !thread.calls.is_empty() {
        let open =
            state.thread(thread.tid).and_then(|known| known.stack.get(thread.calls.len() - 1));
        let crosses_gap = open.is_some_and(|open| open.crosses_gap);
        if let Some((call, ending)) = thread.close(end, 0, crosses_gap) {
            sink.take(thread, Item::Leave(&call, &ending))?;
        }
    }
    Ok(())
}

fn end_syscall(thread: &mut Thread, result: Option<i64>, sink: &mut dyn Sink) -> Result<(), Error> {
    let Some((number, since_ns)) = thread.syscall.take() else { return Ok(()) };
    sink.take(
        thread,
        Item::Syscall(&SyscallSlice { number, since_ns, until_ns: thread.now_ns, result }),
    )
}

fn change_run(thread: &mut Thread, run: RunState, sink: &mut dyn Sink) -> Result<(), Error> {
    if run == thread.run {
        return Ok(());
    }
    let woken_by = match run {
        RunState::Runnable { woken_by } => woken_by,
        _ => None,
    };
    end_run(thread, woken_by, sink)?;
    thread.run = run;
    thread.run_since_ns = thread.now_ns;
    thread.run_syscall = thread.syscall.map(|(number, _)| number);
    sink.take(thread, Item::RunBegins)
}

fn end_run(thread: &mut Thread, woken_by: Option<Tid>, sink: &mut dyn Sink) -> Result<(), Error> {
    if matches!(thread.run, RunState::Unknown | RunState::Ended) {
        return Ok(());
    }
    let was_blocked = matches!(thread.run, RunState::Blocked { .. });
    let slice = RunSlice {
        run: thread.run,
        since_ns: thread.run_since_ns,
        until_ns: thread.now_ns,
        syscall: thread.run_syscall,
        woken_by: woken_by.filter(|_| was_blocked),
    };
    sink.take(thread, Item::Run(&slice))
}

fn gap_of(event: &Event) -> Gap {
    let EventKind::Gap { until_ns, entries, exits, others } = event.kind else {
        return Gap {
            tid: event.tid,
            pid: event.pid,
            since_ns: event.time_ns,
            until_ns: event.time_ns,
            entries: 0,
            exits: 0,
            others: 0,
        };
    };
    Gap {
        tid: event.tid,
        pid: event.pid,
        since_ns: event.time_ns,
        until_ns: until_ns.max(event.time_ns),
        entries,
        exits,
        others,
    }
}
