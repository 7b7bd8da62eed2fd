//! Functions that give rows say what the timeline library and a model say, on random traces, however
//! they are stored, and whether tables choose what they read or not.

use proptest::prelude::*;
use proptest::sample::Index;
use scope_model::{CallEnd, EventKind, Pid, Tid};
use scope_timeline::Timeline;

use crate::asking::{rows, try_rows};
use crate::model::{Model, calls, waiting};
use crate::relation::{Relation, Value, asks, check, sessions};
use crate::scenario::{enter, event, leave};
use crate::store::{Form, START_NS, forms, store};

/// Ids of calls, and the number in another column of each.
fn numbers(calls: &Relation, column: &str) -> Vec<(u64, u64)> {
    let column = calls.column(column);
    let number = |value: &Value| match value {
        Value::Number(number) => *number as u64,
        _ => 0,
    };
    calls.rows.iter().map(|row| (number(&row[0]), number(&row[column]))).collect()
}

/// A moment, as one may write it.
#[derive(Clone, Debug)]
enum At {
    Number(Index),
    Text(Index),
    Share(u32),
    Call(Index),
    Event(Index),
    Start,
    End,
    Bookmark,
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![
        3 => any::<Index>().prop_map(At::Number),
        2 => any::<Index>().prop_map(At::Text),
        1 => (0..=100_u32).prop_map(At::Share),
        2 => any::<Index>().prop_map(At::Call),
        1 => any::<Index>().prop_map(At::Event),
        1 => Just(At::Start),
        1 => Just(At::End),
        1 => Just(At::Bookmark),
    ]
}

impl At {
    /// As SQL writes it, and the moment and its time; `None` where the trace has no such moment.
    fn of(&self, model: &Model) -> (String, Option<(u64, u64)>) {
        let first_ns = match model.first {
            0 => 0,
            first => model.events[first as usize].time_ns,
        };
        let end = model.events.len() as u64;
        let time = |time_ns: u64| {
            let within = (first_ns..=model.end_ns()).contains(&time_ns);
            within.then(|| (model.moment_at(time_ns), time_ns))
        };
        let moment = |moment: u64| {
            (model.first..=end).contains(&moment).then(|| (moment, model.time_of(moment)))
        };
        let event = |number: u64| match number >= model.first && number < end {
            true => moment(number + 1),
            false => None,
        };
        let length = model.end_ns() - START_NS;
        // One more than there are.
        let any_time = |index: &Index| index.index(length as usize + 2) as u64;
        let any_event = |index: &Index| index.index(end as usize + 1) as u64;
        match self {
            Self::Number(index) => {
                let ns = any_time(index);
                (ns.to_string(), time(START_NS + ns))
            }
            Self::Text(index) => {
                let ns = any_time(index);
                (format!("'{ns}ns'"), time(START_NS + ns))
            }
            Self::Share(share) => {
                (format!("'{share}%'"), time(START_NS + length * u64::from(*share) / 100))
            }
            Self::Call(index) => {
                let id = any_event(index);
                let kind = model.events.get(id as usize).map(|event| event.kind.name());
                (format!("'call:{id}'"), event(id).filter(|_| kind == Some("enter")))
            }
            Self::Event(index) => {
                let number = any_event(index);
                (format!("'event:{number}'"), event(number))
            }
            Self::Start => ("'start'".to_owned(), moment(model.first)),
            Self::End => ("'end'".to_owned(), Some((end, model.end_ns()))),
            // Every session has one there.
            Self::Bookmark => ("'@here'".to_owned(), moment(10)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn relatives_of_a_call_are_those_of_the_stacks(
        events in waiting(),
        form in forms(),
        pick in any::<Index>(),
        asks in asks(),
    ) {
        let stored = store(&events, form);
        let trace = &stored.trace;
        let (model, timeline, calls) = (Model::new(&events, trace), Timeline::new(trace), calls(trace));
        prop_assume!(!calls.rows.is_empty());
        let mut sessions = sessions(trace);
        // Any call, and one of those with most callees: there is more below it.
        let made = numbers(&calls, "callees");
        let most = made.iter().max_by_key(|(_, callees)| *callees).unwrap();
        for (id, _) in [*most, *pick.get(&made)] {
            let (above, below) = (model.above(id), model.below(id));
            let direct: Vec<u64> =
                below.iter().copied().filter(|made| model.above(*made).last() == Some(&id)).collect();
            let view = timeline.call(id, 0).unwrap();
            let callers: Vec<u64> = view.callers.iter().map(|caller| caller.id).collect();
            prop_assert_eq!(&callers, &above);
            let callees = timeline.callees(id, None, usize::MAX).unwrap().calls;
            let callees: Vec<u64> = callees.iter().map(|callee| callee.id).collect();
            prop_assert_eq!(&callees, &direct);
            let caller = &above[above.len().saturating_sub(1)..];
            for (name, ids) in [
                ("callers", caller),
                ("ancestors", &above),
                ("callees", &direct),
                ("descendants", &below),
            ] {
                check(&mut sessions, &calls.only(format!("{name}({id})"), ids), &asks);
            }
        }
    }

    #[test]
    fn stacks_at_a_moment_are_those_of_the_model(
        events in waiting(),
        form in forms(),
        moments in prop::collection::vec(at(), 4),
        asks in asks(),
    ) {
        let stored = store(&events, form);
        let model = Model::new(&events, &stored.trace);
        let mut sessions = sessions(&stored.trace);
        for at in moments {
            let (argument, moment) = at.of(&model);
            let name = format!("stack_at({argument})");
            if let Some((moment, time_ns)) = moment {
                check(&mut sessions, &model.stacks(name, moment, time_ns), &asks);
                continue;
            }
            for sql in &mut sessions {
                let told = try_rows(sql, &format!("select * from {name}"));
                prop_assert!(told.is_err(), "{}: {:?}", name, told);
            }
        }
    }

    #[test]
    fn critical_paths_are_those_of_the_model(
        events in waiting(),
        form in forms(),
        pick in any::<Index>(),
        asks in asks(),
    ) {
        let stored = store(&events, form);
        let trace = &stored.trace;
        let (model, calls) = (Model::new(&events, trace), calls(trace));
        prop_assume!(!calls.rows.is_empty());
        let mut sessions = sessions(trace);
        // Any call, and one of those that waited longest.
        let (blocked, elapsed) = (numbers(&calls, "blocked"), numbers(&calls, "elapsed"));
        let (most, _) = blocked.iter().max_by_key(|(_, blocked_ns)| *blocked_ns).unwrap();
        let most = elapsed.iter().find(|(id, _)| id == most).unwrap();
        for (id, elapsed_ns) in [*most, *pick.get(&elapsed)] {
            check(&mut sessions, &model.critical_path(id, elapsed_ns), &asks);
        }
    }
}

#[test]
fn threads_that_wait_for_each_other_are_followed_so_far() {
    let sleep = EventKind::SwitchOut { cpu: 0, state: 1 };
    let woken_by = |waker| EventKind::Waking { waker: Tid(waker), waker_pid: Pid(1) };
    let events = vec![
        enter(10, 1, 0),
        enter(10, 2, 0),
        event(10, 1, sleep),
        event(10, 2, sleep),
        event(50, 1, woken_by(2)),
        event(50, 2, woken_by(1)),
        leave(60, 1, 0, CallEnd::Returned),
    ];
    let stored = store(&events, Form::Sealed);
    let path = Model::new(&events, &stored.trace).critical_path(0, 50);
    let mut sessions = sessions(&stored.trace);
    check(&mut sessions, &path, &[]);
    let told = rows(&mut sessions[0], "select tid, hops, duration, state from critical_path(0)");
    assert_eq!(told, ["1|32|40|blocked", "1|0|10|runnable"]);
}
