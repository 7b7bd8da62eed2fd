//! One thread's way through one block: the moments just after its events, and what was then.
//!
//! Steps look at nothing else. Computed once for a block and a thread and kept for the next steps;
//! other threads' events cost a comparison each.

use std::rc::Rc;

use scope_model::{Event, EventKind, State, Tid};
use scope_store::ThreadEvents;

use crate::{Timeline, TimelineError};

/// Tracks that are kept: a step looks at one or two.
const KEPT: usize = 4;

/// The way of a thread through a block.
#[derive(Debug)]
pub(crate) struct Track {
    tid: Tid,
    first_event: u64,
    end_event: u64,
    /// At the start of the block.
    pub(crate) before: Point,
    /// Just after each event of the thread, and each gap of unknown threads.
    pub(crate) points: Vec<Point>,
    /// The event just before each point.
    events: Vec<Event>,
}

/// A thread at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// The moment: number of the event that comes next.
    pub(crate) moment: u64,
    /// Open calls.
    pub(crate) depth: usize,
    /// Id of the innermost open call.
    pub(crate) innermost: Option<u64>,
    /// The event before it began or ended a call.
    pub(crate) boundary: bool,
    /// The event before it is a gap.
    pub(crate) gap: bool,
    /// Events lost so far: of the thread since it began, and of threads unknown.
    pub(crate) lost: u64,
    /// Up to when events are missing, ns.
    pub(crate) lost_until_ns: u64,
}

impl Point {
    pub(crate) fn is_call_stop(&self) -> bool {
        self.boundary
    }
}

impl Track {
    /// The thread at a moment from the start of the block to its end.
    pub(crate) fn at(&self, moment: u64) -> Point {
        let after = self.points.partition_point(|point| point.moment <= moment);
        let before = match after.checked_sub(1) {
            Some(latest) => self.points[latest],
            None => self.before,
        };
        // What the event just before does is said of the moment just after it only.
        let same = before.moment == moment;
        Point { moment, boundary: before.boundary && same, gap: before.gap && same, ..before }
    }
}

impl Track {
    /// The event just before a moment, if that is one of the points.
    pub(crate) fn event_before(&self, moment: u64) -> Option<Event> {
        let at = self.points.binary_search_by_key(&moment, |point| point.moment).ok()?;
        self.events.get(at).copied()
    }
}

impl Timeline<'_> {
    /// The way of a thread through a block.
    pub(crate) fn track(&self, block: usize, tid: Tid) -> Result<Rc<Track>, TimelineError> {
        let info = self.trace().block_info(block)?;
        let mut kept = self.tracks.borrow_mut();
        let fits = |track: &Rc<Track>| {
            track.tid == tid
                && (track.first_event, track.end_event) == (info.first_event, info.end_event())
        };
        if let Some(at) = kept.iter().position(fits) {
            kept[..=at].rotate_right(1);
            return Ok(Rc::clone(&kept[0]));
        }
        self.check_interrupt()?;
        let ThreadEvents { before: mut state, events: concerning } =
            self.trace().thread_in(block, tid)?;
        let before = point(&state, tid, info.first_event, None);
        let mut points = Vec::with_capacity(concerning.len());
        let mut events = Vec::with_capacity(concerning.len());
        for (number, event) in &concerning {
            let depth = state.thread(tid).map_or(0, |thread| thread.stack.len());
            state.apply(*number, event);
            if event.tid == tid || event.tid == Tid(0) {
                let mut point = point(&state, tid, number.saturating_add(1), Some(event));
                point.boundary |= point.depth != depth;
                points.push(point);
                events.push(*event);
            }
        }
        let (first_event, end_event) = (info.first_event, info.end_event());
        let track = Rc::new(Track { tid, first_event, end_event, before, points, events });
        kept.truncate(KEPT - 1);
        kept.insert(0, Rc::clone(&track));
        Ok(track)
    }

    /// A thread at a moment.
    pub(crate) fn point_at(&self, moment: u64, tid: Tid) -> Result<Point, TimelineError> {
        let start = self.start();
        if moment > start
            && let Some(block) = self.trace().block_of_event(moment - 1)?
        {
            return Ok(self.track(block, tid)?.at(moment));
        }
        // The start, or no moment of the trace.
        let (block, _) = self.split(moment)?;
        Ok(point(&self.trace().checkpoint_of(block, tid)?, tid, moment, None))
    }
}

/// The thread in a state; `after` is the event just before, where that is the thread's.
fn point(state: &State, tid: Tid, moment: u64, after: Option<&Event>) -> Point {
    let thread = state.thread(tid);
    let stack = thread.map_or(&[] as &[_], |thread| &thread.stack);
    let everywhere = state.lost();
    let lost = thread.map(|thread| thread.lost).unwrap_or_default();
    let until = |lost: &scope_model::state::Lost| lost.calls_until_ns.max(lost.others_until_ns);
    let kind = after.map(|event| &event.kind);
    Point {
        moment,
        depth: stack.len(),
        innermost: stack.last().map(|call| call.id),
        boundary: matches!(kind, Some(EventKind::Enter { .. } | EventKind::Leave { .. })),
        gap: matches!(kind, Some(EventKind::Gap { .. })),
        lost: lost.total().saturating_add(everywhere.total()),
        lost_until_ns: until(&lost).max(until(everywhere)),
    }
}
