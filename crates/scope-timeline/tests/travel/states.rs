//! What was at a moment.

use proptest::prelude::*;
use scope_timeline::{Bookmarks, Moment, Place, Timeline, TimelineError};

use crate::generate::events;
use crate::model::Model;
use crate::scenario;
use crate::store::{Form, START_NS, forms, store};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_moment_has_the_state_that_reading_from_the_start_gives(events in events(), form in forms()) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        prop_assert_eq!(timeline.end().unwrap(), model.end());
        let tids = model.tids();
        for moment in (model.start..=model.end()).rev() {
            let state = &model.states[moment as usize];
            prop_assert_eq!(&timeline.state_at(moment).unwrap(), state, "at {}", moment);
            prop_assert_eq!(timeline.time_of(moment).unwrap(), model.time_of(moment));
            let tid = tids[moment as usize % tids.len()];
            let thread = timeline.thread_at(moment, tid).unwrap();
            prop_assert_eq!(thread.as_ref(), state.thread(tid), "thread {} at {}", tid, moment);
        }
    }

    #[test]
    fn a_time_is_the_moment_after_all_that_happened_up_to_it(events in events(), form in forms()) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        let last = model.time_of(model.end());
        for time_ns in (START_NS.saturating_sub(2)..=last + 2).step_by(1 + last as usize / 4_000) {
            let moment = timeline.moment_at(time_ns).unwrap();
            prop_assert_eq!(moment, model.moment_at(time_ns), "at {}", time_ns);
        }
    }
}

#[test]
fn places_are_found() {
    let stored = store(&scenario::nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    let bookmarks: Bookmarks = serde_json::from_str(r#"{"here": 3}"#).unwrap();
    for (text, event, time_ns) in [
        ("start", 0, START_NS),
        ("end", 10, START_NS + 1_000),
        ("0s", 0, START_NS),
        ("100ns", 1, START_NS + 100),
        ("150ns", 1, START_NS + 150),
        // Two events have that time.
        ("300ns", 4, START_NS + 300),
        ("30%", 4, START_NS + 300),
        ("100%", 10, START_NS + 1_000),
        ("call:1", 2, START_NS + 200),
        ("#4", 5, START_NS + 400),
        ("mark:here", 3, START_NS + 300),
    ] {
        let moment = timeline.resolve(&text.parse().unwrap(), &bookmarks).unwrap();
        assert_eq!(moment, Moment { event, time_ns }, "{text}");
    }
}

#[test]
fn places_that_are_not_there_say_what_is() {
    let stored = store(&scenario::nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    let bookmarks = Bookmarks([("here".to_owned(), 3)].into());
    let error = |place: &str| -> String {
        timeline.resolve(&place.parse().unwrap(), &bookmarks).unwrap_err().to_string()
    };
    insta::assert_snapshot!(error("2s"), @"2.000000000s is outside the trace, which goes from 0.000000000s to 0.000001000s");
    insta::assert_snapshot!(error("-1s"), @"-1.000000000s is outside the trace, which goes from 0.000000000s to 0.000001000s");
    insta::assert_snapshot!(error("#10"), @"there is no event 10: the trace has events 0 to 9");
    insta::assert_snapshot!(error("call:10"), @"there is no event 10: the trace has events 0 to 9");
    insta::assert_snapshot!(error("call:4"), @"event 4 is no call: it is a leave event; a call's id is the number of its enter event");
    insta::assert_snapshot!(error("mark:there"), @"there is no bookmark there; there are here");
    assert!(matches!(timeline.state_at(11), Err(TimelineError::NoSuchEvent { .. })));
    assert_eq!(timeline.resolve(&Place::End, &bookmarks).unwrap().event, 10);
}

#[test]
fn an_empty_trace_has_one_moment() {
    let stored = store(&[], Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    assert_eq!((timeline.start(), timeline.end().unwrap()), (0, 0));
    assert!(timeline.state_at(0).unwrap().threads().is_empty());
    assert_eq!(timeline.time_of(0).unwrap(), START_NS);
    let error = timeline.event(0).unwrap_err();
    insta::assert_snapshot!(error, @"there is no event 0: the trace has none");
}
