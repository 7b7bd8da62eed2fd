//! What the timeline pane shows: lanes of threads, all of the trace in a line, open calls over time.
//!
//! All of it costs in proportion to the columns asked for, whatever the range: lanes come from the
//! store's pyramid, open calls are sampled once a column.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use scope_model::{Event, EventKind, FunctionId, State, Tid};
use scope_store::{BlockFilter, Direction, GapInfo, Health, OverviewCell, ThreadEvents};
use scope_timeline::{Timeline, TimelineError};

use super::{Facts, first_name};

/// Calls deeper than this are not drawn.
const MOST_DEPTH: usize = 64;
/// Blocks looked through for a wake-up.
const WAKE_BLOCKS: usize = 8;

/// Which lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureQuery {
    /// Where the first column begins, ns.
    pub start_ns: u64,
    /// Where the last one ends, ns.
    pub end_ns: u64,
    /// How many columns.
    pub columns: usize,
    /// The threads, in order.
    pub threads: Vec<Tid>,
    /// The thread and moment whose wake-up is shown.
    pub focus: Option<(Tid, u64)>,
}

/// Lanes of threads.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Where the first column begins, ns.
    pub start_ns: u64,
    /// Where the last one ends, ns.
    pub end_ns: u64,
    /// Cells of each thread; in all of those that a gap touches something is lost.
    pub lanes: BTreeMap<Tid, Vec<OverviewCell>>,
    /// Names of the threads, as far as they have one.
    pub names: BTreeMap<Tid, String>,
    /// Who woke the focused thread last before the focus.
    pub wake_up: Option<WakeUp>,
}

/// A thread woke another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// When, ns.
    pub time_ns: u64,
    /// Who did.
    pub waker: Tid,
    /// Who was woken.
    pub woken: Tid,
}

/// Draws lanes.
///
/// # Errors
///
/// What reading the trace gives.
pub fn picture(timeline: &Timeline<'_>, query: &PictureQuery) -> Result<Picture, TimelineError> {
    let trace = timeline.trace();
    let &PictureQuery { start_ns, end_ns, columns, .. } = query;
    let overview = trace.overview(start_ns, end_ns, columns, Some(&query.threads))?;
    let mut lanes: BTreeMap<Tid, Vec<OverviewCell>> =
        overview.threads.into_iter().map(|thread| (thread.tid, thread.cells)).collect();
    for gap in trace.gaps()? {
        let concerned =
            |(tid, _): &(&Tid, &mut Vec<OverviewCell>)| gap.tid == Tid(0) || gap.tid == **tid;
        for (_, cells) in lanes.iter_mut().filter(concerned) {
            hatch(cells, (start_ns, end_ns), &gap);
        }
    }
    let mut names = BTreeMap::new();
    let at_end = timeline.moment_at(end_ns)?.max(timeline.start());
    for tid in &query.threads {
        let thread = timeline.thread_at(at_end, *tid)?;
        let name = thread.map(|thread| thread.name.text()).filter(|name| !name.is_empty());
        // One that has ended by then, or did not begin yet.
        let name = match name {
            Some(name) => Some(name),
            None => first_name(timeline, *tid)?,
        };
        names.extend(name.map(|name| (*tid, name)));
    }
    let wake_up = match query.focus {
        Some((tid, moment)) => wake_up(timeline, tid, super::clamp(timeline, moment)?)?,
        None => None,
    };
    Ok(Picture { start_ns, end_ns, lanes, names, wake_up })
}

/// Says of the columns that a gap touches that something was lost there: the store counts what was
/// lost where the gap begins.
fn hatch(cells: &mut [OverviewCell], (start_ns, end_ns): (u64, u64), gap: &GapInfo) {
    if gap.first_ns >= end_ns || gap.until_ns < start_ns || start_ns >= end_ns {
        return;
    }
    let columns = cells.len();
    let column = |time_ns: u64| {
        let offset = u128::from(time_ns.clamp(start_ns, end_ns - 1) - start_ns);
        (offset * columns as u128 / u128::from(end_ns - start_ns)) as usize
    };
    let (first, last) = (column(gap.first_ns), column(gap.until_ns));
    for cell in cells.iter_mut().take(last + 1).skip(first) {
        cell.lost = cell.lost.max(1);
    }
}

/// The wake-up that led to what a thread does at a moment: the last one before it.
fn wake_up(
    timeline: &Timeline<'_>,
    tid: Tid,
    moment: u64,
) -> Result<Option<WakeUp>, TimelineError> {
    let trace = timeline.trace();
    let Some(last) = moment.checked_sub(1) else { return Ok(None) };
    let Some(block) = trace.block_of_event(last)? else { return Ok(None) };
    let threads = [tid];
    let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
    for block in trace.blocks_with(filter, Direction::Backward, block).take(WAKE_BLOCKS) {
        for (number, event) in trace.thread_in(block?, tid)?.events.iter().rev() {
            if *number >= moment || event.tid != tid {
                continue;
            }
            match event.kind {
                EventKind::Waking { waker, .. } => {
                    return Ok(Some(WakeUp { time_ns: event.time_ns, waker, woken: tid }));
                }
                // It left its CPU since: what woke it before is another story.
                EventKind::SwitchOut { .. } => return Ok(None),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// All of a trace in a line of cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// The columns, from the start of the trace to its end.
    pub cells: Vec<BarCell>,
    /// Every thread of the trace: those of the traced process first, by id.
    pub threads: Vec<Tid>,
    /// When no calls were recorded because somebody wanted it so: from when and up to when, ns.
    pub pauses: Vec<(u64, u64)>,
    /// Where the last column ends, ns.
    pub end_ns: u64,
}

/// One column of all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BarCell {
    /// CPUs that ran the traced threads, on average.
    pub running: f32,
    /// Calls made.
    pub calls: u64,
    /// Events lost.
    pub lost: u64,
}

/// Draws all of a trace.
///
/// # Errors
///
/// What reading the trace gives.
pub fn bar(timeline: &Timeline<'_>, facts: &Facts, columns: usize) -> Result<Bar, TimelineError> {
    let columns = columns.max(1);
    let end_ns = timeline.end_ns()?.max(facts.start_ns + 1);
    // What happens at the end belongs to the last column.
    let overview =
        timeline.trace().overview(facts.start_ns, end_ns.saturating_add(1), columns, None)?;
    let mut cells = vec![BarCell::default(); columns];
    let column_ns = (end_ns - facts.start_ns) as f32 / columns as f32;
    let mut threads = Vec::new();
    for thread in &overview.threads {
        if thread.tid != Tid(0) {
            threads.push(thread.tid);
        }
        for (cell, of) in cells.iter_mut().zip(&thread.cells) {
            cell.running += of.running_ns as f32 / column_ns.max(1.0);
            cell.calls = cell.calls.saturating_add(of.calls);
            cell.lost = cell.lost.saturating_add(of.lost);
        }
    }
    threads.sort_by_key(|tid| (tid.0 != facts.pid, *tid));
    // What damage to the recorder's notes leaves out makes the trace no less readable.
    let told = timeline.trace().health().unwrap_or_default();
    let pauses = told.iter().flat_map(Health::pauses);
    let pauses = pauses.map(|(from_ns, until_ns)| (from_ns, until_ns.unwrap_or(u64::MAX)));
    Ok(Bar { cells, threads, pauses: pauses.collect(), end_ns })
}

/// Which open calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlamesQuery {
    /// The thread.
    pub tid: Tid,
    /// Where the first column begins, ns.
    pub start_ns: u64,
    /// Where the last one ends, ns.
    pub end_ns: u64,
    /// How many columns.
    pub columns: usize,
}

/// The open calls of a thread over time, as they were in the middle of each column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flames {
    /// Rows by depth, outermost calls first; each has stretches of columns, in order.
    pub rows: Vec<Vec<Flame>>,
}

/// One call, or at coarse zoom the calls of one function that no column told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flame {
    /// First column.
    pub first: usize,
    /// Column after the last.
    pub end: usize,
    /// Id of the first call.
    pub id: u64,
    /// The function.
    pub function: FunctionId,
    /// Events were lost while it was open.
    pub crosses_gap: bool,
}

/// A thread's way through a block, as far as it has been gone.
struct Way {
    block: usize,
    state: State,
    events: Peekable<IntoIter<(u64, Event)>>,
}

/// Samples open calls.
///
/// # Errors
///
/// [`TimelineError::Interrupted`]; what reading the trace gives.
pub fn flames(timeline: &Timeline<'_>, query: &FlamesQuery) -> Result<Flames, TimelineError> {
    let trace = timeline.trace();
    let mut rows: Vec<Vec<Flame>> = Vec::new();
    let mut at: Option<Way> = None;
    let width = u128::from(query.end_ns.saturating_sub(query.start_ns));
    let blocks = trace.block_count()?;
    for column in 0..query.columns {
        let middle = width * (2 * column as u128 + 1) / (2 * query.columns as u128);
        let time_ns = query.start_ns.saturating_add(u64::try_from(middle).unwrap_or(u64::MAX));
        // The block in which the next later event is: all before it has happened.
        let block = trace.block_at_time(time_ns.saturating_add(1))?;
        if at.as_ref().is_none_or(|way| way.block != block) {
            // Between two columns there may be much to read.
            timeline.check_interrupt()?;
            let ThreadEvents { before, events } = if block < blocks {
                trace.thread_in(block, query.tid)?
            } else {
                let before = trace.checkpoint_of(block, query.tid)?;
                ThreadEvents { before, events: Vec::new() }
            };
            at = Some(Way { block, state: before, events: events.into_iter().peekable() });
        }
        let Some(Way { state, events, .. }) = &mut at else { continue };
        while let Some((number, event)) = events.next_if(|(_, event)| event.time_ns <= time_ns) {
            state.apply(number, &event);
        }
        let stack = state.thread(query.tid).map_or(&[] as &[_], |thread| &thread.stack);
        for (depth, call) in stack.iter().take(MOST_DEPTH).enumerate() {
            if rows.len() == depth {
                rows.push(Vec::new());
            }
            match rows[depth].last_mut() {
                Some(last) if last.end == column && last.function == call.function => {
                    last.end = column + 1;
                    last.crosses_gap |= call.crosses_gap;
                }
                _ => rows[depth].push(Flame {
                    first: column,
                    end: column + 1,
                    id: call.id,
                    function: call.function,
                    crosses_gap: call.crosses_gap,
                }),
            }
        }
    }
    Ok(Flames { rows })
}
