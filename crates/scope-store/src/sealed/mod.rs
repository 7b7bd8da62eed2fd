//! Sealed segments: immutable, compressed, with an index and all that is told of a segment without
//! reading its events.
//!
//! The parts, from small to large: [`bytes`] and [`numbers`] write numbers, [`packed`] compresses,
//! [`dictionary`] holds what events have in common, [`block`] makes columns of events with it,
//! [`checkpoint`] writes states, [`sets`] say which blocks hold what, [`file`] puts all of it into a
//! file, which [`writer`] writes and [`reader`] reads.

mod block;
pub(crate) mod bytes;
mod checkpoint;
mod dictionary;
mod file;
pub(crate) mod fuzzing;
mod numbers;
mod packed;
mod reader;
mod sets;
mod stacks;
mod writer;

pub(crate) use block::Columns;
pub use block::EndedCall;
pub(crate) use dictionary::Dictionary;
pub(crate) use file::{Index, Kind};
pub(crate) use reader::{BlockDecoder, CheckpointGroup, SealedReader};
pub(crate) use sets::{Sets, SetsBuilder};
pub(crate) use writer::seal;
