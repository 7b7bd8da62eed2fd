//! One call: who called it, what it called, where its time went and how it ended.

use scope_model::{
    CallEnd, Event, EventKind, FunctionId, OpenCall, OpenSyscall, Pid, RunState, ThreadName,
    ThreadState, Tid,
};
use scope_store::{BlockFilter, Direction, ThreadEvents};

use crate::timeline::{duration_ns, happening};
use crate::{Cursor, Move, Outcome, Timeline, TimelineError};

/// A call and where its time went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The call; `crosses_gap` says whether events of its thread were lost while it was open.
    pub call: OpenCall,
    /// Its thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// The thread's name when the call began.
    pub thread_name: ThreadName,
    /// The calls that were open when it began, outermost first: the last is its caller.
    pub callers: Vec<OpenCall>,
    /// How it ended; `None` where it is open when the trace ends.
    pub ending: Option<CallEnding>,
    /// How long it took, ns: `None` where that is not known exactly.
    pub duration_ns: Option<u64>,
    /// From its begin to its end, or to the end of the trace, ns. An upper bound of what is known where
    /// the end was only noticed.
    pub elapsed_ns: u64,
    /// Of that, the time in which none of its recorded callees was open, ns; `None` where it crosses
    /// a gap, so that callees may be missing.
    pub self_ns: Option<u64>,
    /// Of that, the time by run state.
    pub times: RunTimes,
    /// How many calls it made itself.
    pub callees: u64,
    /// The stretches in which its thread waited, in order, as many as were asked for.
    pub waits: Vec<WaitSlice>,
    /// How many more there are.
    pub waits_left_out: u64,
}

/// Time by what the scheduler had the thread do, ns. On-CPU is `running_ns`; off-CPU is
/// `runnable_ns` and `blocked_ns`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTimes {
    /// On a CPU.
    pub running_ns: u64,
    /// Waiting for a CPU.
    pub runnable_ns: u64,
    /// Waiting for something else.
    pub blocked_ns: u64,
    /// Not known: not seen yet, or lost.
    pub unknown_ns: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnding {
    /// Number of the event that says so.
    pub event: u64,
    /// Its time, ns; exact where the call returned.
    pub time_ns: u64,
    /// How.
    pub end: CallEnd,
    /// Raw return register; 0 unless it returned.
    pub return_value: u64,
}

/// A stretch in which a thread did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitSlice {
    /// From when, ns; not before the call began.
    pub from_ns: u64,
    /// Until when, ns; not after the call ended.
    pub until_ns: u64,
    /// What it waited for: a CPU (`Runnable`), or something else (`Blocked`).
    pub run: RunState,
    /// The system call it was in.
    pub syscall: Option<OpenSyscall>,
    /// Who ended the wait, where it was for something else than a CPU and that was seen.
    pub woken_by: Option<Tid>,
    /// Id of the innermost open call: where in the code it waited.
    pub innermost: u64,
}

/// A call made by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callee {
    /// Its id.
    pub id: u64,
    /// The called function.
    pub function: FunctionId,
    /// When it was entered, ns.
    pub entered_ns: u64,
    /// Return address: the call site in the caller; 0 after a tail call.
    pub return_address: u64,
    /// It was open in the parent process when this one was forked.
    pub inherited: bool,
    /// How it ended; `None` where it is open when the trace ends.
    pub ending: Option<CallEnding>,
    /// How long it took, ns: `None` where that is not known exactly.
    pub duration_ns: Option<u64>,
}

/// Some of the calls that a call made, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callees {
    /// The calls.
    pub calls: Vec<Callee>,
    /// The moment to go on from; `None` when there are no more.
    pub next: Option<u64>,
}

impl Timeline<'_> {
    /// A call by its id, with at most `most_waits` of its waits. Reads what its thread did from its
    /// begin to its end.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NotACall`] and [`TimelineError::NoSuchEvent`] for what is no id of a call;
    /// [`TimelineError::Interrupted`]; what reading the trace gives.
    pub fn call(&self, id: u64, most_waits: usize) -> Result<CallView, TimelineError> {
        let (event, call) = self.entered(id)?;
        let callers = self.thread_at(id, event.tid)?.map(|thread| thread.stack).unwrap_or_default();
        let index = callers.len();
        let mut account = Account::new(id, index, event.time_ns, most_waits);
        let mut first = None;
        let threads = [event.tid, Tid(0)];
        let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
        let (begin, _) = self.split(id)?;
        let mut state = None;
        for block in self.trace().blocks_with(filter, Direction::Forward, begin) {
            self.check_interrupt()?;
            let ThreadEvents { before, events } = self.trace().thread_in(block?, event.tid)?;
            let state = state.insert(before);
            for (number, passed) in &events {
                let number = *number;
                if number > id {
                    account.pass(passed.time_ns, state.thread(event.tid));
                }
                state.apply(number, passed);
                if number >= id {
                    let thread = state.thread(event.tid);
                    if number == id {
                        first = thread.cloned();
                    }
                    if account.see(number, passed, thread) {
                        break;
                    }
                }
            }
            if account.ending.is_some() {
                break;
            }
        }
        if account.ending.is_none() {
            let last = self.thread_at(self.end()?, event.tid)?;
            account.pass(self.end_ns()?, last.as_ref());
            account.close(None);
        }
        let call = OpenCall { crosses_gap: account.crosses_gap, ..call };
        Ok(CallView {
            call,
            tid: event.tid,
            pid: event.pid,
            thread_name: first.map(|thread| thread.name).unwrap_or_default(),
            callers,
            duration_ns: account.leave.and_then(|leave| duration_ns(&call, &leave)),
            ending: account.ending,
            elapsed_ns: account.now_ns.saturating_sub(event.time_ns),
            self_ns: (!account.crosses_gap).then_some(account.self_ns),
            times: account.times,
            callees: account.callees,
            waits: account.waits,
            waits_left_out: account.waits_left_out,
        })
    }

    /// At most `limit` of the calls that a call made itself, in order, from its begin or from where
    /// an earlier answer ended. Calls among them, however long, are passed without being read.
    ///
    /// # Errors
    ///
    /// As [`Timeline::call`].
    pub fn callees(
        &self,
        id: u64,
        from: Option<u64>,
        limit: usize,
    ) -> Result<Callees, TimelineError> {
        let tid = self.entered(id)?.0.tid;
        let mut cursor = Cursor { thread: Some(tid), moment: from.unwrap_or(id + 1).max(id + 1) };
        let depth = self.point_at(id + 1, tid)?.depth;
        let mut callees = Callees::default();
        loop {
            let at = cursor.moment;
            let Outcome::Moved(entered) = self.step(cursor, Move::Into)? else {
                return Ok(callees);
            };
            let Some(Event { time_ns, kind, .. }) = entered.event else { return Ok(callees) };
            let EventKind::Enter { function, return_address, inherited, .. } = kind else {
                // It ended itself.
                return Ok(callees);
            };
            if entered.depth != depth + 1 {
                return Ok(callees);
            }
            if callees.calls.len() == limit {
                callees.next = Some(at);
                return Ok(callees);
            }
            let mut callee = Callee {
                id: entered.moment - 1,
                function,
                entered_ns: time_ns,
                return_address,
                inherited,
                ending: None,
                duration_ns: None,
            };
            match cursor.step(self, Move::Over)? {
                Outcome::Moved(left) => {
                    if let Some(event) = left.event {
                        callee.ending = Some(ending(left.moment - 1, &event));
                        callee.duration_ns = duration_ns(&self.entered(callee.id)?.1, &event);
                    }
                    callees.calls.push(callee);
                }
                Outcome::Stopped(_) => {
                    callees.calls.push(callee);
                    return Ok(callees);
                }
            }
        }
    }

    /// The event that begins a call, and the call as it says.
    fn entered(&self, id: u64) -> Result<(Event, OpenCall), TimelineError> {
        let event = self.event(id)?;
        match (event.kind, happening(id, &event, None).call) {
            (EventKind::Enter { .. }, Some(call)) => Ok((event, call)),
            (kind, _) => Err(TimelineError::NotACall { event: id, kind: kind.name() }),
        }
    }
}

/// What is counted of a call on the way through its thread's events.
struct Account {
    id: u64,
    /// Its place in the stack.
    index: usize,
    now_ns: u64,
    self_ns: u64,
    times: RunTimes,
    callees: u64,
    crosses_gap: bool,
    ending: Option<CallEnding>,
    /// The event that ended it.
    leave: Option<Event>,
    /// The wait that goes on.
    wait: Option<WaitSlice>,
    waits: Vec<WaitSlice>,
    waits_left_out: u64,
    most_waits: usize,
}

impl Account {
    fn new(id: u64, index: usize, entered_ns: u64, most_waits: usize) -> Self {
        Self {
            id,
            index,
            now_ns: entered_ns,
            self_ns: 0,
            times: RunTimes::default(),
            callees: 0,
            crosses_gap: false,
            ending: None,
            leave: None,
            wait: None,
            waits: Vec::new(),
            waits_left_out: 0,
            most_waits,
        }
    }

    /// Time passes in the state the thread is in. Times that run backward do not count.
    fn pass(&mut self, time_ns: u64, thread: Option<&ThreadState>) {
        let passed = time_ns.saturating_sub(self.now_ns);
        self.now_ns = self.now_ns.max(time_ns);
        let account = match thread.map(|thread| thread.run).unwrap_or_default() {
            RunState::Running { .. } => &mut self.times.running_ns,
            RunState::Runnable { .. } => &mut self.times.runnable_ns,
            RunState::Blocked { .. } => &mut self.times.blocked_ns,
            RunState::Unknown | RunState::Ended => &mut self.times.unknown_ns,
        };
        *account += passed;
        if thread.is_some_and(|thread| thread.stack.len() == self.index + 1) {
            self.self_ns += passed;
        }
    }

    /// Takes an event of the thread, which is in this state after it. Returns whether the call ended.
    fn see(&mut self, number: u64, event: &Event, thread: Option<&ThreadState>) -> bool {
        let call = thread.and_then(|thread| thread.stack.get(self.index));
        let Some(call) = call.filter(|call| call.id == self.id) else {
            self.ending = Some(ending(number, event));
            self.leave = Some(*event);
            if let EventKind::Leave { crosses_gap, .. } = event.kind {
                self.crosses_gap |= crosses_gap;
            }
            self.close(None);
            return true;
        };
        self.crosses_gap |= call.crosses_gap;
        let Some(thread) = thread else { return false };
        if let EventKind::Enter { inherited: false, .. } = event.kind
            && thread.stack.len() == self.index + 2
        {
            self.callees += 1;
        }
        if self.wait.is_none_or(|wait| wait.run != thread.run) {
            let woken_by = match thread.run {
                RunState::Runnable { woken_by } => woken_by,
                _ => None,
            };
            self.close(woken_by);
            if matches!(thread.run, RunState::Runnable { .. } | RunState::Blocked { .. }) {
                self.wait = Some(WaitSlice {
                    from_ns: self.now_ns,
                    until_ns: self.now_ns,
                    run: thread.run,
                    syscall: thread.syscall,
                    woken_by: None,
                    innermost: thread.stack.last().map_or(self.id, |call| call.id),
                });
            }
        }
        false
    }

    /// The wait that goes on ends now.
    fn close(&mut self, woken_by: Option<Tid>) {
        let Some(mut wait) = self.wait.take() else { return };
        wait.until_ns = self.now_ns;
        if let RunState::Blocked { .. } = wait.run {
            wait.woken_by = woken_by;
        }
        if self.waits.len() < self.most_waits {
            self.waits.push(wait);
        } else {
            self.waits_left_out += 1;
        }
    }
}

/// How a call ended, by the event that shows it.
fn ending(number: u64, event: &Event) -> CallEnding {
    let (end, return_value) = match event.kind {
        EventKind::Leave { end, return_value, .. } => (end, return_value),
        // No recorder writes these without the ends of the calls.
        EventKind::ThreadExit { .. } => (CallEnd::ThreadEnded, 0),
        EventKind::Exec { .. } => (CallEnd::Exec, 0),
        _ => (CallEnd::Lost, 0),
    };
    CallEnding { event: number, time_ns: event.time_ns, end, return_value }
}
