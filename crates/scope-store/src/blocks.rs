//! Random access: blocks by number, event or time, and the state of all threads at their starts.
//!
//! Blocks are numbered from 0 over all segments of a snapshot. Sealing a segment makes other blocks
//! of the same events, so a block's number means something within one snapshot only; the number
//! of an event, and with it the id of a call, stays what it is.

use std::sync::Arc;

use scope_model::{Event, FunctionId, State, Tid};

use crate::sealed::{Dictionary, Kind, SealedReader, Sets};
use crate::segment::{BlockReader, HotBlock, SegmentReader};
use crate::view::{Handle, SegmentView};
use crate::{StoreError, Trace, event_codec};

/// States are remembered every so many blocks of a hot segment.
const STATE_EVERY: usize = 8;

/// Where and when a block is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockInfo {
    /// Number of its first event in the trace.
    pub first_event: u64,
    /// Events in it: 1 to 4,096.
    pub events: u32,
    /// Earliest time in it, ns.
    pub first_ns: u64,
    /// Latest time in it, ns.
    pub last_ns: u64,
}

impl BlockInfo {
    /// Number of the first event after it.
    #[must_use]
    pub const fn end_event(&self) -> u64 {
        self.first_event.saturating_add(self.events as u64)
    }
}

/// A block's events, decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    info: BlockInfo,
    events: Vec<Event>,
}

impl Block {
    pub(crate) fn new(info: BlockInfo, events: Vec<Event>) -> Self {
        Self { info, events }
    }

    /// Where and when it is.
    #[must_use]
    pub fn info(&self) -> BlockInfo {
        self.info
    }

    /// Its events, in stored order; the first is number [`BlockInfo::first_event`].
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}

/// Which way to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To later events.
    Forward,
    /// To earlier events.
    Backward,
}

/// What a block must hold to be worth reading. `None` asks for nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockFilter<'a> {
    /// A call of one of these begins or ends in it.
    pub functions: Option<&'a [FunctionId]>,
    /// An event of one of these threads is in it.
    pub threads: Option<&'a [Tid]>,
}

/// Which blocks belong to which segment.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Number of the first block of each segment, and of the block after the last.
    pub(crate) first_block: Vec<usize>,
    /// Latest time up to the end of each segment, ns.
    pub(crate) latest_ns: Vec<u64>,
}

impl Trace {
    /// How many blocks the snapshot has.
    ///
    /// # Errors
    ///
    /// Damage to what says where the blocks of a segment are.
    pub fn block_count(&self) -> Result<usize, StoreError> {
        Ok(self.layout()?.first_block.last().copied().unwrap_or_default())
    }

    /// Where and when a block is.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to what says where blocks are.
    pub fn block_info(&self, block: usize) -> Result<BlockInfo, StoreError> {
        let (view, _, local) = self.locate(block)?;
        match &view.handle {
            Handle::Hot(reader) => Ok(hot_block(reader, view.committed, local)?.info),
            Handle::Sealed(reader) => Ok(reader.block(local)?.info),
        }
    }

    /// Number of the first event of the snapshot: above 0 once a flight recording dropped its oldest.
    #[must_use]
    pub fn first_event(&self) -> u64 {
        self.segments().first().map_or(0, SegmentView::first_event)
    }

    /// Number of the first event after the snapshot.
    ///
    /// # Errors
    ///
    /// As [`Trace::block_count`].
    pub fn end_event(&self) -> Result<u64, StoreError> {
        match self.block_count()? {
            0 => Ok(self.first_event()),
            blocks => Ok(self.block_info(blocks - 1)?.end_event()),
        }
    }

    /// The block that holds an event; `None` for an event the snapshot does not have.
    ///
    /// # Errors
    ///
    /// As [`Trace::block_count`].
    pub fn block_of_event(&self, event: u64) -> Result<Option<usize>, StoreError> {
        let layout = self.layout()?;
        let after = self.segments().partition_point(|view| view.first_event() <= event);
        // Segments without events are passed over.
        let segment = (0..after)
            .rev()
            .find(|segment| layout.first_block[*segment] < layout.first_block[segment + 1]);
        let Some(segment) = segment else { return Ok(None) };
        let view = &self.segments()[segment];
        let find = |at: usize, end: u64| at.checked_sub(1).filter(|_| event < end);
        let local = match &view.handle {
            Handle::Hot(reader) => reader.with_index(view.committed, |index| {
                let blocks = index.blocks();
                let at = blocks.partition_point(|block| block.info.first_event <= event);
                find(at, blocks[at.max(1) - 1].info.end_event())
            })?,
            Handle::Sealed(reader) => {
                let blocks = &self.index(view, reader)?.blocks;
                let at = blocks.partition_point(|block| block.info.first_event <= event);
                find(at, blocks[at.max(1) - 1].info.end_event())
            }
        };
        Ok(local.map(|local| layout.first_block[segment] + local))
    }

    /// The first block with an event at this time or later, which is the block where that time
    /// begins: all events before it are earlier. The number of blocks where there is none.
    ///
    /// # Errors
    ///
    /// As [`Trace::block_count`].
    pub fn block_at_time(&self, time_ns: u64) -> Result<usize, StoreError> {
        let layout = self.layout()?;
        let segment = layout.latest_ns.partition_point(|latest| *latest < time_ns);
        let Some(view) = self.segments().get(segment) else { return self.block_count() };
        let local = match &view.handle {
            Handle::Hot(reader) => reader.with_index(view.committed, |index| {
                index.blocks().partition_point(|block| block.latest_ns < time_ns)
            })?,
            Handle::Sealed(reader) => {
                let blocks = &self.index(view, reader)?.blocks;
                blocks.partition_point(|block| block.latest_ns < time_ns)
            }
        };
        Ok(layout.first_block[segment] + local)
    }

    /// The events of a block. Blocks read last are kept, up to 16 MiB of them.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to the block.
    pub fn block(&self, block: usize) -> Result<Arc<Block>, StoreError> {
        let (view, _, local) = self.locate(block)?;
        let info = self.block_info(block)?;
        let key = (info.first_event, info.events);
        if let Some(block) = self.caches.blocks().get(&key) {
            return Ok(block);
        }
        let read = match &view.handle {
            Handle::Hot(reader) => {
                let hot = hot_block(reader, view.committed, local)?;
                read_hot_block(reader, view.committed, &hot)?
            }
            Handle::Sealed(reader) => Block::new(info, self.read_sealed_block(reader, local)?),
        };
        let read = Arc::new(read);
        let bytes = size_of_val(read.events());
        self.caches.blocks().insert(key, Arc::clone(&read), bytes);
        Ok(read)
    }

    /// The state of all threads before the first event of a block; at the number of blocks, after
    /// the last event of the snapshot.
    ///
    /// Calls that were open there are found here and nowhere else: the first block of a flight
    /// recording has `Leave`s of calls whose `Enter` is dropped, and the checkpoint of block 0 has
    /// those calls, with the number their `Enter` had.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to a block or checkpoint it is computed from.
    pub fn checkpoint(&self, block: usize) -> Result<Arc<State>, StoreError> {
        let blocks = self.block_count()?;
        if block == blocks {
            return self.state_before(self.segments().len());
        }
        let (view, segment, local) = self.locate(block)?;
        match &view.handle {
            Handle::Sealed(reader) => self.sealed_checkpoint(reader, local),
            Handle::Hot(_) => self.replay_to(segment, block),
        }
    }

    /// The blocks that may hold what a filter asks for, from block `from` on, itself included. An
    /// index tells for a sealed segment; of a hot one every block is a candidate.
    #[must_use]
    pub fn blocks_with<'a>(
        &'a self,
        filter: BlockFilter<'a>,
        direction: Direction,
        from: usize,
    ) -> BlocksWith<'a> {
        BlocksWith { trace: self, filter, direction, next: Some(from), candidates: Vec::new() }
    }

    pub(crate) fn layout(&self) -> Result<&Layout, StoreError> {
        if let Some(layout) = self.layout.get() {
            return Ok(layout);
        }
        let mut layout = Layout { first_block: vec![0], latest_ns: Vec::new() };
        let (mut blocks, mut latest_ns) = (0, 0);
        for view in self.segments() {
            let (count, latest) = match (&view.handle, view.closed) {
                (Handle::Sealed(_), Some(closed)) => (closed.blocks as usize, closed.last_ns),
                (Handle::Sealed(_), None) => (0, 0),
                (Handle::Hot(reader), _) => reader.with_index(view.committed, |index| {
                    let latest = index.blocks().last().map_or(0, |last| last.latest_ns);
                    (index.blocks().len(), latest)
                })?,
            };
            blocks += count;
            latest_ns = latest.max(latest_ns);
            layout.first_block.push(blocks);
            layout.latest_ns.push(latest_ns);
        }
        Ok(self.layout.get_or_init(|| layout))
    }

    /// The segment of a block, its index, and the block's number there.
    pub(crate) fn locate(&self, block: usize) -> Result<(&SegmentView, usize, usize), StoreError> {
        let layout = self.layout()?;
        let blocks = self.block_count()?;
        if block >= blocks {
            return Err(StoreError::NoSuchBlock { block, blocks });
        }
        let segment = layout.first_block.partition_point(|first| *first <= block) - 1;
        let view = &self.segments()[segment];
        if let Handle::Sealed(reader) = &view.handle {
            self.index(view, reader)?;
        }
        Ok((view, segment, block - layout.first_block[segment]))
    }

    /// The index of a sealed segment, which has as many blocks as the manifest says.
    fn index<'a>(
        &self,
        view: &SegmentView,
        reader: &'a SealedReader,
    ) -> Result<&'a crate::sealed::Index, StoreError> {
        let index = reader.index()?;
        let events =
            index.blocks.last().map_or(0, |last| last.info.end_event() - view.first_event());
        let said = view.closed.map(|closed| (closed.blocks as usize, closed.events));
        if said == Some((index.blocks.len(), events)) {
            return Ok(index);
        }
        let what = "it holds another number of events than the manifest says";
        Err(view.malformed(view.committed, what))
    }

    pub(crate) fn dictionary(&self, reader: &SealedReader) -> Result<Arc<Dictionary>, StoreError> {
        if let Some(dictionary) = self.caches.dictionaries().get(&reader.id()) {
            return Ok(dictionary);
        }
        let dictionary = Arc::new(reader.dictionary()?);
        let bytes = dictionary.bytes();
        self.caches.dictionaries().insert(reader.id(), Arc::clone(&dictionary), bytes);
        Ok(dictionary)
    }

    fn sealed_checkpoint(
        &self,
        reader: &SealedReader,
        local: usize,
    ) -> Result<Arc<State>, StoreError> {
        let event = reader.block(local)?.info.first_event;
        if let Some(state) = self.caches.checkpoints().get(&event) {
            return Ok(state);
        }
        let dictionary = self.dictionary(reader)?;
        let state =
            Arc::new(reader.checkpoint(local, &*self.group(reader, local)?, &dictionary)?);
        let bytes = crate::cache::state_bytes(&state);
        self.caches.checkpoints().insert(event, Arc::clone(&state), bytes);
        Ok(state)
    }

    fn read_sealed_block(
        &self,
        reader: &SealedReader,
        local: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.with_decoder(reader, |decoder| {
            decoder.events(reader, local, || self.sealed_checkpoint(reader, local))
        })
    }

    /// The state before the first event of a segment, or after the last segment.
    pub(crate) fn state_before(&self, segment: usize) -> Result<Arc<State>, StoreError> {
        let Some(before) = segment.checked_sub(1) else {
            return match self.segments().first().map(|view| &view.handle) {
                Some(Handle::Sealed(reader)) if reader.index()?.blocks.is_empty() => {
                    Ok(Arc::new(State::new()))
                }
                Some(Handle::Sealed(reader)) => self.sealed_checkpoint(reader, 0),
                _ => Ok(Arc::new(State::new())),
            };
        };
        let layout = self.layout()?;
        match &self.segments()[before].handle {
            Handle::Sealed(reader) => {
                // Kept under the event that follows, as a checkpoint of a block there would be.
                let event = self.segments()[before].closed.map_or(0, |closed| closed.events);
                let event = reader.first_event().saturating_add(event);
                if let Some(state) = self.caches.checkpoints().get(&event) {
                    return Ok(state);
                }
                let state = Arc::new(reader.end_state(&*self.dictionary(reader)?)?);
                if state.next_event() != event {
                    return Err(
                        reader.malformed(reader.bytes(), "its last state is of another event")
                    );
                }
                let bytes = crate::cache::state_bytes(&state);
                self.caches.checkpoints().insert(event, Arc::clone(&state), bytes);
                Ok(state)
            }
            Handle::Hot(_) => self.replay_to(before, layout.first_block[segment]),
        }
    }

    /// The state before a block by replaying what comes before it in the hot segments up to
    /// `segment`, which ends at or after the block.
    fn replay_to(&self, segment: usize, block: usize) -> Result<Arc<State>, StoreError> {
        let hot = self.segments()[..=segment].iter().rposition(SegmentView::is_sealed);
        let first_hot = hot.map_or(0, |sealed| sealed + 1);
        let layout = self.layout()?;
        let mut from = layout.first_block[first_hot];
        let event_of = |block: usize| -> Result<u64, StoreError> {
            if block < self.block_count()? {
                Ok(self.block_info(block)?.first_event)
            } else {
                self.end_event()
            }
        };
        let event = event_of(block)?;
        let base = self.segments()[first_hot].first_event();
        let nearest = self.caches.states().nearest(base, event);
        let mut state = match nearest {
            Some(state) => {
                from = self.block_of_event(state.next_event())?.unwrap_or(block).max(from);
                state
            }
            None => self.state_before(first_hot)?,
        };
        for number in from..block {
            let events = self.block(number)?;
            let first = events.info().first_event;
            let state = Arc::make_mut(&mut state);
            // The state may be from within the block, which has grown since.
            for (event, number) in events.events().iter().zip(first..) {
                if number >= state.next_event() {
                    state.apply(number, event);
                }
            }
            if number % STATE_EVERY == STATE_EVERY - 1 || number + 1 == block {
                self.caches.states().insert(Arc::new(state.clone()));
            }
        }
        Ok(state)
    }
}

fn hot_block(
    reader: &Arc<SegmentReader>,
    committed: u64,
    local: usize,
) -> Result<HotBlock, StoreError> {
    reader.with_index(committed, |index| index.blocks()[local])
}

fn read_hot_block(
    segment: &Arc<SegmentReader>,
    committed: u64,
    hot: &HotBlock,
) -> Result<Block, StoreError> {
    let first_event = hot.info.first_event;
    let mut reader = BlockReader::resume(Arc::clone(segment), committed, hot.offset, first_event);
    let mut events = Vec::with_capacity(hot.info.events as usize);
    let mut payload = Vec::new();
    while reader.next_event() < hot.info.end_event() {
        let Some(header) = reader.peek()? else { break };
        let at = reader.offset() + crate::block::HEADER_SIZE as u64;
        reader.read(&header, &mut payload)?;
        let (records, _) = payload.as_chunks::<{ event_codec::SIZE }>();
        for (number, record) in records.iter().enumerate() {
            events.push(event_codec::decode(record).map_err(|what| {
                segment.malformed(at + (number * event_codec::SIZE) as u64, what)
            })?);
        }
    }
    Ok(Block::new(hot.info, events))
}

/// Numbers of candidate blocks; see [`Trace::blocks_with`].
#[derive(Debug)]
pub struct BlocksWith<'a> {
    trace: &'a Trace,
    filter: BlockFilter<'a>,
    direction: Direction,
    /// The block at which to look next, once there are no candidates.
    next: Option<usize>,
    /// Candidates of the segment last looked at, the next one last.
    candidates: Vec<usize>,
}

impl BlocksWith<'_> {
    /// Takes the candidates of the next segment; `false` at the end.
    fn look(&mut self) -> Result<bool, StoreError> {
        let Some(next) = self.next.take() else { return Ok(false) };
        let layout = self.trace.layout()?;
        let blocks = self.trace.block_count()?;
        let next = match self.direction {
            Direction::Forward if next >= blocks => return Ok(false),
            Direction::Forward => next,
            Direction::Backward if blocks == 0 => return Ok(false),
            Direction::Backward => next.min(blocks - 1),
        };
        let segment = layout.first_block.partition_point(|first| *first <= next) - 1;
        let (first, end) = (layout.first_block[segment], layout.first_block[segment + 1]);
        let view = &self.trace.segments()[segment];
        let wanted = match self.direction {
            Direction::Forward => next..end,
            Direction::Backward => first..next + 1,
        };
        let local = match &view.handle {
            Handle::Sealed(reader) => self.trace.indexed(reader, &self.filter)?,
            Handle::Hot(_) => None,
        };
        self.candidates = match local {
            Some(local) => {
                let blocks = local.into_iter().map(|block| first + block as usize);
                blocks.filter(|block| wanted.contains(block)).collect()
            }
            None => wanted.collect(),
        };
        match self.direction {
            Direction::Forward => {
                self.candidates.reverse();
                self.next = Some(end);
            }
            Direction::Backward => self.next = first.checked_sub(1),
        }
        Ok(true)
    }
}

impl Iterator for BlocksWith<'_> {
    type Item = Result<usize, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(block) = self.candidates.pop() {
                return Some(Ok(block));
            }
            match self.look() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Trace {
    /// The blocks of a sealed segment that a filter asks for, ascending; `None` where it asks for
    /// nothing.
    fn indexed(
        &self,
        reader: &SealedReader,
        filter: &BlockFilter<'_>,
    ) -> Result<Option<Vec<u32>>, StoreError> {
        let functions = filter.functions.map(|functions| functions.iter().map(|id| id.0).collect());
        let threads = filter.threads.map(|threads| threads.iter().map(|tid| tid.0).collect());
        let mut found: Option<Vec<u32>> = None;
        let wanted: [(Kind, Option<Vec<u32>>); 2] =
            [(Kind::Functions, functions), (Kind::Threads, threads)];
        for (kind, keys) in wanted {
            let Some(keys) = keys else { continue };
            let sets = self.sets(reader, kind)?;
            let most = u32::try_from(reader.index()?.blocks.len()).unwrap_or(u32::MAX);
            let mut blocks = Vec::new();
            for key in keys {
                sets.blocks(key, most, &mut blocks)
                    .map_err(|error| reader.malformed(reader.bytes(), error.0))?;
            }
            blocks.sort_unstable();
            blocks.dedup();
            found = Some(match found {
                None => blocks,
                Some(mut found) => {
                    found.retain(|block| blocks.binary_search(block).is_ok());
                    found
                }
            });
        }
        Ok(found)
    }

    fn sets(&self, reader: &SealedReader, kind: Kind) -> Result<Arc<Sets>, StoreError> {
        let key = (reader.id(), kind);
        if let Some(sets) = self.caches.sets().get(&key) {
            return Ok(sets);
        }
        let sets = Arc::new(reader.decode(kind, 0, Sets::decode)?);
        self.caches.sets().insert(key, Arc::clone(&sets), sets.bytes());
        Ok(sets)
    }
}
