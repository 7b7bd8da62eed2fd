//! The tables say what the timeline library says, on random traces, however they are stored, and
//! whether tables choose what they read or not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, Pid, RunState, State, Tid};
use scope_store::Trace;
use scope_timeline::{ProfileOptions, Timeline, profile};

use crate::asking::{rows, set};
use crate::model::{CALLS, calls, state_name, waiting};
use crate::relation::{asks, check, sessions};
use crate::scenario::{enter, event, leave};
use crate::store::{Form, START_NS, forms, store};

/// All events with their numbers.
fn numbered(trace: &Trace) -> Vec<(u64, Event)> {
    (trace.first_event()..).zip(trace.events().map(Result::unwrap)).collect()
}

/// Rows of slices as the states of a replay have them: thread, start, duration, state.
fn slices(trace: &Trace, end_ns: u64) -> Vec<String> {
    let mut state = match trace.first_event() {
        0 => State::new(),
        _ => State::clone(&*trace.checkpoint(0).unwrap()),
    };
    let mut present: BTreeMap<Tid, (RunState, u64)> = BTreeMap::new();
    for thread in state.threads() {
        present.insert(thread.tid, (thread.run, thread.run_since_ns));
    }
    let mut rows = Vec::new();
    let mut give = |tid: Tid, (run, since_ns): (RunState, u64), until_ns: u64| {
        if run == RunState::Ended || run == RunState::Unknown && until_ns == since_ns {
            return;
        }
        let name = state_name(run);
        let start = since_ns as i64 - START_NS as i64;
        rows.push(format!("{tid}|{start}|{}|{name}", until_ns - since_ns));
    };
    for (number, event) in numbered(trace) {
        state.apply(number, &event);
        let mut tids: Vec<Tid> = present.keys().copied().collect();
        tids.extend(state.threads().iter().map(|thread| thread.tid));
        tids.sort_unstable();
        tids.dedup();
        for tid in tids {
            let now = state.thread(tid).map(|thread| (thread.run, thread.run_since_ns));
            let before = present.get(&tid).copied();
            if now == before {
                continue;
            }
            if let Some(before) = before {
                give(tid, before, event.time_ns);
            }
            match now {
                Some(now) => present.insert(tid, now),
                None => present.remove(&tid),
            };
        }
    }
    for (tid, slice) in present {
        give(tid, slice, end_ns);
    }
    rows.sort();
    rows
}

/// Statements whose answers must not depend on what tables choose to read.
fn statements(at: i64, tid: u32, function: u32, id: u64) -> Vec<String> {
    let until = at + 300;
    let all = format!("select {} from calls", CALLS.join(", "));
    let calls = "select id, parent_id, duration, ended, depth, elapsed, end_event from calls";
    vec![
        format!("select * from events where time between {at} and {until}"),
        format!("select event, kind, name from events where tid = {tid} and time >= {at}"),
        format!("select * from events where function_id in ({function}, 3) and kind = 'leave'"),
        format!("select count(*) from events where kind = 'enter' or kind = 'leave'"),
        format!("{calls} where function_id = {function}"),
        format!("{calls} where function_id = {function} and tid = {tid} and start >= {at}"),
        format!("{calls} where start between {at} and {until}"),
        format!("{all} where start between {at} and {until} and self_time > 3"),
        format!("{all} where tid in ({tid}, 11) and duration < 100"),
        format!("{all} where function_id = {function} and not inherited"),
        format!("{calls} where ended is null or ended = 'unwound'"),
        format!("select * from calls where id = {id}"),
        format!("select * from slices where start >= {at} and start < {until}"),
        format!("select * from slices where tid = {tid} and state = 'blocked'"),
        format!("select * from syscalls where start > {at} and tid <> {tid}"),
        format!("select * from syscalls where tid = {tid}"),
        format!("select * from wakeups where time <= {until}"),
        format!("select event, waker, blocked from wakeups where tid = {tid}"),
        format!("select * from wakeups where tid = {tid}"),
        format!("select * from gaps where start > {at}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tables_say_what_the_timeline_says(events in waiting(), form in forms(), asks in asks()) {
        let stored = store(&events, form);
        let trace = &stored.trace;
        let mut sessions = sessions(trace);
        check(&mut sessions, &calls(trace), &asks);
        let [sql, _] = &mut sessions;
        // Without their accounts calls are found in another way: thread by thread, and in checkpoints.
        let less = "select id, parent_id, tid, function_id, depth, start, elapsed, duration, ended, end_event from";
        let accounted = format!("{less} (select *, self_time + on_cpu as both from calls) where both >= 0 or both is null");
        prop_assert_eq!(set(sql, &format!("{less} calls")), set(sql, &accounted));

        let end_ns = Timeline::new(trace).end_ns().unwrap();
        let told = set(sql, "select tid, start, duration, state from slices");
        prop_assert_eq!(told, slices(trace, end_ns));

        let profile = profile(trace, ProfileOptions::default()).unwrap();
        let threads: Vec<String> = profile
            .threads
            .iter()
            .map(|thread| {
                [
                    thread.tid.to_string(),
                    thread.name.clone(),
                    thread.events.to_string(),
                    thread.on_cpu_ns.to_string(),
                    thread.runnable_ns.to_string(),
                    thread.off_cpu_ns.to_string(),
                ]
                .join("|")
            })
            .collect();
        let told = rows(sql, "select tid, name, events, on_cpu, runnable, blocked from threads");
        prop_assert_eq!(told, threads);

        let made: BTreeMap<u32, u64> = profile.functions.iter().filter(|one| one.calls > 0)
            .map(|one| (one.id.0, one.calls)).collect();
        let made: Vec<String> = made.iter().map(|(id, calls)| format!("{id}|{calls}")).collect();
        let told = rows(
            sql,
            "select function_id, count(*) from calls where not inherited group by 1 order by 1",
        );
        prop_assert_eq!(told, made);

        let kinds = numbered(trace).len();
        prop_assert_eq!(rows(sql, "select count(*) from events"), vec![kinds.to_string()]);
    }

    #[test]
    fn what_tables_choose_to_read_changes_no_answer(
        events in waiting(),
        form in forms(),
        at in 0..1_500_i64,
        tid in 1..14_u32,
        function in 0..5_u32,
        id in 0..300_u64,
    ) {
        let stored = store(&events, form);
        let [mut with, mut without] = sessions(&stored.trace);
        for statement in statements(at, tid, function, id) {
            prop_assert_eq!(
                set(&mut with, &statement),
                set(&mut without, &statement),
                "{}", statement
            );
        }
    }
}

#[test]
fn a_waker_is_followed_where_only_the_thread_that_it_wakes_is_asked_for() {
    // The call of the waker begins in a block without events of the other, between two that have some and
    // are of one part.
    let others = |from: u64| {
        (from..from + 300).flat_map(|t| [enter(t, 9, 1), leave(t, 9, 1, CallEnd::Returned)])
    };
    let mut events = vec![enter(0, 2, 0)];
    events.push(event(1, 2, EventKind::SwitchOut { cpu: 0, state: 1 }));
    events.extend(others(10));
    events.push(enter(400, 9, 2));
    events.extend(others(500));
    events.push(event(900, 2, EventKind::Waking { waker: Tid(9), waker_pid: Pid(1) }));
    events.extend(others(1_000));
    events.push(event(1_400, 2, EventKind::SwitchIn { cpu: 0 }));
    events.extend(others(1_500));
    events.push(event(1_900, 2, EventKind::SwitchOut { cpu: 0, state: 0 }));
    for form in [Form::Hot, Form::Sealed] {
        let stored = store(&events, form);
        for sql in &mut sessions(&stored.trace) {
            let told =
                rows(sql, "select blocked, call_id, waker_call_id from wakeups where tid = 2");
            assert_eq!(told, ["899|0|602"], "{form:?}");
        }
    }
}
