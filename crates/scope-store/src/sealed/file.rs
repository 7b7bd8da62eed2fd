//! The file of a sealed segment: a header, blocks and groups of checkpoints, sections, the
//! directory of the sections, a trailer. All offsets are from the start of the file.
//!
//! | bytes of the header | field |
//! |---|---|
//! | 0..8 | magic `SCOPESLD` |
//! | 8..12 | format version |
//! | 12..16 | number of the segment |
//! | 16..24 | number of its first event in the trace |
//! | 24..32 | the trace's creation time: ties the segment to its manifest |
//! | 32..44 | zero |
//! | 44..48 | CRC-32 of bytes 0..44 |
//! | 48..64 | zero |
//!
//! | bytes of the trailer | field |
//! |---|---|
//! | 0..8 | where the directory is |
//! | 8..12 | sections in it |
//! | 12..16 | CRC-32 of the directory |
//! | 16..20 | number of the segment |
//! | 20..28 | magic `SCOPEEND` |
//! | 28..32 | CRC-32 of bytes 0..28 |
//!
//! | bytes of an entry of the directory | field |
//! |---|---|
//! | 0..2 | kind of the section |
//! | 2..4 | for a level of the pyramid, the logarithm of its buckets' length |
//! | 4..8 | length as stored |
//! | 8..16 | where it is |
//! | 16..20 | CRC-32 of the stored bytes |
//! | 20..24 | zero |

use super::bytes::difference;
use super::bytes::{Corrupt, Decoded, Reader, moved, put};
use crate::FORMAT_VERSION;
use crate::blocks::BlockInfo;
use crate::segment::SegmentHeader;

/// Size of the header.
pub(super) const HEADER_SIZE: usize = 64;
/// Size of the trailer.
pub(super) const TRAILER_SIZE: usize = 32;
/// Size of an entry of the directory.
pub(super) const ENTRY_SIZE: usize = 24;
/// Most sections of a segment: fixed ones, and the levels of a pyramid.
pub(super) const MOST_SECTIONS: usize = 64;
/// Largest a section is before it is compressed.
pub(crate) const MOST_SECTION_BYTES: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"SCOPESLD";
const END_MAGIC: [u8; 8] = *b"SCOPEEND";

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub(crate) enum Kind {
    /// Where blocks and groups of checkpoints are.
    Index = 1,
    Dictionary = 2,
    /// The state after the last event.
    EndState = 3,
    /// Blocks of each function.
    Functions = 4,
    /// Blocks of each thread.
    Threads = 5,
    Durations = 6,
    Gaps = 7,
    /// One level of the pyramid.
    Level = 8,
}

/// Where a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: u16,
    pub(crate) number: u16,
    pub(crate) length: u32,
    pub(crate) offset: u64,
    pub(crate) crc: u32,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    pub(crate) info: BlockInfo,
    /// Where its header begins.
    pub(crate) offset: u64,
    /// Length of its payload.
    pub(crate) bytes: u32,
    /// Latest time in the segment up to its end, ns.
    pub(crate) latest_ns: u64,
}

/// A group of checkpoints: of its first block and those after it, up to the next group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupEntry {
    pub(crate) first_block: u32,
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) crc: u32,
}

/// Where everything is that is needed to read events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) blocks: Vec<BlockEntry>,
    pub(crate) groups: Vec<GroupEntry>,
}

pub(super) fn encode_header(header: &SegmentHeader) -> [u8; HEADER_SIZE] {
    let mut out = [0; HEADER_SIZE];
    out[0..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&header.id.to_le_bytes());
    out[16..24].copy_from_slice(&header.first_event.to_le_bytes());
    out[24..32].copy_from_slice(&header.trace.to_le_bytes());
    let crc = crc32fast::hash(&out[..44]);
    out[44..48].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Why bytes are no header or trailer.
pub(super) enum FrameError {
    Corrupt(Corrupt),
    Checksum { got: u32, expected: u32 },
    NewerVersion(u32),
}

pub(super) fn decode_header(bytes: &[u8; HEADER_SIZE]) -> Result<SegmentHeader, FrameError> {
    if bytes[..8] != MAGIC {
        return Err(FrameError::Corrupt(Corrupt("it does not begin like a sealed segment")));
    }
    let (got, expected) = (crc32fast::hash(&bytes[..44]), u32_at(bytes, 44));
    if got != expected {
        return Err(FrameError::Checksum { got, expected });
    }
    if u32_at(bytes, 8) > FORMAT_VERSION {
        return Err(FrameError::NewerVersion(u32_at(bytes, 8)));
    }
    if bytes[48..].iter().any(|byte| *byte != 0) {
        return Err(FrameError::Corrupt(Corrupt("bytes are set that mean nothing")));
    }
    Ok(SegmentHeader {
        id: u32_at(bytes, 12),
        first_event: u64_at(bytes, 16),
        trace: u64_at(bytes, 24),
    })
}

/// Where the directory is, and what its checksum is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    pub(super) directory: u64,
    pub(super) sections: u32,
    pub(super) crc: u32,
    pub(super) id: u32,
}

impl Trailer {
    pub(super) fn encode(&self) -> [u8; TRAILER_SIZE] {
        let mut out = [0; TRAILER_SIZE];
        out[0..8].copy_from_slice(&self.directory.to_le_bytes());
        out[8..12].copy_from_slice(&self.sections.to_le_bytes());
        out[12..16].copy_from_slice(&self.crc.to_le_bytes());
        out[16..20].copy_from_slice(&self.id.to_le_bytes());
        out[20..28].copy_from_slice(&END_MAGIC);
        let crc = crc32fast::hash(&out[..28]);
        out[28..32].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8; TRAILER_SIZE]) -> Result<Self, FrameError> {
        if bytes[20..28] != END_MAGIC {
            return Err(FrameError::Corrupt(Corrupt("it does not end like a sealed segment")));
        }
        let (got, expected) = (crc32fast::hash(&bytes[..28]), u32_at(bytes, 28));
        if got != expected {
            return Err(FrameError::Checksum { got, expected });
        }
        Ok(Self {
            directory: u64_at(bytes, 0),
            sections: u32_at(bytes, 8),
            crc: u32_at(bytes, 12),
            id: u32_at(bytes, 16),
        })
    }
}

impl Section {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
    }

    pub(super) fn decode(bytes: &[u8; ENTRY_SIZE]) -> Self {
        Self {
            kind: u16::from_le_bytes([bytes[0], bytes[1]]),
            number: u16::from_le_bytes([bytes[2], bytes[3]]),
            length: u32_at(bytes, 4),
            offset: u64_at(bytes, 8),
            crc: u32_at(bytes, 16),
        }
    }
}

impl Index {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.blocks.len() as u64);
        let (mut offset, mut first_ns) = (0, 0);
        for block in &self.blocks {
            put(out, block.offset - offset);
            put(out, block.bytes.into());
            put(out, block.info.events.into());
            put(out, difference(first_ns, block.info.first_ns));
            put(out, block.info.last_ns - block.info.first_ns);
            offset = block.offset + u64::from(block.bytes);
            first_ns = block.info.first_ns;
        }
        put(out, self.groups.len() as u64);
        let mut next = 0;
        for group in &self.groups {
            put(out, u64::from(group.first_block - next));
            put(out, group.offset);
            put(out, group.length.into());
            out.extend_from_slice(&group.crc.to_le_bytes());
            next = group.first_block + 1;
        }
    }

    /// Reads the index of a segment that begins with event `first_event` and whose file has `bytes`.
    pub(crate) fn decode(content: &[u8], first_event: u64, bytes: u64) -> Decoded<Self> {
        const BEYOND: Corrupt = Corrupt("a part lies beyond the end of the file");
        let mut reader = Reader::new(content);
        let count = reader.count()?;
        let mut blocks = Vec::with_capacity(count);
        let (mut offset, mut first_ns, mut latest_ns) = (0_u64, 0, 0);
        let mut next_event = first_event;
        for _ in 0..count {
            offset = offset.checked_add(reader.number()?).ok_or(BEYOND)?;
            let length = reader.u32()?;
            let events = reader.u32()?;
            if events == 0 || events > crate::block::MAX_EVENTS {
                return Err(Corrupt("a block has an impossible number of events"));
            }
            first_ns = moved(first_ns, reader.number()?);
            let last_ns = first_ns.checked_add(reader.number()?);
            let last_ns = last_ns.ok_or(Corrupt("a block ends beyond all time"))?;
            latest_ns = last_ns.max(latest_ns);
            let info = BlockInfo { first_event: next_event, events, first_ns, last_ns };
            next_event = next_event
                .checked_add(events.into())
                .ok_or(Corrupt("there are too many events"))?;
            blocks.push(BlockEntry { info, offset, bytes: length, latest_ns });
            offset = offset.checked_add(length.into()).filter(|end| *end <= bytes).ok_or(BEYOND)?;
        }
        let count = reader.count()?;
        let mut groups = Vec::with_capacity(count);
        let mut next = 0_u32;
        for _ in 0..count {
            let first_block = next.checked_add(reader.u32()?);
            let first_block = first_block.filter(|block| (*block as usize) < blocks.len());
            let first_block = first_block.ok_or(Corrupt("a checkpoint is of no block"))?;
            let offset = reader.number()?;
            let length = reader.u32()?;
            offset.checked_add(length.into()).filter(|end| *end <= bytes).ok_or(BEYOND)?;
            let mut crc = [0; 4];
            crc.copy_from_slice(reader.take(4)?);
            groups.push(GroupEntry { first_block, offset, length, crc: u32::from_le_bytes(crc) });
            next = first_block + 1;
        }
        reader.end()?;
        if !blocks.is_empty() && groups.first().is_none_or(|group| group.first_block != 0) {
            return Err(Corrupt("the first block has no checkpoint"));
        }
        Ok(Self { blocks, groups })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
