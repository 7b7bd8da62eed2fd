//! The tables say what the timeline library says, on random traces, however they are stored, and
//! whether tables choose what they read or not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scope_model::{Event, EventKind, RunState, State, Tid};
use scope_query::Session;
use scope_store::Trace;
use scope_timeline::{ProfileOptions, Timeline, profile};

use crate::asking::{rows, session, set};
use crate::generate::events;
use crate::store::{START_NS, forms, store};

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// All events with their numbers.
fn numbered(trace: &Trace) -> Vec<(u64, Event)> {
    (trace.first_event()..).zip(trace.events().map(Result::unwrap)).collect()
}

const CALLS: &str = "select id, parent_id, tid, pid, function_id, depth, start, duration, elapsed, self_time, \
    on_cpu, off_cpu, runnable, blocked, callees, ended, crosses_gap, inherited, end_event from calls";

/// Rows as the timeline tells the calls.
fn calls(trace: &Trace) -> Vec<String> {
    let timeline = Timeline::new(trace);
    let enters = numbered(trace);
    let enters = enters.iter().filter(|(_, event)| matches!(event.kind, EventKind::Enter { .. }));
    let mut rows: Vec<String> = enters
        .map(|(id, event)| {
            let call = timeline.call(*id, 0).unwrap();
            [
                id.to_string(),
                text(call.callers.last().map(|caller| caller.id)),
                call.tid.to_string(),
                call.pid.to_string(),
                call.call.function.to_string(),
                call.callers.len().to_string(),
                (event.time_ns as i64 - START_NS as i64).to_string(),
                text(call.duration_ns),
                call.elapsed_ns.to_string(),
                text(call.self_ns),
                call.times.running_ns.to_string(),
                (call.times.runnable_ns + call.times.blocked_ns).to_string(),
                call.times.runnable_ns.to_string(),
                call.times.blocked_ns.to_string(),
                call.callees.to_string(),
                text(call.ending.map(|ending| ending.end.name())),
                call.call.crosses_gap.to_string(),
                call.call.inherited.to_string(),
                text(call.ending.map(|ending| ending.event)),
            ]
            .join("|")
        })
        .collect();
    rows.sort();
    rows
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
        let name = match run {
            RunState::Running { .. } => "running",
            RunState::Runnable { .. } => "runnable",
            RunState::Blocked { .. } => "blocked",
            RunState::Unknown if until_ns == since_ns => return,
            RunState::Unknown => "unknown",
            RunState::Ended => return,
        };
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
    let calls = "select id, parent_id, duration, ended, depth, elapsed, end_event from calls";
    vec![
        format!("select * from events where time between {at} and {until}"),
        format!("select event, kind, name from events where tid = {tid} and time >= {at}"),
        format!("select * from events where function_id in ({function}, 3) and kind = 'leave'"),
        format!("select count(*) from events where kind = 'enter' or kind = 'leave'"),
        format!("{calls} where function_id = {function}"),
        format!("{calls} where function_id = {function} and tid = {tid} and start >= {at}"),
        format!("{calls} where start between {at} and {until}"),
        format!("{CALLS} where start between {at} and {until} and self_time > 3"),
        format!("{CALLS} where tid in ({tid}, 11) and duration < 100"),
        format!("{CALLS} where function_id = {function} and not inherited"),
        format!("{calls} where ended is null or ended = 'unwound'"),
        format!("select * from calls where id = {id}"),
        format!("select * from slices where start >= {at} and start < {until}"),
        format!("select * from slices where tid = {tid} and state = 'blocked'"),
        format!("select * from syscalls where start > {at} and tid <> {tid}"),
        format!("select * from syscalls where tid = {tid}"),
        format!("select * from wakeups where time <= {until}"),
        format!("select event, waker, blocked from wakeups where tid = {tid}"),
        format!("select * from gaps where start > {at}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tables_say_what_the_timeline_says(events in events(), form in forms()) {
        let stored = store(&events, form);
        let trace = &stored.trace;
        let mut sql = session(trace.path(), true);
        let told = set(&mut sql, CALLS);
        prop_assert_eq!(&told, &calls(trace));
        // Without their accounts calls are found in another way: thread by thread, and in checkpoints.
        let less = "select id, parent_id, tid, function_id, depth, start, elapsed, duration, ended, end_event from";
        let accounted = format!("{less} (select *, self_time + on_cpu as both from calls) where both >= 0 or both is null");
        prop_assert_eq!(set(&mut sql, &format!("{less} calls")), set(&mut sql, &accounted));

        let end_ns = Timeline::new(trace).end_ns().unwrap();
        let told = set(&mut sql, "select tid, start, duration, state from slices");
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
        let told = rows(&mut sql, "select tid, name, events, on_cpu, runnable, blocked from threads");
        prop_assert_eq!(told, threads);

        let made: BTreeMap<u32, u64> = profile.functions.iter().filter(|one| one.calls > 0)
            .map(|one| (one.id.0, one.calls)).collect();
        let made: Vec<String> = made.iter().map(|(id, calls)| format!("{id}|{calls}")).collect();
        let told = rows(
            &mut sql,
            "select function_id, count(*) from calls where not inherited group by 1 order by 1",
        );
        prop_assert_eq!(told, made);

        let kinds = numbered(trace).len();
        prop_assert_eq!(rows(&mut sql, "select count(*) from events"), vec![kinds.to_string()]);
    }

    #[test]
    fn what_tables_choose_to_read_changes_no_answer(
        events in events(),
        form in forms(),
        at in 0..1_500_i64,
        tid in 1..14_u32,
        function in 0..5_u32,
        id in 0..300_u64,
    ) {
        let stored = store(&events, form);
        let path = stored.trace.path();
        let (mut with, mut without) = (session(path, true), session(path, false));
        for statement in statements(at, tid, function, id) {
            prop_assert_eq!(
                set(&mut with, &statement),
                set(&mut without, &statement),
                "{}", statement
            );
        }
    }

    #[test]
    fn relatives_and_stacks_are_those_of_the_timeline(
        events in events(),
        form in forms(),
        pick in any::<prop::sample::Index>(),
    ) {
        let stored = store(&events, form);
        let trace = &stored.trace;
        let timeline = Timeline::new(trace);
        let all = numbered(trace);
        let ids: Vec<u64> = all
            .iter()
            .filter(|(_, event)| matches!(event.kind, EventKind::Enter { .. }))
            .map(|(id, _)| *id)
            .collect();
        prop_assume!(!ids.is_empty());
        let id = ids[pick.index(ids.len())];
        let mut sql = session(trace.path(), true);
        let view = timeline.call(id, 0).unwrap();

        let known = |id: &u64| ids.contains(id);
        let above: Vec<String> =
            view.callers.iter().map(|call| call.id).filter(known).map(|id| id.to_string()).collect();
        prop_assert_eq!(rows(&mut sql, &format!("select id from ancestors({id}) order by depth")), above.clone());
        let caller: Vec<String> =
            view.callers.last().map(|call| call.id).filter(known).map(|id| id.to_string()).into_iter().collect();
        prop_assert_eq!(rows(&mut sql, &format!("select id from callers({id})")), caller);

        let callees = timeline.callees(id, None, usize::MAX).unwrap().calls;
        let callees: Vec<String> =
            callees.iter().map(|call| format!("{}|{}", call.id, text(call.duration_ns))).collect();
        let told = rows(&mut sql, &format!("select id, duration from callees({id}) order by id"));
        prop_assert_eq!(told, callees);
        below(&mut sql, id, &view);

        let path = rows(&mut sql, &format!("select coalesce(sum(duration), 0) from critical_path({id})"));
        prop_assert_eq!(path, vec![view.elapsed_ns.to_string()]);

        let time = view.call.entered_ns as i64 - START_NS as i64;
        let moment = timeline.moment_at(view.call.entered_ns).unwrap();
        let mut stacks = Vec::new();
        for thread in timeline.state_at(moment).unwrap().sorted_threads() {
            for call in &thread.stack {
                stacks.push(format!("{}|{}", thread.tid, call.id));
            }
        }
        let told = rows(
            &mut sql,
            &format!("select tid, call_id from stack_at({time}) where call_id is not null order by tid, depth"),
        );
        prop_assert_eq!(told, stacks);
    }
}

/// Descendants are the calls of the thread that began while the call was open.
fn below(sql: &mut Session, id: u64, view: &scope_timeline::CallView) {
    let until = view.ending.map_or(i64::MAX, |ending| ending.event as i64);
    let expected =
        set(sql, &format!("{CALLS} where tid = {} and id > {id} and id < {until}", view.tid));
    let columns = CALLS.replace("from calls", &format!("from descendants({id})"));
    assert_eq!(set(sql, &columns), expected);
}
