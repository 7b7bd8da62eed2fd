//! The model: all events in memory, the state after each, and every question answered by walking
//! them from one end to the other, as the documentation words it.

use std::collections::BTreeSet;

use scope_model::{Event, EventKind, RunState, State, Tid};
use scope_store::Direction;
use scope_timeline::{Move, Moved, Outcome, Stop};

use crate::store::START_NS;

/// A trace in memory.
#[derive(Debug)]
pub(crate) struct Model {
    /// All events that there were, those dropped from the trace among them.
    pub(crate) events: Vec<Event>,
    /// Number of the first event of the trace.
    pub(crate) start: u64,
    /// The state at each moment.
    pub(crate) states: Vec<State>,
}

impl Model {
    pub(crate) fn new(events: &[Event], start: u64) -> Self {
        let mut state = State::new();
        let mut states = vec![state.clone()];
        for (number, event) in (0..).zip(events) {
            state.apply(number, event);
            states.push(state.clone());
        }
        Self { events: events.to_vec(), start, states }
    }

    pub(crate) fn end(&self) -> u64 {
        self.events.len() as u64
    }

    /// Every thread there is, and one there is not.
    pub(crate) fn tids(&self) -> Vec<Tid> {
        let tids: BTreeSet<Tid> = self.events.iter().map(|event| event.tid).collect();
        tids.into_iter().filter(|tid| *tid != Tid(0)).chain([Tid(999)]).collect()
    }

    /// After all events up to and at a time.
    pub(crate) fn moment_at(&self, time_ns: u64) -> u64 {
        let later = self.events.iter().position(|event| event.time_ns > time_ns);
        self.start.max(later.unwrap_or(self.events.len()) as u64)
    }

    pub(crate) fn time_of(&self, moment: u64) -> u64 {
        let before = &self.events[..moment as usize];
        before.iter().map(|event| event.time_ns).max().unwrap_or(START_NS)
    }

    pub(crate) fn depth(&self, moment: u64, tid: Tid) -> usize {
        let thread = self.states[moment as usize].thread(tid);
        thread.map_or(0, |thread| thread.stack.len())
    }

    fn innermost(&self, moment: u64, tid: Tid) -> Option<u64> {
        Some(self.states[moment as usize].thread(tid)?.stack.last()?.id)
    }

    /// The stops of a thread, or of all.
    pub(crate) fn stops(&self, thread: Option<Tid>) -> Vec<u64> {
        self.moments_after(|event| thread.is_none_or(|tid| event.tid == tid || event.tid == Tid(0)))
    }

    pub(crate) fn call_stops(&self, thread: Option<Tid>) -> Vec<u64> {
        self.moments_after(|event| {
            thread.is_none_or(|tid| event.tid == tid)
                && matches!(event.kind, EventKind::Enter { .. } | EventKind::Leave { .. })
        })
    }

    fn moments_after(&self, fits: impl Fn(&Event) -> bool) -> Vec<u64> {
        let after = (1..).zip(&self.events).filter(|(_, event)| fits(event));
        let kept = after.map(|(moment, _)| moment).filter(|moment| *moment > self.start);
        [self.start].into_iter().chain(kept).collect()
    }

    pub(crate) fn step(&self, thread: Option<Tid>, from: u64, step: Move) -> Outcome {
        let stopped = Outcome::Stopped;
        let back = step.direction() == Direction::Backward;
        let needs_depth = matches!(step, Move::Over | Move::Out | Move::BackOver | Move::BackOut);
        if needs_depth && thread.is_none() {
            return stopped(Stop::NoThread);
        }
        if back && from == self.start {
            return stopped(Stop::Start);
        }
        let depth_at = |moment| thread.map_or(0, |tid| self.depth(moment, tid));
        let depth = depth_at(from);
        let most = match step {
            Move::Out | Move::BackOut => match depth.checked_sub(1) {
                Some(most) => most,
                None => return stopped(Stop::NoCall),
            },
            Move::Over | Move::BackOver => depth,
            _ => usize::MAX,
        };
        let stops = match step {
            Move::Next | Move::Previous => self.stops(thread),
            _ => self.call_stops(thread),
        };
        let fits = |moment: &&u64| depth_at(**moment) <= most;
        let found = if back {
            stops.iter().rev().filter(|stop| **stop < from).find(fits)
        } else {
            stops.iter().filter(|stop| **stop > from).find(fits)
        };
        if let Some(&moment) = found {
            return Outcome::Moved(self.moved(thread, from, moment));
        }
        let Some(tid) = thread else { return stopped(Stop::End) };
        match step {
            Move::Out => {
                let call = self.innermost(from, tid).unwrap();
                return stopped(Stop::NeverEnds { call });
            }
            Move::Over => {
                if let Some(entered) = stops.iter().find(|stop| **stop > from) {
                    return stopped(Stop::NeverEnds { call: entered - 1 });
                }
            }
            Move::BackOut => {
                let call = self.innermost(from, tid).unwrap();
                return stopped(Stop::BeforeTrace { call });
            }
            Move::BackOver => {
                // The call that is open just before, at this depth.
                let before = stops.iter().rev().find(|stop| **stop < from).unwrap();
                let thread = self.states[*before as usize].thread(tid).unwrap();
                return stopped(Stop::BeforeTrace { call: thread.stack[depth].id });
            }
            _ => {}
        }
        let last = self.states[self.events.len()].thread(tid);
        stopped(match last {
            Some(thread) if thread.run != RunState::Ended => Stop::End,
            _ => Stop::ThreadEnded,
        })
    }

    fn moved(&self, thread: Option<Tid>, from: u64, moment: u64) -> Moved {
        Moved {
            moment,
            event: (moment > self.start).then(|| self.events[moment as usize - 1]),
            depth: thread.map_or(0, |tid| self.depth(moment, tid)),
            crosses_gap: self.crosses_gap(thread, from.min(moment), from.max(moment)),
        }
    }

    /// Whether a gap is among the events between two moments, or an earlier one lasts there.
    pub(crate) fn crosses_gap(&self, thread: Option<Tid>, low: u64, high: u64) -> bool {
        let passed = &self.events[low as usize..high as usize];
        let is_gap = |event: &Event| {
            matches!(event.kind, EventKind::Gap { .. })
                && thread.is_none_or(|tid| event.tid == tid || event.tid == Tid(0))
        };
        passed.iter().any(is_gap)
            || thread.is_some_and(|tid| {
                let state = &self.states[low as usize];
                let lost = state.thread(tid).map(|thread| thread.lost).unwrap_or_default();
                [lost, *state.lost()]
                    .iter()
                    .any(|lost| lost.calls_until_ns.max(lost.others_until_ns) > self.time_of(low))
            })
    }
}
