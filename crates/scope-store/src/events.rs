//! Iterating over the events of a trace.

use std::sync::Arc;

use scope_model::Event;

use crate::sealed::{BlockDecoder, SealedReader};
use crate::segment::BlockReader;
use crate::view::{Handle, SegmentView};
use crate::{StoreError, block, event_codec};

/// A place between two events of a trace. Stays valid while the trace grows and is sealed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    /// Events before it.
    event: u64,
    /// Where a block at or before it was in a hot segment: segment, offset, first event. Only a
    /// hint, checked when it is used.
    hint: Option<(u32, u64, u64)>,
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self { event: 0, hint: None };

    /// The place that so many events precede.
    #[must_use]
    pub const fn after(events: u64) -> Self {
        Self { event: events, hint: None }
    }

    /// How many events precede it.
    #[must_use]
    pub const fn event(self) -> u64 {
        self.event
    }
}

/// The events of a snapshot of a trace, in stored order.
///
/// A damaged place yields one error, after all events before it and as the last item. Independent
/// of the [`crate::Trace`] it came from, which may be refreshed meanwhile.
///
/// A flight recording that dropped its oldest events begins within calls: its first events may be
/// `Leave`s of calls that [`crate::Trace::checkpoint`] of block 0 has, and no event before.
#[derive(Debug)]
pub struct Events {
    segments: Vec<SegmentView>,
    /// Index of the segment that is read.
    current: usize,
    reading: Option<Reading>,
    /// The events of a block, and the one that is next.
    events: Vec<Event>,
    at: usize,
    /// What ends them before their time.
    error: Option<StoreError>,
    /// Where their block began in a hot segment: segment, offset, first event.
    block: Option<(u32, u64, u64)>,
    next_event: u64,
    /// Where the block begins that is read, in its file.
    offset: u64,
    /// Blocks read.
    blocks_read: u64,
    ended: bool,
    payload: Vec<u8>,
}

#[derive(Debug)]
enum Reading {
    Hot(BlockReader),
    Sealed { reader: Arc<SealedReader>, next: usize, decoder: Option<Box<BlockDecoder>> },
}

impl Events {
    pub(crate) fn new(segments: &[SegmentView], from: Position) -> Self {
        let current = segments.partition_point(|view| view.first_event() <= from.event).max(1) - 1;
        let reading = segments.get(current).and_then(|view| {
            let (segment, offset, event) = from.hint?;
            let Handle::Hot(reader) = &view.handle else { return None };
            if segment != reader.id() || event > from.event {
                return None;
            }
            BlockReader::at(Arc::clone(reader), view.committed, offset, event).map(Reading::Hot)
        });
        Self {
            segments: segments.to_vec(),
            current,
            reading,
            events: Vec::new(),
            at: 0,
            error: None,
            block: from.hint,
            // What was dropped is passed over.
            next_event: from.event.max(segments.first().map_or(0, SegmentView::first_event)),
            offset: 0,
            blocks_read: 0,
            ended: false,
            payload: Vec::new(),
        }
    }

    /// The place before the event that comes next: where [`crate::Trace::events_from`] goes on
    /// once there are more.
    #[must_use]
    pub fn position(&self) -> Position {
        let hint = match &self.reading {
            Some(Reading::Hot(blocks)) if self.at == self.events.len() => {
                Some((blocks.segment().id(), blocks.offset(), blocks.next_event()))
            }
            _ => self.block,
        };
        Position { event: self.next_event, hint }
    }

    /// After an error: the index of the damaged segment, and where the bad block begins in it.
    pub(crate) fn damaged_at(&self) -> (usize, u64) {
        (self.current, self.offset)
    }

    /// Blocks read so far.
    pub(crate) fn blocks_read(&self) -> u64 {
        self.blocks_read
    }

    /// Reads the next block that holds an event not yet passed; `false` at the end.
    fn next_block(&mut self) -> Result<bool, StoreError> {
        loop {
            let Some(view) = self.segments.get(self.current) else { return Ok(false) };
            let reading = self.reading.get_or_insert_with(|| match &view.handle {
                Handle::Hot(reader) => {
                    Reading::Hot(BlockReader::new(Arc::clone(reader), view.committed))
                }
                Handle::Sealed(reader) => {
                    Reading::Sealed { reader: Arc::clone(reader), next: 0, decoder: None }
                }
            });
            self.events.clear();
            self.at = 0;
            let read = match reading {
                Reading::Hot(blocks) => {
                    let wanted = self.next_event;
                    let (payload, events) = (&mut self.payload, &mut self.events);
                    let read = hot_block(blocks, wanted, payload, events, &mut self.offset)?;
                    if let Some((first_event, _)) = &read {
                        self.block = Some((view.id(), self.offset, *first_event));
                    }
                    read.ok_or_else(|| blocks.next_event())
                }
                Reading::Sealed { reader, next, decoder } => {
                    self.block = None;
                    let wanted = self.next_event;
                    match sealed_block(reader, next, decoder, wanted, &mut self.offset)? {
                        Some((first_event, events)) => {
                            self.events = events;
                            Ok((first_event, None))
                        }
                        None => Err(end_of(reader)),
                    }
                }
            };
            let end = match read {
                Ok((first_event, error)) => {
                    self.blocks_read += 1;
                    self.error = error;
                    self.next_event = self.next_event.max(first_event);
                    // Less than the block's events, since it holds one not yet passed.
                    self.at = (self.next_event - first_event) as usize;
                    return Ok(true);
                }
                Err(end) => end,
            };
            let follower = self.segments.get(self.current + 1);
            let first_event = view.first_event();
            if view.closed.is_some_and(|closed| first_event.saturating_add(closed.events) != end)
                || follower.is_some_and(|view| view.first_event() != end)
            {
                let what = "it holds another number of events than the manifest says";
                self.offset = view.committed;
                return Err(view.malformed(view.committed, what));
            }
            if follower.is_none() {
                return Ok(false);
            }
            self.current += 1;
            self.reading = None;
        }
    }

    fn fail(&mut self, error: StoreError) -> Option<Result<Event, StoreError>> {
        self.ended = true;
        Some(Err(error))
    }
}

/// Reads the next block of a hot segment that ends after event `wanted`: its first event, and the
/// error that ends it early. `None` at the end.
fn hot_block(
    blocks: &mut BlockReader,
    wanted: u64,
    payload: &mut Vec<u8>,
    events: &mut Vec<Event>,
    offset: &mut u64,
) -> Result<Option<(u64, Option<StoreError>)>, StoreError> {
    loop {
        *offset = blocks.offset();
        let Some(header) = blocks.peek()? else { return Ok(None) };
        if blocks.end_of(&header) <= wanted {
            blocks.skip(&header);
            continue;
        }
        let first_event = blocks.next_event();
        blocks.read(&header, payload)?;
        let (records, _) = payload.as_chunks::<{ event_codec::SIZE }>();
        for (number, record) in records.iter().enumerate() {
            match event_codec::decode(record) {
                Ok(event) => events.push(event),
                Err(what) => {
                    let at = *offset + (block::HEADER_SIZE + number * event_codec::SIZE) as u64;
                    let error = blocks.segment().malformed(at, what);
                    return Ok(Some((first_event, Some(error))));
                }
            }
        }
        return Ok(Some((first_event, None)));
    }
}

/// Reads the next block of a sealed segment that ends after event `wanted`. `None` at the end.
fn sealed_block(
    reader: &Arc<SealedReader>,
    next: &mut usize,
    decoder: &mut Option<Box<BlockDecoder>>,
    wanted: u64,
    offset: &mut u64,
) -> Result<Option<(u64, Vec<Event>)>, StoreError> {
    let blocks = &reader.index()?.blocks;
    let first = blocks.partition_point(|block| block.info.end_event() <= wanted).max(*next);
    let Some(entry) = blocks.get(first) else {
        *offset = reader.bytes();
        return Ok(None);
    };
    *offset = entry.offset;
    let decoder = match decoder {
        Some(decoder) => decoder,
        None => decoder.insert(Box::new(BlockDecoder::new(Arc::new(reader.dictionary()?)))),
    };
    let dictionary = Arc::clone(decoder.dictionary());
    let events = decoder.events(reader, first, || {
        let group = reader.group(reader.group_of(first)?)?;
        Ok(Arc::new(reader.checkpoint(first, &group, &dictionary)?))
    })?;
    *next = first + 1;
    Ok(Some((entry.info.first_event, events)))
}

/// Number of the first event after a sealed segment.
fn end_of(reader: &SealedReader) -> u64 {
    let last = reader.index().ok().and_then(|index| index.blocks.last());
    last.map_or(reader.first_event(), |block| block.info.end_event())
}

impl Iterator for Events {
    type Item = Result<Event, StoreError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.events.get(self.at) {
                self.at += 1;
                self.next_event += 1;
                return Some(Ok(*event));
            }
            if self.ended {
                return None;
            }
            if let Some(error) = self.error.take() {
                return self.fail(error);
            }
            match self.next_block() {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    return None;
                }
                Err(error) => {
                    self.events.clear();
                    return self.fail(error);
                }
            }
        }
    }
}

impl std::iter::FusedIterator for Events {}
