//! How the time of open calls is spent, with nothing to do for those below the innermost: each thread
//! has clocks, and a call is what they show at its end less what they showed at its begin.

use rustc_hash::FxHashMap;
use scope_model::{RunState, State, ThreadState, Tid};
use scope_timeline::RunTimes;

use super::row::Account;

/// The clocks of all threads.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    threads: FxHashMap<Tid, Clocks>,
}

#[derive(Debug, Default)]
struct Clocks {
    now_ns: u64,
    times: RunTimes,
    /// Open calls, outermost first.
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    entered: RunTimes,
    self_ns: u64,
    callees: u64,
}

impl Accounts {
    /// Begins with a state. What its calls did before is not known here.
    pub(crate) fn begin(&mut self, state: &State) {
        for thread in state.threads() {
            let clocks = Clocks {
                now_ns: state.latest_ns(),
                times: RunTimes::default(),
                frames: vec![Frame::default(); thread.stack.len()],
            };
            self.threads.insert(thread.tid, clocks);
        }
    }

    /// Time passes for a thread in the state that it is in.
    pub(crate) fn pass(&mut self, tid: Tid, thread: Option<&ThreadState>, time_ns: u64) {
        let clocks = self.threads.entry(tid).or_default();
        let passed = time_ns.saturating_sub(clocks.now_ns);
        clocks.now_ns = clocks.now_ns.max(time_ns);
        let times = &mut clocks.times;
        let account = match thread.map(|thread| thread.run).unwrap_or_default() {
            RunState::Running { .. } => &mut times.running_ns,
            RunState::Runnable { .. } => &mut times.runnable_ns,
            RunState::Blocked { .. } => &mut times.blocked_ns,
            RunState::Unknown | RunState::Ended => &mut times.unknown_ns,
        };
        *account = account.saturating_add(passed);
        if let Some(frame) = clocks.frames.last_mut() {
            frame.self_ns = frame.self_ns.saturating_add(passed);
        }
    }

    /// A call begins.
    pub(crate) fn enter(&mut self, tid: Tid, inherited: bool) {
        let clocks = self.threads.entry(tid).or_default();
        if !inherited && let Some(caller) = clocks.frames.last_mut() {
            caller.callees += 1;
        }
        clocks.frames.push(Frame { entered: clocks.times, self_ns: 0, callees: 0 });
    }

    /// The innermost call ends.
    pub(crate) fn leave(&mut self, tid: Tid) -> Account {
        let Some(clocks) = self.threads.get_mut(&tid) else { return Account::default() };
        let frame = clocks.frames.pop().unwrap_or_default();
        let since = |of: fn(&RunTimes) -> u64| of(&clocks.times).saturating_sub(of(&frame.entered));
        Account {
            self_ns: frame.self_ns,
            callees: frame.callees,
            times: RunTimes {
                running_ns: since(|times| times.running_ns),
                runnable_ns: since(|times| times.runnable_ns),
                blocked_ns: since(|times| times.blocked_ns),
                unknown_ns: since(|times| times.unknown_ns),
            },
        }
    }
}
