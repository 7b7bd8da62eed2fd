//! The records of the ring buffers. All of one size, so that a reader needs no framing and a
//! writer no branches.

/// One event as the kernel half saw it: 40 bytes, native endian, no padding.
///
/// What `id`, `a` and `b` hold depends on the kind; see [`RecordKind`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `CLOCK_MONOTONIC`, in nanoseconds, read after the ring space was reserved: a record's time
    /// is never earlier than the moment its place in the ring was taken.
    pub time_ns: u64,
    /// Process (thread group) of `tid`, as seen from the initial pid namespace.
    pub pid: u32,
    /// The thread the record is about.
    pub tid: u32,
    /// Function id, system call number, or the other thread, by kind.
    pub id: u32,
    /// CPU the record was written on.
    pub cpu: u16,
    /// A [`RecordKind`].
    pub kind: u8,
    /// Bits whose meaning depends on the kind.
    pub flags: u8,
    /// First payload word.
    pub a: u64,
    /// Second payload word.
    pub b: u64,
}

impl Record {
    /// Size of a record in a ring, in bytes.
    pub const SIZE: usize = size_of::<Self>();
    /// [`RecordKind::Entry`]: no return probe will report the end of the call.
    pub const FLAG_UNWATCHED: u8 = 1;
    /// [`RecordKind::Entry`]: on the thread's alternate signal stack.
    pub const FLAG_SIGNAL_STACK: u8 = 2;
    /// [`RecordKind::Exit`]: seen at a `ret` instruction, not by a return probe.
    pub const FLAG_RET_SITE: u8 = 1;
    /// [`RecordKind::NewTask`]: the child shares its parent's memory (a thread or `vfork`).
    pub const FLAG_SHARES_MEMORY: u8 = 1;
    /// [`RecordKind::NewTask`]: the child is a thread of its parent's process.
    pub const FLAG_SAME_PROCESS: u8 = 2;
    /// [`RecordKind::SwitchOut`]: the thread was preempted and is still runnable.
    pub const FLAG_PREEMPTED: u8 = 1;
    /// [`RecordKind::TaskExit`]: the last thread of its process.
    pub const FLAG_LAST_THREAD: u8 = 1;
}

/// What a [`Record`] says.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A function was entered. `id`: function; `a`: stack pointer (at the return address);
    /// `b`: return address.
    Entry = 1,
    /// A function returns. `id`: function; `a`: the stack pointer its entry had; `b`: the raw
    /// return register.
    Exit = 2,
    /// `tid` got `cpu`.
    SwitchIn = 3,
    /// `tid` left `cpu`. `a`: task state bits (0: still runnable).
    SwitchOut = 4,
    /// `tid` is being woken. `id`: waking thread; `a`: waking process.
    Waking = 5,
    /// `tid` was created. `id`: creating thread; `flags`: `FLAG_SHARES_MEMORY`,
    /// `FLAG_SAME_PROCESS`; `a`, `b`: 16 bytes of name.
    NewTask = 6,
    /// `tid` replaced its program. `id`: the thread id it had before; `a`, `b`: name after it.
    Exec = 7,
    /// `tid` ends. `flags`: `FLAG_LAST_THREAD`; `a`: exit code as `wait` reports it.
    TaskExit = 8,
    /// `tid` renamed. `a`, `b`: 16 bytes of name.
    Rename = 9,
    /// `tid` enters system call `id`.
    SyscallEnter = 10,
    /// `tid` leaves system call `id`. `a`: result, as a signed number.
    SyscallExit = 11,
    /// The program that `tid` has just replaced its own with. `a`: run-time address of the beginning of
    /// its code.
    Program = 12,
}

impl RecordKind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Entry,
            2 => Self::Exit,
            3 => Self::SwitchIn,
            4 => Self::SwitchOut,
            5 => Self::Waking,
            6 => Self::NewTask,
            7 => Self::Exec,
            8 => Self::TaskExit,
            9 => Self::Rename,
            10 => Self::SyscallEnter,
            11 => Self::SyscallExit,
            12 => Self::Program,
            _ => return None,
        })
    }
}

/// What one thread lost because a ring was full. The counts only ever grow; the kernel half
/// writes the value from the thread itself or from the scheduler on its behalf.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Records not sent: entries, exits, others (scheduler, tasks, system calls).
    pub counts: [u64; 3],
    /// Time of the first loss of `epoch`, ns.
    pub first_ns: u64,
    /// Time of the latest loss, ns.
    pub last_ns: u64,
    /// The drain pass (see [`crate::Settings`]) in which `first_ns` was set.
    pub epoch: u32,
    /// Process of the thread.
    pub pid: u32,
}

impl Loss {
    /// Nothing lost.
    pub const NONE: Self = Self { counts: [0; 3], first_ns: 0, last_ns: 0, epoch: 0, pid: 0 };
}

/// What one CPU lost: entries, exits, others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostTotals {
    /// Counted for a thread too.
    pub counts: [u64; 3],
    /// Counted here only: the map of threads was full.
    pub unattributed: [u64; 3],
}

/// Slots of one [`RestoreRequest`].
pub const RETURN_SLOTS: usize = 64;

/// A thread is about to be unwound: the return addresses its return probes replaced, which the
/// guard writes back before the unwinder reads the stack.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RestoreRequest {
    /// Number the thread waits for.
    pub ticket: u64,
    /// Thread that waits.
    pub tid: u32,
    /// Process of the thread.
    pub pid: u32,
    /// 0: put the caller's addresses back; 1: put the probes' addresses in again.
    pub rearm: u32,
    /// How many of `slots` are filled.
    pub count: u32,
    /// Its stack pointer: calls whose slot lies below are gone already.
    pub stack_pointer: u64,
    /// Stack address and the return address that belongs there, innermost first.
    pub slots: [[u64; 2]; RETURN_SLOTS],
}

/// A return probe that the kernel still expects in a thread, as the walk over all threads reports it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenReturn {
    /// Process of the thread.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// Its stack pointer when it last entered the kernel, at the latest with the newest of them.
    pub stack_pointer: u64,
    /// Stack address where the return address was replaced.
    pub slot: u64,
}
