//! What the two halves of the tracer agree on: the records the kernel half sends, the settings
//! it is given, and the numbers of both. `no_std`, no dependencies; the kernel half compiles this
//! crate for BPF, the user half for the host.
//!
//! A change here changes the meaning of the built BPF object: rebuild it with `cargo xtask ebpf`.

#![no_std]

mod record;
mod settings;

pub use record::{Loss, LostTotals, OpenReturn, RETURN_SLOTS, Record, RecordKind, RestoreRequest};
pub use settings::{Control, FunctionFlags, Settings, TaskOffsets, UprobeOffsets};

/// Most functions one recording can probe; the size of the map of enable flags.
pub const MAX_FUNCTIONS: u32 = 1 << 18;

/// Most threads whose losses are counted apart in one recording.
pub const MAX_LOSSY_THREADS: u32 = 1 << 15;

/// Most processes one recording can trace.
pub const MAX_PROCESSES: u32 = 1 << 14;

/// Most CPUs, each with a ring of its own.
pub const MAX_CPUS: u32 = 1024;

/// Deepest nest of return probes the kernel keeps for one thread (`MAX_URETPROBE_DEPTH`);
/// calls below it have no return probe.
pub const MAX_RETURN_PROBE_DEPTH: u32 = 64;
