//! Random streams of events, well formed as a recorder writes them: threads of several processes that
//! call, return, recurse, unwind, block, migrate, fork, exec and end, and records that are lost.

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

use crate::store::{FUNCTIONS, START_NS};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call(u32),
    Recurse(u32, usize),
    Return(usize),
    End(CallEnd, usize),
    SwitchIn(u16),
    SwitchOut(u32),
    Waking(u32),
    SyscallEnter(u32),
    SyscallExit,
    Rename(usize),
    Spawn,
    Fork,
    Exit,
    Exec,
    Gap { everywhere: bool, calls: u32, others: u32, for_ns: u64 },
}

/// A step of a thread, the time that passes before it, and whether its record comes late.
type Timed = (usize, u64, Step);

fn step() -> impl Strategy<Value = Step> {
    let function = 0..FUNCTIONS.len() as u32 - 1;
    let end = prop_oneof![Just(CallEnd::Unwound), Just(CallEnd::Unobserved), Just(CallEnd::Lost)];
    prop_oneof![
        20 => function.clone().prop_map(Step::Call),
        1 => (function, 2..90_usize).prop_map(|(function, calls)| Step::Recurse(function, calls)),
        18 => (1..4_usize).prop_map(Step::Return),
        1 => (10..90_usize).prop_map(Step::Return),
        2 => (end, 1..5_usize).prop_map(|(end, calls)| Step::End(end, calls)),
        4 => (0..4_u16).prop_map(Step::SwitchIn),
        4 => prop_oneof![Just(0), Just(1), Just(2)].prop_map(Step::SwitchOut),
        2 => (1..5_u32).prop_map(Step::Waking),
        2 => prop_oneof![Just(0), Just(35), Just(202)].prop_map(Step::SyscallEnter),
        2 => Just(Step::SyscallExit),
        1 => (0..NAMES.len()).prop_map(Step::Rename),
        1 => Just(Step::Spawn),
        1 => Just(Step::Fork),
        1 => Just(Step::Exit),
        1 => Just(Step::Exec),
        1 => (any::<bool>(), 0..3_u32, 0..3_u32, 0..30_u64).prop_map(
            |(everywhere, calls, others, for_ns)| Step::Gap { everywhere, calls, others, for_ns }
        ),
    ]
}

/// Names that threads have.
pub(crate) const NAMES: [&str; 3] = ["worker-1", "worker-2", "main"];

/// A stream of some hundred events.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let time = prop_oneof![2 => Just(0_u64), 5 => 1..10_u64, 1 => 10..200_u64];
    prop::collection::vec((0..6_usize, time, step()), 0..400).prop_map(|steps| build(&steps))
}

#[derive(Debug)]
struct Thread {
    tid: Tid,
    pid: Pid,
    /// Open calls; whether each crosses a gap.
    stack: Vec<(FunctionId, bool)>,
    calls_lost_until_ns: u64,
}

#[derive(Debug, Default)]
struct Machine {
    now_ns: u64,
    threads: Vec<Thread>,
    next_tid: u32,
    ended: Vec<Tid>,
    everywhere_until_ns: u64,
    events: Vec<Event>,
}

fn build(steps: &[Timed]) -> Vec<Event> {
    let mut machine = Machine { now_ns: START_NS, next_tid: 10, ..Machine::default() };
    machine.start(Tid(1), Pid(1), Tid(0));
    for (choice, passed_ns, step) in steps {
        machine.now_ns += passed_ns;
        if machine.threads.is_empty() {
            break;
        }
        let at = choice % machine.threads.len();
        machine.make(at, step);
    }
    machine.events
}

impl Machine {
    fn make(&mut self, at: usize, step: &Step) {
        let (tid, pid) = (self.threads[at].tid, self.threads[at].pid);
        match *step {
            Step::Call(function) => self.enter(at, FunctionId(function), false),
            Step::Recurse(function, calls) => {
                for _ in 0..calls {
                    self.now_ns += 1;
                    self.enter(at, FunctionId(function), false);
                }
            }
            Step::Return(calls) => {
                for _ in 0..calls {
                    self.now_ns += 1;
                    self.leave(at, CallEnd::Returned);
                }
            }
            Step::End(end, calls) => (0..calls).for_each(|_| self.leave(at, end)),
            Step::SwitchIn(cpu) => self.push(at, EventKind::SwitchIn { cpu }),
            Step::SwitchOut(state) => self.push(at, EventKind::SwitchOut { cpu: 0, state }),
            Step::Waking(waker) => {
                self.push(at, EventKind::Waking { waker: Tid(waker), waker_pid: Pid(1) });
            }
            Step::SyscallEnter(number) => self.push(at, EventKind::SyscallEnter { number }),
            Step::SyscallExit => self.push(at, EventKind::SyscallExit { number: 0, result: -4 }),
            Step::Rename(name) => {
                self.push(at, EventKind::Rename { name: ThreadName::new(NAMES[name]) });
            }
            Step::Spawn => {
                let new = self.take_tid();
                self.start(new, pid, tid);
            }
            Step::Fork => {
                let new = self.take_tid();
                self.start(new, Pid(new.0), tid);
                let inherited: Vec<_> = self.threads[at].stack.iter().map(|call| call.0).collect();
                let child = self.threads.len() - 1;
                for function in inherited {
                    self.enter(child, function, true);
                }
            }
            Step::Exit => self.exit(at),
            Step::Exec => self.exec(at),
            Step::Gap { everywhere, calls, others, for_ns } => {
                if calls + others > 0 {
                    self.gap(at, everywhere, calls, others, for_ns);
                }
            }
        }
    }

    fn push(&mut self, at: usize, kind: EventKind) {
        let Thread { tid, pid, .. } = self.threads[at];
        self.events.push(Event { time_ns: self.now_ns, pid, tid, kind });
    }

    fn enter(&mut self, at: usize, function: FunctionId, inherited: bool) {
        let depth = self.threads[at].stack.len() as u64;
        self.push(
            at,
            EventKind::Enter {
                function,
                return_address: 0x4000 + depth,
                stack_pointer: 0x7fff_0000 - depth * 16,
                inherited,
            },
        );
        let until_ns = self.threads[at].calls_lost_until_ns.max(self.everywhere_until_ns);
        self.threads[at].stack.push((function, self.now_ns <= until_ns));
    }

    fn leave(&mut self, at: usize, end: CallEnd) {
        let Some((function, crosses_gap)) = self.threads[at].stack.pop() else { return };
        let return_value = if end == CallEnd::Returned { 7 } else { 0 };
        self.push(at, EventKind::Leave { function, end, return_value, crosses_gap });
    }

    fn leave_all(&mut self, at: usize, end: CallEnd) {
        while !self.threads[at].stack.is_empty() {
            self.leave(at, end);
        }
    }

    fn start(&mut self, tid: Tid, pid: Pid, parent: Tid) {
        self.threads.push(Thread { tid, pid, stack: Vec::new(), calls_lost_until_ns: 0 });
        let name = ThreadName::new(NAMES[tid.0 as usize % NAMES.len()]);
        self.push(self.threads.len() - 1, EventKind::ThreadStart { parent, name });
    }

    fn exit(&mut self, at: usize) {
        self.leave_all(at, CallEnd::ThreadEnded);
        self.push(at, EventKind::ThreadExit { code: 0, last: false });
        // Sometimes its last switch is seen.
        if at.is_multiple_of(2) {
            self.push(at, EventKind::SwitchOut { cpu: 0, state: 0x80 });
        }
        let thread = self.threads.remove(at);
        self.ended.push(thread.tid);
    }

    /// The others of the process end; the one that asked goes on under the id of its process.
    fn exec(&mut self, at: usize) {
        let Thread { tid, pid, .. } = self.threads[at];
        while let Some(other) =
            self.threads.iter().position(|thread| thread.pid == pid && thread.tid != tid)
        {
            self.exit(other);
        }
        let Some(at) = self.threads.iter().position(|thread| thread.tid == tid) else { return };
        self.leave_all(at, CallEnd::Exec);
        let leader = Tid(pid.0);
        if self.threads.iter().any(|thread| thread.tid == leader && thread.pid != pid) {
            return;
        }
        self.threads[at].tid = leader;
        self.threads[at].calls_lost_until_ns = 0;
        self.ended.retain(|ended| *ended != leader);
        self.push(at, EventKind::Exec { name: ThreadName::new("new") });
    }

    fn gap(&mut self, at: usize, everywhere: bool, calls: u32, others: u32, for_ns: u64) {
        let until_ns = self.now_ns + for_ns;
        let kind =
            EventKind::Gap { until_ns, entries: calls / 2, exits: calls - calls / 2, others };
        if everywhere {
            self.events.push(Event { time_ns: self.now_ns, pid: Pid(0), tid: Tid(0), kind });
        } else {
            self.push(at, kind);
        }
        if calls == 0 {
            return;
        }
        let until = if everywhere {
            &mut self.everywhere_until_ns
        } else {
            &mut self.threads[at].calls_lost_until_ns
        };
        *until = until_ns.max(*until);
        for (index, thread) in self.threads.iter_mut().enumerate() {
            if everywhere || index == at {
                thread.stack.iter_mut().for_each(|call| call.1 = true);
            }
        }
    }

    /// A thread id; every other one was used before, where there is one.
    fn take_tid(&mut self) -> Tid {
        self.next_tid += 1;
        if self.next_tid.is_multiple_of(2)
            && let Some(used) = self.ended.pop()
            && !self.threads.iter().any(|thread| thread.pid.0 == used.0)
        {
            return used;
        }
        Tid(self.next_tid)
    }
}
