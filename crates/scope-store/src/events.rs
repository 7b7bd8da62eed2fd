//! Iterating over the events of a trace.

use std::sync::Arc;

use scope_model::Event;

use crate::block;
use crate::manifest::ClosedSegment;
use crate::segment::{BlockReader, SegmentReader};
use crate::{StoreError, event_codec};

/// A segment as far as a snapshot reaches.
#[derive(Clone, Debug)]
pub(crate) struct SegmentView {
    pub(crate) reader: Arc<SegmentReader>,
    /// Bytes committed when the snapshot was taken.
    pub(crate) committed: u64,
    /// What the manifest says of a segment that is full.
    pub(crate) closed: Option<ClosedSegment>,
}

/// A place between two events of a trace. Stays valid while the trace grows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    /// Events before it.
    event: u64,
    /// Where a block at or before it was: segment, offset, first event. Only a hint, checked when
    /// it is used.
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
#[derive(Debug)]
pub struct Events {
    segments: Vec<SegmentView>,
    /// Index of the segment that is read.
    current: usize,
    blocks: Option<BlockReader>,
    /// The checked payload of a block, and the offset of the record that is next.
    payload: Vec<u8>,
    at: usize,
    /// Where that block began: segment, offset, first event.
    block: Option<(u32, u64, u64)>,
    next_event: u64,
    /// Blocks read.
    blocks_read: u64,
    ended: bool,
}

impl Events {
    pub(crate) fn new(segments: &[SegmentView], from: Position) -> Self {
        let current =
            segments.partition_point(|view| view.reader.first_event() <= from.event).max(1) - 1;
        let blocks = segments.get(current).and_then(|view| {
            let (segment, offset, event) = from.hint?;
            if segment != view.reader.id() || event > from.event {
                return None;
            }
            BlockReader::at(Arc::clone(&view.reader), view.committed, offset, event)
        });
        Self {
            segments: segments.to_vec(),
            current,
            blocks,
            payload: Vec::new(),
            at: 0,
            block: from.hint,
            next_event: from.event,
            blocks_read: 0,
            ended: false,
        }
    }

    /// The place before the event that comes next: where [`crate::Trace::events_from`] goes on
    /// once there are more.
    #[must_use]
    pub fn position(&self) -> Position {
        let next_block = self.blocks.as_ref().filter(|_| self.at == self.payload.len());
        let hint = match next_block {
            Some(blocks) => Some((blocks.segment().id(), blocks.offset(), blocks.next_event())),
            None => self.block,
        };
        Position { event: self.next_event, hint }
    }

    /// After an error: the index of the damaged segment, and where the bad block begins in it.
    pub(crate) fn damaged_at(&self) -> (usize, u64) {
        let begun =
            self.block.filter(|_| self.at < self.payload.len()).map(|(_, offset, _)| offset);
        let offset = begun.or_else(|| self.blocks.as_ref().map(BlockReader::offset));
        (self.current, offset.unwrap_or_default())
    }

    /// Blocks read so far.
    pub(crate) fn blocks_read(&self) -> u64 {
        self.blocks_read
    }

    /// Reads the next block that holds an event not yet passed; `false` at the end.
    fn next_block(&mut self) -> Result<bool, StoreError> {
        loop {
            let Some(view) = self.segments.get(self.current) else { return Ok(false) };
            let blocks = self
                .blocks
                .get_or_insert_with(|| BlockReader::new(Arc::clone(&view.reader), view.committed));
            let Some(header) = blocks.peek()? else {
                let next_event = blocks.next_event();
                let first_event = view.reader.first_event();
                let follower = self.segments.get(self.current + 1);
                if view
                    .closed
                    .is_some_and(|closed| first_event.saturating_add(closed.events) != next_event)
                    || follower.is_some_and(|view| view.reader.first_event() != next_event)
                {
                    let what = "it holds another number of events than the manifest says";
                    return Err(view.reader.malformed(view.committed, what));
                }
                if follower.is_none() {
                    return Ok(false);
                }
                self.current += 1;
                self.blocks = None;
                continue;
            };
            let (offset, first_event) = (blocks.offset(), blocks.next_event());
            if blocks.end_of(&header) <= self.next_event {
                blocks.skip(&header);
                continue;
            }
            self.payload.clear();
            self.at = 0;
            blocks.read(&header, &mut self.payload)?;
            self.blocks_read += 1;
            self.block = Some((view.reader.id(), offset, first_event));
            self.next_event = self.next_event.max(first_event);
            // Less than the block's events, by the test above.
            self.at = (self.next_event - first_event) as usize * event_codec::SIZE;
            return Ok(true);
        }
    }

    fn fail(&mut self, error: StoreError) -> Option<Result<Event, StoreError>> {
        self.ended = true;
        Some(Err(error))
    }
}

impl Iterator for Events {
    type Item = Result<Event, StoreError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.at >= self.payload.len() {
            match self.next_block() {
                Ok(true) => {}
                Ok(false) => {
                    self.ended = true;
                    return None;
                }
                Err(error) => return self.fail(error),
            }
        }
        let record = self.payload[self.at..].first_chunk()?;
        match event_codec::decode(record) {
            Ok(event) => {
                self.at += event_codec::SIZE;
                self.next_event += 1;
                Some(Ok(event))
            }
            Err(what) => {
                let (_, offset, _) = self.block.unwrap_or_default();
                let offset = offset + (block::HEADER_SIZE + self.at) as u64;
                let error = match self.segments.get(self.current) {
                    Some(view) => view.reader.malformed(offset, what),
                    None => return None,
                };
                self.fail(error)
            }
        }
    }
}

impl std::iter::FusedIterator for Events {}
