//! Steps from moment to moment, forward and backward.
//!
//! A cursor of a thread stands at any moment. The steps lead to *stops*: the moments just after an
//! event of the thread, and the start of the trace. The stops after an event that begins or ends a
//! call are its *call stops*; the start is one too. Gaps of unknown threads count as events of every
//! thread. The *depth* at a moment is how many calls of the thread are open. From a moment `m` of
//! depth `d`:
//!
//! | step | leads to |
//! |---|---|
//! | next | the first stop after `m` |
//! | into | the first call stop after `m`: into a call, or out of this one when it calls nothing more |
//! | over | the first call stop after `m` of depth ≤ `d`: over a call, or out of this one when it calls nothing more |
//! | out | the first call stop after `m` of depth < `d`: the caller, just after this call ended |
//! | previous | the last stop before `m` |
//! | back into | the last call stop before `m`: into the end of the call that ended here, or to before this one |
//! | back over | the last call stop before `m` of depth ≤ `d`: to before the call that ended here, or to before this one |
//! | back out | the last call stop before `m` of depth < `d`: the caller, just before this call began |
//!
//! Every step back is its twin forward, seen in a mirror. What follows, and what the tests hold it to:
//!
//! - On stops, next and previous undo each other; on call stops, into and back into do.
//! - Where over stays in its call (the depth is the same after it), back over undoes it, and the other
//!   way round. A step out of a call cannot be undone by a step over: that leads past the whole call.
//! - Out, then back over, leads where back out leads; back out, then over, where out leads.
//!
//! A step that cannot be made moves nothing and says why ([`Stop`]); a step over lost events says
//! that too ([`Moved::crosses_gap`]).
//!
//! A cursor of all threads has all moments as stops, and as call stops those after any event that
//! begins or ends a call. Depth means nothing there: over and out need a thread.

use scope_model::{Event, EventKind, FunctionId, RunState, Tid};
use scope_store::{Block, BlockFilter, Direction};

use crate::track::Point;
use crate::{Timeline, TimelineError};

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Whose steps are made; `None`: all threads.
    pub thread: Option<Tid>,
    /// The moment: number of the event that comes next.
    pub moment: u64,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// To after the next event.
    Next,
    /// To before the event that came last.
    Previous,
    /// To the next begin or end of a call.
    Into,
    /// To the previous begin or end of a call.
    BackInto,
    /// To the next begin or end of a call that is not within another one.
    Over,
    /// To the previous begin or end of a call that is not within another one.
    BackOver,
    /// To the caller, after this call.
    Out,
    /// To the caller, before this call.
    BackOut,
}

impl Move {
    /// All moves; each is followed by its twin.
    pub const ALL: [Self; 8] = [
        Self::Next,
        Self::Previous,
        Self::Into,
        Self::BackInto,
        Self::Over,
        Self::BackOver,
        Self::Out,
        Self::BackOut,
    ];

    /// The same step the other way.
    #[must_use]
    pub const fn twin(self) -> Self {
        match self {
            Self::Next => Self::Previous,
            Self::Previous => Self::Next,
            Self::Into => Self::BackInto,
            Self::BackInto => Self::Into,
            Self::Over => Self::BackOver,
            Self::BackOver => Self::Over,
            Self::Out => Self::BackOut,
            Self::BackOut => Self::Out,
        }
    }

    /// Which way it goes.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Next | Self::Into | Self::Over | Self::Out => Direction::Forward,
            Self::Previous | Self::BackInto | Self::BackOver | Self::BackOut => Direction::Backward,
        }
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Moved(Moved),
    /// It cannot be made; nothing moved.
    Stopped(Stop),
}

/// A step that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The moment it led to.
    pub moment: u64,
    /// The event just before that moment; `None` at the start of the trace. Of a thread that begins
    /// or ends there it is the event that says so.
    pub event: Option<Event>,
    /// Open calls of the thread there; 0 for a cursor of all threads.
    pub depth: usize,
    /// Events of the thread were lost on the way, or are missing there.
    pub crosses_gap: bool,
}

/// Why a step cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing of the kind comes before.
    Start,
    /// Nothing of the kind comes after.
    End,
    /// Nothing comes after, since the thread ended.
    ThreadEnded,
    /// The call is still open where the trace ends.
    NeverEnds {
        /// Its id.
        call: u64,
    },
    /// The call began before what is kept of the trace.
    BeforeTrace {
        /// Its id.
        call: u64,
    },
    /// No call is open.
    NoCall,
    /// Such a step needs a thread.
    NoThread,
}

impl Cursor {
    /// Makes a step, and stands where it leads.
    ///
    /// # Errors
    ///
    /// As [`Timeline::step`]; the cursor then stays where it was.
    pub fn step(&mut self, timeline: &Timeline<'_>, step: Move) -> Result<Outcome, TimelineError> {
        let outcome = timeline.step(*self, step)?;
        if let Outcome::Moved(moved) = outcome {
            self.moment = moved.moment;
        }
        Ok(outcome)
    }
}

/// Over more blocks than this, gaps are looked up in the index of the trace.
const NEAR_BLOCKS: usize = 4;

/// A point found on the way, and whether a gap was passed.
type Found = (Option<Point>, bool);

impl Timeline<'_> {
    /// Where a step from a cursor leads.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoSuchEvent`] for a cursor beyond the end; [`TimelineError::Interrupted`]; what
    /// reading the trace gives.
    pub fn step(&self, from: Cursor, step: Move) -> Result<Outcome, TimelineError> {
        self.split(from.moment)?;
        let moment = from.moment;
        let Some(tid) = from.thread else { return self.step_of_all(moment, step) };
        if step.direction() == Direction::Backward && moment == self.start() {
            return Ok(Outcome::Stopped(Stop::Start));
        }
        match step {
            Move::Next => self.land(moment, tid, self.forward(tid, moment, |_| true)?),
            Move::Previous => self.land(moment, tid, self.backward(tid, moment, |_| true)?),
            Move::Into => self.land(moment, tid, self.forward(tid, moment, Point::is_call_stop)?),
            Move::BackInto => {
                self.land(moment, tid, self.backward(tid, moment, Point::is_call_stop)?)
            }
            Move::Over => {
                let depth = self.point_at(moment, tid)?.depth;
                let found = self.forward(tid, moment, Point::is_call_stop)?;
                match found {
                    (Some(Point { innermost: Some(call), depth: deeper, .. }), gap)
                        if deeper > depth =>
                    {
                        self.leave(tid, moment, call, depth, gap)
                    }
                    found => self.land(moment, tid, found),
                }
            }
            Move::Out => {
                let here = self.point_at(moment, tid)?;
                match here.innermost {
                    Some(call) => self.leave(tid, moment, call, here.depth - 1, false),
                    None => Ok(Outcome::Stopped(Stop::NoCall)),
                }
            }
            Move::BackOver => {
                let depth = self.point_at(moment, tid)?.depth;
                let (found, gap) = self.backward(tid, moment, Point::is_call_stop)?;
                match found {
                    Some(before) if before.depth > depth => {
                        let call = self.open_call(before, tid, depth)?;
                        self.unenter(tid, moment, before, call, gap)
                    }
                    found => self.land(moment, tid, (found, gap)),
                }
            }
            Move::BackOut => {
                let here = self.point_at(moment, tid)?;
                match here.innermost {
                    Some(call) => self.unenter(tid, moment, here, call, here.gap),
                    None => Ok(Outcome::Stopped(Stop::NoCall)),
                }
            }
        }
    }

    /// The next or previous call of one of some functions (sorted by id): the moment just after it
    /// began. Calls inherited at a fork are no calls made.
    ///
    /// # Errors
    ///
    /// As [`Timeline::step`].
    pub fn step_to_call(
        &self,
        from: Cursor,
        functions: &[FunctionId],
        direction: Direction,
    ) -> Result<Outcome, TimelineError> {
        self.split(from.moment)?;
        let fits = |event: &Event| match event.kind {
            EventKind::Enter { function, inherited: false, .. } => {
                from.thread.is_none_or(|tid| tid == event.tid)
                    && functions.binary_search(&function).is_ok()
            }
            _ => false,
        };
        let threads = from.thread.map(|tid| [tid]);
        let filter = BlockFilter {
            functions: Some(functions),
            threads: threads.as_ref().map(<[Tid; 1]>::as_slice),
        };
        let found = self.scan(from.moment, direction, filter, fits)?;
        let Some((number, event)) = found else {
            return Ok(Outcome::Stopped(match direction {
                Direction::Forward => Stop::End,
                Direction::Backward => Stop::Start,
            }));
        };
        let moment = number + 1;
        let (low, high) = (moment.min(from.moment), moment.max(from.moment));
        let (depth, crosses_gap) = match from.thread {
            None => (0, self.has_gap(low, high, None)?),
            Some(tid) => {
                // Counts of what was lost do not tell: another thread may have the id meanwhile.
                let before = self.point_at(low, tid)?;
                let gap = self.in_gap(before)? || self.has_gap(low, high, Some(tid))?;
                (self.point_at(moment, tid)?.depth, gap)
            }
        };
        Ok(Outcome::Moved(Moved { moment, event: Some(event), depth, crosses_gap }))
    }

    /// To after the end of the call `call`, which is at `index` in the stack and open at some moment
    /// after `from`, or at it.
    fn leave(
        &self,
        tid: Tid,
        from: u64,
        call: u64,
        index: usize,
        mut gap: bool,
    ) -> Result<Outcome, TimelineError> {
        let ends = |point: &Point| point.boundary && point.depth <= index;
        // The call may begin in the next block only.
        let start = from.max(call.saturating_add(1));
        let Some(block) = self.trace().block_of_event(start)? else {
            return Ok(Outcome::Stopped(Stop::NeverEnds { call }));
        };
        let track = self.track(block, tid)?;
        let first = track.points.partition_point(|point| point.moment <= start);
        let lost = self.point_at(start, tid)?.lost;
        for point in &track.points[first..] {
            gap |= point.gap;
            if ends(point) {
                return self.land(from, tid, (Some(*point), gap));
            }
        }
        let Some(next) = self.first_block_without(block + 1, tid, call, index)? else {
            return Ok(Outcome::Stopped(Stop::NeverEnds { call }));
        };
        // It ended in the block before.
        let resume = start.max(self.trace().block_info(next - 1)?.first_event);
        gap |= self.point_at(resume, tid)?.lost > lost;
        let (found, passed) = self.forward(tid, resume, ends)?;
        self.land(from, tid, (found, gap || passed))
    }

    /// The first block from `from` on at whose start a call is no longer open; the number of blocks
    /// stands for the end. `None` when it is open there too.
    ///
    /// Once ended a call never opens again, so that the place is found in steps that double and
    /// then halve, without reading what lies between.
    fn first_block_without(
        &self,
        from: usize,
        tid: Tid,
        call: u64,
        index: usize,
    ) -> Result<Option<usize>, TimelineError> {
        let blocks = self.trace().block_count()?;
        let is_open = |block: usize| -> Result<bool, TimelineError> {
            self.check_interrupt()?;
            let state = self.trace().checkpoint_of(block, tid)?;
            let thread = state.thread(tid);
            let open = thread.and_then(|thread| thread.stack.get(index));
            Ok(open.is_some_and(|open| open.id == call))
        };
        if !is_open(from)? {
            return Ok(Some(from));
        }
        let (mut open, mut stride) = (from, 1);
        let mut closed = loop {
            if open == blocks {
                return Ok(None);
            }
            let next = open.saturating_add(stride).min(blocks);
            if !is_open(next)? {
                break next;
            }
            open = next;
            stride *= 2;
        };
        while closed - open > 1 {
            let middle = open + (closed - open) / 2;
            if is_open(middle)? {
                open = middle;
            } else {
                closed = middle;
            }
        }
        Ok(Some(closed))
    }

    /// To before the begin of the call `call`, which is open at `inside`. `gap`: one was passed
    /// between there and `from`.
    fn unenter(
        &self,
        tid: Tid,
        from: u64,
        inside: Point,
        call: u64,
        mut gap: bool,
    ) -> Result<Outcome, TimelineError> {
        // A call that is open began before; a damaged checkpoint may say something else.
        if call < self.start() || call >= from {
            return Ok(Outcome::Stopped(Stop::BeforeTrace { call }));
        }
        let entered = self.point_at(call + 1, tid)?;
        gap |= inside.lost > entered.lost;
        let (found, passed) = self.backward(tid, entered.moment, Point::is_call_stop)?;
        self.land(from, tid, (found, gap || passed))
    }

    /// The id of the call at an index of a thread's stack.
    fn open_call(&self, at: Point, tid: Tid, index: usize) -> Result<u64, TimelineError> {
        if let (Some(call), true) = (at.innermost, at.depth == index + 1) {
            return Ok(call);
        }
        let thread = self.thread_at(at.moment, tid)?;
        let call = thread.as_ref().and_then(|thread| thread.stack.get(index));
        Ok(call.map_or(0, |call| call.id))
    }

    /// The first of a thread's stops after a moment that fits; whether a gap was passed up to it.
    fn forward(
        &self,
        tid: Tid,
        from: u64,
        fits: impl Fn(&Point) -> bool,
    ) -> Result<Found, TimelineError> {
        let Some(here) = self.trace().block_of_event(from)? else { return Ok((None, false)) };
        let threads = [tid, Tid(0)];
        let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
        let mut gap = false;
        // Most steps stay in the block where they begin: no index is asked for that.
        let others = self.trace().blocks_with(filter, Direction::Forward, here + 1);
        for block in [Ok(here)].into_iter().chain(others) {
            let track = self.track(block?, tid)?;
            let first = track.points.partition_point(|point| point.moment <= from);
            for point in &track.points[first..] {
                gap |= point.gap;
                if fits(point) {
                    return Ok((Some(*point), gap));
                }
            }
        }
        Ok((None, gap))
    }

    /// The last of a thread's stops before a moment that fits, the start of the trace among them;
    /// whether a gap was passed up to it.
    fn backward(
        &self,
        tid: Tid,
        from: u64,
        fits: impl Fn(&Point) -> bool,
    ) -> Result<Found, TimelineError> {
        let start = self.start();
        if from <= start {
            return Ok((None, false));
        }
        let mut gap = false;
        if let Some(here) = self.trace().block_of_event(from - 1)? {
            let threads = [tid, Tid(0)];
            let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
            let others = here
                .checked_sub(1)
                .map(|before| self.trace().blocks_with(filter, Direction::Backward, before));
            for block in [Ok(here)].into_iter().chain(others.into_iter().flatten()) {
                let track = self.track(block?, tid)?;
                let end = track.points.partition_point(|point| point.moment <= from);
                for point in track.points[..end].iter().rev() {
                    if point.moment < from && fits(point) {
                        return Ok((Some(*point), gap));
                    }
                    gap |= point.gap;
                }
            }
        }
        let start = Point { boundary: true, ..self.point_at(start, tid)? };
        Ok((fits(&start).then_some(start), gap))
    }

    /// What came of a step of a thread that was to lead to `found`.
    fn land(&self, from: u64, tid: Tid, found: Found) -> Result<Outcome, TimelineError> {
        let (Some(point), gap) = found else { return Ok(Outcome::Stopped(self.stop(tid)?)) };
        let earlier = if point.moment < from { point } else { self.point_at(from, tid)? };
        let event = match point.moment.checked_sub(1) {
            Some(number) if number >= self.start() => {
                let block = self.trace().block_of_event(number)?;
                let track = block.map(|block| self.track(block, tid)).transpose()?;
                match track.and_then(|track| track.event_before(point.moment)) {
                    Some(event) => Some(event),
                    None => Some(self.event(number)?),
                }
            }
            _ => None,
        };
        Ok(Outcome::Moved(Moved {
            moment: point.moment,
            event,
            depth: point.depth,
            crosses_gap: gap || self.in_gap(earlier)?,
        }))
    }

    /// Why nothing comes after the last stop of a thread.
    fn stop(&self, tid: Tid) -> Result<Stop, TimelineError> {
        let last = self.thread_at(self.end()?, tid)?;
        let lives = last.is_some_and(|thread| thread.run != RunState::Ended);
        Ok(if lives { Stop::End } else { Stop::ThreadEnded })
    }

    /// Whether events of the thread are missing just after a moment.
    fn in_gap(&self, at: Point) -> Result<bool, TimelineError> {
        Ok(at.lost_until_ns != 0 && at.lost_until_ns > self.time_of(at.moment)?)
    }

    fn step_of_all(&self, from: u64, step: Move) -> Result<Outcome, TimelineError> {
        let back = step.direction() == Direction::Backward;
        let fits = |event: &Event| match step {
            Move::Next | Move::Previous => true,
            _ => matches!(event.kind, EventKind::Enter { .. } | EventKind::Leave { .. }),
        };
        if !matches!(step, Move::Next | Move::Previous | Move::Into | Move::BackInto) {
            return Ok(Outcome::Stopped(Stop::NoThread));
        }
        let start = self.start();
        if back && from == start {
            return Ok(Outcome::Stopped(Stop::Start));
        }
        let found = self.scan(from, step.direction(), BlockFilter::default(), fits)?;
        let (moment, event) = match found {
            Some((number, event)) => (number + 1, Some(event)),
            None if back => (start, None),
            None => return Ok(Outcome::Stopped(Stop::End)),
        };
        let crosses_gap = self.has_gap(moment.min(from), moment.max(from), None)?;
        Ok(Outcome::Moved(Moved { moment, event, depth: 0, crosses_gap }))
    }

    /// Whether a gap is among events: of a thread or of threads unknown, or any.
    fn has_gap(&self, from: u64, to: u64, tid: Option<Tid>) -> Result<bool, TimelineError> {
        let concerns = |of: Tid| tid.is_none_or(|tid| tid == of) || of == Tid(0);
        let Some(last) = to.checked_sub(1).filter(|last| *last >= from) else { return Ok(false) };
        let trace = self.trace();
        let (first, last) = (trace.block_of_event(from)?, trace.block_of_event(last)?);
        let (Some(first), Some(last)) = (first, last) else { return Ok(false) };
        if last.saturating_sub(first) > NEAR_BLOCKS {
            let mut gaps = trace.gaps()?.into_iter();
            return Ok(gaps.any(|gap| (from..to).contains(&gap.event) && concerns(gap.tid)));
        }
        for block in first..=last {
            self.check_interrupt()?;
            let block = trace.block(block)?;
            let mut events = block.events().iter().zip(block.info().first_event..);
            let is_gap = |(event, number): (&Event, u64)| {
                let is = matches!(event.kind, EventKind::Gap { .. });
                is && concerns(event.tid) && (from..to).contains(&number)
            };
            if events.any(is_gap) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The first event from a moment on that fits; or the last one whose stop lies before it.
    fn scan(
        &self,
        from: u64,
        direction: Direction,
        filter: BlockFilter<'_>,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Option<(u64, Event)>, TimelineError> {
        let begin = match direction {
            Direction::Forward => Some(from),
            Direction::Backward => from.checked_sub(2).filter(|event| *event >= self.start()),
        };
        let Some(begin) = begin else { return Ok(None) };
        let Some(block) = self.trace().block_of_event(begin)? else { return Ok(None) };
        let number =
            |block: &Block, within: usize| block.info().first_event.saturating_add(within as u64);
        for block in self.trace().blocks_with(filter, direction, block) {
            self.check_interrupt()?;
            let block = self.trace().block(block?)?;
            let mut events = block.events().iter().enumerate();
            let fits = |(within, event): &(usize, &Event)| match direction {
                Direction::Forward => number(&block, *within) >= begin && fits(event),
                Direction::Backward => number(&block, *within) <= begin && fits(event),
            };
            let found = match direction {
                Direction::Forward => events.find(fits),
                Direction::Backward => events.rfind(fits),
            };
            if let Some((within, event)) = found {
                return Ok(Some((number(&block, within), *event)));
            }
        }
        Ok(None)
    }
}
