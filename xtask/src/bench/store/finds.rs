//! Searches through a whole trace: for calls of a function that is called seldom, which indexes
//! answer, and for a condition that no index knows of.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use scope_model::FunctionId;
use scope_store::{Direction, Trace};
use scope_timeline::{Cursor, Outcome, SearchOptions, Timeline};

use crate::bench::sample::{Times, timed};

/// What no index knows of, and no call fits.
const CONDITION: &str = "duration>10h";

/// Finds of rare functions: in a trace just opened, of whose indexes nothing was read; and again.
#[derive(Clone, Debug, Default)]
pub struct RareTimes {
    pub first: Times,
    pub again: Times,
}

/// Finds, for each function, its next call from the start and its previous one from the end; then
/// what comes after the last call and before the first, where the whole rest is searched in vain.
pub fn rare(path: &Path, functions: &[FunctionId]) -> Result<RareTimes> {
    let mut times = RareTimes::default();
    for &function in functions {
        let trace = Trace::open(path)?;
        let timeline = Timeline::new(&trace);
        let (start, end) = (timeline.start(), timeline.end()?);
        let first = find(path, function, Direction::Forward, start, &mut times)?;
        let last = find(path, function, Direction::Backward, end, &mut times)?;
        let (Some(first), Some(last)) = (first, last) else {
            anyhow::bail!("a function that was called is not found")
        };
        ensure!(first <= last, "the first call of a function is after its last one");
        for (direction, from) in [(Direction::Forward, last), (Direction::Backward, first)] {
            let beyond = find(path, function, direction, from, &mut times)?;
            ensure!(beyond.is_none(), "there are calls before the first or after the last");
        }
    }
    Ok(times)
}

/// Finds the next or previous call from a moment; the moment just after it began.
fn find(
    path: &Path,
    function: FunctionId,
    direction: Direction,
    moment: u64,
    times: &mut RareTimes,
) -> Result<Option<u64>> {
    let trace = Trace::open(path)?;
    let timeline = Timeline::new(&trace);
    let cursor = Cursor { thread: None, moment };
    let (outcome, passed) = timed(|| timeline.step_to_call(cursor, &[function], direction));
    times.first.push(passed);
    let (again, passed) = timed(|| timeline.step_to_call(cursor, &[function], direction));
    times.again.push(passed);
    let outcome = outcome?;
    ensure!(outcome == again?, "a search has another answer when it is asked again");
    Ok(match outcome {
        Outcome::Moved(moved) => Some(moved.moment),
        Outcome::Stopped(_) => None,
    })
}

/// Searches all events for [`CONDITION`]: how long that took.
pub fn unindexed(timeline: &Timeline<'_>) -> Result<Duration> {
    let condition = CONDITION.parse()?;
    let from = timeline.start();
    let options = SearchOptions { direction: Direction::Forward, from, until: None };
    let (looked_at, passed) = timed(|| -> Result<u64> {
        let mut search = timeline.search(&condition, options)?;
        let hit = search.next().transpose()?;
        ensure!(hit.is_none(), "a call lasted longer than the trace");
        Ok(search.looked_at())
    });
    ensure!(looked_at? == timeline.end()? - from, "events were passed over");
    Ok(passed)
}
