//! Going through a part of a trace with the state of its threads at hand, for tables whose rows begin at
//! one event and end at another.
//!
//! A row is of the part in which it begins, whatever the parts are; so each is given once. After the
//! last block of its part a walk goes on until the rows that began there have ended, and then reads only
//! blocks with events of the threads that they are of.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use scope_model::{Event, State, Tid};
use scope_store::Trace;

use crate::QueryError;
use crate::blocks::{self, Feed, STRIDE};
use crate::provider::{Partition, Reading, ScanResult, Table};
use crate::rows::{Column, Rows, Wanted};
use crate::session::TableInfo;
use crate::source::Source;

/// Blocks of which it is asked at once whether they matter, once a part is over.
const AHEAD: usize = 256;

/// What makes rows of events: a table, for as long as a part of it is read.
pub(crate) trait Watch: fmt::Debug + Default + Send + 'static {
    /// As [`TableInfo::name`].
    const NAME: &'static str;
    /// As [`TableInfo::about`].
    const ABOUT: &'static str;
    /// As [`TableInfo::columns`].
    const COLUMNS: &'static [Column];
    /// The column that says when a row begins.
    const TIME: usize;
    /// The column with the number of the event it begins with.
    const EVENT: usize;
    /// The column with the thread it is of.
    const TID: usize;
    /// Columns that take events of other threads than that.
    const OTHERS: &'static [&'static str] = &[];

    /// Begins with a state. `whole`: what is going on in it has no other part to be given by.
    fn begin(&mut self, state: &State, whole: bool);

    /// Takes an event, and applies it to the state.
    fn see(&mut self, seen: &Seen<'_>, state: &mut State, rows: &mut Rows);

    /// Threads of rows that have begun in the part and not ended.
    fn unfinished(&self) -> BTreeSet<Tid>;

    /// Ends what is unfinished: the trace is over.
    fn end(&mut self, source: &Source, end_ns: u64, rows: &mut Rows);
}

/// An event on the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) source: &'a Source,
    pub(crate) number: u64,
    pub(crate) event: &'a Event,
    /// It is in the part: what begins here is the part's.
    pub(crate) within: bool,
}

/// The blocks whose times and numbers meet what is asked of two columns: where a row begins, and the
/// number of the event it begins with.
pub(crate) fn range(
    source: &Source,
    wanted: &Wanted,
    time: usize,
    event: usize,
) -> Result<Range<usize>, QueryError> {
    let trace = &source.trace;
    let (from, to) = wanted.filter.range(time);
    let (first, last) = wanted.filter.range(event);
    if from > to || first > last {
        return Ok(0..0);
    }
    let mut range = blocks::in_time(trace, source.time_at(from), source.time_at(to))?;
    let number = |number: i128| u64::try_from(number.max(0)).unwrap_or(u64::MAX);
    if let Some(block) = trace.block_of_event(number(first))? {
        range.start = range.start.max(block);
    }
    if let Some(block) = trace.block_of_event(number(last))? {
        range.end = range.end.min(block + 1);
    }
    Ok(range.start..range.end.max(range.start))
}

/// A table whose rows a [`Watch`] makes.
#[derive(Debug, Default)]
pub(crate) struct Walked<W>(PhantomData<fn() -> W>);

impl<W: Watch> Table for Walked<W> {
    fn info(&self) -> TableInfo {
        TableInfo { name: W::NAME, about: W::ABOUT, columns: W::COLUMNS }
    }

    fn scan(&self, source: &Arc<Source>, wanted: &Wanted, parts: usize) -> ScanResult {
        let trace = &source.trace;
        let mut range = range(source, wanted, W::TIME, W::EVENT)?;
        // What went on when the oldest events were dropped began before all blocks.
        if trace.first_event() > 0 && range.start == 0 && trace.block_count()? > 0 {
            range.end = range.end.max(1);
        }
        let threads = wanted.filter.numbers(W::TID).filter(|_| !wanted.asks_for(W::OTHERS));
        let blocks = blocks::holding(trace, range, threads.map(with_everybody).as_ref(), None)?;
        let parts = blocks::divide(&blocks, parts).into_iter().map(|blocks| {
            let (source, watch) = (Arc::clone(source), W::default as fn() -> W);
            Box::new(Part { source, blocks: blocks.into(), watch }) as Box<dyn Partition>
        });
        Ok(parts.collect())
    }
}

/// Losses of threads unknown concern every thread.
pub(crate) fn with_everybody(mut threads: BTreeSet<u64>) -> BTreeSet<u64> {
    threads.insert(0);
    threads
}

struct Part<W> {
    source: Arc<Source>,
    blocks: Arc<[usize]>,
    watch: fn() -> W,
}

impl<W: Watch> Partition for Part<W> {
    fn read(&self) -> Result<Box<dyn Reading>, QueryError> {
        Ok(Box::new(Walk {
            source: Arc::clone(&self.source),
            blocks: self.blocks.to_vec(),
            next: 0,
            state: None,
            feed: Feed::default(),
            watch: (self.watch)(),
            within: true,
        }))
    }

    fn blocks(&self) -> Option<&[usize]> {
        Some(&self.blocks)
    }
}

#[derive(Debug)]
struct Walk<W> {
    source: Arc<Source>,
    /// What is read next, and where in it.
    blocks: Vec<usize>,
    next: usize,
    /// `None` before the first block.
    state: Option<State>,
    feed: Feed,
    watch: W,
    /// The part is not over.
    within: bool,
}

impl<W: Watch> Walk<W> {
    fn read(&mut self, block: usize, rows: &mut Rows) -> Result<(), QueryError> {
        let trace = &self.source.trace;
        let state = match &mut self.state {
            Some(state) => state,
            None => {
                let state = State::clone(&*trace.checkpoint(block)?);
                self.watch.begin(&state, block == 0);
                self.state.insert(state)
            }
        };
        let (first, events) = self.feed.read(trace, block)?;
        for (event, number) in events.iter().zip(first..) {
            let seen = Seen { source: &self.source, number, event, within: self.within };
            self.watch.see(&seen, state, rows);
        }
        Ok(())
    }
}

impl<W: Watch> Reading for Walk<W> {
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError> {
        for _ in 0..STRIDE {
            if let Some(block) = self.blocks.get(self.next).copied() {
                self.next += 1;
                self.read(block, rows)?;
                if rows.are_enough() {
                    return Ok(true);
                }
                continue;
            }
            self.within = false;
            let Some(last) = self.blocks.last() else { return Ok(false) };
            let unfinished = self.watch.unfinished();
            if unfinished.is_empty() {
                return Ok(false);
            }
            if !ahead(&self.source.trace, last + 1, &unfinished, &mut self.blocks)? {
                self.watch.end(&self.source, self.source.end_ns()?, rows);
                return Ok(false);
            }
            self.next = 0;
        }
        Ok(true)
    }
}

/// Finds some of the next blocks with events of these threads, from block `from` on. `false` where there
/// are none: the trace is over for them.
pub(crate) fn ahead(
    trace: &Trace,
    mut from: usize,
    threads: &BTreeSet<Tid>,
    found: &mut Vec<usize>,
) -> Result<bool, QueryError> {
    let blocks = trace.block_count()?;
    let threads = with_everybody(threads.iter().map(|tid| tid.0.into()).collect());
    while from < blocks {
        let until = blocks.min(from + AHEAD);
        *found = blocks::holding(trace, from..until, Some(&threads), None)?;
        if !found.is_empty() {
            return Ok(true);
        }
        from = until;
    }
    Ok(false)
}
