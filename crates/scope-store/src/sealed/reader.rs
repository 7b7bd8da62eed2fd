//! A sealed segment being read. Opening reads 64 bytes; everything else is read when it is asked for,
//! checked, and kept in the caches of the [`crate::Trace`] that asks.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use scope_model::{Event, State, ThreadState, Tid};

use super::block::{Columns, EndedCall};
use super::bytes::{Corrupt, Decoded, Reader};
use super::checkpoint;
use super::dictionary::{Dictionary, Values};
use super::file::{
    self, BlockEntry, ENTRY_SIZE, FrameError, GroupEntry, HEADER_SIZE, Index, Kind,
    MOST_SECTION_BYTES, MOST_SECTIONS, Section, TRAILER_SIZE, Trailer,
};
use super::packed::unpack;
use super::stacks::Stacks;
use crate::StoreError;
use crate::block::{BlockHeader, Encoding, HEADER_SIZE as BLOCK_HEADER, HeaderError};
use crate::segment::SegmentHeader;
use crate::source::Source;

/// Parts up to so many bytes are read without a look at the length of the file.
const MOST_UNCHECKED: u32 = 1 << 20;

/// An open sealed segment whose header has been checked.
#[derive(Debug)]
pub(crate) struct SealedReader {
    source: Source,
    path: PathBuf,
    header: SegmentHeader,
    /// Length of the file, as the manifest has it.
    bytes: u64,
    sections: OnceLock<Vec<Section>>,
    index: OnceLock<Index>,
}

/// What decoding the blocks of a segment needs: its dictionary, and tables that are used again.
#[derive(Debug)]
pub(crate) struct BlockDecoder {
    dictionary: Arc<Dictionary>,
    /// Made when it is first needed: a state has no return values.
    values: Option<Values>,
    stacks: Stacks,
    /// The block that `stacks` are of.
    next_block: usize,
    payload: Vec<u8>,
    columns: Columns,
}

/// The checkpoints of some blocks, decompressed.
#[derive(Debug)]
pub(crate) struct CheckpointGroup {
    entry: GroupEntry,
    content: Vec<u8>,
}

impl CheckpointGroup {
    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.content.capacity()
    }
}

impl SealedReader {
    /// Opens a sealed segment of `bytes` bytes and checks that it is the expected one.
    pub(crate) fn open(
        source: Source,
        path: PathBuf,
        expected: SegmentHeader,
        bytes: u64,
    ) -> Result<Self, StoreError> {
        let sections = OnceLock::new();
        let index = OnceLock::new();
        let reader = Self { source, path, header: expected, bytes, sections, index };
        let mut head = [0; HEADER_SIZE];
        reader.read_at(&mut head, 0)?;
        let found = file::decode_header(&head).map_err(|error| reader.frame_error(0, error))?;
        if found != expected {
            return Err(reader.malformed(0, "it is another segment than the manifest lists"));
        }
        Ok(reader)
    }

    pub(crate) fn id(&self) -> u32 {
        self.header.id
    }

    pub(crate) fn first_event(&self) -> u64 {
        self.header.first_event
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The directory of the sections.
    pub(crate) fn sections(&self) -> Result<&[Section], StoreError> {
        if let Some(sections) = self.sections.get() {
            return Ok(sections);
        }
        let mut tail = [0; TRAILER_SIZE];
        let at = self.bytes.checked_sub(TRAILER_SIZE as u64);
        let at = at.ok_or_else(|| self.malformed(0, "it is too short for a sealed segment"))?;
        self.read_at(&mut tail, at)?;
        let trailer = Trailer::decode(&tail).map_err(|error| self.frame_error(at, error))?;
        let count = trailer.sections as usize;
        if trailer.id != self.header.id || count > MOST_SECTIONS {
            return Err(self.malformed(at, "it ends like another segment"));
        }
        let mut bytes = vec![0; count * ENTRY_SIZE];
        if trailer.directory.checked_add(bytes.len() as u64) != Some(at) {
            return Err(self.malformed(at, "its directory is not where it should be"));
        }
        self.read_at(&mut bytes, trailer.directory)?;
        self.check(trailer.directory, &bytes, trailer.crc)?;
        let (entries, _) = bytes.as_chunks();
        let sections = entries.iter().map(Section::decode).collect();
        Ok(self.sections.get_or_init(|| sections))
    }

    /// Where blocks and checkpoints are.
    pub(crate) fn index(&self) -> Result<&Index, StoreError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = self.decode(Kind::Index, 0, |content| {
            Index::decode(content, self.header.first_event, self.bytes)
        })?;
        Ok(self.index.get_or_init(|| index))
    }

    /// Where a block is.
    pub(crate) fn block(&self, block: usize) -> Result<&BlockEntry, StoreError> {
        let index = self.index()?;
        let missing = || StoreError::NoSuchBlock { block, blocks: index.blocks.len() };
        index.blocks.get(block).ok_or_else(missing)
    }

    pub(crate) fn dictionary(&self) -> Result<Dictionary, StoreError> {
        self.decode(Kind::Dictionary, 0, Dictionary::decode)
    }

    /// The state after the last event.
    pub(crate) fn end_state(&self, dictionary: &Dictionary) -> Result<State, StoreError> {
        self.decode(Kind::EndState, 0, |content| {
            let mut state = State::new();
            let mut reader = Reader::new(content);
            checkpoint::decode(&mut state, &mut reader, dictionary)?;
            reader.end()?;
            Ok(state)
        })
    }

    /// The group that has the checkpoint of a block.
    pub(crate) fn group_of(&self, block: usize) -> Result<GroupEntry, StoreError> {
        self.block(block)?;
        let groups = &self.index()?.groups;
        let after = groups.partition_point(|group| group.first_block as usize <= block);
        // The index was checked to begin with a group of block 0.
        Ok(groups[after.max(1) - 1])
    }

    /// Reads a group of checkpoints.
    pub(crate) fn group(&self, entry: GroupEntry) -> Result<CheckpointGroup, StoreError> {
        let mut content = Vec::new();
        self.part(entry.offset, entry.length, entry.crc, &mut content)?;
        Ok(CheckpointGroup { entry, content })
    }

    /// The checkpoint of a block, from its group: the state before its first event.
    pub(crate) fn checkpoint(
        &self,
        block: usize,
        group: &CheckpointGroup,
        dictionary: &Dictionary,
    ) -> Result<State, StoreError> {
        self.decode_checkpoint(block, group, |state, reader| {
            checkpoint::decode(state, reader, dictionary)
        })
    }

    /// The checkpoint of a block with one thread of it.
    pub(crate) fn checkpoint_of(
        &self,
        block: usize,
        tid: Tid,
        group: &CheckpointGroup,
        dictionary: &Dictionary,
    ) -> Result<State, StoreError> {
        self.decode_checkpoint(block, group, |state, reader| {
            checkpoint::decode_one(state, reader, dictionary, tid)
        })
    }

    fn decode_checkpoint(
        &self,
        block: usize,
        group: &CheckpointGroup,
        decode: impl Fn(&mut State, &mut Reader<'_>) -> Decoded<()>,
    ) -> Result<State, StoreError> {
        let offset = group.entry.offset;
        let corrupt = |Corrupt(what)| self.malformed(offset, what);
        let mut reader = Reader::new(&group.content);
        let mut state = State::new();
        for _ in group.entry.first_block as usize..=block {
            decode(&mut state, &mut reader).map_err(corrupt)?;
        }
        if state.next_event() != self.block(block)?.info.first_event {
            return Err(self.malformed(offset, "a checkpoint is of another event"));
        }
        Ok(state)
    }

    /// Checks that the directory lists what it must and may, each part once.
    pub(crate) fn check_sections(&self) -> Result<(), StoreError> {
        let mut known: Vec<_> =
            self.sections()?.iter().map(|section| (section.kind, section.number)).collect();
        known.sort_unstable();
        let fixed = (Kind::Index as u16..Kind::Level as u16).map(|kind| (kind, 0));
        let levels = known.iter().filter(|(kind, _)| *kind == Kind::Level as u16).copied();
        let expected: Vec<_> = fixed.chain(levels).collect();
        let repeated = known.windows(2).any(|pair| pair[0] == pair[1]);
        if repeated || known != expected {
            return Err(
                self.malformed(self.bytes, "its directory lists other parts than it should")
            );
        }
        Ok(())
    }

    /// A section, decoded.
    pub(crate) fn decode<T>(
        &self,
        kind: Kind,
        number: u16,
        decode: impl FnOnce(&[u8]) -> Decoded<T>,
    ) -> Result<T, StoreError> {
        let sections = self.sections()?;
        let section = sections
            .iter()
            .find(|section| (section.kind, section.number) == (kind as u16, number))
            .ok_or_else(|| self.malformed(self.bytes, "a section is missing"))?;
        let mut content = Vec::new();
        self.part(section.offset, section.length, section.crc, &mut content)?;
        decode(&content).map_err(|Corrupt(what)| self.malformed(section.offset, what))
    }

    /// Reads a compressed part, checks it and unpacks it.
    fn part(
        &self,
        offset: u64,
        length: u32,
        crc: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        if offset.checked_add(length.into()).is_none_or(|end| end > self.bytes) {
            return Err(self.malformed(offset, "a part lies beyond the end of the file"));
        }
        self.check_bound(length)?;
        let mut stored = vec![0; length as usize];
        self.read_at(&mut stored, offset)?;
        self.check(offset, &stored, crc)?;
        let mut reader = Reader::new(&stored);
        unpack(&mut reader, MOST_SECTION_BYTES, out)
            .and_then(|()| reader.end())
            .map_err(|Corrupt(what)| self.malformed(offset, what))
    }

    /// Memory for a part that is long is taken only if the file is as long as it is said to be.
    fn check_bound(&self, length: u32) -> Result<(), StoreError> {
        if length > MOST_UNCHECKED { self.check_length() } else { Ok(()) }
    }

    /// The file must be as long as the manifest says.
    pub(crate) fn check_length(&self) -> Result<(), StoreError> {
        let found = self.source.length().map_err(|source| match source.kind() {
            ErrorKind::NotFound => StoreError::MissingFile { file: self.path.clone() },
            _ => StoreError::io("examine", &self.path, 0)(source),
        })?;
        if found < self.bytes {
            let (file, expected) = (self.path.clone(), self.bytes);
            return Err(StoreError::Truncated { file, expected, found });
        }
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), StoreError> {
        let read = self.source.read_exact_at(bytes, offset);
        read.map_err(StoreError::reading(&self.path, &self.source, self.bytes))
    }

    fn check(&self, offset: u64, bytes: &[u8], expected: u32) -> Result<(), StoreError> {
        let got = crc32fast::hash(bytes);
        if got == expected { Ok(()) } else { Err(self.checksum(offset, got, expected)) }
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

    fn frame_error(&self, offset: u64, error: FrameError) -> StoreError {
        match error {
            FrameError::Corrupt(Corrupt(what)) => self.malformed(offset, what),
            FrameError::Checksum { got, expected } => self.checksum(offset, got, expected),
            FrameError::NewerVersion(found) => self.newer(found),
        }
    }

    /// Reads the payload of a block, checked.
    fn payload(&self, entry: &BlockEntry, payload: &mut Vec<u8>) -> Result<(), StoreError> {
        let at = entry.offset;
        let length = (entry.bytes as usize).checked_sub(BLOCK_HEADER);
        let length = length.ok_or_else(|| self.malformed(at, "a block is too short"))?;
        // Header and payload in one read.
        self.check_bound(entry.bytes)?;
        payload.resize(entry.bytes as usize, 0);
        self.read_at(payload, at)?;
        let header = payload.first_chunk::<BLOCK_HEADER>().map(BlockHeader::decode);
        let header = match header {
            Some(Ok(header)) => header,
            Some(Err(HeaderError::Checksum { got, expected })) => {
                return Err(self.checksum(at, got, expected));
            }
            Some(Err(HeaderError::NewerVersion(found))) => return Err(self.newer(found)),
            Some(Err(HeaderError::Malformed(what))) => return Err(self.malformed(at, what)),
            None => return Err(self.malformed(at, "a block is too short")),
        };
        let info = entry.info;
        let same = header.encoding == Encoding::Columns
            && header.payload_bytes as usize == length
            && header.events == info.events
            && (header.first_event, header.first_ns, header.last_ns)
                == (info.first_event, info.first_ns, info.last_ns);
        if !same {
            return Err(self.malformed(at, "a block is not the one that the index lists"));
        }
        let got = crc32fast::hash(&payload[BLOCK_HEADER..]);
        if got != header.payload_crc {
            return Err(self.checksum(at + BLOCK_HEADER as u64, got, header.payload_crc));
        }
        Ok(())
    }
}

impl BlockDecoder {
    pub(crate) fn new(dictionary: Arc<Dictionary>) -> Self {
        Self {
            values: None,
            dictionary,
            stacks: Stacks::default(),
            next_block: usize::MAX,
            payload: Vec::new(),
            columns: Columns::default(),
        }
    }

    /// The events of a block. Cheapest in ascending order: otherwise, and where a block asks for
    /// it, `state` is asked for the state at its start.
    pub(crate) fn events(
        &mut self,
        segment: &SealedReader,
        block: usize,
        state: impl Fn() -> Result<Arc<State>, StoreError>,
    ) -> Result<Vec<Event>, StoreError> {
        let mut columns = std::mem::take(&mut self.columns);
        let events = self
            .read(segment, block, &mut columns)
            .and_then(|()| self.events_in(segment, block, &columns, state));
        self.columns = columns;
        events
    }

    /// The columns of a block.
    pub(crate) fn columns(
        &mut self,
        segment: &SealedReader,
        block: usize,
    ) -> Result<Columns, StoreError> {
        let mut columns = Columns::default();
        self.read(segment, block, &mut columns)?;
        Ok(columns)
    }

    /// As [`BlockDecoder::columns`], in the place of what is there.
    pub(crate) fn read(
        &mut self,
        segment: &SealedReader,
        block: usize,
        columns: &mut Columns,
    ) -> Result<(), StoreError> {
        let entry = segment.block(block)?;
        segment.payload(entry, &mut self.payload)?;
        let payload = &self.payload[BLOCK_HEADER..];
        let head = (entry.info.events, entry.info.first_ns);
        columns
            .read(payload, head, &self.dictionary)
            .map_err(|Corrupt(what)| segment.malformed(entry.offset, what))
    }

    /// As [`BlockDecoder::events`], from columns that were read before.
    pub(crate) fn events_in(
        &mut self,
        segment: &SealedReader,
        block: usize,
        columns: &Columns,
        state: impl Fn() -> Result<Arc<State>, StoreError>,
    ) -> Result<Vec<Event>, StoreError> {
        if self.next_block != block || columns.is_anew() {
            self.stacks = Stacks::of(&*state()?);
        }
        // After an error the open calls are those of nowhere.
        self.next_block = usize::MAX;
        let values = self.values.get_or_insert_with(|| self.dictionary.values());
        let events = columns.events(&self.dictionary, values, &mut self.stacks);
        let events = events.map_err(|error| self.malformed(segment, block, error))?;
        self.next_block = block + 1;
        Ok(events)
    }

    /// See [`Columns::events_of`].
    pub(crate) fn events_of(
        &mut self,
        (segment, block): (&SealedReader, usize),
        columns: &Columns,
        tid: Tid,
        thread: Option<&ThreadState>,
    ) -> Result<Vec<(u16, Event)>, StoreError> {
        let values = self.values.get_or_insert_with(|| self.dictionary.values());
        columns
            .events_of(tid, thread, &self.dictionary, values)
            .map_err(|error| self.malformed(segment, block, error))
    }

    /// See [`Columns::replay`].
    pub(crate) fn replay(
        &mut self,
        (segment, block): (&SealedReader, usize),
        columns: &Columns,
        end: usize,
        state: &mut State,
        wanted: impl Fn(Tid) -> bool,
        ended: impl FnMut(EndedCall<'_>),
    ) -> Result<(), StoreError> {
        columns
            .replay(end, state, &self.dictionary, wanted, ended)
            .map_err(|error| self.malformed(segment, block, error))
    }

    fn malformed(&self, segment: &SealedReader, block: usize, error: Corrupt) -> StoreError {
        let offset = segment.block(block).map_or(0, |entry| entry.offset);
        segment.malformed(offset, error.0)
    }

    pub(crate) fn dictionary(&self) -> &Arc<Dictionary> {
        &self.dictionary
    }
}
