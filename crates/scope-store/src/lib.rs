//! The trace store: a folder `NAME.scope/` with a manifest, segment files and the tables of the
//! code, written by one [`TraceWriter`] and read by any number of [`Trace`]s, also while it is
//! written and after the writer was killed. `docs/format.md` describes every byte.
//!
//! Events are appended to *hot* segments, as they are. A thread of the writer turns full ones into
//! *sealed* ones: immutable, compressed, with checkpoints and an index, so that any moment of a long
//! trace is found with a few reads. The manifest says which a segment is, and is replaced as a whole;
//! a snapshot therefore never sees one half of a change. Readers are given the same answers from
//! either form: events by number, blocks, the state at their starts, candidates of a search, pictures.
//!
//! The writer maps its segment and encodes events straight into the page cache: a commit is a
//! checksum and one atomic store, no system call, and what is committed survives the writer's
//! death (not the machine's: hot segments are not flushed until [`TraceWriter::finish`]).
//!
//! Readers do not map anything. They `pread` whole blocks, check them and decode the copy: a file
//! that someone cuts or overwrites under a reader gives an error, never a `SIGBUS` or bytes that
//! change after they were checked.
//!
//! Absent here: what events mean (`scope-model`), state at a moment and steps (`scope-timeline`),
//! who may read a trace, and merging events by time: events are stored in the order given.

mod block;
mod blocks;
mod cache;
mod document;
mod durations;
mod error;
mod event_codec;
mod events;
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod ledger;
mod lock;
mod manifest;
mod mmap;
mod moments;
mod pack;
mod parts;
mod place;
mod pyramid;
mod repair;
mod scan;
mod sealed;
mod sealer;
mod sealing;
mod segment;
mod source;
mod steps;
mod summary;
mod tables;
mod told;
mod trace;
mod verify;
mod view;
mod writer;

pub use blocks::{Block, BlockFilter, BlockInfo, BlocksWith, Direction};
pub use durations::CallDurations;
pub use error::StoreError;
pub use events::{Events, Position};
pub use health::{Health, HealthNote, HealthSample};
pub use manifest::{
    Clock, ClosedSegment, Host, Manifest, RecorderStats, RecordingState, SegmentEntry, Target,
};
pub use moments::{ThreadEvents, concerns};
pub use pack::pack;
pub use parts::{Parts, write_part};
pub use pyramid::{Overview, OverviewCell, ThreadOverview};
pub use repair::{Repaired, repair};
pub use scan::Scan;
pub use sealed::EndedCall;
#[doc(hidden)]
pub use steps::Steps;
pub use summary::GapInfo;
pub use trace::Trace;
pub use verify::{Torn, VerifyReport, verify};
pub use writer::{TraceWriter, WriterOptions, WriterStatus};

/// Version of the trace format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 2;
