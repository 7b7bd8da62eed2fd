//! The call-stack machine: from raw entries and exits to a well-nested stream of calls.
//!
//! Calls are paired by stack pointer, never by counting. A frame lives as long as the stack is no
//! higher than the word that holds its return address, so an entry at or above that word proves
//! that the frame is gone, however it went: an exit that was lost, `longjmp`, an exception. One case
//! keeps two frames on one word: a tail call, where the callee finds the return probe's own
//! address (page aligned, unlike any address a compiler emits a call before) in it.
//!
//! Absent here: time order between threads, files, symbols.

use std::collections::HashMap;

use tracer_common::MAX_RETURN_PROBE_DEPTH;

use crate::event::{CallEnd, Event, EventKind};
use crate::ids::{FunctionId, Pid, Tid};
use crate::record::{RawEvent, RawKind};

/// An open call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
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
    /// On the thread's alternate signal stack.
    pub on_signal_stack: bool,
    /// The kernel will report its return.
    observed: bool,
    /// Entries or exits of the thread were lost since it was entered.
    crosses_gap: bool,
}

/// Losses of one thread between two moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The thread; 0: any thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Time of the first loss, ns.
    pub first_ns: u64,
    /// Time of the last loss, ns.
    pub until_ns: u64,
    /// Entries lost.
    pub entries: u64,
    /// Exits lost.
    pub exits: u64,
    /// Other records lost.
    pub others: u64,
}

#[derive(Debug, Default)]
struct ThreadStack {
    pid: Pid,
    frames: Vec<Frame>,
    /// Stack pointers of the return probes the kernel holds for the thread, oldest first.
    return_probes: Vec<u64>,
    /// Calls entered up to here cross a gap, ns.
    gap_until_ns: u64,
}

impl ThreadStack {
    /// Follows the kernel's `prepare_uretprobe` when a call is to be watched: whether it is.
    /// Probes of calls that `longjmp` left keep their place until the stack is seen above them, and
    /// the kernel does not look when there is no place left.
    fn install_return_probe(&mut self, stack_pointer: u64, chained: bool) -> bool {
        if self.return_probes.len() >= MAX_RETURN_PROBE_DEPTH as usize {
            return false;
        }
        let gone =
            |probe: &u64| if chained { *probe < stack_pointer } else { *probe <= stack_pointer };
        while self.return_probes.pop_if(|probe| gone(probe)).is_some() {}
        self.return_probes.push(stack_pointer);
        true
    }

    /// Follows the kernel when a watched call returns: its probe is gone, and those below it.
    fn take_return_probe(&mut self, stack_pointer: u64) {
        while self.return_probes.pop_if(|probe| *probe < stack_pointer).is_some() {}
        self.return_probes.pop_if(|probe| *probe == stack_pointer);
    }
}

/// The stacks of all threads of a recording.
#[derive(Debug, Default)]
pub struct CallStacks {
    threads: HashMap<Tid, ThreadStack>,
    /// Calls of any thread entered up to here cross a gap, ns.
    gap_until_ns: u64,
    orphan_exits: u64,
}

impl CallStacks {
    /// No thread, no frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exits that matched no open call: calls entered before recording began or whose entry was
    /// lost.
    #[must_use]
    pub fn orphan_exits(&self) -> u64 {
        self.orphan_exits
    }

    /// Open calls of a thread, outermost first.
    #[must_use]
    pub fn frames(&self, tid: Tid) -> &[Frame] {
        self.threads.get(&tid).map_or(&[], |thread| &thread.frames)
    }

    /// Takes one raw event; appends what it means to `out`. Raw events of a thread must come in
    /// time order.
    pub fn push(&mut self, raw: &RawEvent, out: &mut Vec<Event>) {
        let kind = match raw.kind {
            RawKind::Entry {
                function,
                stack_pointer,
                return_address,
                watched,
                on_signal_stack,
            } => {
                let frame = Frame {
                    function,
                    entered_ns: raw.time_ns,
                    return_address,
                    stack_pointer,
                    inherited: false,
                    observed: watched,
                    on_signal_stack,
                    crosses_gap: false,
                };
                self.enter(raw, frame, out);
                return;
            }
            RawKind::Exit { function, stack_pointer, return_value } => {
                self.exit(raw, function, stack_pointer, return_value, out);
                return;
            }
            RawKind::NewTask { parent, same_process, shares_memory, name } => {
                // A thread id that is used again must not find the frames of its predecessor.
                self.close_all(raw.tid, raw.time_ns, CallEnd::ThreadEnded, out);
                out.push(event(raw, EventKind::ThreadStart { parent, name }));
                if !same_process && !shares_memory {
                    self.inherit(raw, parent, out);
                }
                return;
            }
            // Of where it is loaded, stacks know nothing.
            RawKind::Program { .. } => return,
            RawKind::Exec { old_tid, name } => {
                let mut ended: Vec<Tid> = self
                    .threads
                    .iter()
                    .filter(|(tid, thread)| thread.pid == raw.pid || **tid == old_tid)
                    .map(|(tid, _)| *tid)
                    .collect();
                // One recording has one stream of events, whatever the order of the map.
                ended.sort_unstable();
                for tid in ended {
                    self.close_all(tid, raw.time_ns, CallEnd::Exec, out);
                }
                EventKind::Exec { name }
            }
            RawKind::TaskExit { code, last } => {
                self.close_all(raw.tid, raw.time_ns, CallEnd::ThreadEnded, out);
                EventKind::ThreadExit { code, last }
            }
            RawKind::SwitchIn { cpu } => EventKind::SwitchIn { cpu },
            RawKind::SwitchOut { cpu, state } => EventKind::SwitchOut { cpu, state },
            RawKind::Waking { waker, waker_pid } => EventKind::Waking { waker, waker_pid },
            RawKind::Rename { name } => EventKind::Rename { name },
            RawKind::SyscallEnter { number } => EventKind::SyscallEnter { number },
            RawKind::SyscallExit { number, result } => EventKind::SyscallExit { number, result },
        };
        out.push(event(raw, kind));
    }

    /// Takes note of losses; appends the gap to `out`. To be called between the raw events before
    /// and after `gap.first_ns`.
    pub fn gap(&mut self, gap: &Gap, out: &mut Vec<Event>) {
        out.push(Event {
            time_ns: gap.first_ns,
            pid: gap.pid,
            tid: gap.tid,
            kind: EventKind::Gap {
                until_ns: gap.until_ns,
                entries: saturate(gap.entries),
                exits: saturate(gap.exits),
                others: saturate(gap.others),
            },
        });
        if gap.entries == 0 && gap.exits == 0 {
            return;
        }
        if gap.tid == Tid(0) {
            self.gap_until_ns = self.gap_until_ns.max(gap.until_ns);
            for frame in self.threads.values_mut().flat_map(|thread| &mut thread.frames) {
                frame.crosses_gap = true;
            }
        } else {
            let thread = self.threads.entry(gap.tid).or_default();
            thread.gap_until_ns = thread.gap_until_ns.max(gap.until_ns);
            for frame in &mut thread.frames {
                frame.crosses_gap = true;
            }
        }
    }

    fn enter(&mut self, raw: &RawEvent, mut frame: Frame, out: &mut Vec<Event>) {
        let everywhere = self.gap_until_ns;
        let thread = self.threads.entry(raw.tid).or_default();
        thread.pid = raw.pid;
        let probe = is_return_probe(frame.return_address);
        let same_word = |open: &Frame| {
            open.stack_pointer == frame.stack_pointer
                && open.on_signal_stack == frame.on_signal_stack
        };
        let tail = probe && thread.frames.iter().any(same_word);
        let lives = |open: &Frame| {
            if frame.on_signal_stack && !open.on_signal_stack {
                // What the signal interrupted, wherever the signal stack lies.
                return true;
            }
            open.on_signal_stack == frame.on_signal_stack
                && (open.stack_pointer > frame.stack_pointer || (tail && same_word(open)))
        };
        let keep = thread.frames.iter().rposition(lives).map_or(0, |index| index + 1);
        close_above(thread, keep, raw, out);
        if probe {
            frame.return_address = 0;
        }
        frame.observed = frame.observed && thread.install_return_probe(frame.stack_pointer, probe);
        frame.crosses_gap = raw.time_ns <= thread.gap_until_ns.max(everywhere);
        thread.frames.push(frame);
        out.push(event(
            raw,
            EventKind::Enter {
                function: frame.function,
                return_address: frame.return_address,
                stack_pointer: frame.stack_pointer,
                inherited: false,
            },
        ));
    }

    fn exit(
        &mut self,
        raw: &RawEvent,
        function: FunctionId,
        stack_pointer: u64,
        return_value: u64,
        out: &mut Vec<Event>,
    ) {
        let thread = self.threads.entry(raw.tid).or_default();
        thread.pid = raw.pid;
        thread.take_return_probe(stack_pointer);
        let returns =
            |frame: &Frame| frame.stack_pointer == stack_pointer && frame.function == function;
        // A function that called itself in its own place stands there twice, perhaps with only
        // the first of them watched.
        let found = thread
            .frames
            .iter()
            .rposition(|frame| returns(frame) && frame.observed)
            .or_else(|| thread.frames.iter().rposition(returns));
        let Some(index) = found else {
            self.orphan_exits += 1;
            // Whatever lies below the returning frame is gone all the same.
            let keep = thread
                .frames
                .iter()
                .rposition(|frame| !frame.on_signal_stack && frame.stack_pointer >= stack_pointer)
                .map_or(0, |index| index + 1);
            close_above(thread, keep, raw, out);
            return;
        };
        close_above(thread, index + 1, raw, out);
        if let Some(frame) = thread.frames.pop() {
            out.push(event(
                raw,
                EventKind::Leave {
                    function,
                    end: CallEnd::Returned,
                    return_value,
                    crosses_gap: frame.crosses_gap,
                },
            ));
        }
    }

    /// The child of a fork stands in the calls its parent stood in.
    fn inherit(&mut self, raw: &RawEvent, parent: Tid, out: &mut Vec<Event>) {
        let mut frames =
            self.threads.get(&parent).map_or_else(Vec::new, |thread| thread.frames.clone());
        for frame in &mut frames {
            frame.inherited = true;
            frame.entered_ns = raw.time_ns;
            out.push(event(
                raw,
                EventKind::Enter {
                    function: frame.function,
                    return_address: frame.return_address,
                    stack_pointer: frame.stack_pointer,
                    inherited: true,
                },
            ));
        }
        let return_probes =
            self.threads.get(&parent).map_or_else(Vec::new, |thread| thread.return_probes.clone());
        let child = ThreadStack { pid: raw.pid, frames, return_probes, gap_until_ns: 0 };
        self.threads.insert(raw.tid, child);
    }

    fn close_all(&mut self, tid: Tid, time_ns: u64, end: CallEnd, out: &mut Vec<Event>) {
        let Some(thread) = self.threads.remove(&tid) else { return };
        for frame in thread.frames.iter().rev() {
            let kind = EventKind::Leave {
                function: frame.function,
                end,
                return_value: 0,
                crosses_gap: frame.crosses_gap,
            };
            out.push(Event { time_ns, pid: thread.pid, tid, kind });
        }
    }
}

/// Closes the frames from `keep` up, innermost first: their thread was seen where they cannot be.
fn close_above(thread: &mut ThreadStack, keep: usize, raw: &RawEvent, out: &mut Vec<Event>) {
    while thread.frames.len() > keep {
        let Some(frame) = thread.frames.pop() else { break };
        let end = if frame.crosses_gap {
            CallEnd::Lost
        } else if frame.observed {
            CallEnd::Unwound
        } else {
            CallEnd::Unobserved
        };
        let kind = EventKind::Leave {
            function: frame.function,
            end,
            return_value: 0,
            crosses_gap: frame.crosses_gap,
        };
        out.push(event(raw, kind));
    }
}

/// Whether a return address is the kernel's return probe: it stands at the start of a page of its own.
const fn is_return_probe(address: u64) -> bool {
    address != 0 && address & 0xfff == 0
}

const fn event(raw: &RawEvent, kind: EventKind) -> Event {
    Event { time_ns: raw.time_ns, pid: raw.pid, tid: raw.tid, kind }
}

fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
