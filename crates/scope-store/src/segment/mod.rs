//! Segment files: a header of 64 bytes, then blocks one after the other up to the committed mark.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic `SCOPESEG` |
//! | 8..12 | format version |
//! | 12..16 | number of the segment |
//! | 16..24 | number of its first event in the trace |
//! | 24..32 | the trace's creation time: ties the segment to its manifest |
//! | 32..44 | zero |
//! | 44..48 | CRC-32 of bytes 0..44 |
//! | 48..56 | committed mark, replaced atomically |
//! | 56..64 | zero |
//!
//! The mark carries its own checksum, so that no damage to it makes bytes appear committed that
//! are not.

mod hot_index;
mod reader;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use hot_index::{HotBlock, HotIndex};
pub(crate) use reader::{BlockReader, SegmentReader};
pub(crate) use writer::{SegmentWriter, reserve_file};

use crate::FORMAT_VERSION;

/// Size of a segment's header, in bytes; blocks begin after it.
pub(crate) const HEADER_SIZE: usize = 64;
/// Where the committed mark lies.
pub(crate) const MARK_AT: usize = 48;

const MAGIC: [u8; 8] = *b"SCOPESEG";

/// What a segment's header says, without the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: u32,
    pub(crate) first_event: u64,
    pub(crate) trace: u64,
}

/// The file of a segment once it is sealed.
pub(crate) fn sealed_path(trace: &Path, id: u32) -> PathBuf {
    trace.join(format!("segments/{id:08}.sealed"))
}

/// The file of a segment.
pub(crate) fn path(trace: &Path, id: u32) -> PathBuf {
    trace.join(format!("segments/{id:08}.seg"))
}

impl SegmentHeader {
    /// The header with nothing committed.
    pub(crate) fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut out = [0; HEADER_SIZE];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[12..16].copy_from_slice(&self.id.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_event.to_le_bytes());
        out[24..32].copy_from_slice(&self.trace.to_le_bytes());
        let crc = crc32fast::hash(&out[..44]);
        out[44..48].copy_from_slice(&crc.to_le_bytes());
        let mark = encode_mark(self.id, HEADER_SIZE as u32);
        out[MARK_AT..MARK_AT + 8].copy_from_slice(&mark.to_le_bytes());
        out
    }
}

/// The mark that says that the first `bytes` of segment `id` are committed: the length in the low
/// half, a CRC-32 of segment and length in the high one.
pub(crate) fn encode_mark(id: u32, bytes: u32) -> u64 {
    u64::from(bytes) | u64::from(mark_crc(id, bytes)) << 32
}

/// The committed length a mark gives; what its checksum is and should be if it is damaged.
pub(crate) fn decode_mark(id: u32, mark: u64) -> Result<u32, (u32, u32)> {
    let bytes = mark as u32;
    let (got, expected) = (mark_crc(id, bytes), (mark >> 32) as u32);
    if got == expected { Ok(bytes) } else { Err((got, expected)) }
}

fn mark_crc(id: u32, bytes: u32) -> u32 {
    let mut input = [0; 8];
    input[..4].copy_from_slice(&id.to_le_bytes());
    input[4..].copy_from_slice(&bytes.to_le_bytes());
    crc32fast::hash(&input)
}
