//! From the bytes of a ring buffer to typed raw events.

use tracer_common::{Record, RecordKind};

use crate::event::ThreadName;
use crate::ids::{FunctionId, Pid, Tid};

/// What one record says, before stacks are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent {
    /// `CLOCK_MONOTONIC`, ns.
    pub time_ns: u64,
    /// Process of `tid`.
    pub pid: Pid,
    /// The thread the record is about.
    pub tid: Tid,
    /// What happened.
    pub kind: RawKind,
}

/// The kinds of [`RawEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawKind {
    /// A function was entered.
    Entry {
        /// Which.
        function: FunctionId,
        /// Stack pointer, at the return address.
        stack_pointer: u64,
        /// Word found there. The probe's own address after a tail call from a probed function.
        return_address: u64,
        /// A return probe will report the end of the call.
        watched: bool,
        /// On the thread's alternate signal stack.
        on_signal_stack: bool,
    },
    /// A function returns.
    Exit {
        /// Which.
        function: FunctionId,
        /// Stack pointer that its entry had.
        stack_pointer: u64,
        /// Raw return register.
        return_value: u64,
    },
    /// Got a CPU.
    SwitchIn {
        /// Which.
        cpu: u16,
    },
    /// Left its CPU.
    SwitchOut {
        /// Which.
        cpu: u16,
        /// Task state bits; 0 when preempted.
        state: u32,
    },
    /// Is being woken.
    Waking {
        /// By this thread.
        waker: Tid,
        /// Of this process.
        waker_pid: Pid,
    },
    /// Was created.
    NewTask {
        /// By this thread.
        parent: Tid,
        /// As a thread of the same process.
        same_process: bool,
        /// Sharing memory with its parent (thread, `vfork`).
        shares_memory: bool,
        /// Its name.
        name: ThreadName,
    },
    /// Runs a new program.
    Exec {
        /// Thread id before it.
        old_tid: Tid,
        /// Name after it.
        name: ThreadName,
    },
    /// Ends.
    TaskExit {
        /// Exit code.
        code: u32,
        /// Last thread of its process.
        last: bool,
    },
    /// Has a new name.
    Rename {
        /// The name.
        name: ThreadName,
    },
    /// Enters a system call.
    SyscallEnter {
        /// Its number.
        number: u32,
    },
    /// Leaves a system call.
    SyscallExit {
        /// Its number.
        number: u32,
        /// Its result.
        result: i64,
    },
    /// Has just replaced its program with another.
    Program {
        /// Run-time address of the beginning of its code.
        code_start: u64,
    },
}

/// A record that says nothing this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown record kind {kind}")]
pub struct RecordError {
    /// The number found.
    pub kind: u8,
}

impl TryFrom<&Record> for RawEvent {
    type Error = RecordError;

    fn try_from(record: &Record) -> Result<Self, RecordError> {
        let unknown = RecordError { kind: record.kind };
        let flag = |bit| record.flags & bit != 0;
        let kind = match RecordKind::from_number(record.kind).ok_or(unknown)? {
            RecordKind::Entry => RawKind::Entry {
                function: FunctionId(record.id),
                stack_pointer: record.a,
                return_address: record.b,
                watched: !flag(Record::FLAG_UNWATCHED),
                on_signal_stack: flag(Record::FLAG_SIGNAL_STACK),
            },
            RecordKind::Exit => RawKind::Exit {
                function: FunctionId(record.id),
                stack_pointer: record.a,
                return_value: record.b,
            },
            RecordKind::SwitchIn => RawKind::SwitchIn { cpu: record.cpu },
            RecordKind::SwitchOut => RawKind::SwitchOut {
                cpu: record.cpu,
                state: if flag(Record::FLAG_PREEMPTED) { 0 } else { record.a as u32 },
            },
            RecordKind::Waking => {
                RawKind::Waking { waker: Tid(record.id), waker_pid: Pid(record.a as u32) }
            }
            RecordKind::NewTask => RawKind::NewTask {
                parent: Tid(record.id),
                same_process: flag(Record::FLAG_SAME_PROCESS),
                shares_memory: flag(Record::FLAG_SHARES_MEMORY),
                name: name(record),
            },
            RecordKind::Exec => RawKind::Exec { old_tid: Tid(record.id), name: name(record) },
            RecordKind::TaskExit => {
                RawKind::TaskExit { code: record.a as u32, last: flag(Record::FLAG_LAST_THREAD) }
            }
            RecordKind::Rename => RawKind::Rename { name: name(record) },
            RecordKind::SyscallEnter => RawKind::SyscallEnter { number: record.id },
            RecordKind::SyscallExit => {
                RawKind::SyscallExit { number: record.id, result: record.a.cast_signed() }
            }
            RecordKind::Program => RawKind::Program { code_start: record.a },
        };
        Ok(Self { time_ns: record.time_ns, pid: Pid(record.pid), tid: Tid(record.tid), kind })
    }
}

fn name(record: &Record) -> ThreadName {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&record.a.to_ne_bytes());
    bytes[8..].copy_from_slice(&record.b.to_ne_bytes());
    ThreadName(bytes)
}
