//! Settings the kernel half is given before its programs are loaded: constants to the verifier,
//! so that what is switched off costs nothing.

/// An offset that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// Settings of one recording.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Nonzero: function records only of processes in the map of traced processes (otherwise the
    /// probes themselves are bound to one process).
    pub filter_functions: u32,
    /// Nonzero: children of traced processes become traced at fork.
    pub follow_forks: u32,
    /// Nonzero: one program serves entry and exit (`uprobe_session`).
    pub session: u32,
    /// CPUs that have a ring.
    pub cpus: u32,
    /// Offsets into the kernel's structures.
    pub task: TaskOffsets,
}

/// Byte offsets into `task_struct` and the order of tracepoint arguments, from the running
/// kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskOffsets {
    /// `task_struct::pid`: the thread id.
    pub pid: u32,
    /// `task_struct::tgid`: the process id.
    pub tgid: u32,
    /// `task_struct::comm`.
    pub comm: u32,
    /// `task_struct::exit_code`.
    pub exit_code: u32,
    /// `task_struct::signal`, and `signal_struct::live` in it.
    pub signal: u32,
    /// `signal_struct::live`.
    pub signal_live: u32,
    /// `task_struct::__state` (`state` before Linux 5.14), for kernels whose `sched_switch` does
    /// not pass it.
    pub state: u32,
    /// Whether `sched_switch` passes the previous state as its fourth argument.
    pub switch_has_state: u32,
}

/// Byte offsets of what return probes keep for a thread, from the running kernel's BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct UprobeOffsets {
    /// `task_struct::utask`.
    pub utask: u32,
    /// `uprobe_task::return_instances`.
    pub return_instances: u32,
    /// `return_instance::orig_ret_vaddr`.
    pub original: u32,
    /// `return_instance::stack`.
    pub stack: u32,
    /// `return_instance::chained`.
    pub chained: u32,
    /// `return_instance::next`.
    pub next: u32,
}

/// Bits of a function's entry in the map of enable flags.
#[derive(Clone, Copy, Debug)]
pub struct FunctionFlags;

impl FunctionFlags {
    /// Calls are recorded.
    pub const ENABLED: u32 = 1;
}
