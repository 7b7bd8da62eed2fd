//! The manifest: what was recorded, where, when and by what, and which segments hold it. It is
//! the root of a trace: a file that it does not list is not part of the trace.
//!
//! Unknown fields are tolerated, so that a reader one step older reads what it knows of a trace
//! whose format version it knows.

use scope_model::Module;
use serde::{Deserialize, Serialize};

/// Name of the manifest in the folder of a trace.
pub(crate) const FILE: &str = "manifest.json";
/// What its envelope says it is.
pub(crate) const FORMAT: &str = "scope trace";

/// What `manifest.json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the trace format; set by the writer and, from the document's envelope, by the
    /// reader.
    #[serde(skip)]
    pub format_version: u32,
    /// Version of the scope that wrote the trace.
    pub scope_version: String,
    /// When the trace was created: ns since 1970-01-01 UTC. Also the number by which segments
    /// know their trace.
    pub created_unix_ns: u64,
    /// The recorded machine.
    pub host: Host,
    /// The recorded process.
    pub target: Target,
    /// How times of events become times of day.
    pub clock: Clock,
    /// `CLOCK_MONOTONIC` at which recording began, ns: time 0 of everything shown.
    pub start_ns: u64,
    /// `CLOCK_MONOTONIC` at which recording ended, ns; `None` while it runs or after it was killed.
    pub end_ns: Option<u64>,
    /// Whether the recorder finished.
    pub state: RecordingState,
    /// Why recording ended, as a clause for a person.
    pub end_reason: Option<String>,
    /// Mapped files of the target; the index is the [`scope_model::ModuleId`].
    pub modules: Vec<Module>,
    /// Segments in the order of their events; kept by the writer.
    pub segments: Vec<SegmentEntry>,
    /// Events that were dropped with the oldest segments: the number of the first that is kept.
    #[serde(default)]
    pub dropped_events: u64,
    /// What the recorder says of itself, once it finished.
    pub recorder: Option<RecorderStats>,
}

/// The recorded machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub hostname: String,
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// Architecture, as `uname -m` prints it.
    pub machine: String,
    /// CPUs online.
    pub cpus: u32,
}

/// The recorded process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its id, in the initial pid namespace.
    pub pid: u32,
    /// Path of its executable.
    pub executable: String,
    /// Its arguments, the program's name first; bytes that are not UTF-8 replaced.
    pub command: Vec<String>,
    /// It was started by the recorder and traced from its first instruction.
    pub started_by_scope: bool,
}

/// One moment read on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// `CLOCK_MONOTONIC`, ns.
    pub monotonic_ns: u64,
    /// `CLOCK_REALTIME`, ns since 1970-01-01 UTC.
    pub realtime_ns: u64,
}

/// Whether a recorder finished its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It records, or was killed.
    #[default]
    Recording,
    /// It finished.
    Complete,
}

/// One segment file of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// Number of the segment; its file is `segments/NNNNNNNN.seg`, or `.sealed` once it is sealed.
    pub id: u32,
    /// Number of its first event in the trace, from 0.
    pub first_event: u64,
    /// Set once the segment gets no more events.
    pub closed: Option<ClosedSegment>,
    /// It is sealed: compressed, with an index.
    #[serde(default)]
    pub sealed: bool,
}

/// What is known of a segment once it is full or the recording has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedSegment {
    /// Bytes committed, which is its file's length.
    pub bytes: u64,
    /// Events in it.
    pub events: u64,
    /// Blocks in it; 0 for a segment that is not sealed.
    #[serde(default)]
    pub blocks: u32,
    /// Earliest time of an event, ns; 0 without events.
    pub first_ns: u64,
    /// Latest time of an event, ns; 0 without events.
    pub last_ns: u64,
}

/// What a recorder says of its own work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecorderStats {
    /// Exits without a call: their call began before recording, or its entry was lost.
    pub orphan_exits: u64,
    /// Records that came too late to be put in order.
    pub late_records: u64,
    /// Lost records that could not be assigned to a thread.
    pub unattributed_losses: u64,
    /// Records that were dropped since sealing or the disk did not keep up; in the trace as gaps.
    pub dropped_records: u64,
    /// Events that came when the trace could not go on any more, after its end; not in the trace.
    pub cut_off_events: u64,
    /// Times the kernel skipped a probe's program by its own count.
    pub kernel_missed: u64,
    /// CPU time the recorder used, ns.
    pub cpu_ns: u64,
    /// How returns were seen.
    pub return_probes: String,
    /// How the probes were attached.
    pub attach_mechanism: String,
    /// What a person should know of this recording, a sentence each.
    pub warnings: Vec<String>,
}
