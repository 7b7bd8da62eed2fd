//! A segment being read, possibly while it is written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use super::{HEADER_SIZE, HotIndex, MAGIC, MARK_AT, SegmentHeader, decode_mark, path};
use crate::block::{self, BlockHeader, Encoding, HeaderError};
use crate::source::Source;
use crate::{FORMAT_VERSION, StoreError};

/// How often a mark with a wrong checksum is read again before it counts as damaged: the system
/// does not promise that a read sees a store of eight bytes whole.
const MARK_TRIES: u32 = 8;

/// An open segment file whose header has been checked.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    source: Source,
    path: PathBuf,
    header: SegmentHeader,
    index: Mutex<HotIndex>,
}

impl SegmentReader {
    /// Opens segment `expected.id` of a trace and checks that it is that segment.
    pub(crate) fn open(trace: &Path, expected: SegmentHeader) -> Result<Self, StoreError> {
        let path = path(trace, expected.id);
        let source = Source::open(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => StoreError::MissingFile { file: path.clone() },
            _ => StoreError::io("open", &path, 0)(source),
        })?;
        Self::from_source(source, path, expected)
    }

    /// As [`SegmentReader::open`], of bytes that are found elsewhere.
    pub(crate) fn from_source(
        source: Source,
        path: PathBuf,
        expected: SegmentHeader,
    ) -> Result<Self, StoreError> {
        let reader = Self { source, path, header: expected, index: Mutex::default() };
        let mut bytes = [0; HEADER_SIZE];
        reader.read_exact(&mut bytes, 0, HEADER_SIZE as u64)?;
        if bytes[..8] != MAGIC {
            return Err(reader.malformed(0, "it does not begin like a segment"));
        }
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let (got, recorded) = (crc32fast::hash(&bytes[..44]), u32_at(44));
        if got != recorded {
            return Err(reader.checksum(0, got, recorded));
        }
        if u32_at(8) > FORMAT_VERSION {
            return Err(reader.newer(u32_at(8)));
        }
        let found = SegmentHeader { id: u32_at(12), first_event: u64_at(16), trace: u64_at(24) };
        if found != expected {
            return Err(reader.malformed(0, "it is another segment than the manifest lists"));
        }
        Ok(reader)
    }

    /// Bytes committed now.
    pub(crate) fn committed(&self) -> Result<u64, StoreError> {
        let mut tries = 0;
        loop {
            let mut bytes = [0; 8];
            self.read_exact(&mut bytes, MARK_AT as u64, HEADER_SIZE as u64)?;
            // Pairs with the writer's release store: blocks are read after their mark.
            fence(Ordering::Acquire);
            tries += 1;
            match decode_mark(self.header.id, u64::from_le_bytes(bytes)) {
                Ok(bytes) if bytes as usize >= HEADER_SIZE => return Ok(bytes.into()),
                Ok(_) => return Err(self.malformed(MARK_AT as u64, "its mark is impossible")),
                Err(_) if tries < MARK_TRIES => {}
                Err((got, expected)) => {
                    return Err(self.checksum(MARK_AT as u64, got, expected));
                }
            }
        }
    }

    /// What `use_index` makes of the index of the blocks up to a committed length.
    pub(crate) fn with_index<T>(
        self: &Arc<Self>,
        committed: u64,
        use_index: impl FnOnce(&HotIndex) -> T,
    ) -> Result<T, StoreError> {
        // An index whose walk was cut short goes on where it stopped.
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.extend(self, committed)?;
        Ok(use_index(&index))
    }

    /// Number of the segment's first event in the trace.
    pub(crate) fn first_event(&self) -> u64 {
        self.header.first_event
    }

    /// Number of the segment.
    pub(crate) fn id(&self) -> u32 {
        self.header.id
    }

    /// Where its bytes are.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The segment's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `bytes` from `offset`; a file too short for that is an error that says that `expected`
    /// bytes were committed.
    fn read_exact(&self, bytes: &mut [u8], offset: u64, expected: u64) -> Result<(), StoreError> {
        let read = self.source.read_exact_at(bytes, offset);
        read.map_err(StoreError::reading(&self.path, &self.source, expected))
    }

    pub(crate) fn malformed(&self, offset: u64, what: &'static str) -> StoreError {
        StoreError::malformed(&self.path, offset, what)
    }

    fn checksum(&self, offset: u64, got: u32, expected: u32) -> StoreError {
        StoreError::checksum(&self.path, offset, got, expected)
    }

    fn newer(&self, found: u32) -> StoreError {
        StoreError::newer(&self.path, found)
    }
}

/// Walks the blocks of a segment up to a committed length.
#[derive(Debug)]
pub(crate) struct BlockReader {
    segment: Arc<SegmentReader>,
    committed: u64,
    offset: u64,
    next_event: u64,
}

impl BlockReader {
    /// From the segment's first block.
    pub(crate) fn new(segment: Arc<SegmentReader>, committed: u64) -> Self {
        let next_event = segment.first_event();
        Self { segment, committed, offset: HEADER_SIZE as u64, next_event }
    }

    /// From the block at `offset` whose first event is `event`; `None` if there is none.
    pub(crate) fn at(
        segment: Arc<SegmentReader>,
        committed: u64,
        offset: u64,
        event: u64,
    ) -> Option<Self> {
        if offset < HEADER_SIZE as u64 || offset > committed {
            return None;
        }
        let mut reader = Self::resume(segment, committed, offset, event);
        reader.peek().ok()?;
        Some(reader)
    }

    /// Where another reader of the segment was: at `offset`, before the event `event`.
    pub(crate) fn resume(
        segment: Arc<SegmentReader>,
        committed: u64,
        offset: u64,
        event: u64,
    ) -> Self {
        Self { segment, committed, offset, next_event: event }
    }

    /// Where the next block begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of the next block's first event.
    pub(crate) fn next_event(&self) -> u64 {
        self.next_event
    }

    /// The segment that is read.
    pub(crate) fn segment(&self) -> &SegmentReader {
        &self.segment
    }

    /// The header of the next block; `None` where the committed bytes end.
    pub(crate) fn peek(&mut self) -> Result<Option<BlockHeader>, StoreError> {
        if self.offset == self.committed {
            return Ok(None);
        }
        let left = self.committed - self.offset;
        if left < block::HEADER_SIZE as u64 {
            return Err(self.malformed("a block is cut by the committed mark"));
        }
        let mut bytes = [0; block::HEADER_SIZE];
        self.segment.read_exact(&mut bytes, self.offset, self.committed)?;
        let header = BlockHeader::decode(&bytes).map_err(|error| match error {
            HeaderError::Malformed(what) => self.malformed(what),
            HeaderError::Checksum { got, expected } => {
                self.segment.checksum(self.offset, got, expected)
            }
            HeaderError::NewerVersion(found) => self.segment.newer(found),
        })?;
        if header.encoding != Encoding::Records {
            return Err(self.malformed("a block of a sealed segment is in one that is not"));
        }
        if header.first_event != self.next_event {
            return Err(self.malformed("a block is not the one that follows"));
        }
        if left - (block::HEADER_SIZE as u64) < header.payload_bytes.into() {
            return Err(self.malformed("a block is cut by the committed mark"));
        }
        Ok(Some(header))
    }

    /// Reads and checks the payload of the block that [`BlockReader::peek`] returned, and goes on
    /// to the next.
    pub(crate) fn read(
        &mut self,
        header: &BlockHeader,
        payload: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        // Bounded: `peek` checked the length against the most events of a block.
        payload.resize(header.payload_bytes as usize, 0);
        let at = self.offset + block::HEADER_SIZE as u64;
        self.segment.read_exact(payload, at, self.committed)?;
        let got = crc32fast::hash(payload);
        if got != header.payload_crc {
            return Err(self.segment.checksum(at, got, header.payload_crc));
        }
        self.skip(header);
        Ok(())
    }

    /// Goes on to the block after the one that [`BlockReader::peek`] returned.
    pub(crate) fn skip(&mut self, header: &BlockHeader) {
        self.offset += block::HEADER_SIZE as u64 + u64::from(header.payload_bytes);
        self.next_event = self.end_of(header);
    }

    /// Number of the first event after the block that [`BlockReader::peek`] returned.
    pub(crate) fn end_of(&self, header: &BlockHeader) -> u64 {
        self.next_event.saturating_add(header.events.into())
    }

    fn malformed(&self, what: &'static str) -> StoreError {
        self.segment.malformed(self.offset, what)
    }
}
