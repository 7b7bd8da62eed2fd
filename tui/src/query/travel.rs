//! Ways through a trace: each leads from a focus to another, or says why not.

use std::sync::Arc;

use scope_model::{Event, EventKind, FunctionId, Tid};
use scope_store::{BlockFilter, Direction};
use scope_timeline::{
    Bookmarks, Condition, Cursor, Found, Move, Outcome, Place, Search, SearchOptions, Stop,
    Timeline, TimelineError,
};

use super::clamp;
use crate::sql::Calls;

/// Events that a run looks at between two looks at the breakpoints that are left.
const FIRST_WINDOW: u64 = 1 << 16;
/// Windows grow up to this, so that a breakpoint that an index rules out costs little.
const LARGEST_WINDOW: u64 = 1 << 24;
/// Blocks between two looks at the interrupt.
const STRIDE: usize = 16;

/// A way.
#[derive(Clone, Debug, PartialEq)]
pub struct Travel {
    /// From where.
    pub from: Cursor,
    /// To where.
    pub to: Destination,
}

/// Where to.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// Steps of the thread.
    Step {
        /// Which.
        step: Move,
        /// How many.
        count: u32,
    },
    /// A moment by name.
    Place(Place, Bookmarks),
    /// A moment by time, ns, and perhaps a thread there.
    Time(u64, Option<Tid>),
    /// Just after a call of a thread began.
    Call(u64),
    /// The next or previous call of a function, of any thread.
    CallOf(FunctionId, Direction),
    /// The next or previous event that satisfies a condition.
    Find(Condition, Direction),
    /// The next or previous event at which a breakpoint stops; the breakpoints with their indexes.
    Run(Vec<(usize, StopAt)>, Direction),
}

/// What a run stops at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAt {
    /// An event that satisfies a condition.
    Condition(Condition),
    /// The begin of one of these calls.
    Calls(Arc<Calls>),
}

/// Where a way led.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// To a moment.
    At {
        /// The moment.
        moment: u64,
        /// Its time, ns.
        time_ns: u64,
        /// The thread to follow there; `None`: the same as before.
        tid: Option<Tid>,
        /// The event just before; `None` at the start.
        event: Option<Event>,
        /// Events were lost on the way.
        crosses_gap: bool,
        /// The breakpoint that stopped it.
        breakpoint: Option<usize>,
    },
    /// Nowhere; why, as a clause for a person.
    Nowhere(String),
}

/// Goes. A way that may take long says how far it is: events passed, and events at most.
///
/// # Errors
///
/// [`TimelineError::Interrupted`]; what reading the trace gives. Places that do not exist are an
/// arrival nowhere.
pub fn travel(
    timeline: &Timeline<'_>,
    way: &Travel,
    progress: &dyn Fn(u64, u64),
) -> Result<Arrival, TimelineError> {
    let from = Cursor { moment: clamp(timeline, way.from.moment)?, ..way.from };
    let arrival = match &way.to {
        Destination::Step { step, count } => steps(timeline, from, *step, *count),
        Destination::Place(place, bookmarks) => {
            timeline.resolve(place, bookmarks).and_then(|moment| {
                let tid = match place {
                    Place::Call(id) => Some(timeline.event(*id)?.tid),
                    Place::Event(number) => {
                        Some(timeline.event(*number)?.tid).filter(|tid| *tid != Tid(0))
                    }
                    _ => None,
                };
                at(timeline, moment.event, Some(moment.time_ns), tid)
            })
        }
        Destination::Time(time_ns, tid) => {
            let start_ns = timeline.trace().manifest().start_ns;
            let time_ns = (*time_ns).clamp(start_ns, timeline.end_ns()?.max(start_ns));
            let moment = clamp(timeline, timeline.moment_at(time_ns)?)?;
            at(timeline, moment, Some(time_ns), *tid)
        }
        Destination::Call(id) => {
            timeline.event(*id).and_then(|event| at(timeline, id + 1, None, Some(event.tid)))
        }
        Destination::CallOf(function, direction) => call_of(timeline, from, *function, *direction),
        Destination::Find(condition, direction) => {
            let stop = StopAt::Condition(condition.clone());
            run(timeline, from, &[(0, stop)], *direction, progress).map(|arrival| match arrival {
                Arrival::At { moment, time_ns, tid, event, crosses_gap, .. } => {
                    Arrival::At { moment, time_ns, tid, event, crosses_gap, breakpoint: None }
                }
                nowhere @ Arrival::Nowhere(_) => nowhere,
            })
        }
        Destination::Run(breakpoints, direction) => {
            run(timeline, from, breakpoints, *direction, progress)
        }
    };
    match arrival {
        Err(
            error @ (TimelineError::NoSuchEvent { .. }
            | TimelineError::NotACall { .. }
            | TimelineError::OutsideTrace { .. }
            | TimelineError::NoSuchBookmark { .. }
            | TimelineError::NoMatch { .. }),
        ) => Ok(Arrival::Nowhere(error.to_string())),
        arrival => arrival,
    }
}

fn at(
    timeline: &Timeline<'_>,
    moment: u64,
    time_ns: Option<u64>,
    tid: Option<Tid>,
) -> Result<Arrival, TimelineError> {
    let time_ns = match time_ns {
        Some(time_ns) => time_ns,
        None => timeline.time_of(moment)?,
    };
    let event = match moment.checked_sub(1).filter(|before| *before >= timeline.start()) {
        Some(before) => Some(timeline.event(before)?),
        None => None,
    };
    Ok(Arrival::At { moment, time_ns, tid, event, crosses_gap: false, breakpoint: None })
}

fn steps(
    timeline: &Timeline<'_>,
    mut cursor: Cursor,
    step: Move,
    count: u32,
) -> Result<Arrival, TimelineError> {
    let mut crosses = false;
    let mut last = None;
    for _ in 0..count.max(1) {
        match cursor.step(timeline, step)? {
            Outcome::Moved(moved) => {
                crosses |= moved.crosses_gap;
                last = Some(moved);
            }
            Outcome::Stopped(stop) => {
                if last.is_none() {
                    return Ok(Arrival::Nowhere(why(stop)));
                }
                break;
            }
        }
    }
    let Some(moved) = last else { return Ok(Arrival::Nowhere(why(Stop::End))) };
    Ok(Arrival::At {
        moment: moved.moment,
        time_ns: timeline.time_of(moved.moment)?,
        tid: None,
        event: moved.event,
        crosses_gap: crosses,
        breakpoint: None,
    })
}

fn why(stop: Stop) -> String {
    match stop {
        Stop::Start => "nothing of this thread comes before, back to the start of the trace".into(),
        Stop::End => "nothing of this thread comes any more, up to the end of the trace".into(),
        Stop::ThreadEnded => "nothing more comes: the thread ended".to_owned(),
        Stop::NeverEnds { call } => format!("call {call} is still open where the trace ends"),
        Stop::BeforeTrace { call } => format!("call {call} began before what is kept of the trace"),
        Stop::NoCall => "no call is open here".to_owned(),
        Stop::NoThread => "choose a thread first".to_owned(),
    }
}

fn call_of(
    timeline: &Timeline<'_>,
    from: Cursor,
    function: FunctionId,
    direction: Direction,
) -> Result<Arrival, TimelineError> {
    let trace = timeline.trace();
    let nowhere = || {
        let where_to = match direction {
            Direction::Forward => "after",
            Direction::Backward => "before",
        };
        Ok(Arrival::Nowhere(format!("no call of the function {where_to} this moment")))
    };
    // The focus stands just after a call's begin: that one is not the previous one.
    let begin = match direction {
        Direction::Forward => Some(from.moment),
        Direction::Backward => from.moment.checked_sub(2),
    };
    let Some(begin) = begin.filter(|begin| *begin >= timeline.start()) else { return nowhere() };
    let Some(block) = trace.block_of_event(begin)? else { return nowhere() };
    let functions = [function];
    let filter = BlockFilter { functions: Some(&functions), ..BlockFilter::default() };
    for block in trace.blocks_with(filter, direction, block) {
        timeline.check_interrupt()?;
        let block = trace.block(block?)?;
        let first = block.info().first_event;
        let mut events = block.events().iter().zip(first..);
        let is_call = |(event, number): &(&Event, u64)| {
            let wanted = match direction {
                Direction::Forward => *number >= begin,
                Direction::Backward => *number <= begin,
            };
            wanted
                && matches!(event.kind, EventKind::Enter { function: of, inherited: false, .. }
                    if of == function)
        };
        let found = match direction {
            Direction::Forward => events.find(is_call),
            Direction::Backward => events.filter(is_call).last(),
        };
        if let Some((event, number)) = found {
            return at(timeline, number + 1, None, Some(event.tid));
        }
    }
    nowhere()
}

/// Runs to the nearest hit of any breakpoint, window by window: no breakpoint is looked for beyond
/// the hit of another.
fn run(
    timeline: &Timeline<'_>,
    from: Cursor,
    breakpoints: &[(usize, StopAt)],
    direction: Direction,
    progress: &dyn Fn(u64, u64),
) -> Result<Arrival, TimelineError> {
    let (start, end) = (timeline.start(), timeline.end()?);
    // One that names nothing of this trace keeps no other from being run to.
    let (mut able, mut unable) = (Vec::new(), None);
    for (index, stop) in breakpoints {
        if let StopAt::Condition(condition) = stop {
            let options = SearchOptions { direction, from: start, until: Some(start) };
            match timeline.search(condition, options) {
                Err(error @ TimelineError::NoMatch { .. }) => {
                    unable.get_or_insert(error);
                    continue;
                }
                found => drop(found?),
            }
        }
        able.push((*index, stop));
    }
    if let Some(error) = unable.take_if(|_| able.is_empty()) {
        return Err(error);
    }
    // To go on backward from just after a hit, begin one before that.
    let mut low = match direction {
        Direction::Forward => from.moment,
        Direction::Backward => from.moment.saturating_sub(1).max(start),
    };
    let mut window = FIRST_WINDOW;
    let begin = low;
    let whole = match direction {
        Direction::Forward => end.saturating_sub(begin),
        Direction::Backward => begin.saturating_sub(start),
    };
    loop {
        let edge = match direction {
            Direction::Forward => low.saturating_add(window).min(end),
            Direction::Backward => low.saturating_sub(window).max(start),
        };
        let mut best: Option<(usize, u64)> = None;
        for (index, stop) in &able {
            let until = match (best, direction) {
                (None, _) => edge,
                (Some((_, hit)), Direction::Forward) => hit,
                (Some((_, hit)), Direction::Backward) => hit + 1,
            };
            let options = SearchOptions { direction, from: low, until: Some(until) };
            let passed = low.abs_diff(begin);
            let progress = |of_search: u64| progress(passed.saturating_add(of_search), whole);
            let hit = match stop {
                StopAt::Condition(condition) => {
                    first_hit(timeline.search(condition, options)?, &progress)?
                }
                StopAt::Calls(calls) => nearest(&calls.ids, low, until, direction),
            };
            if let Some(hit) = hit {
                best = Some((*index, hit));
            }
        }
        if let Some((index, number)) = best {
            let tid = Some(timeline.event(number)?.tid).filter(|tid| *tid != Tid(0));
            return Ok(match at(timeline, number + 1, None, tid)? {
                Arrival::At { moment, time_ns, tid, event, crosses_gap, .. } => {
                    let breakpoint = Some(index);
                    Arrival::At { moment, time_ns, tid, event, crosses_gap, breakpoint }
                }
                nowhere @ Arrival::Nowhere(_) => nowhere,
            });
        }
        let at_end = match direction {
            Direction::Forward => edge >= end,
            Direction::Backward => edge <= start,
        };
        if at_end {
            let side = match direction {
                Direction::Forward => "up to the end of the trace",
                Direction::Backward => "back to the start of the trace",
            };
            let and = unable.map_or(String::new(), |error| format!("; {error}"));
            return Ok(Arrival::Nowhere(format!("nothing found {side}{and}")));
        }
        low = edge;
        window = (window * 2).min(LARGEST_WINDOW);
    }
}

/// The first of these events from a moment on to another one.
fn nearest(events: &[u64], from: u64, until: u64, direction: Direction) -> Option<u64> {
    let at = events.partition_point(|event| *event < from);
    match direction {
        Direction::Forward => events.get(at).copied().filter(|event| *event < until),
        Direction::Backward => {
            let before = *events.get(at.checked_sub(1)?)?;
            (before >= until).then_some(before)
        }
    }
}

fn first_hit(
    mut search: Search<'_, '_>,
    progress: &dyn Fn(u64),
) -> Result<Option<u64>, TimelineError> {
    loop {
        match search.poll(STRIDE)? {
            Found::Hit(hit) => return Ok(Some(hit.number)),
            Found::NotYet => progress(search.passed()),
            Found::NoMore => return Ok(None),
        }
    }
}
