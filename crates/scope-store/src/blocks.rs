//! Random access: blocks by number, event or time, and the state of all threads at their starts.
//!
//! Blocks are numbered from 0 over all segments of a snapshot. Sealing a segment makes other blocks
//! of the same events, so a block's number means something within one snapshot only; the number
//! of an event, and with it the id of a call, stays what it is.

use std::sync::Arc;

use scope_model::{Event, FunctionId, State, Tid};

use crate::segment::{BlockReader, HotBlock};
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
    first_block: Vec<usize>,
    /// Latest time up to the end of each segment, ns.
    latest_ns: Vec<u64>,
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
        let (segment, local) = self.locate(block)?;
        Ok(self.hot_block(segment, local)?.info)
    }

    /// Number of the first event of the snapshot: above 0 once a flight recording dropped its oldest.
    #[must_use]
    pub fn first_event(&self) -> u64 {
        self.segments().first().map_or(0, |view| view.reader.first_event())
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
        let after = self.segments().partition_point(|view| view.reader.first_event() <= event);
        // Segments without events are passed over.
        for segment in (0..after).rev() {
            let first = layout.first_block[segment];
            if layout.first_block[segment + 1] == first {
                continue;
            }
            let view = &self.segments()[segment];
            let local = view.reader.with_index(view.committed, |index| {
                let blocks = index.blocks();
                let at = blocks.partition_point(|block| block.info.first_event <= event);
                at.checked_sub(1).filter(|at| event < blocks[*at].info.end_event())
            })?;
            return Ok(local.map(|local| first + local));
        }
        Ok(None)
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
        let local = view.reader.with_index(view.committed, |index| {
            index.blocks().partition_point(|block| block.latest_ns < time_ns)
        })?;
        Ok(layout.first_block[segment] + local)
    }

    /// The events of a block. Blocks read last are kept, up to 16 MiB of them.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to the block.
    pub fn block(&self, block: usize) -> Result<Arc<Block>, StoreError> {
        let (segment, local) = self.locate(block)?;
        let hot = self.hot_block(segment, local)?;
        let key = (hot.info.first_event, hot.info.events);
        if let Some(block) = self.caches.blocks().get(&key) {
            return Ok(block);
        }
        let block = Arc::new(self.read_hot_block(segment, &hot)?);
        let bytes = size_of_val(block.events());
        self.caches.blocks().insert(key, Arc::clone(&block), bytes);
        Ok(block)
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
        let event = if block == self.block_count()? {
            self.end_event()?
        } else {
            self.block_info(block)?.first_event
        };
        let base = self.first_event();
        let nearest = self.caches.states().nearest(base, event);
        let mut state = nearest.unwrap_or_else(|| Arc::new(State::new()));
        if state.next_event() == event {
            return Ok(state);
        }
        let from = self.block_of_event(state.next_event())?.unwrap_or_default();
        for number in from..block {
            let events = self.block(number)?;
            let state = Arc::make_mut(&mut state);
            let first = events.info().first_event;
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

    /// The blocks that may hold what a filter asks for, from block `from` on, itself included. An
    /// index tells for a sealed segment; of a hot one every block is a candidate.
    #[must_use]
    pub fn blocks_with<'a>(
        &'a self,
        filter: BlockFilter<'a>,
        direction: Direction,
        from: usize,
    ) -> BlocksWith<'a> {
        BlocksWith { trace: self, filter, direction, next: Some(from) }
    }

    fn layout(&self) -> Result<&Layout, StoreError> {
        if let Some(layout) = self.layout.get() {
            return Ok(layout);
        }
        let mut layout = Layout { first_block: vec![0], latest_ns: Vec::new() };
        let (mut blocks, mut latest_ns) = (0, 0);
        for view in self.segments() {
            let (count, latest) = view.reader.with_index(view.committed, |index| {
                (index.blocks().len(), index.blocks().last().map_or(0, |last| last.latest_ns))
            })?;
            blocks += count;
            latest_ns = latest.max(latest_ns);
            layout.first_block.push(blocks);
            layout.latest_ns.push(latest_ns);
        }
        Ok(self.layout.get_or_init(|| layout))
    }

    /// The segment of a block, and its number there.
    fn locate(&self, block: usize) -> Result<(usize, usize), StoreError> {
        let layout = self.layout()?;
        let blocks = self.block_count()?;
        if block >= blocks {
            return Err(StoreError::NoSuchBlock { block, blocks });
        }
        let segment = layout.first_block.partition_point(|first| *first <= block) - 1;
        Ok((segment, block - layout.first_block[segment]))
    }

    fn hot_block(&self, segment: usize, local: usize) -> Result<HotBlock, StoreError> {
        let view = &self.segments()[segment];
        view.reader.with_index(view.committed, |index| index.blocks()[local])
    }

    fn read_hot_block(&self, segment: usize, hot: &HotBlock) -> Result<Block, StoreError> {
        let view = &self.segments()[segment];
        let mut reader = BlockReader::resume(
            Arc::clone(&view.reader),
            view.committed,
            hot.offset,
            hot.info.first_event,
        );
        let mut events = Vec::with_capacity(hot.info.events as usize);
        let mut payload = Vec::new();
        while reader.next_event() < hot.info.end_event() {
            let Some(header) = reader.peek()? else { break };
            let at = reader.offset();
            reader.read(&header, &mut payload)?;
            let (records, _) = payload.as_chunks::<{ event_codec::SIZE }>();
            for (number, record) in records.iter().enumerate() {
                events.push(event_codec::decode(record).map_err(|what| {
                    let within = crate::block::HEADER_SIZE + number * event_codec::SIZE;
                    view.reader.malformed(at + within as u64, what)
                })?);
            }
        }
        Ok(Block::new(hot.info, events))
    }
}

/// Numbers of candidate blocks; see [`Trace::blocks_with`].
#[derive(Debug)]
pub struct BlocksWith<'a> {
    trace: &'a Trace,
    #[expect(dead_code, reason = "hot segments have no index to ask")]
    filter: BlockFilter<'a>,
    direction: Direction,
    next: Option<usize>,
}

impl Iterator for BlocksWith<'_> {
    type Item = Result<usize, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.next?;
        let blocks = match self.trace.block_count() {
            Ok(blocks) => blocks,
            Err(error) => {
                self.next = None;
                return Some(Err(error));
            }
        };
        match self.direction {
            Direction::Forward if block >= blocks => {
                self.next = None;
                None
            }
            Direction::Forward => {
                self.next = Some(block + 1);
                Some(Ok(block))
            }
            Direction::Backward => {
                let block = block.min(blocks.checked_sub(1)?);
                self.next = block.checked_sub(1);
                Some(Ok(block))
            }
        }
    }
}
