//! Random programs: well-nested streams of all kinds of events, as a recorder writes them, in the
//! order of time.

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

/// What a program does next; numbers choose among what is possible.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    thread: u8,
    what: u8,
    which: u16,
    passes_ns: u64,
}

fn choice() -> impl Strategy<Value = Choice> {
    let passes_ns = prop_oneof![
        6 => 0..300_u64,
        3 => 0..100_000_u64,
        1 => 0..40_000_000_u64,
    ];
    (any::<u8>(), any::<u8>(), any::<u16>(), passes_ns)
        .prop_map(|(thread, what, which, passes_ns)| Choice { thread, what, which, passes_ns })
}

/// The events of a random program of up to so many steps.
pub(crate) fn program(steps: usize) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(choice(), 0..steps).prop_map(|choices| run(&choices))
}

#[derive(Clone, Debug)]
struct Thread {
    tid: Tid,
    pid: Pid,
    stack: Vec<(FunctionId, u64)>,
    crosses_gap: usize,
}

/// Runs a program.
pub(crate) fn run(choices: &[Choice]) -> Vec<Event> {
    let mut machine = Machine {
        threads: vec![Thread { tid: Tid(10), pid: Pid(10), stack: Vec::new(), crosses_gap: 0 }],
        events: Vec::new(),
        time_ns: 1_000_000,
        next_tid: 11,
    };
    let name = ThreadName::new("main");
    machine.event(0, EventKind::ThreadStart { parent: Tid(0), name });
    for choice in choices {
        machine.time_ns += choice.passes_ns;
        machine.step(*choice);
    }
    machine.events
}

struct Machine {
    threads: Vec<Thread>,
    events: Vec<Event>,
    time_ns: u64,
    next_tid: u32,
}

impl Machine {
    fn event(&mut self, thread: usize, kind: EventKind) {
        let Thread { tid, pid, .. } = self.threads[thread];
        self.events.push(Event { time_ns: self.time_ns, pid, tid, kind });
    }

    fn step(&mut self, choice: Choice) {
        if self.threads.is_empty() {
            self.start(Pid(self.next_tid), Vec::new(), Tid(0));
        }
        let thread = usize::from(choice.thread) % self.threads.len();
        let which = u32::from(choice.which);
        match choice.what {
            0..90 => {
                // Few functions, most of the calls to fewer; recursion comes by itself.
                let function = FunctionId(if which % 4 == 0 { which % 9 } else { which % 2 });
                let below = 16 + u64::from(which % 3) * 32;
                let own = &mut self.threads[thread];
                let above = own.stack.last().map_or(0x7fff_0000_0000, |(_, pointer)| *pointer);
                let stack_pointer = above - below;
                own.stack.push((function, stack_pointer));
                let return_address = 0x40_0000 + u64::from(which % 5);
                let kind =
                    EventKind::Enter { function, return_address, stack_pointer, inherited: false };
                self.event(thread, kind);
            }
            90..180 => self.leave(thread, CallEnd::Returned, u64::from(which % 7)),
            180..184 => {
                for _ in 0..=which % 3 {
                    self.leave(thread, CallEnd::Unwound, 0);
                }
            }
            184..204 => self.event(thread, EventKind::SwitchIn { cpu: (which % 4) as u16 }),
            204..220 => {
                let state = [0, 1, 2, 0x80][which as usize % 4];
                self.event(thread, EventKind::SwitchOut { cpu: (which % 4) as u16, state });
            }
            220..230 => {
                let waker = self.threads[which as usize % self.threads.len()].clone();
                let kind = EventKind::Waking { waker: waker.tid, waker_pid: waker.pid };
                self.event(thread, kind);
            }
            230..235 => self.event(thread, EventKind::SyscallEnter { number: which % 300 }),
            235..240 => {
                let result = i64::from(choice.which.cast_signed());
                self.event(thread, EventKind::SyscallExit { number: which % 300, result });
            }
            240..243 => {
                // A thread, or a process that inherits what is open.
                let Thread { tid, pid, stack, .. } = self.threads[thread].clone();
                if which % 2 == 0 {
                    self.start(pid, Vec::new(), tid);
                } else {
                    self.start(Pid(self.next_tid), stack, tid);
                }
            }
            243..246 => self.exit(thread, which),
            246..248 => {
                let name = ThreadName::new(&format!("thread {which}"));
                self.event(thread, EventKind::Rename { name });
            }
            248..250 => self.exec(thread),
            _ => self.gap(thread, choice),
        }
    }

    fn leave(&mut self, thread: usize, end: CallEnd, return_value: u64) {
        let own = &mut self.threads[thread];
        let Some((function, _)) = own.stack.pop() else { return };
        let crosses_gap = own.stack.len() < own.crosses_gap;
        own.crosses_gap = own.crosses_gap.min(own.stack.len());
        let end = if crosses_gap && end == CallEnd::Unwound { CallEnd::Lost } else { end };
        self.event(thread, EventKind::Leave { function, end, return_value, crosses_gap });
    }

    fn start(&mut self, pid: Pid, stack: Vec<(FunctionId, u64)>, parent: Tid) {
        let tid = Tid(self.next_tid);
        // Some ids are used again.
        self.next_tid = if self.next_tid > 40 { 12 } else { self.next_tid + 1 };
        if self.threads.iter().any(|thread| thread.tid == tid) {
            return;
        }
        self.threads.push(Thread { tid, pid, stack: stack.clone(), crosses_gap: 0 });
        let thread = self.threads.len() - 1;
        let name = ThreadName::new("child");
        self.event(thread, EventKind::ThreadStart { parent, name });
        for (function, stack_pointer) in stack {
            let return_address = 7;
            let kind =
                EventKind::Enter { function, return_address, stack_pointer, inherited: true };
            self.event(thread, kind);
        }
    }

    fn exit(&mut self, thread: usize, which: u32) {
        while !self.threads[thread].stack.is_empty() {
            self.leave(thread, CallEnd::ThreadEnded, 0);
        }
        self.event(thread, EventKind::ThreadExit { code: which, last: which.is_multiple_of(2) });
        if !which.is_multiple_of(3) {
            self.event(thread, EventKind::SwitchOut { cpu: 0, state: 0x80 });
        }
        self.threads.remove(thread);
    }

    fn exec(&mut self, thread: usize) {
        let Thread { tid, pid, .. } = self.threads[thread];
        for other in 0..self.threads.len() {
            while self.threads[other].pid == pid && !self.threads[other].stack.is_empty() {
                self.leave(other, CallEnd::Exec, 0);
            }
        }
        self.threads.retain(|other| other.pid != pid || other.tid == tid);
        let thread = self.threads.iter().position(|other| other.tid == tid).unwrap();
        self.event(thread, EventKind::Exec { name: ThreadName::new("program") });
    }

    fn gap(&mut self, thread: usize, choice: Choice) {
        let which = u32::from(choice.which);
        let kind = EventKind::Gap {
            until_ns: self.time_ns + choice.passes_ns,
            entries: which % 3,
            exits: which / 3 % 2,
            others: which / 6 % 3,
        };
        let calls = which % 3 != 0 || which / 3 % 2 != 0;
        if which % 5 == 0 {
            let event = Event { time_ns: self.time_ns, pid: Pid(0), tid: Tid(0), kind };
            self.events.push(event);
            for own in self.threads.iter_mut().filter(|_| calls) {
                own.crosses_gap = own.stack.len();
            }
        } else {
            self.event(thread, kind);
            let own = &mut self.threads[thread];
            own.crosses_gap = if calls { own.stack.len() } else { own.crosses_gap };
        }
        // Later events are not within the gap, so that only calls open at it cross it.
        self.time_ns += choice.passes_ns + 1;
    }
}
