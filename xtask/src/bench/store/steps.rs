//! Steps of every kind from random places.
//!
//! A place is a random time and the thread of the event before it. Whoever goes there is shown the
//! state first, so that the first step finds its block decoded, but nothing of the thread followed
//! yet; the steps after it go on from where each led.

use anyhow::{Context, Result};
use scope_model::FunctionId;
use scope_store::Direction;
use scope_timeline::{Cursor, Move, Outcome, Timeline};

use super::questions::{Effort, Span};
use crate::bench::sample::{Times, scatter, timed};

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of the place's thread.
    Move(Move),
    /// To the next or previous call of the function that is innermost at the place; by its thread
    /// (`true`), or by any.
    Call(Direction, bool),
}

const KINDS: [(&str, Kind); 12] = [
    ("next", Kind::Move(Move::Next)),
    ("previous", Kind::Move(Move::Previous)),
    ("into", Kind::Move(Move::Into)),
    ("back_into", Kind::Move(Move::BackInto)),
    ("over", Kind::Move(Move::Over)),
    ("back_over", Kind::Move(Move::BackOver)),
    ("out", Kind::Move(Move::Out)),
    ("back_out", Kind::Move(Move::BackOut)),
    ("next_call", Kind::Call(Direction::Forward, false)),
    ("previous_call", Kind::Call(Direction::Backward, false)),
    ("next_call_in_thread", Kind::Call(Direction::Forward, true)),
    ("previous_call_in_thread", Kind::Call(Direction::Backward, true)),
];

/// How long steps took.
#[derive(Clone, Debug, Default)]
pub struct StepTimes {
    /// Each kind.
    pub kinds: Vec<KindTimes>,
}

/// How long steps of one kind took.
#[derive(Clone, Debug)]
pub struct KindTimes {
    pub name: &'static str,
    /// Whether it counts among all steps. Calls of a function by one thread alone do not: blocks
    /// that have the function and the thread, but not that call, are read in vain, so that they are
    /// searches rather than steps.
    pub counts: bool,
    /// The first step after a seek.
    pub first: Times,
    /// Those that go on from there.
    pub following: Times,
}

impl StepTimes {
    /// The first steps of all kinds that count, and the following ones.
    pub fn first_and_following(&self) -> (Times, Times) {
        let (mut firsts, mut followings) = (Times::default(), Times::default());
        for kind in self.kinds.iter().filter(|kind| kind.counts) {
            firsts.extend(&kind.first);
            followings.extend(&kind.following);
        }
        (firsts, followings)
    }

    /// All steps of all kinds that count.
    pub fn all(&self) -> Times {
        let (mut all, following) = self.first_and_following();
        all.extend(&following);
        all
    }
}

/// Makes steps of every kind.
pub fn steps(timeline: &Timeline<'_>, effort: Effort) -> Result<StepTimes> {
    let span = Span::of(timeline)?;
    let mut times = StepTimes::default();
    for (number, (name, kind)) in (0..).zip(KINDS) {
        let (mut first, mut following) = (Times::default(), Times::default());
        for place in 0..effort.places {
            // No two kinds begin at the same places: they would find what the other left behind.
            let time_ns = span.time(scatter(place * KINDS.len() as u64 + number));
            let Some((mut cursor, function)) = seek(timeline, time_ns)? else { continue };
            for made in 0..effort.walk {
                let (outcome, passed) = timed(|| step(timeline, cursor, kind, function));
                if made == 0 { &mut first } else { &mut following }.push(passed);
                // One that finds nothing took its time too.
                let Outcome::Moved(moved) = outcome? else { break };
                cursor.moment = moved.moment;
            }
        }
        let counts = !matches!(kind, Kind::Call(_, true));
        times.kinds.push(KindTimes { name, counts, first, following });
    }
    Ok(times)
}

/// Goes to a time: the thread that acted last there and the function it is in, if it is in one.
fn seek(timeline: &Timeline<'_>, time_ns: u64) -> Result<Option<(Cursor, FunctionId)>> {
    let moment = timeline.moment_at(time_ns)?;
    let before = moment.checked_sub(1).filter(|event| *event >= timeline.start());
    let Some(before) = before else { return Ok(None) };
    let tid = timeline.event(before)?.tid;
    let state = timeline.state_at(moment)?;
    let innermost = state.thread(tid).and_then(|thread| thread.stack.last());
    Ok(innermost.map(|call| (Cursor { thread: Some(tid), moment }, call.function)))
}

fn step(
    timeline: &Timeline<'_>,
    cursor: Cursor,
    kind: Kind,
    function: FunctionId,
) -> Result<Outcome> {
    match kind {
        Kind::Move(step) => timeline.step(cursor, step).context("a step failed"),
        Kind::Call(direction, in_thread) => {
            let from = Cursor { thread: cursor.thread.filter(|_| in_thread), ..cursor };
            timeline.step_to_call(from, &[function], direction).context("a step failed")
        }
    }
}
