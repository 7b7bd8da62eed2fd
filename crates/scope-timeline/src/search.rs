//! Searching events by condition, either way.
//!
//! Driven by the indexes: only blocks that can hold a hit, by function, thread and event number, are
//! read; and states are followed only for conditions that ask about them.

use std::collections::VecDeque;
use std::rc::Rc;

use scope_model::{Event, State};
use scope_store::Direction;

use crate::condition::{Bound, Context};
use crate::timeline::happening;
use crate::{Condition, Happening, Timeline, TimelineError};

/// Which events are looked at, and in what order.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions {
    /// Which way.
    pub direction: Direction,
    /// The moment to begin at. Forward, the event that comes next there is the first; backward, the
    /// one before it: to go on backward from the moment just after a hit, begin one before that.
    pub from: u64,
    /// The moment to end at; `None`: the end of the trace, or its start.
    pub until: Option<u64>,
}

/// An event that satisfies a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its number. The moment just after it is one more.
    pub number: u64,
    /// The event; [`Timeline::happening`] tells the call it is about.
    pub event: Event,
}

/// What a search has come to; see [`Search::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next hit.
    Hit(Hit),
    /// None so far.
    NotYet,
    /// There are no more.
    NoMore,
}

/// The hits, in the order of the search. After an error it ends.
#[derive(Debug)]
pub struct Search<'s, 't> {
    timeline: &'s Timeline<'t>,
    bound: Rc<Bound>,
    direction: Direction,
    /// Numbers of the first event looked at, and of the one after the last.
    low: u64,
    high: u64,
    /// The block that is next.
    next: Option<usize>,
    hits: VecDeque<Hit>,
    /// The state after the block that was read last, where states are followed.
    state: Option<State>,
    looked_at: u64,
    /// Number of the event up to where it has come.
    at: u64,
}

impl<'t> Timeline<'t> {
    /// Searches the events that satisfy a condition.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoMatch`] for a name that nothing in the trace has; moments beyond the end; what
    /// reading the trace gives. [`TimelineError::Interrupted`] comes from the search itself.
    pub fn search<'s>(
        &'s self,
        condition: &Condition,
        options: SearchOptions,
    ) -> Result<Search<'s, 't>, TimelineError> {
        let bound = Bound::new(condition, self)?;
        self.split(options.from)?;
        if let Some(until) = options.until {
            self.split(until)?;
        }
        let (low, high) = match options.direction {
            Direction::Forward => (options.from, options.until.map_or_else(|| self.end(), Ok)?),
            Direction::Backward => (options.until.unwrap_or(self.start()), options.from),
        };
        let begin = match options.direction {
            Direction::Forward => low,
            Direction::Backward => high.saturating_sub(1),
        };
        let next = if low < high && !bound.is_empty() {
            self.trace().block_of_event(begin)?
        } else {
            None
        };
        Ok(Search {
            timeline: self,
            bound: Rc::new(bound),
            direction: options.direction,
            low,
            high: high.max(low),
            at: begin,
            next,
            hits: VecDeque::new(),
            state: None,
            looked_at: 0,
        })
    }
}

impl Search<'_, '_> {
    /// Events that were read so far; those of blocks that were passed over do not count.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The next hit, if it is in the next so many blocks: for callers that have something else to
    /// do meanwhile, such as showing how far the search is.
    ///
    /// # Errors
    ///
    /// [`TimelineError::Interrupted`]; what reading the trace gives. The search then ends.
    pub fn poll(&mut self, most_blocks: usize) -> Result<Found, TimelineError> {
        if self.hits.is_empty() {
            self.read_on(most_blocks).inspect_err(|_| self.next = None)?;
        }
        Ok(match (self.hits.pop_front(), self.next) {
            (Some(hit), _) => Found::Hit(hit),
            (None, Some(_)) => Found::NotYet,
            (None, None) => Found::NoMore,
        })
    }

    /// Events between the moment where the search began and where it is, passed over or read.
    #[must_use]
    pub fn passed(&self) -> u64 {
        match (self.next, self.direction) {
            (None, _) => self.high - self.low,
            (Some(_), Direction::Forward) => self.at.saturating_sub(self.low),
            (Some(_), Direction::Backward) => self.high.saturating_sub(self.at),
        }
    }

    /// Events from the moment where the search began to where it ends.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.high - self.low
    }

    /// Reads on until there are hits, or nothing is left.
    fn read_on(&mut self, most_blocks: usize) -> Result<(), TimelineError> {
        let Some(from) = self.next else { return Ok(()) };
        let trace = self.timeline.trace();
        let bound = Rc::clone(&self.bound);
        let mut blocks = trace.blocks_with(bound.filter(), self.direction, from);
        for _ in 0..most_blocks {
            self.timeline.check_interrupt()?;
            let Some(block) = blocks.next().transpose()? else {
                self.next = None;
                return Ok(());
            };
            let info = trace.block_info(block)?;
            let (first, end) = (info.first_event, info.end_event());
            self.at = match self.direction {
                Direction::Forward => end,
                Direction::Backward => first,
            };
            self.next = match self.direction {
                Direction::Forward => (end < self.high).then_some(block + 1),
                Direction::Backward if first > self.low => block.checked_sub(1),
                Direction::Backward => None,
            };
            let (first, end) = (first.max(self.low), end.min(self.high));
            if first < end && bound.may_be_in(first, end) {
                self.read(block)?;
            }
            if self.next.is_none() || !self.hits.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn read(&mut self, block: usize) -> Result<(), TimelineError> {
        let trace = self.timeline.trace();
        let events = trace.block(block)?;
        let first = events.info().first_event;
        let mut state = if self.bound.needs_state() {
            match self.state.take().filter(|state| state.next_event() == first) {
                Some(state) => Some(state),
                None => Some(State::clone(&*trace.checkpoint(block)?)),
            }
        } else {
            None
        };
        for (event, number) in events.events().iter().zip(first..) {
            if number >= self.high {
                break;
            }
            let is_hit = if let Some(state) = &mut state {
                let before = state.thread(event.tid);
                let happening = happening(number, event, before);
                let before = before.map(|thread| thread.name);
                state.apply(number, event);
                let after = state.thread(event.tid);
                let timeline = self.timeline;
                number >= self.low
                    && self.bound.holds(&Context { timeline, happening, before, after })?
            } else {
                let happening =
                    Happening { number, event: *event, depth: 0, call: None, duration_ns: None };
                number >= self.low
                    && self.bound.holds(&Context {
                        timeline: self.timeline,
                        happening,
                        before: None,
                        after: None,
                    })?
            };
            if is_hit {
                self.hits.push_back(Hit { number, event: *event });
            }
        }
        self.looked_at += events.events().len() as u64;
        match self.direction {
            Direction::Forward => self.state = state,
            Direction::Backward => self.hits.make_contiguous().reverse(),
        }
        Ok(())
    }
}

impl Iterator for Search<'_, '_> {
    type Item = Result<Hit, TimelineError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.poll(usize::MAX) {
            Ok(Found::Hit(hit)) => Some(Ok(hit)),
            Ok(Found::NotYet | Found::NoMore) => None,
            Err(error) => Some(Err(error)),
        }
    }
}
