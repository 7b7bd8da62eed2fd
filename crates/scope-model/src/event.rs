//! Events as a trace stores them.
//!
//! The stream of one thread is well nested by construction: every [`EventKind::Leave`] ends the
//! innermost open [`EventKind::Enter`] of its thread. What the kernel half cannot see directly (a
//! frame that `longjmp` jumped over) the recorder has closed with a `Leave` of its own, whose
//! [`CallEnd`] says so. An `Enter` without a `Leave` was open when the trace ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{FunctionId, Pid, Tid};

/// One event of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// `CLOCK_MONOTONIC` of the recorded machine, in nanoseconds.
    pub time_ns: u64,
    /// Process of `tid`.
    pub pid: Pid,
    /// The thread the event is about.
    pub tid: Tid,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A call begins.
    Enter {
        /// The called function.
        function: FunctionId,
        /// Return address, in the process' address space; 0 when the caller left by a tail call,
        /// so that no address names the call site.
        return_address: u64,
        /// Stack pointer at entry: the address that holds the return address.
        stack_pointer: u64,
        /// The call was open when its process was forked: the child inherits it. Not a call made.
        inherited: bool,
    },
    /// The innermost call of the thread ends.
    Leave {
        /// The function that ends.
        function: FunctionId,
        /// How it ended.
        end: CallEnd,
        /// Raw return register; 0 unless `end` is [`CallEnd::Returned`].
        return_value: u64,
        /// Events of the thread were lost while the call was open: its duration is unknown.
        crosses_gap: bool,
    },
    /// The thread got a CPU.
    SwitchIn {
        /// Which.
        cpu: u16,
    },
    /// The thread left its CPU.
    SwitchOut {
        /// Which.
        cpu: u16,
        /// Task state bits; 0: preempted, still runnable.
        state: u32,
    },
    /// The thread is being woken.
    Waking {
        /// Thread that woke it.
        waker: Tid,
        /// Process of the waker.
        waker_pid: Pid,
    },
    /// The thread began, or was found when recording began.
    ThreadStart {
        /// Thread that created it; 0 when it was found.
        parent: Tid,
        /// Its name.
        name: ThreadName,
    },
    /// The thread ended.
    ThreadExit {
        /// Exit code as `wait` reports it.
        code: u32,
        /// It was the last thread of its process.
        last: bool,
    },
    /// The thread has a new name.
    Rename {
        /// The name.
        name: ThreadName,
    },
    /// The process runs a new program.
    Exec {
        /// Name after it.
        name: ThreadName,
    },
    /// A system call begins.
    SyscallEnter {
        /// Its number on the recorded machine.
        number: u32,
    },
    /// A system call ends.
    SyscallExit {
        /// Its number.
        number: u32,
        /// Its result; -errno on failure.
        result: i64,
    },
    /// Events of the thread were lost between the event's time and `until_ns`. Tid 0: of threads
    /// unknown.
    Gap {
        /// Time of the last loss.
        until_ns: u64,
        /// Entries lost.
        entries: u32,
        /// Exits lost.
        exits: u32,
        /// Other records lost.
        others: u32,
    },
}

impl EventKind {
    /// The name used in tables and in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enter { .. } => "enter",
            Self::Leave { .. } => "leave",
            Self::SwitchIn { .. } => "switch_in",
            Self::SwitchOut { .. } => "switch_out",
            Self::Waking { .. } => "waking",
            Self::ThreadStart { .. } => "thread_start",
            Self::ThreadExit { .. } => "thread_exit",
            Self::Rename { .. } => "rename",
            Self::Exec { .. } => "exec",
            Self::SyscallEnter { .. } => "syscall_enter",
            Self::SyscallExit { .. } => "syscall_exit",
            Self::Gap { .. } => "gap",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum CallEnd {
    /// It returned; the end time is exact.
    Returned = 0,
    /// Its frame was gone when the thread was next seen (`longjmp`, an exception, a panic); the
    /// end time is when that was noticed.
    Unwound = 1,
    /// Its thread ended.
    ThreadEnded = 2,
    /// Its process ran a new program.
    Exec = 3,
    /// Its end fell into a gap; the end time is when that was noticed.
    Lost = 4,
    /// It had no return probe (nested deeper than the kernel follows, or probed at entry only); the
    /// end time is when its frame was seen gone.
    Unobserved = 5,
}

impl CallEnd {
    /// The end with this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Returned,
            1 => Self::Unwound,
            2 => Self::ThreadEnded,
            3 => Self::Exec,
            4 => Self::Lost,
            5 => Self::Unobserved,
            _ => return None,
        })
    }

    /// The name used in tables and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Unwound => "unwound",
            Self::ThreadEnded => "thread_ended",
            Self::Exec => "exec",
            Self::Lost => "lost",
            Self::Unobserved => "unobserved",
        }
    }
}

/// A thread's name as the kernel keeps it: at most 15 bytes, padded with zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ThreadName(pub [u8; 16]);

impl ThreadName {
    /// The name from text, cut to what the kernel keeps.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut name = [0; 16];
        let length = text.len().min(15);
        name[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self(name)
    }

    /// The name as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

impl fmt::Debug for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text())
    }
}
