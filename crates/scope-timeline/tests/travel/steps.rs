//! Steps forward and backward.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use scope_model::{EventKind, FunctionId, ThreadName, Tid};
use scope_store::Direction;
use scope_timeline::{Cursor, Move, Outcome, Stop, Timeline, TimelineError};

use crate::generate::events;
use crate::model::Model;
use crate::scenario::{T, enter, event, leave, nested};
use crate::store::{Form, START_NS, forms, store, store_in_segments};

/// All moments of a short trace, or an even choice of a long one's.
fn moments(model: &Model) -> impl Iterator<Item = u64> {
    (model.start..=model.end()).step_by(1 + model.end() as usize / 100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_step_from_every_moment_leads_where_the_model_says(events in events(), form in forms()) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        for tid in model.tids().into_iter().map(Some).chain([None]) {
            for moment in moments(&model) {
                for step in Move::ALL {
                    let cursor = Cursor { thread: tid, moment };
                    let outcome = timeline.step(cursor, step).unwrap();
                    let expected = model.step(tid, moment, step);
                    prop_assert_eq!(outcome, expected, "{:?} of {:?} from {}", step, tid, moment);
                }
            }
        }
    }

    #[test]
    fn a_step_back_undoes_its_step_forward(events in events(), form in forms()) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        let go = |tid, moment, step| {
            match timeline.step(Cursor { thread: Some(tid), moment }, step).unwrap() {
                Outcome::Moved(moved) => Some(moved.moment),
                Outcome::Stopped(_) => None,
            }
        };
        for tid in model.tids() {
            for (stops, step) in [
                (model.stops(Some(tid)), Move::Next),
                (model.call_stops(Some(tid)), Move::Into),
            ] {
                for pair in stops.windows(2) {
                    prop_assert_eq!(go(tid, pair[0], step), Some(pair[1]));
                    prop_assert_eq!(go(tid, pair[1], step.twin()), Some(pair[0]));
                }
            }
            for stop in model.call_stops(Some(tid)) {
                let depth = |moment| model.depth(moment, tid);
                for step in [Move::Over, Move::BackOver] {
                    if let Some(there) = go(tid, stop, step)
                        && depth(there) == depth(stop)
                    {
                        prop_assert_eq!(go(tid, there, step.twin()), Some(stop));
                    }
                }
                if let Some(before) = go(tid, stop, Move::BackOut) {
                    prop_assert_eq!(go(tid, before, Move::Over), go(tid, stop, Move::Out));
                }
                if let Some(after) = go(tid, stop, Move::Out) {
                    prop_assert_eq!(go(tid, after, Move::BackOver), go(tid, stop, Move::BackOut));
                }
            }
        }
    }

    #[test]
    fn calls_of_a_function_are_found_either_way(events in events(), form in forms(), function in 0..5_u32) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        let function = FunctionId(function);
        for thread in model.tids().into_iter().map(Some).chain([None]) {
            let calls: Vec<u64> = (1..)
                .zip(&model.events)
                .filter(|(_, event)| thread.is_none_or(|tid| tid == event.tid))
                .filter(|(_, event)| match event.kind {
                    EventKind::Enter { function: called, inherited, .. } => {
                        called == function && !inherited
                    }
                    _ => false,
                })
                .map(|(moment, _)| moment)
                .filter(|moment| *moment > model.start)
                .collect();
            for moment in moments(&model) {
                let cursor = Cursor { thread, moment };
                let go = |direction| {
                    match timeline.step_to_call(cursor, &[function], direction).unwrap() {
                        Outcome::Moved(moved) => Some((moved.moment, moved.crosses_gap)),
                        Outcome::Stopped(_) => None,
                    }
                };
                let with_gap = |call: u64| {
                    (call, model.crosses_gap(thread, moment.min(call), moment.max(call)))
                };
                let next = calls.iter().copied().find(|call| *call > moment).map(with_gap);
                let previous = calls.iter().copied().rev().find(|call| *call < moment).map(with_gap);
                prop_assert_eq!(go(Direction::Forward), next);
                prop_assert_eq!(go(Direction::Backward), previous);
            }
        }
    }
}

/// Makes steps one after the other; the moments they lead to, or why not.
fn walk(timeline: &Timeline<'_>, from: u64, steps: &[Move]) -> Vec<Result<u64, Stop>> {
    let mut cursor = Cursor { thread: Some(T), moment: from };
    steps
        .iter()
        .map(|step| match cursor.step(timeline, *step).unwrap() {
            Outcome::Moved(moved) => Ok(moved.moment),
            Outcome::Stopped(stop) => Err(stop),
        })
        .collect()
}

#[test]
fn over_passes_a_call_and_then_leaves() {
    let stored = store(&nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    // From just inside main: over parse, then the second parse never ends.
    let never = Stop::NeverEnds { call: 5 };
    assert_eq!(walk(&timeline, 1, &[Move::Over, Move::Over]), [Ok(5), Err(never)]);
    // From just inside parse: over wait, out of parse.
    assert_eq!(walk(&timeline, 2, &[Move::Over, Move::Over]), [Ok(4), Ok(5)]);
}

#[test]
fn out_and_back_out_meet_at_the_caller() {
    let stored = store(&nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    assert_eq!(walk(&timeline, 3, &[Move::Out, Move::Out]), [Ok(4), Ok(5)]);
    assert_eq!(walk(&timeline, 3, &[Move::BackOut, Move::BackOut]), [Ok(2), Ok(1)]);
    assert_eq!(
        walk(&timeline, 1, &[Move::BackOut, Move::BackOut, Move::Out]),
        [Ok(0), Err(Stop::Start), Err(Stop::NoCall)]
    );
}

#[test]
fn a_gap_is_crossed_also_where_another_thread_has_the_id_by_then() {
    let exit = EventKind::ThreadExit { code: 0, last: false };
    let start = EventKind::ThreadStart { parent: Tid(9), name: ThreadName::new("next") };
    let until_ns = START_NS + 160;
    let gap = EventKind::Gap { until_ns, entries: 1, exits: 1, others: 0 };
    for far in [false, true] {
        let mut events = vec![enter(100, T, 0), event(150, T, gap), leave(200, T, 0)];
        events.extend([event(300, T, exit), event(400, T, start)]);
        if far {
            let others = (500..40_500).step_by(2);
            events.extend(others.flat_map(|t| [enter(t, Tid(9), 2), leave(t + 1, Tid(9), 2)]));
        }
        events.push(enter(50_000, T, 0));
        let stored = store(&events, Form::Sealed);
        let timeline = Timeline::new(&stored.trace);
        let crosses = |from, thread, direction| {
            let cursor = Cursor { thread, moment: from };
            match timeline.step_to_call(cursor, &[FunctionId(0)], direction).unwrap() {
                Outcome::Moved(moved) => moved.crosses_gap,
                Outcome::Stopped(stop) => panic!("{stop:?}"),
            }
        };
        for thread in [Some(T), None] {
            let end = events.len() as u64;
            assert!(crosses(1, thread, Direction::Forward), "{thread:?}");
            assert!(crosses(end, thread, Direction::Backward), "{thread:?}");
            assert!(!crosses(3, thread, Direction::Forward), "{thread:?}");
        }
    }
}

#[test]
fn a_thread_that_ended_is_told_from_a_trace_that_ended() {
    let exit = EventKind::ThreadExit { code: 0, last: false };
    let mut events = nested();
    events.push(event(2_000, Tid(8), exit));
    let stored = store(&events, Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    let end = timeline.end().unwrap();
    let next = |tid| timeline.step(Cursor { thread: Some(tid), moment: end }, Move::Next).unwrap();
    assert_eq!(next(T), Outcome::Stopped(Stop::End));
    assert_eq!(next(Tid(8)), Outcome::Stopped(Stop::ThreadEnded));
}

#[test]
fn a_step_over_a_long_call_finds_its_end() {
    // A call over thousands of blocks' worth of others, in segments small and large.
    let other = Tid(9);
    let mut events = vec![enter(0, T, 0), enter(1, T, 1)];
    for t_ns in 2..20_000 {
        events.push(if t_ns % 2 == 0 { enter(t_ns, other, 2) } else { leave(t_ns, other, 2) });
        if t_ns % 1_000 == 0 {
            events.push(enter(t_ns, T, 3));
            events.push(leave(t_ns, T, 3));
        }
    }
    let ends = events.len() as u64;
    events.push(leave(20_000, T, 1));
    events.push(enter(20_001, T, 1));
    for (form, segment_bytes) in
        [(Form::Hot, 4_096), (Form::Sealed, 4_096), (Form::Hot, 1 << 20), (Form::Sealed, 1 << 20)]
    {
        let stored = store_in_segments(&events, form, segment_bytes);
        let timeline = Timeline::new(&stored.trace);
        assert_eq!(walk(&timeline, 1, &[Move::Over, Move::BackOver]), [Ok(ends + 1), Ok(1)]);
        assert_eq!(walk(&timeline, 5_000, &[Move::Out, Move::BackOver]), [Ok(ends + 1), Ok(1)]);
        let inside = timeline.step(Cursor { thread: Some(T), moment: ends }, Move::BackOut);
        assert!(matches!(inside, Ok(Outcome::Moved(moved)) if moved.moment == 1));
    }
}

#[test]
fn a_call_that_began_before_a_flight_recording_is_told() {
    let mut events = vec![enter(0, T, 0), enter(1, T, 1)];
    for t_ns in 2..4_000 {
        events.push(if t_ns % 2 == 0 { enter(t_ns, T, 2) } else { leave(t_ns, T, 2) });
    }
    events.push(leave(4_000, T, 1));
    let stored = store(&events, Form::Flight);
    let timeline = Timeline::new(&stored.trace);
    let (start, end) = (timeline.start(), timeline.end().unwrap());
    assert!(start > 1_000, "{start}");
    let before = |call| Err(Stop::BeforeTrace { call });
    assert_eq!(walk(&timeline, end - 1, &[Move::BackOut]), [before(1)]);
    assert_eq!(walk(&timeline, end, &[Move::BackOut]), [before(0)]);
    assert_eq!(walk(&timeline, end, &[Move::BackOver]), [before(1)]);
    assert_eq!(walk(&timeline, start, &[Move::BackInto]), [Err(Stop::Start)]);
    // Forward, its end is found. Segments begin anywhere: calls of the other function at even events.
    assert_eq!(walk(&timeline, start.next_multiple_of(2), &[Move::Out]), [Ok(end)]);
    let early = timeline.step(Cursor { thread: Some(T), moment: start - 1 }, Move::Next);
    assert!(matches!(early, Err(TimelineError::NoSuchEvent { .. })));
}

#[test]
fn steps_can_be_interrupted() {
    let stored = store(&nested(), Form::Sealed);
    let flag = AtomicBool::new(true);
    let timeline = Timeline::new(&stored.trace).interruptible(&flag);
    let outcome = timeline.step(Cursor { thread: Some(T), moment: 1 }, Move::Over);
    assert!(matches!(outcome, Err(TimelineError::Interrupted)));
}
