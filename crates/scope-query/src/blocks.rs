//! Which blocks of a trace a scan reads, and reading them one after the other.

use std::collections::BTreeSet;
use std::ops::Range;

use scope_model::{Event, FunctionId, Tid};
use scope_store::{BlockFilter, Direction, Events, Position, Trace};

use crate::QueryError;

/// Blocks read before others may run.
pub(crate) const STRIDE: usize = 16;

/// The blocks of a snapshot whose times meet a range, both ends included: the first and the one after
/// the last. Times are ns of the recorded machine. All blocks that have such an event are among them.
pub(crate) fn in_time(trace: &Trace, from_ns: u64, to_ns: u64) -> Result<Range<usize>, QueryError> {
    let blocks = trace.block_count()?;
    // Nothing before this block is as late as `from_ns`.
    let first = trace.block_at_time(from_ns)?;
    let mut end = first;
    // Late records make a block overlap with the ones before it, though seldom.
    for block in first..blocks {
        if trace.block_info(block)?.first_ns <= to_ns {
            end = block + 1;
        }
    }
    Ok(first..end)
}

/// As [`in_time`], but without records that came later than those of the next block: found without a
/// look at every block that follows.
pub(crate) fn about_time(
    trace: &Trace,
    from_ns: u64,
    to_ns: u64,
) -> Result<Range<usize>, QueryError> {
    let first = trace.block_at_time(from_ns)?;
    let last = trace.block_at_time(to_ns.saturating_add(1))?;
    Ok(first..(last + 1).min(trace.block_count()?).max(first))
}

/// The blocks of a range that may hold events of these threads and of these functions, ascending.
pub(crate) fn holding(
    trace: &Trace,
    range: Range<usize>,
    threads: Option<&BTreeSet<u64>>,
    functions: Option<&BTreeSet<u64>>,
) -> Result<Vec<usize>, QueryError> {
    if threads.is_none() && functions.is_none() {
        return Ok(range.collect());
    }
    let ids = |set: &BTreeSet<u64>| -> Vec<u32> {
        set.iter().filter_map(|id| u32::try_from(*id).ok()).collect()
    };
    let threads: Option<Vec<Tid>> = threads.map(|set| ids(set).into_iter().map(Tid).collect());
    let functions: Option<Vec<FunctionId>> =
        functions.map(|set| ids(set).into_iter().map(FunctionId).collect());
    let filter = BlockFilter { functions: functions.as_deref(), threads: threads.as_deref() };
    let mut found = Vec::new();
    for block in trace.blocks_with(filter, Direction::Forward, range.start) {
        let block = block?;
        if block >= range.end {
            break;
        }
        found.push(block);
    }
    Ok(found)
}

/// Divides blocks into so many parts of about equal length; fewer where there are few blocks.
pub(crate) fn divide(blocks: &[usize], parts: usize) -> Vec<Vec<usize>> {
    let length = blocks.len().div_ceil(parts.max(1)).max(1);
    blocks.chunks(length).map(<[usize]>::to_vec).collect()
}

/// The events of blocks, one block after the other.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// What is read on with, and the block it comes to next.
    events: Option<(Events, usize)>,
    block: Vec<Event>,
}

impl Feed {
    /// The events of a block, and the number of the first. Cheapest in ascending order.
    pub(crate) fn read(
        &mut self,
        trace: &Trace,
        block: usize,
    ) -> Result<(u64, &[Event]), QueryError> {
        let info = trace.block_info(block)?;
        let events = match self.events.take() {
            Some((events, next)) if next == block => events,
            _ => trace.events_from(Position::after(info.first_event)),
        };
        self.block.clear();
        let (events, _) = self.events.insert((events, block + 1));
        for event in events.by_ref().take(info.events as usize) {
            self.block.push(event?);
        }
        Ok((info.first_event, &self.block))
    }
}
