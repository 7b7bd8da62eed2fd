//! A simulated machine: threads with real stacks, return probes as the kernel keeps them, and a
//! recorder that loses records. It knows the truth of every call, and gives the raw events that
//! the kernel half would have sent.
//!
//! Return probes follow `prepare_uretprobe` and `uprobe_handle_trampoline` of Linux 6.18: at most 64
//! a thread, calls that `longjmp` left are noticed by the stack pointer when the next probe is
//! installed (unless the 64 are used up) or when a call returns. As a session program does, a
//! call whose entry was lost is not watched.

use std::collections::BTreeMap;

use scope_model::stack::Gap;
use scope_model::{FunctionId, Pid, RawEvent, RawKind, ThreadName, Tid};

const TRAMPOLINE: u64 = 0x7fff_f7ff_f000;
const STACK_TOP: u64 = 0x7fff_ffff_0000;
/// Above the thread's stack, where comparing stack pointers misleads.
const SIGNAL_STACK_TOP: u64 = 0x7fff_ffff_f000;
const MAX_DEPTH: usize = 64;

/// How a call ended in truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Returned,
    Unwound,
    ThreadEnded,
    Exec,
}

/// A call as it was.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) tid: u32,
    pub(crate) function: u32,
    pub(crate) entered_ns: u64,
    /// Its entry was delivered.
    pub(crate) recorded: bool,
    /// A return probe waits for its end.
    pub(crate) watched: bool,
    pub(crate) end: Option<(u64, End)>,
}

/// What the recorder hands to the stack machine, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Raw(RawEvent),
    Gap(Gap),
}

#[derive(Clone, Debug)]
struct Slot {
    /// Address of the word with the return address.
    sp: u64,
    word: u64,
    signal: bool,
    /// Calls that end when this slot's function returns: more than one after tail calls.
    calls: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Instance {
    stack: u64,
    chained: bool,
    call: usize,
    original: u64,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    pid: u32,
    slots: Vec<Slot>,
    /// Return probes, oldest first.
    instances: Vec<Instance>,
    /// Which of the next function records are lost, lowest bit first.
    lose: u64,
    gap: Option<Gap>,
}

/// The machine.
#[derive(Debug, Default)]
pub(crate) struct Simulator {
    now_ns: u64,
    threads: BTreeMap<u32, Thread>,
    pub(crate) calls: Vec<Call>,
    items: Vec<(u64, Item)>,
    /// Exits delivered.
    pub(crate) exits: u64,
    /// Calls that a child inherited at a fork, by call of the parent.
    inherited: BTreeMap<(u32, usize), usize>,
    next_tid: u32,
    ended: Vec<u32>,
}

impl Simulator {
    pub(crate) fn new() -> Self {
        let mut simulator = Self { next_tid: 2, ..Self::default() };
        simulator.threads.insert(1, Thread { pid: 1, ..Thread::default() });
        simulator
    }

    /// The thread that an arbitrary number chooses; `None` once all ended.
    pub(crate) fn thread(&self, choice: usize) -> Option<u32> {
        self.threads.keys().nth(choice % self.threads.len().max(1)).copied()
    }

    pub(crate) fn depth(&self, tid: u32) -> usize {
        self.threads[&tid].slots.len()
    }

    /// Events and gaps, by time.
    pub(crate) fn into_items(mut self) -> (Vec<Item>, Vec<Call>, u64) {
        let tids: Vec<u32> = self.threads.keys().copied().collect();
        for tid in tids {
            self.close_gap(tid);
        }
        self.items.sort_by_key(|(time, _)| *time);
        (self.items.into_iter().map(|(_, item)| item).collect(), self.calls, self.exits)
    }

    /// Calls a function; `frame` is the size of the caller's frame.
    pub(crate) fn call(&mut self, tid: u32, function: u32, frame: u64) {
        let slots = &self.threads[&tid].slots;
        let (top, signal) = slots.last().map_or((STACK_TOP, false), |slot| (slot.sp, slot.signal));
        self.push_slot(tid, top - 16 - frame / 16 * 16, signal);
        self.enter(tid, function);
    }

    /// A signal handler that runs on the alternate stack.
    pub(crate) fn signal(&mut self, tid: u32, function: u32) {
        if self.threads[&tid].slots.iter().any(|slot| slot.signal) {
            return self.call(tid, function, 32);
        }
        self.push_slot(tid, SIGNAL_STACK_TOP - 256, true);
        self.enter(tid, function);
    }

    /// The innermost function ends by calling another in its place.
    pub(crate) fn tail_call(&mut self, tid: u32, function: u32) {
        let now = self.now_ns + 1;
        let Some(slot) = self.thread_mut(tid).slots.last_mut() else { return };
        if slot.word != TRAMPOLINE {
            // Nothing of it is left. A return probe keeps a watched one until the chain returns.
            for call in std::mem::take(&mut slot.calls) {
                self.end(call, now, End::Returned);
            }
        }
        self.enter(tid, function);
    }

    /// The innermost function returns.
    pub(crate) fn ret(&mut self, tid: u32) {
        let Some(slot) = self.thread_mut(tid).slots.pop() else { return };
        let now = self.tick();
        for &call in &slot.calls {
            self.end(call, now, End::Returned);
        }
        if slot.word == TRAMPOLINE {
            self.trampoline(tid, slot.sp, now);
        }
    }

    /// Jumps to where `keep` calls are open.
    pub(crate) fn longjmp(&mut self, tid: u32, keep: usize) {
        let now = self.tick();
        let thread = self.thread_mut(tid);
        let gone = thread.slots.split_off(keep.min(thread.slots.len()));
        for call in gone.into_iter().flat_map(|slot| slot.calls) {
            self.end(call, now, End::Unwound);
        }
    }

    /// A new thread of the same process.
    pub(crate) fn spawn(&mut self, parent: u32) {
        let pid = self.threads[&parent].pid;
        let tid = self.take_tid();
        self.threads.insert(tid, Thread { pid, ..Thread::default() });
        self.task(tid, parent, true);
    }

    /// A child process, which stands where its parent stands.
    pub(crate) fn fork(&mut self, parent: u32) {
        let tid = self.take_tid();
        let mut child = Thread { pid: tid, lose: 0, gap: None, ..self.threads[&parent].clone() };
        for call in child.slots.iter_mut().flat_map(|slot| &mut slot.calls) {
            let copy = Call { tid, recorded: false, end: None, ..self.calls[*call].clone() };
            self.calls.push(copy);
            self.inherited.insert((tid, *call), self.calls.len() - 1);
            *call = self.calls.len() - 1;
        }
        for instance in &mut child.instances {
            // Those that `longjmp` left are in no slot.
            if let Some(call) = self.inherited.get(&(tid, instance.call)) {
                instance.call = *call;
            }
        }
        self.threads.insert(tid, child);
        self.task(tid, parent, false);
    }

    pub(crate) fn exit(&mut self, tid: u32) {
        self.close_gap(tid);
        let now = self.tick();
        let Some(thread) = self.threads.remove(&tid) else { return };
        for call in thread.slots.into_iter().flat_map(|slot| slot.calls) {
            self.end(call, now, End::ThreadEnded);
        }
        let last = !self.threads.values().any(|other| other.pid == thread.pid);
        self.raw(now, tid, thread.pid, RawKind::TaskExit { code: 0, last });
        self.ended.push(tid);
    }

    /// A new program; the process' other threads end first.
    pub(crate) fn exec(&mut self, tid: u32) {
        let pid = self.threads[&tid].pid;
        let others: Vec<u32> = self.threads.keys().copied().filter(|other| *other != tid).collect();
        for other in others {
            if self.threads[&other].pid == pid {
                self.exit(other);
            }
        }
        self.close_gap(tid);
        let now = self.tick();
        let thread = self.thread_mut(tid);
        thread.instances.clear();
        for call in std::mem::take(&mut thread.slots).into_iter().flat_map(|slot| slot.calls) {
            self.end(call, now, End::Exec);
        }
        // The thread that calls exec takes over the id of its process.
        if tid != pid
            && let Some(thread) = self.threads.remove(&tid)
        {
            self.threads.insert(pid, thread);
            self.ended.retain(|used| *used != pid);
        }
        let kind = RawKind::Exec { old_tid: Tid(tid), name: ThreadName::new("new") };
        self.raw(now, pid, pid, kind);
    }

    /// Loses those of the thread's next function records whose bits are set.
    pub(crate) fn lose(&mut self, tid: u32, pattern: u64) {
        self.close_gap(tid);
        self.thread_mut(tid).lose = pattern;
    }

    fn push_slot(&mut self, tid: u32, sp: u64, signal: bool) {
        let word = 0x40_1234 + sp % 0x400 * 8 + 1;
        self.thread_mut(tid).slots.push(Slot { sp, word, signal, calls: Vec::new() });
    }

    /// The entry of a function whose slot is on top.
    fn enter(&mut self, tid: u32, function: u32) {
        let now = self.tick();
        let call = self.calls.len();
        let lost = self.is_lost(tid);
        let thread = self.thread_mut(tid);
        let pid = thread.pid;
        let Some(slot) = thread.slots.last_mut() else { return };
        slot.calls.push(call);
        let (sp, word, signal) = (slot.sp, slot.word, slot.signal);
        let watched = !lost && !signal && thread.instances.len() < MAX_DEPTH;
        if watched {
            slot.word = TRAMPOLINE;
            let chained = word == TRAMPOLINE;
            while thread
                .instances
                .last()
                .is_some_and(|top| if chained { sp > top.stack } else { sp >= top.stack })
            {
                thread.instances.pop();
            }
            thread.instances.push(Instance { stack: sp, chained, call, original: word });
        }
        self.calls.push(Call {
            tid,
            function,
            entered_ns: now,
            recorded: !lost,
            watched,
            end: None,
        });
        if lost {
            return self.count_loss(tid, now, true);
        }
        let kind = RawKind::Entry {
            function: FunctionId(function),
            stack_pointer: sp,
            return_address: word,
            watched: !signal,
            on_signal_stack: signal,
        };
        self.raw(now, tid, pid, kind);
    }

    /// A return to the kernel's own address.
    fn trampoline(&mut self, tid: u32, sp: u64, mut now: u64) {
        loop {
            let thread = self.thread_mut(tid);
            let mut chain = Vec::new();
            while let Some(instance) = thread.instances.pop() {
                let chained = instance.chained;
                chain.push(instance);
                if !chained {
                    break;
                }
            }
            assert!(!chain.is_empty(), "the kernel would end the process here");
            let valid = thread.instances.last().is_none_or(|next| sp + 8 <= next.stack);
            for instance in &chain {
                if valid {
                    self.deliver_exit(tid, sp, instance.call, now);
                    now = self.tick();
                }
            }
            if valid {
                assert!(chain.iter().any(|instance| instance.original != TRAMPOLINE));
                return;
            }
        }
    }

    fn deliver_exit(&mut self, tid: u32, sp: u64, call: usize, now: u64) {
        if self.is_lost(tid) {
            return self.count_loss(tid, now, false);
        }
        // Calls of one chain return at one moment, and are seen one after the other.
        self.calls[call].end = Some((now, End::Returned));
        let (function, pid) = (FunctionId(self.calls[call].function), self.threads[&tid].pid);
        let return_value = now;
        self.raw(now, tid, pid, RawKind::Exit { function, stack_pointer: sp, return_value });
        self.exits += 1;
    }

    fn is_lost(&mut self, tid: u32) -> bool {
        let thread = self.thread_mut(tid);
        let lost = thread.lose & 1 == 1;
        thread.lose >>= 1;
        lost
    }

    fn count_loss(&mut self, tid: u32, now: u64, entry: bool) {
        let thread = self.thread_mut(tid);
        let gap = thread.gap.get_or_insert(Gap {
            tid: Tid(tid),
            pid: Pid(thread.pid),
            first_ns: now,
            until_ns: now,
            entries: 0,
            exits: 0,
            others: 0,
        });
        gap.until_ns = now;
        *(if entry { &mut gap.entries } else { &mut gap.exits }) += 1;
    }

    fn close_gap(&mut self, tid: u32) {
        if let Some(gap) = self.thread_mut(tid).gap.take() {
            self.items.push((gap.first_ns, Item::Gap(gap)));
        }
    }

    fn end(&mut self, call: usize, now: u64, end: End) {
        self.calls[call].end = Some((now, end));
    }

    fn task(&mut self, tid: u32, parent: u32, same_process: bool) {
        let now = self.tick();
        let kind = RawKind::NewTask {
            parent: Tid(parent),
            same_process,
            shares_memory: same_process,
            name: ThreadName::new("task"),
        };
        let pid = self.threads[&tid].pid;
        self.raw(now, tid, pid, kind);
    }

    /// A thread id; every other one was used before, where there is one.
    fn take_tid(&mut self) -> u32 {
        if self.next_tid.is_multiple_of(2)
            && let Some(used) = self.ended.pop()
            && !self.threads.values().any(|thread| thread.pid == used)
        {
            self.next_tid += 1;
            return used;
        }
        self.next_tid += 1;
        self.next_tid + 100
    }

    fn raw(&mut self, time_ns: u64, tid: u32, pid: u32, kind: RawKind) {
        let raw = RawEvent { time_ns, pid: Pid(pid), tid: Tid(tid), kind };
        self.items.push((time_ns, Item::Raw(raw)));
    }

    fn thread_mut(&mut self, tid: u32) -> &mut Thread {
        self.threads.get_mut(&tid).unwrap()
    }

    fn tick(&mut self) -> u64 {
        self.now_ns += 1;
        self.now_ns
    }
}
