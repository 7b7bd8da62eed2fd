//! Events that no recorder writes: the answers may be odd, but they come, and steps go their way.

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};
use scope_store::Direction;
use scope_timeline::{Cursor, Move, Outcome, SearchOptions, Timeline};

use crate::model::Model;
use crate::store::{forms, store};

fn any_event() -> impl Strategy<Value = Event> {
    let time = prop_oneof![8 => 0..500_u64, 1 => any::<u64>()];
    (time, 0..4_u32, 0..4_u32, any_kind()).prop_map(|(time_ns, pid, tid, kind)| Event {
        time_ns,
        pid: Pid(pid),
        tid: Tid(tid),
        kind,
    })
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    let function = (0..7_u32).prop_map(FunctionId);
    let tid = (0..4_u32).prop_map(Tid);
    let end = (0..6_u8).prop_map(|number| CallEnd::from_number(number).unwrap());
    prop_oneof![
        6 => (function.clone(), any::<u64>(), any::<bool>()).prop_map(
            |(function, stack_pointer, inherited)| EventKind::Enter {
                function,
                return_address: 0,
                stack_pointer,
                inherited
            }
        ),
        6 => (function, end, any::<bool>()).prop_map(|(function, end, crosses_gap)| {
            EventKind::Leave { function, end, return_value: 0, crosses_gap }
        }),
        1 => any::<u16>().prop_map(|cpu| EventKind::SwitchIn { cpu }),
        1 => any::<(u16, u32)>().prop_map(|(cpu, state)| EventKind::SwitchOut { cpu, state }),
        1 => tid.clone().prop_map(|waker| EventKind::Waking { waker, waker_pid: Pid(1) }),
        1 => tid
            .prop_map(|parent| EventKind::ThreadStart { parent, name: ThreadName::new("any") }),
        1 => any::<bool>().prop_map(|last| EventKind::ThreadExit { code: 0, last }),
        1 => Just(EventKind::Exec { name: ThreadName([0xff; 16]) }),
        1 => any::<u32>().prop_map(|number| EventKind::SyscallEnter { number }),
        1 => any::<u32>().prop_map(|number| EventKind::SyscallExit { number, result: 0 }),
        1 => any::<(u64, u32, u32, u32)>().prop_map(|(until_ns, entries, exits, others)| {
            EventKind::Gap { until_ns, entries, exits, others }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_question_has_an_answer(
        events in prop::collection::vec(any_event(), 0..300),
        form in forms(),
    ) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        for moment in (model.start..=model.end()).step_by(7) {
            prop_assert_eq!(&timeline.state_at(moment).unwrap(), &model.states[moment as usize]);
            for thread in (0..5).map(|tid| Some(Tid(tid))).chain([None]) {
                for step in Move::ALL {
                    let outcome = timeline.step(Cursor { thread, moment }, step).unwrap();
                    if let Outcome::Moved(moved) = outcome {
                        match step.direction() {
                            Direction::Forward => prop_assert!(moved.moment > moment),
                            Direction::Backward => prop_assert!(moved.moment < moment),
                        }
                    }
                }
            }
            if moment < model.end() {
                timeline.happening(moment).unwrap();
                if let Ok(view) = timeline.call(moment, 3) {
                    prop_assert!(view.waits.len() <= 3);
                    timeline.callees(moment, None, 5).unwrap();
                }
            }
        }
        for text in ["duration>1ns or end=never", "within=parse not state=running", "thread=any"] {
            for (direction, from) in
                [(Direction::Forward, model.start), (Direction::Backward, model.end())]
            {
                let options = SearchOptions { direction, from, until: None };
                let condition = text.parse().unwrap();
                let search = timeline.search(&condition, options).unwrap();
                let hits: Vec<u64> = search.map(|hit| hit.unwrap().number).collect();
                prop_assert!(hits.is_sorted_by(|a, b| (a < b) == (direction == Direction::Forward)));
            }
        }
    }
}
