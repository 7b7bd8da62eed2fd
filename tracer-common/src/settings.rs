//! Settings the kernel half is given before its programs are loaded: constants to the verifier,
//! so that what is switched off costs nothing.

/// Settings of one recording.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Nonzero: function records only of processes in the map of traced processes (otherwise the
    /// probes themselves are bound to one process).
    pub filter_functions: u32,
    /// Nonzero: return probes report the ends of calls.
    pub watch_returns: u32,
    /// Nonzero: children of traced processes become traced at fork.
    pub follow_forks: u32,
    /// Offsets into the kernel's structures.
    pub task: TaskOffsets,
}

impl Settings {
    /// Nothing traced, no offset known.
    pub const NONE: Self =
        Self { filter_functions: 0, watch_returns: 0, follow_forks: 0, task: TaskOffsets::NONE };
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
    /// `task_struct::sas_ss_sp`, followed by `sas_ss_size`: the alternate signal stack.
    pub signal_stack: u32,
    /// `task_struct::__state` (`state` before Linux 5.14), for kernels whose `sched_switch` does
    /// not pass it.
    pub state: u32,
    /// `task_struct::mm`.
    pub memory: u32,
    /// `mm_struct::start_code`.
    pub code_start: u32,
    /// Whether `sched_switch` passes the previous state as its fourth argument.
    pub switch_has_state: u32,
}

impl TaskOffsets {
    /// No offset known.
    pub const NONE: Self = Self {
        pid: 0,
        tgid: 0,
        comm: 0,
        exit_code: 0,
        signal: 0,
        signal_live: 0,
        signal_stack: 0,
        state: 0,
        memory: 0,
        code_start: 0,
        switch_has_state: 0,
    };
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
    /// `return_instance::next`.
    pub next: u32,
}

impl UprobeOffsets {
    /// No offset known.
    pub const NONE: Self = Self { utask: 0, return_instances: 0, original: 0, stack: 0, next: 0 };
}

/// What user space changes while recording.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Control {
    /// Number of the drain pass; the first loss of a pass notes its time.
    pub epoch: u32,
    /// Padding.
    pub reserved: u32,
}

/// Bits of a function's entry in the map of enable flags.
#[derive(Clone, Copy, Debug)]
pub struct FunctionFlags;

impl FunctionFlags {
    /// Calls are recorded.
    pub const ENABLED: u32 = 1;
}
