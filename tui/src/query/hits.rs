//! Where in a range of time a condition holds, in columns: for ticks over the timeline.

use scope_store::Direction;
use scope_timeline::{Condition, Found, SearchOptions, Timeline, TimelineError};

/// Hits that are looked for: more do not show in columns.
const MOST: usize = 20_000;
/// Blocks between two looks at the interrupt.
const STRIDE: usize = 16;

/// Which hits.
#[derive(Clone, Debug, PartialEq)]
pub struct HitsQuery {
    /// Of what.
    pub condition: Condition,
    /// Where the first column begins, ns.
    pub start_ns: u64,
    /// Where the last one ends, ns.
    pub end_ns: u64,
    /// How many columns.
    pub columns: usize,
}

/// Where hits are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Times of hits, ns: of the first in each column that has one.
    pub times: Vec<u64>,
}

/// Looks for hits. A condition that names what the trace does not have has none.
///
/// # Errors
///
/// [`TimelineError::Interrupted`]; what reading the trace gives.
pub fn hits(timeline: &Timeline<'_>, query: &HitsQuery) -> Result<Hits, TimelineError> {
    let mut hits = Hits::default();
    let width = u128::from(query.end_ns.saturating_sub(query.start_ns));
    if width == 0 || query.columns == 0 {
        return Ok(hits);
    }
    let from = match query.start_ns.checked_sub(1) {
        Some(before) => super::clamp(timeline, timeline.moment_at(before)?)?,
        None => timeline.start(),
    };
    let until = super::clamp(timeline, timeline.moment_at(query.end_ns)?)?.max(from);
    let options = SearchOptions { direction: Direction::Forward, from, until: Some(until) };
    let mut search = match timeline.search(&query.condition, options) {
        Err(TimelineError::NoMatch { .. }) => return Ok(hits),
        search => search?,
    };
    let mut column = None;
    for _ in 0..MOST {
        let hit = loop {
            match search.poll(STRIDE)? {
                Found::Hit(hit) => break hit,
                Found::NotYet => {}
                Found::NoMore => return Ok(hits),
            }
        };
        let time_ns = hit.event.time_ns;
        let offset = u128::from(time_ns.saturating_sub(query.start_ns));
        let of_hit = Some(offset * query.columns as u128 / width);
        if of_hit != column && time_ns < query.end_ns {
            column = of_hit;
            hits.times.push(time_ns);
        }
    }
    Ok(hits)
}
