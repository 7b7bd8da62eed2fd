//! Sealing: from the events of a hot segment to the file of a sealed one.
//!
//! Two passes over the hot segment: the first makes the dictionary, the second everything else.
//! Nothing of the segment is held in memory as a whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use scope_model::{Event, EventKind, State};

use super::block::BlockEncoder;
use super::checkpoint::CheckpointEncoder;
use super::dictionary::DictionaryBuilder;
use super::file::{
    self, BlockEntry, GroupEntry, Index, Kind, MOST_SECTION_BYTES, Section, Trailer,
};
use super::packed::Packer;
use super::sets::SetsBuilder;
use crate::block::{self, BlockHeader, Encoding};
use crate::blocks::BlockInfo;
use crate::manifest::ClosedSegment;
use crate::pyramid::encode_level;
use crate::segment::{BlockReader, SegmentHeader, SegmentReader};
use crate::summary::{Summary, encode_gaps};
use crate::{StoreError, event_codec};

/// Events of a block. A state in the middle of a trace costs what a block and its checkpoint do: half
/// the events that a block may have took 30 % off that, and cost 6 % of the bytes.
const BLOCK_EVENTS: usize = block::MAX_EVENTS as usize / 2;
/// Blocks of a group of checkpoints, at least.
const GROUP_BLOCKS: u32 = 6;
/// Blocks of a group, at most: how many differences a reader may have to follow.
const MOST_GROUP_BLOCKS: u32 = 64;
/// Blocks that wait to be encoded, at most.
const PIECES: usize = 8;
/// Level of zstd for what is read seldom and written once a segment.
const SECTION_LEVEL: i32 = 3;

/// Writes the sealed form of a hot segment, in which `committed` bytes are committed and before
/// which all threads are in `state`. Returns what is in it, and the state after it.
///
/// The file is flushed. It is of no use, and should be removed, when this fails.
pub(crate) fn seal(
    source: &Arc<SegmentReader>,
    committed: u64,
    state: State,
    header: SegmentHeader,
    path: &Path,
) -> Result<(ClosedSegment, State), StoreError> {
    let mut dictionary = DictionaryBuilder::new(&state);
    each_block(source, committed, |events| {
        events.iter().for_each(|event| dictionary.push(event));
        Ok(())
    })?;
    let dictionary = dictionary.finish();
    let failed = |error: io::Error| StoreError::io("seal", path, 0)(error);
    let mut writer = Writer::create(path, &header).map_err(failed)?;
    let encoder = CheckpointEncoder::new(&dictionary);
    let blocks = BlockEncoder::new(&dictionary, &state);
    let mut sets = (SetsBuilder::default(), SetsBuilder::default(), 0_u32);
    let mut summary = Summary::new(state);
    let mut index = Index::default();
    // One thread goes through the states, another makes bytes of events and states.
    std::thread::scope(|scope| {
        let (pieces, queue) = sync_channel::<Piece>(PIECES);
        let (writer, index) = (&mut writer, &mut index);
        let encoder = &encoder;
        let bytes = scope.spawn(move || write_pieces(queue, blocks, encoder, writer, index));
        let read = each_block(source, committed, |events| {
            let state = summary.state.clone();
            // A segment of 4 GiB has far fewer blocks than that.
            let number = sets.2;
            sets.2 += 1;
            let info = info(events, state.next_event().max(header.first_event));
            for (event, event_number) in events.iter().zip(info.first_event..) {
                summary.push(event_number, event);
                sets.1.add(event.tid.0, number);
                if let EventKind::Enter { function, .. } | EventKind::Leave { function, .. } =
                    event.kind
                {
                    sets.0.add(function.0, number);
                }
            }
            // Nobody takes it when writing failed, which is told below.
            let _ = pieces.send(Piece { number, info, state, events: events.to_vec() });
            Ok(())
        });
        drop(pieces);
        let written = bytes.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
        read.and(written.map_err(failed))
    })?;

    let end_state = summary.state;
    let mut content = Vec::new();
    let mut section = |kind, number, content: &mut Vec<u8>| {
        writer.section(kind, number, content).map_err(failed)?;
        content.clear();
        Ok(())
    };
    index.encode(&mut content);
    section(Kind::Index, 0, &mut content)?;
    dictionary.encode(&mut content);
    section(Kind::Dictionary, 0, &mut content)?;
    encoder.encode(&State::new(), &end_state, &mut content);
    section(Kind::EndState, 0, &mut content)?;
    sets.0.encode(&mut content);
    section(Kind::Functions, 0, &mut content)?;
    sets.1.encode(&mut content);
    section(Kind::Threads, 0, &mut content)?;
    summary.durations.encode(&mut content);
    section(Kind::Durations, 0, &mut content)?;
    encode_gaps(&summary.gaps, &mut content);
    section(Kind::Gaps, 0, &mut content)?;
    for level in &summary.pyramid.finish(end_state.latest_ns()) {
        encode_level(level, &mut content);
        // A shift: below 64.
        section(Kind::Level, level.shift as u16, &mut content)?;
    }
    let bytes = writer.finish(header.id).map_err(failed)?;
    let spans = || index.blocks.iter().map(|block| block.info);
    let closed = ClosedSegment {
        bytes,
        events: spans().map(|info| u64::from(info.events)).sum(),
        blocks: index.blocks.len() as u32,
        first_ns: spans().map(|info| info.first_ns).min().unwrap_or_default(),
        last_ns: spans().map(|info| info.last_ns).max().unwrap_or_default(),
    };
    Ok((closed, end_state))
}

/// A block to be written.
struct Piece {
    number: u32,
    info: BlockInfo,
    /// Before its first event.
    state: State,
    events: Vec<Event>,
}

/// Writes blocks and checkpoints as they come.
fn write_pieces(
    pieces: Receiver<Piece>,
    mut blocks: BlockEncoder,
    encoder: &CheckpointEncoder,
    writer: &mut Writer,
    index: &mut Index,
) -> io::Result<()> {
    let mut checkpoints = Checkpoints::new(encoder);
    let mut payload = Vec::new();
    for Piece { number, info, state, events } in pieces {
        checkpoints.start(number, writer, index)?;
        payload.clear();
        blocks.encode(&events, info.first_ns, &state, &mut payload);
        checkpoints.add(state);
        let entry = writer.block(info, &payload)?;
        let latest_ns = index.blocks.last().map_or(0, |last| last.latest_ns).max(info.last_ns);
        index.blocks.push(BlockEntry { latest_ns, ..entry });
    }
    checkpoints.finish(writer, index)
}

/// Calls `use_events` with the events of a hot segment, as many at a time as a block has.
fn each_block(
    source: &Arc<SegmentReader>,
    committed: u64,
    mut use_events: impl FnMut(&[Event]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const MOST: usize = BLOCK_EVENTS;
    let mut reader = BlockReader::new(Arc::clone(source), committed);
    let mut payload = Vec::new();
    let mut events = Vec::with_capacity(2 * MOST);
    while let Some(header) = reader.peek()? {
        let at = reader.offset() + block::HEADER_SIZE as u64;
        reader.read(&header, &mut payload)?;
        let (records, _) = payload.as_chunks::<{ event_codec::SIZE }>();
        for (number, record) in records.iter().enumerate() {
            events.push(event_codec::decode(record).map_err(|what| {
                source.malformed(at + (number * event_codec::SIZE) as u64, what)
            })?);
        }
        while events.len() >= MOST {
            use_events(&events[..MOST])?;
            events.drain(..MOST);
        }
    }
    if events.is_empty() { Ok(()) } else { use_events(&events) }
}

fn info(events: &[Event], first_event: u64) -> BlockInfo {
    let times = || events.iter().map(|event| event.time_ns);
    BlockInfo {
        first_event,
        // At most `MAX_EVENTS`.
        events: events.len() as u32,
        first_ns: times().min().unwrap_or_default(),
        last_ns: times().max().unwrap_or_default(),
    }
}

/// The group of checkpoints that is being made.
struct Checkpoints<'a> {
    encoder: &'a CheckpointEncoder,
    packer: Packer,
    content: Vec<u8>,
    first_block: u32,
    /// Length of the group's first checkpoint, and how many there are.
    first_bytes: usize,
    count: u32,
    before: State,
}

impl<'a> Checkpoints<'a> {
    fn new(encoder: &'a CheckpointEncoder) -> Self {
        Self {
            encoder,
            packer: Packer::new(SECTION_LEVEL),
            content: Vec::new(),
            first_block: 0,
            first_bytes: 0,
            count: 0,
            before: State::new(),
        }
    }

    /// A block begins. A group ends when following its differences would take half as long as to
    /// begin anew.
    fn start(&mut self, block: u32, writer: &mut Writer, index: &mut Index) -> io::Result<()> {
        let full = self.count >= GROUP_BLOCKS && 4 * self.content.len() >= 5 * self.first_bytes;
        if full || self.count >= MOST_GROUP_BLOCKS {
            self.finish(writer, index)?;
        }
        if self.count == 0 {
            self.first_block = block;
            self.before = State::new();
        }
        Ok(())
    }

    /// Adds the checkpoint of the block that began.
    fn add(&mut self, state: State) {
        self.encoder.encode(&self.before, &state, &mut self.content);
        if self.count == 0 {
            self.first_bytes = self.content.len();
        }
        self.before = state;
        self.count += 1;
    }

    fn finish(&mut self, writer: &mut Writer, index: &mut Index) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let (offset, length, crc) = writer.part(&self.content, &mut self.packer)?;
        index.groups.push(GroupEntry { first_block: self.first_block, offset, length, crc });
        self.content.clear();
        self.count = 0;
        Ok(())
    }
}

/// The file being written.
struct Writer {
    file: BufWriter<File>,
    at: u64,
    sections: Vec<Section>,
    packer: Packer,
    packed: Vec<u8>,
}

impl Writer {
    fn create(path: &Path, header: &SegmentHeader) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        file.write_all(&file::encode_header(header))?;
        Ok(Self {
            file,
            at: file::HEADER_SIZE as u64,
            sections: Vec::new(),
            packer: Packer::new(SECTION_LEVEL),
            packed: Vec::new(),
        })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn block(&mut self, info: BlockInfo, payload: &[u8]) -> io::Result<BlockEntry> {
        let offset = self.at;
        let header = BlockHeader {
            encoding: Encoding::Columns,
            payload_bytes: payload.len() as u32,
            events: info.events,
            first_event: info.first_event,
            first_ns: info.first_ns,
            last_ns: info.last_ns,
            payload_crc: crc32fast::hash(payload),
        };
        let mut head = [0; block::HEADER_SIZE];
        header.encode(&mut head);
        self.put(&head)?;
        self.put(payload)?;
        let bytes = (self.at - offset) as u32;
        Ok(BlockEntry { info, offset, bytes, latest_ns: 0 })
    }

    /// Writes a part, compressed: where it is, how long, its checksum.
    fn part(&mut self, content: &[u8], packer: &mut Packer) -> io::Result<(u64, u32, u32)> {
        if content.len() > MOST_SECTION_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a part is too large to seal"));
        }
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        packer.pack(content, &mut packed);
        let at = self.at;
        let put = self.put(&packed);
        let (length, crc) = (packed.len() as u32, crc32fast::hash(&packed));
        self.packed = packed;
        put.map(|()| (at, length, crc))
    }

    fn section(&mut self, kind: Kind, number: u16, content: &[u8]) -> io::Result<()> {
        let mut packer = std::mem::replace(&mut self.packer, Packer::none());
        let part = self.part(content, &mut packer);
        self.packer = packer;
        let (offset, length, crc) = part?;
        self.sections.push(Section { kind: kind as u16, number, length, offset, crc });
        Ok(())
    }

    /// Writes directory and trailer and flushes; returns the length of the file.
    fn finish(mut self, id: u32) -> io::Result<u64> {
        let directory = self.at;
        let mut bytes = Vec::new();
        self.sections.iter().for_each(|section| section.encode(&mut bytes));
        let sections = self.sections.len() as u32;
        let trailer = Trailer { directory, sections, crc: crc32fast::hash(&bytes), id };
        self.put(&bytes)?;
        self.put(&trailer.encode())?;
        self.file.flush()?;
        self.file.get_ref().sync_data()?;
        Ok(self.at)
    }
}
