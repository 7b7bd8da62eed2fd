//! The calls of a function, slowest first: in slices, since it reads every block that has one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use scope_model::{CallEnd, EventKind, FunctionId, OpenCall, State, Tid};
use scope_store::{BlockFilter, Direction};
use scope_timeline::{Timeline, TimelineError};

/// Calls that are kept.
pub const MOST: usize = 500;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Execution {
    /// How long it took, ns; `None` where that is not known exactly, or not yet: those come last.
    pub duration_ns: Option<u64>,
    /// Its id.
    pub id: u64,
    /// What was called.
    pub function: FunctionId,
    /// Its thread.
    pub tid: Tid,
    /// When it began, ns.
    pub entered_ns: u64,
}

/// Which calls: all of one function, or those made from one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// What is called.
    pub functions: Arc<[FunctionId]>,
    /// Of the calls from one place: what is called, and to where those calls return.
    pub sites: Option<Arc<[(FunctionId, u64)]>>,
    /// The place, as a person reads it; empty where it is any.
    pub place: Arc<str>,
}

impl Which {
    /// All calls of a function.
    #[must_use]
    pub fn function(function: FunctionId) -> Self {
        Self { functions: [function].into(), sites: None, place: "".into() }
    }

    /// Calls made from a place.
    #[must_use]
    pub fn from_place(sites: &[(FunctionId, u64)], place: &str) -> Self {
        let mut functions: Vec<_> = sites.iter().map(|(function, _)| *function).collect();
        functions.sort_unstable();
        functions.dedup();
        Self { functions: functions.into(), sites: Some(sites.into()), place: place.into() }
    }

    /// The function, where it is one.
    #[must_use]
    pub fn only(&self) -> Option<FunctionId> {
        match *self.functions {
            [function] => Some(function),
            _ => None,
        }
    }

    fn fits(&self, call: &OpenCall) -> bool {
        match &self.sites {
            None => self.functions.contains(&call.function),
            Some(sites) => sites.contains(&(call.function, call.return_address)),
        }
    }
}

/// The slowest calls of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executions {
    /// Which calls.
    pub of: Which,
    /// The calls, slowest first, at most [`MOST`]; after them those that are open at the end.
    pub calls: Vec<Execution>,
    /// Calls, all of them.
    pub count: u64,
}

/// The search for them, which owns no part of the trace: it goes on over a later snapshot, from where
/// it ended over an earlier one.
#[derive(Clone, Debug)]
pub struct Job {
    of: Which,
    /// Event to go on from.
    next: u64,
    slowest: BinaryHeap<Reverse<Execution>>,
    count: u64,
    /// State after the last block that was read.
    state: Option<State>,
    /// Calls that are open at the end.
    open: Vec<Execution>,
}

impl Job {
    /// Before the first event.
    #[must_use]
    pub fn new(of: Which) -> Self {
        Self { of, next: 0, slowest: BinaryHeap::new(), count: 0, state: None, open: Vec::new() }
    }

    /// Which calls.
    #[must_use]
    pub fn of(&self) -> &Which {
        &self.of
    }

    /// Reads at most so many blocks; returns whether more are left.
    ///
    /// # Errors
    ///
    /// [`TimelineError::Interrupted`], after which it may go on; what reading the trace gives.
    pub fn go_on(
        &mut self,
        timeline: &Timeline<'_>,
        most_blocks: usize,
    ) -> Result<bool, TimelineError> {
        let trace = timeline.trace();
        self.next = self.next.max(timeline.start());
        let Some(from) = trace.block_of_event(self.next)? else {
            self.see_open(timeline)?;
            return Ok(false);
        };
        let functions = Arc::clone(&self.of.functions);
        let filter = BlockFilter { functions: Some(&functions), ..BlockFilter::default() };
        let mut blocks = trace.blocks_with(filter, Direction::Forward, from);
        for _ in 0..most_blocks {
            timeline.check_interrupt()?;
            let Some(number) = blocks.next().transpose()? else {
                self.next = timeline.end()?;
                self.see_open(timeline)?;
                return Ok(false);
            };
            self.read(timeline, number)?;
        }
        Ok(true)
    }

    fn read(&mut self, timeline: &Timeline<'_>, number: usize) -> Result<(), TimelineError> {
        let trace = timeline.trace();
        let block = trace.block(number)?;
        let first = block.info().first_event;
        let mut state = match self.state.take().filter(|state| state.next_event() == first) {
            Some(state) => state,
            None => State::clone(&*trace.checkpoint(number)?),
        };
        for (event, number) in block.events().iter().zip(first..) {
            let Some(call) = state.apply(number, event) else { continue };
            let EventKind::Leave { end, crosses_gap, .. } = event.kind else { continue };
            // Blocks of a growing trace become others: some of its events were seen before.
            if number < self.next || !self.of.fits(&call) || call.inherited {
                continue;
            }
            let exact = end == CallEnd::Returned && !crosses_gap && !call.crosses_gap;
            self.take(Execution {
                duration_ns: exact.then(|| event.time_ns.saturating_sub(call.entered_ns)),
                id: call.id,
                function: call.function,
                tid: event.tid,
                entered_ns: call.entered_ns,
            });
        }
        self.next = block.info().end_event();
        self.state = Some(state);
        Ok(())
    }

    fn see_open(&mut self, timeline: &Timeline<'_>) -> Result<(), TimelineError> {
        self.open.clear();
        for thread in timeline.state_at(timeline.end()?)?.sorted_threads() {
            let calls = thread.stack.iter().filter(|call| self.of.fits(call));
            self.open.extend(calls.take(MOST).map(|call| Execution {
                duration_ns: None,
                id: call.id,
                function: call.function,
                tid: thread.tid,
                entered_ns: call.entered_ns,
            }));
        }
        Ok(())
    }

    fn take(&mut self, execution: Execution) {
        self.count += 1;
        self.slowest.push(Reverse(execution));
        if self.slowest.len() > MOST {
            self.slowest.pop();
        }
    }

    /// What it found so far.
    #[must_use]
    pub fn found(&self) -> Executions {
        let mut calls: Vec<_> = self.slowest.iter().map(|Reverse(call)| *call).collect();
        calls.sort_unstable_by(|a, b| (b.duration_ns, a.id).cmp(&(a.duration_ns, b.id)));
        calls.extend(&self.open);
        let count = self.count.saturating_add(self.open.len() as u64);
        Executions { of: self.of.clone(), calls, count }
    }
}
