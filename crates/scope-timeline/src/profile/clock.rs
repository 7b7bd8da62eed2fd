//! The clock of one thread: how long it ran, waited and blocked, and how much of that its calls may
//! claim.
//!
//! Two accounts are kept, since two things can be lost. Without scheduler events the run state is
//! unknown but calls still take time; without entries and exits the run state is known but no call
//! may claim the time.

use std::ops::{Add, AddAssign, Sub};

use scope_model::{CallEnd, Event, EventKind, RunState};

/// Wall time of calls, and its split by run state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallTimes {
    /// Wall time, ns.
    pub total_ns: u64,
    /// Of it on a CPU, ns.
    pub on_cpu_ns: u64,
    /// Of it off the CPU: blocked or waiting for one, ns.
    pub off_cpu_ns: u64,
}

impl Add for CallTimes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_add(other.total_ns),
            on_cpu_ns: self.on_cpu_ns.saturating_add(other.on_cpu_ns),
            off_cpu_ns: self.off_cpu_ns.saturating_add(other.off_cpu_ns),
        }
    }
}

impl AddAssign for CallTimes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for CallTimes {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            total_ns: self.total_ns.saturating_sub(earlier.total_ns),
            on_cpu_ns: self.on_cpu_ns.saturating_sub(earlier.on_cpu_ns),
            off_cpu_ns: self.off_cpu_ns.saturating_sub(earlier.off_cpu_ns),
        }
    }
}

/// Time of a thread by run state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ThreadTimes {
    pub running_ns: u64,
    pub runnable_ns: u64,
    pub blocked_ns: u64,
    pub unknown_ns: u64,
}

/// Up to when records are missing, ns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LostUntil {
    calls_ns: u64,
    scheduler_ns: u64,
}

impl LostUntil {
    pub fn lose(&mut self, calls: bool, scheduler: bool, until_ns: u64) {
        if calls {
            self.calls_ns = self.calls_ns.max(until_ns);
        }
        if scheduler {
            self.scheduler_ns = self.scheduler_ns.max(until_ns);
        }
    }
}

/// The clock of one thread.
#[derive(Debug)]
pub(super) struct ThreadClock {
    now_ns: u64,
    state: RunState,
    lost: LostUntil,
    times: ThreadTimes,
    calls: CallTimes,
}

impl ThreadClock {
    /// The clock of a thread first seen at `now_ns`.
    pub fn new(now_ns: u64, lost: LostUntil) -> Self {
        Self {
            now_ns,
            state: RunState::Unknown,
            lost,
            times: ThreadTimes::default(),
            calls: CallTimes::default(),
        }
    }

    /// Time of the latest event, ns.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Time that calls may claim since the thread was first seen; only differences mean something.
    pub fn calls(&self) -> CallTimes {
        self.calls
    }

    pub fn times(&self) -> ThreadTimes {
        self.times
    }

    /// Counts the calls at this moment in a gap.
    pub fn in_gap(&self) -> bool {
        self.lost.calls_ns != 0 && self.now_ns <= self.lost.calls_ns
    }

    pub fn has_ended(&self) -> bool {
        self.state == RunState::Ended
    }

    /// The thread is gone.
    pub fn end(&mut self) {
        self.state = RunState::Ended;
    }

    /// Time passes in the present state. Times that run backward do not count.
    pub fn advance(&mut self, time_ns: u64) {
        if time_ns <= self.now_ns {
            return;
        }
        let passed = time_ns - self.now_ns;
        let claimed = time_ns.saturating_sub(self.now_ns.max(self.lost.calls_ns));
        self.now_ns = time_ns;
        let (account, share) = match self.state {
            RunState::Ended => return,
            RunState::Unknown => (&mut self.times.unknown_ns, None),
            RunState::Running { .. } => {
                (&mut self.times.running_ns, Some(&mut self.calls.on_cpu_ns))
            }
            RunState::Runnable { .. } => {
                (&mut self.times.runnable_ns, Some(&mut self.calls.off_cpu_ns))
            }
            RunState::Blocked { .. } => {
                (&mut self.times.blocked_ns, Some(&mut self.calls.off_cpu_ns))
            }
        };
        *account += passed;
        self.calls.total_ns += claimed;
        if let Some(share) = share {
            *share += claimed;
        }
    }

    /// Takes note of an event of the thread; time must have been advanced to it.
    pub fn observe(&mut self, event: &Event) {
        if let EventKind::Exec { .. } = event.kind {
            // The id may have been that of a first thread long gone.
            self.state = RunState::Unknown;
        }
        let state = self.state.after(&event.kind);
        let lost = self.lost.scheduler_ns != 0 && event.time_ns <= self.lost.scheduler_ns;
        self.state = if state == RunState::Ended {
            state
        } else if lost {
            // The next record may be the one that is missing.
            RunState::Unknown
        } else if only_running(&event.kind) && !matches!(state, RunState::Running { .. }) {
            // Which CPU is not known, and not looked at here.
            RunState::Running { cpu: 0 }
        } else {
            state
        };
    }

    /// Records are missing from now to `until_ns`.
    pub fn lose(&mut self, calls: bool, scheduler: bool, until_ns: u64) {
        self.lost.lose(calls, scheduler, until_ns);
        if scheduler && !self.has_ended() {
            self.state = RunState::Unknown;
        }
    }
}

/// Whether only a running thread can cause the event.
fn only_running(kind: &EventKind) -> bool {
    match kind {
        EventKind::Enter { inherited, .. } => !inherited,
        EventKind::Leave { end, .. } => *end == CallEnd::Returned,
        EventKind::SyscallEnter { .. } | EventKind::SyscallExit { .. } | EventKind::Exec { .. } => {
            true
        }
        _ => false,
    }
}
