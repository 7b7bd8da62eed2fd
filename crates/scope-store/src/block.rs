//! Blocks: runs of events, each with a header that makes it self-contained and checkable.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `SBLK` |
//! | 4..6 | version of the block's layout |
//! | 6..8 | encoding of the payload |
//! | 8..12 | length of the payload |
//! | 12..16 | events in it |
//! | 16..24 | number of its first event in the trace |
//! | 24..32 | earliest time, ns |
//! | 32..40 | latest time, ns |
//! | 40..44 | CRC-32 of the payload |
//! | 44..48 | CRC-32 of bytes 0..44 |

use crate::event_codec;

/// Size of a block's header, in bytes.
pub(crate) const HEADER_SIZE: usize = 48;
/// Most events of a block; what a reader decodes at once.
pub(crate) const MAX_EVENTS: u32 = 4096;

const MAGIC: [u8; 4] = *b"SBLK";
const VERSION: u16 = 1;
/// Longest an event of columns is, and what a block of them has beside: far more than any has.
const MOST_COLUMN_BYTES: u64 = 128;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As records of [`event_codec`].
    Records = 0,
    /// As columns of [`crate::sealed`].
    Columns = 1,
}

/// What a block's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) encoding: Encoding,
    pub(crate) payload_bytes: u32,
    pub(crate) events: u32,
    pub(crate) first_event: u64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    pub(crate) payload_crc: u32,
}

/// Why bytes are no header of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Malformed(&'static str),
    Checksum { got: u32, expected: u32 },
    NewerVersion(u32),
}

impl BlockHeader {
    /// Writes the header.
    pub(crate) fn encode(&self, out: &mut [u8; HEADER_SIZE]) {
        out[0..4].copy_from_slice(&MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[6..8].copy_from_slice(&(self.encoding as u16).to_le_bytes());
        out[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        out[12..16].copy_from_slice(&self.events.to_le_bytes());
        out[16..24].copy_from_slice(&self.first_event.to_le_bytes());
        out[24..32].copy_from_slice(&self.first_ns.to_le_bytes());
        out[32..40].copy_from_slice(&self.last_ns.to_le_bytes());
        out[40..44].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32fast::hash(&out[..44]);
        out[44..48].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a header and checks that its lengths agree with each other.
    pub(crate) fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Self, HeaderError> {
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if bytes[..4] != MAGIC {
            return Err(HeaderError::Malformed("no block begins here"));
        }
        let (got, expected) = (crc32fast::hash(&bytes[..44]), u32_at(44));
        if got != expected {
            return Err(HeaderError::Checksum { got, expected });
        }
        if u16_at(4) > VERSION {
            return Err(HeaderError::NewerVersion(u16_at(4).into()));
        }
        let encoding = match u16_at(6) {
            0 => Encoding::Records,
            1 => Encoding::Columns,
            _ => return Err(HeaderError::Malformed("a block has an unknown encoding")),
        };
        let header = Self {
            encoding,
            payload_bytes: u32_at(8),
            events: u32_at(12),
            first_event: u64_at(16),
            first_ns: u64_at(24),
            last_ns: u64_at(32),
            payload_crc: u32_at(40),
        };
        if header.events == 0 || header.events > MAX_EVENTS {
            return Err(HeaderError::Malformed("a block has an impossible number of events"));
        }
        let events = u64::from(header.events);
        let fits = match encoding {
            Encoding::Records => {
                u64::from(header.payload_bytes) == events * event_codec::SIZE as u64
            }
            Encoding::Columns => {
                u64::from(header.payload_bytes) <= (events + 8) * MOST_COLUMN_BYTES
            }
        };
        if !fits {
            return Err(HeaderError::Malformed("a block's length is not that of its events"));
        }
        Ok(header)
    }
}
