//! A made-up program to record: threads on CPUs that call, return, block, wake each other and are
//! preempted, with every choice drawn at random. It knows how much chance went into it, so that the
//! size of a trace can be held against the least that any coder could reach.
//!
//! What repeats in real programs repeats here: a function calls from few sites, favours some of
//! them, has one frame size and one kind of return value. What does not repeat is time: every step
//! takes a log-normal time of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

/// Process that is recorded.
pub const PID: Pid = Pid(1000);
/// Time at which the recording begins, ns.
pub const START_NS: u64 = 5_000_000_000_000;
/// Median time between two events of a running thread, ns.
const STEP_NS: f64 = 2_500.0;
/// Spread of that time: standard deviation of its logarithm.
const STEP_SPREAD: f64 = 0.6;
/// Calls from which a function chooses.
const SITES: usize = 6;
/// One in so many events is followed by a wait.
const WAIT_ONE_IN: u64 = 120;
/// Mean wait, ns.
const WAIT_NS: f64 = 900_000.0;
/// Calls open on a thread on average.
const DEPTH: usize = 10;

/// How the made-up program looks.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Threads.
    pub threads: u32,
    /// Functions; how often each is called follows Zipf's law.
    pub functions: u32,
    /// CPUs.
    pub cpus: u16,
}

/// The made-up program, one event after the other.
#[derive(Debug)]
pub struct Generator {
    random: Random,
    functions: Vec<Function>,
    threads: Vec<Thread>,
    cpus: Vec<Cpu>,
    /// Threads that wait for a CPU, first come first served.
    runnable: std::collections::VecDeque<u32>,
    /// What happens next: time, then what.
    agenda: BinaryHeap<Reverse<(u64, Next)>>,
    /// Events that are sure to happen, latest first.
    ready: Vec<Event>,
    entropy_bits: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Step { cpu: u16 },
    Wake { thread: u32 },
}

#[derive(Debug)]
struct Function {
    sites: [(FunctionId, u64); SITES],
    frame_bytes: u64,
    returns: Returns,
}

#[derive(Clone, Copy, Debug)]
enum Returns {
    /// Always the same.
    Constant(u64),
    /// One of two, one in eight times the second.
    Flag,
    /// Small numbers.
    Count,
    /// Addresses in a heap of its own: multiples of 16 in 64 KiB.
    Address(u64),
}

#[derive(Debug)]
struct Thread {
    tid: Tid,
    stack: Vec<(FunctionId, u64)>,
}

#[derive(Debug)]
struct Cpu {
    running: Option<u32>,
}

impl Generator {
    /// The program with a seed: the same one gives the same events.
    pub fn new(shape: Shape, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut total = 0.0;
        let sums: Vec<f64> = (1..=shape.functions)
            .map(|rank| {
                total += 1.0 / f64::from(rank);
                total
            })
            .collect();
        let zipf = |random: &mut Random| {
            let drawn = random.unit() * total;
            FunctionId(sums.partition_point(|sum| *sum < drawn).min(sums.len() - 1) as u32)
        };
        let functions = (0..shape.functions)
            .map(|id| Function {
                sites: std::array::from_fn(|site| {
                    let address = 0x5555_5540_0000 + u64::from(id) * 512 + 17 + site as u64 * 40;
                    (zipf(&mut random), address)
                }),
                frame_bytes: 32 + random.below(20) * 16,
                returns: match random.below(10) {
                    0..4 => Returns::Constant(random.below(2)),
                    4..6 => Returns::Flag,
                    6..8 => Returns::Count,
                    _ => Returns::Address(0x7fff_e000_0000 + u64::from(id) * 65_536),
                },
            })
            .collect();
        let threads: Vec<Thread> = (0..shape.threads)
            .map(|number| Thread { tid: Tid(1000 + number), stack: Vec::new() })
            .collect();
        let mut generator = Self {
            random,
            functions,
            cpus: (0..shape.cpus).map(|_| Cpu { running: None }).collect(),
            runnable: (0..shape.threads).collect(),
            agenda: BinaryHeap::new(),
            ready: threads
                .iter()
                .rev()
                .map(|thread| Event {
                    time_ns: START_NS,
                    pid: PID,
                    tid: thread.tid,
                    kind: EventKind::ThreadStart {
                        parent: Tid(0),
                        name: ThreadName::new(&format!("worker-{}", thread.tid)),
                    },
                })
                .collect(),
            threads,
            entropy_bits: 0.0,
        };
        for cpu in 0..shape.cpus {
            generator.schedule(START_NS + 1_000, cpu);
        }
        generator
    }

    /// The chance that went into all events so far, in bits.
    pub fn entropy_bits(&self) -> f64 {
        self.entropy_bits
    }

    /// The next event.
    pub fn event(&mut self) -> Event {
        loop {
            let agenda_ns = self.agenda.peek().map_or(u64::MAX, |Reverse((time_ns, _))| *time_ns);
            if self.ready.last().is_some_and(|event| event.time_ns <= agenda_ns)
                && let Some(event) = self.ready.pop()
            {
                return event;
            }
            // There is always a CPU that steps or a thread that wakes.
            let Some(Reverse((time_ns, next))) = self.agenda.pop() else { continue };
            match next {
                Next::Step { cpu } => self.step(time_ns, cpu),
                Next::Wake { thread } => self.wake(time_ns, thread),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let at = self.ready.partition_point(|other| other.time_ns > event.time_ns);
        self.ready.insert(at, event);
    }

    fn step(&mut self, time_ns: u64, cpu: u16) {
        let Some(number) = self.cpus[usize::from(cpu)].running else { return };
        let event = self.call_or_return(time_ns, number);
        self.happen(event);
        if self.one_in(WAIT_ONE_IN) {
            // It waits; the CPU goes to the next.
            let out_ns = time_ns + 300;
            let wait_ns = self.exponential(WAIT_NS);
            let tid = self.threads[number as usize].tid;
            self.agenda.push(Reverse((out_ns + wait_ns, Next::Wake { thread: number })));
            self.cpus[usize::from(cpu)].running = None;
            let kind = EventKind::SwitchOut { cpu, state: 1 };
            self.happen(Event { time_ns: out_ns, pid: PID, tid, kind });
            self.schedule(out_ns, cpu);
            return;
        }
        let next_ns = time_ns + self.log_normal();
        self.agenda.push(Reverse((next_ns, Next::Step { cpu })));
    }

    fn wake(&mut self, time_ns: u64, thread: u32) {
        let running: Vec<u32> = self.cpus.iter().filter_map(|cpu| cpu.running).collect();
        let waker = match running.len() {
            0 => Tid(0),
            count => {
                let waker = running[self.choose(count as u64) as usize];
                self.threads[waker as usize].tid
            }
        };
        let tid = self.threads[thread as usize].tid;
        let waker_pid = if waker == Tid(0) { Pid(0) } else { PID };
        let kind = EventKind::Waking { waker, waker_pid };
        self.happen(Event { time_ns, pid: PID, tid, kind });
        self.runnable.push_back(thread);
        if let Some(cpu) = self.cpus.iter().position(|cpu| cpu.running.is_none()) {
            self.schedule(time_ns + 900, cpu as u16);
        }
    }

    /// Gives a CPU to the thread that waits longest.
    fn schedule(&mut self, time_ns: u64, cpu: u16) {
        let Some(number) = self.runnable.pop_front() else { return };
        self.cpus[usize::from(cpu)].running = Some(number);
        let tid = self.threads[number as usize].tid;
        let kind = EventKind::SwitchIn { cpu };
        self.happen(Event { time_ns: time_ns + 400, pid: PID, tid, kind });
        let next_ns = time_ns + 400 + self.log_normal();
        self.agenda.push(Reverse((next_ns, Next::Step { cpu })));
    }

    fn call_or_return(&mut self, time_ns: u64, number: u32) -> Event {
        let depth = self.threads[number as usize].stack.len();
        // Deeper stacks return more often.
        let call_chance = match depth {
            0 => 1.0,
            depth => 1.0 / (1.0 + (depth as f64 / DEPTH as f64).powi(3)),
        };
        let kind = if self.chance(call_chance) {
            let (function, return_address, stack_pointer) =
                match self.threads[number as usize].stack.last().copied() {
                    None => (FunctionId(number % 7), 0x5555_5540_0005, self.stack_top(number)),
                    Some((caller, stack_pointer)) => {
                        // The first sites are used most.
                        let mut site = 0;
                        while site + 1 < SITES && !self.chance(0.5) {
                            site += 1;
                        }
                        let caller = &self.functions[caller.index()];
                        let (callee, address) = caller.sites[site];
                        (callee, address, stack_pointer - caller.frame_bytes)
                    }
                };
            self.threads[number as usize].stack.push((function, stack_pointer));
            EventKind::Enter { function, return_address, stack_pointer, inherited: false }
        } else {
            let popped = self.threads[number as usize].stack.pop();
            let (function, _) = popped.unwrap_or_default();
            let return_value = match self.functions[function.index()].returns {
                Returns::Constant(value) => value,
                Returns::Flag => u64::from(self.chance(0.125)),
                Returns::Count => {
                    let mut count = 0;
                    while count < 40 && !self.chance(0.3) {
                        count += 1;
                    }
                    count
                }
                Returns::Address(heap) => heap + self.choose(4096) * 16,
            };
            EventKind::Leave { function, end: CallEnd::Returned, return_value, crosses_gap: false }
        };
        Event { time_ns, pid: PID, tid: self.threads[number as usize].tid, kind }
    }

    fn stack_top(&self, number: u32) -> u64 {
        0x7fff_f000_0000 - u64::from(number) * 0x80_0000 - 0xd8
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.chance(1.0 / count as f64)
    }

    fn chance(&mut self, chance: f64) -> bool {
        let hit = self.random.unit() < chance;
        self.entropy_bits -= if hit { chance } else { 1.0 - chance }.log2();
        hit
    }

    fn choose(&mut self, count: u64) -> u64 {
        self.entropy_bits += (count as f64).log2();
        self.random.below(count)
    }

    fn log_normal(&mut self) -> u64 {
        // Box and Muller: two even numbers make a normal one.
        let (u, v) = (1.0 - self.random.unit(), self.random.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        let time = STEP_NS * (normal * STEP_SPREAD).exp();
        let density =
            (-normal * normal / 2.0).exp() / (time * STEP_SPREAD * std::f64::consts::TAU.sqrt());
        // The chance of one whole nanosecond.
        self.entropy_bits -= density.min(1.0).log2();
        (time as u64).max(1)
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        let time = -(1.0 - self.random.unit()).ln() * mean;
        self.entropy_bits -= ((-time / mean).exp() / mean).log2();
        time as u64
    }
}

/// Numbers that look random: `splitmix64`, Steele, Lea and Flood 2014.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to 1, which is left out.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }
}
