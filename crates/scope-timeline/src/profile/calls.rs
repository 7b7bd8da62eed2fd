//! The open calls of one thread and what they add to the counts of their functions.
//!
//! Nothing is done for the frames below the innermost one while events pass: a function's time is
//! taken from the thread's clock when its first frame opens and when its last one closes.
//!
//! A gap puts every open call in *doubt*: its end may be among what was lost. What it took before the
//! gap is counted then and there; what it takes after is kept aside until the call is seen to
//! return. On a stack all calls in doubt lie below those that are not.

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, FunctionId};

use super::FunctionProfile;
use super::clock::{CallTimes, ThreadClock};

/// The open calls of one thread.
#[derive(Debug, Default)]
pub(super) struct Calls {
    frames: Vec<Frame>,
    functions: Vec<OpenFunction>,
    slot_of: FxHashMap<FunctionId, usize>,
    /// The clock's wall time up to which self time has been given out, ns.
    self_given_ns: u64,
    /// Whether durations are kept.
    durations: bool,
}

#[derive(Debug)]
struct Frame {
    /// Index in [`Calls::functions`].
    slot: usize,
    entered_ns: u64,
    inherited: bool,
    /// Self time not yet given to the function, ns.
    self_ns: u64,
    doubt: Option<Doubt>,
}

/// What the clocks showed when a call came into doubt.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: CallTimes,
    /// Time its function had had in calls that were not in doubt.
    sure: CallTimes,
}

/// A function as one thread has it open.
#[derive(Debug)]
struct OpenFunction {
    id: FunctionId,
    /// Index in the profiler's functions.
    totals: usize,
    /// Open calls that are not in doubt, and the clock when the first of them opened.
    sure_calls: u32,
    sure_since: CallTimes,
    /// Time given to the function for such calls so far.
    sure: CallTimes,
    /// Open calls in doubt.
    doubtful_calls: u32,
}

impl OpenFunction {
    fn sure_at(&self, now: CallTimes) -> CallTimes {
        match self.sure_calls {
            0 => self.sure,
            _ => self.sure + (now - self.sure_since),
        }
    }

    fn open_sure(&mut self, now: CallTimes) {
        if self.sure_calls == 0 {
            self.sure_since = now;
        }
        self.sure_calls += 1;
    }

    fn close_sure(&mut self, now: CallTimes, totals: &mut FunctionProfile) {
        self.sure_calls -= 1;
        if self.sure_calls == 0 {
            let span = now - self.sure_since;
            self.sure += span;
            totals.times += span;
        }
    }
}

impl Calls {
    /// No open call. Whether durations are kept.
    pub fn new(durations: bool) -> Self {
        Self { durations, ..Self::default() }
    }

    /// Where the function is kept, if the thread has entered it before.
    pub fn slot(&self, function: FunctionId) -> Option<usize> {
        self.slot_of.get(&function).copied()
    }

    /// Makes room for a function whose counts are at index `totals` of the profiler.
    pub fn add_slot(&mut self, function: FunctionId, totals: usize) -> usize {
        let slot = self.functions.len();
        self.functions.push(OpenFunction {
            id: function,
            totals,
            sure_calls: 0,
            sure_since: CallTimes::default(),
            sure: CallTimes::default(),
            doubtful_calls: 0,
        });
        self.slot_of.insert(function, slot);
        slot
    }

    /// Indexes of the counts of all functions the thread entered.
    pub fn totals(&self) -> impl Iterator<Item = usize> {
        self.functions.iter().map(|function| function.totals)
    }

    /// A call begins.
    pub fn enter(
        &mut self,
        clock: &ThreadClock,
        slot: usize,
        inherited: bool,
        totals: &mut [FunctionProfile],
    ) {
        self.give_self(clock);
        let function = &mut self.functions[slot];
        let now = clock.calls();
        if !inherited {
            totals[function.totals].calls += 1;
        }
        let doubt = if clock.in_gap() {
            function.doubtful_calls += 1;
            Some(Doubt { since: now, sure: function.sure_at(now) })
        } else {
            function.open_sure(now);
            None
        };
        let entered_ns = clock.now_ns();
        self.frames.push(Frame { slot, entered_ns, inherited, self_ns: 0, doubt });
    }

    /// A call ends. In a sound trace it is the innermost one; else what lies above ends with it,
    /// and an end without a call is passed over.
    pub fn leave(
        &mut self,
        clock: &ThreadClock,
        function: FunctionId,
        end: CallEnd,
        crosses_gap: bool,
        totals: &mut [FunctionProfile],
    ) {
        let Some(index) =
            self.frames.iter().rposition(|frame| self.functions[frame.slot].id == function)
        else {
            return;
        };
        self.give_self(clock);
        while self.frames.len() > index + 1 {
            self.close(clock, CallEnd::Lost, false, totals);
        }
        self.close(clock, end, crosses_gap, totals);
    }

    /// Every open call ends.
    pub fn leave_all(&mut self, clock: &ThreadClock, end: CallEnd, totals: &mut [FunctionProfile]) {
        self.give_self(clock);
        while !self.frames.is_empty() {
            self.close(clock, end, false, totals);
        }
    }

    /// From here on it is unknown which of the open calls are still open.
    pub fn doubt(&mut self, clock: &ThreadClock, totals: &mut [FunctionProfile]) {
        self.give_self(clock);
        let now = clock.calls();
        let sure = self.frames.iter().rposition(|frame| frame.doubt.is_some()).map_or(0, |i| i + 1);
        let sure = &mut self.frames[sure..];
        for frame in &mut *sure {
            let function = &mut self.functions[frame.slot];
            let totals = &mut totals[function.totals];
            function.close_sure(now, totals);
            function.doubtful_calls += 1;
            totals.self_ns = totals.self_ns.saturating_add(std::mem::take(&mut frame.self_ns));
        }
        for frame in sure {
            frame.doubt = Some(Doubt { since: now, sure: self.functions[frame.slot].sure });
        }
    }

    /// Gives the time since the last change of the stack to the innermost call.
    fn give_self(&mut self, clock: &ThreadClock) {
        let now_ns = clock.calls().total_ns;
        let passed = now_ns - self.self_given_ns;
        self.self_given_ns = now_ns;
        if let Some(frame) = self.frames.last_mut() {
            frame.self_ns += passed;
        }
    }

    fn close(
        &mut self,
        clock: &ThreadClock,
        end: CallEnd,
        crosses_gap: bool,
        totals: &mut [FunctionProfile],
    ) {
        let Some(frame) = self.frames.pop() else { return };
        let function = &mut self.functions[frame.slot];
        let totals = &mut totals[function.totals];
        let now = clock.calls();
        match frame.doubt {
            None => {
                function.close_sure(now, totals);
                totals.self_ns = totals.self_ns.saturating_add(frame.self_ns);
            }
            Some(doubt) => {
                function.doubtful_calls -= 1;
                if end == CallEnd::Returned {
                    totals.self_ns = totals.self_ns.saturating_add(frame.self_ns);
                    if function.doubtful_calls == 0 {
                        let meanwhile = function.sure_at(now) - doubt.sure;
                        totals.times += (now - doubt.since) - meanwhile;
                    }
                }
            }
        }
        if frame.inherited {
            return;
        }
        let unknown = crosses_gap || frame.doubt.is_some();
        totals.unknown_durations += u64::from(unknown);
        match end {
            CallEnd::Returned if unknown || !self.durations => {}
            CallEnd::Returned => {
                totals.durations.record(clock.now_ns().saturating_sub(frame.entered_ns));
            }
            CallEnd::Unwound => totals.unwound += 1,
            CallEnd::Unobserved => totals.unobserved += 1,
            CallEnd::ThreadEnded | CallEnd::Exec | CallEnd::Lost => totals.unfinished += 1,
        }
    }
}
