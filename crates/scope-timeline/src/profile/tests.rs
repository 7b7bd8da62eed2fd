//! Profiles of event streams written by hand. Times are in ns, functions are numbers.

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

use super::{CallTimes, FunctionProfile, Profile, ProfileOptions, Profiler, ThreadProfile};

const T1: u32 = 11;
const T2: u32 = 12;

fn event(time_ns: u64, tid: u32, kind: EventKind) -> Event {
    Event { time_ns, pid: Pid(10), tid: Tid(tid), kind }
}

fn enter(time_ns: u64, tid: u32, function: u32) -> Event {
    let function = FunctionId(function);
    let kind = EventKind::Enter { function, return_address: 1, stack_pointer: 1, inherited: false };
    event(time_ns, tid, kind)
}

fn inherit(time_ns: u64, tid: u32, function: u32) -> Event {
    let function = FunctionId(function);
    let kind = EventKind::Enter { function, return_address: 1, stack_pointer: 1, inherited: true };
    event(time_ns, tid, kind)
}

fn leave_as(time_ns: u64, tid: u32, function: u32, end: CallEnd, crosses_gap: bool) -> Event {
    let function = FunctionId(function);
    event(time_ns, tid, EventKind::Leave { function, end, return_value: 0, crosses_gap })
}

fn leave(time_ns: u64, tid: u32, function: u32) -> Event {
    leave_as(time_ns, tid, function, CallEnd::Returned, false)
}

fn switch_in(time_ns: u64, tid: u32) -> Event {
    event(time_ns, tid, EventKind::SwitchIn { cpu: 3 })
}

fn preempted(time_ns: u64, tid: u32) -> Event {
    event(time_ns, tid, EventKind::SwitchOut { cpu: 3, state: 0 })
}

fn blocked(time_ns: u64, tid: u32) -> Event {
    event(time_ns, tid, EventKind::SwitchOut { cpu: 3, state: 1 })
}

fn waking(time_ns: u64, tid: u32) -> Event {
    event(time_ns, tid, EventKind::Waking { waker: Tid(1), waker_pid: Pid(1) })
}

fn start(time_ns: u64, tid: u32, parent: u32, name: &str) -> Event {
    let kind = EventKind::ThreadStart { parent: Tid(parent), name: ThreadName::new(name) };
    event(time_ns, tid, kind)
}

fn exit(time_ns: u64, tid: u32) -> Event {
    event(time_ns, tid, EventKind::ThreadExit { code: 0, last: false })
}

fn exec(time_ns: u64, tid: u32, name: &str) -> Event {
    event(time_ns, tid, EventKind::Exec { name: ThreadName::new(name) })
}

fn lost_calls(time_ns: u64, until_ns: u64, tid: u32, entries: u32, exits: u32) -> Event {
    event(time_ns, tid, EventKind::Gap { until_ns, entries, exits, others: 0 })
}

fn lost_others(time_ns: u64, until_ns: u64, tid: u32, others: u32) -> Event {
    event(time_ns, tid, EventKind::Gap { until_ns, entries: 0, exits: 0, others })
}

fn profile_with(options: ProfileOptions, end_ns: u64, events: &[Event]) -> Profile {
    let mut profiler = Profiler::new(0, options);
    for event in events {
        profiler.push(event);
    }
    profiler.finish(Some(end_ns))
}

fn profile(end_ns: u64, events: &[Event]) -> Profile {
    profile_with(ProfileOptions::default(), end_ns, events)
}

fn function(profile: &Profile, id: u32) -> &FunctionProfile {
    profile.functions.iter().find(|function| function.id.0 == id).expect("function was entered")
}

fn thread(profile: &Profile, tid: u32) -> &ThreadProfile {
    profile.threads.iter().find(|thread| thread.tid.0 == tid).expect("thread was seen")
}

fn total_and_self(profile: &Profile, id: u32) -> (u64, u64) {
    let function = function(profile, id);
    (function.times.total_ns, function.self_ns)
}

#[test]
fn a_callee_is_in_the_total_of_its_caller_but_not_in_its_self() {
    let got =
        profile(200, &[enter(100, T1, 0), enter(110, T1, 1), leave(140, T1, 1), leave(150, T1, 0)]);
    assert_eq!(total_and_self(&got, 0), (50, 20));
    assert_eq!(total_and_self(&got, 1), (30, 30));
    assert_eq!(function(&got, 0).calls, 1);
    assert_eq!(got.duration_ns, 200);
    assert_eq!(got.events, 4);
}

#[test]
fn recursion_counts_once_in_total_and_every_time_in_calls() {
    let got = profile(
        100,
        &[
            enter(0, T1, 0),
            enter(10, T1, 0),
            enter(20, T1, 1),
            enter(30, T1, 0),
            leave(40, T1, 0),
            leave(50, T1, 1),
            leave(60, T1, 0),
            leave(70, T1, 0),
        ],
    );
    assert_eq!(function(&got, 0).calls, 3);
    assert_eq!(total_and_self(&got, 0), (70, 50));
    assert_eq!(total_and_self(&got, 1), (30, 20));
    // Each call keeps its own duration: 10, 50 and 70.
    assert_eq!(function(&got, 0).durations.min_ns(), Some(10));
    assert_eq!(function(&got, 0).durations.quantile_ns(0.5), Some(50));
    assert_eq!(function(&got, 0).durations.max_ns(), Some(70));
}

#[test]
fn unwound_calls_are_counted_apart_and_have_no_duration() {
    let got = profile(
        100,
        &[
            enter(0, T1, 0),
            enter(10, T1, 1),
            enter(20, T1, 2),
            leave_as(30, T1, 2, CallEnd::Unwound, false),
            leave_as(30, T1, 1, CallEnd::Unwound, false),
            leave(40, T1, 0),
        ],
    );
    assert_eq!(function(&got, 1).unwound, 1);
    assert_eq!(function(&got, 1).unfinished, 0);
    assert_eq!(function(&got, 1).durations.count(), 0);
    assert_eq!(total_and_self(&got, 1), (20, 10));
    assert_eq!(total_and_self(&got, 2), (10, 10));
    assert_eq!(total_and_self(&got, 0), (40, 20));
    assert_eq!(function(&got, 0).durations.count(), 1);
}

#[test]
fn calls_without_a_return_probe_are_counted_apart() {
    let got = profile(100, &[enter(0, T1, 0), leave_as(10, T1, 0, CallEnd::Unobserved, false)]);
    assert_eq!(function(&got, 0).unobserved, 1);
    assert_eq!(function(&got, 0).durations.count(), 0);
}

#[test]
fn a_call_open_at_the_end_is_unfinished_and_counts_up_to_it() {
    let got = profile(100, &[enter(30, T1, 0), enter(50, T1, 1)]);
    assert_eq!(function(&got, 0).unfinished, 1);
    assert_eq!(total_and_self(&got, 0), (70, 20));
    assert_eq!(total_and_self(&got, 1), (50, 50));
    assert_eq!(function(&got, 0).durations.count(), 0);
}

#[test]
fn a_call_whose_thread_ended_is_unfinished_and_counts_up_to_that() {
    let got = profile(
        100,
        &[enter(30, T1, 0), leave_as(50, T1, 0, CallEnd::ThreadEnded, false), exit(50, T1)],
    );
    assert_eq!(function(&got, 0).unfinished, 1);
    assert_eq!(total_and_self(&got, 0), (20, 20));
}

#[test]
fn an_inherited_frame_takes_time_but_is_no_call() {
    let got = profile(
        100,
        &[
            start(10, T1, 1, "child"),
            inherit(10, T1, 0),
            enter(20, T1, 1),
            leave(30, T1, 1),
            leave(40, T1, 0),
        ],
    );
    assert_eq!(function(&got, 0).calls, 0);
    assert_eq!(function(&got, 0).unfinished, 0);
    assert_eq!(function(&got, 0).durations.count(), 0);
    assert_eq!(total_and_self(&got, 0), (30, 20));
    assert_eq!(function(&got, 1).calls, 1);
}

#[test]
fn time_of_a_call_is_split_by_what_the_scheduler_did() {
    let got = profile(
        1_000,
        &[
            switch_in(0, T1),
            enter(100, T1, 0),
            enter(200, T1, 1),
            blocked(300, T1),
            waking(600, T1),
            switch_in(650, T1),
            leave(700, T1, 1),
            preempted(750, T1),
            switch_in(800, T1),
            leave(900, T1, 0),
        ],
    );
    let times = |total_ns, on_cpu_ns, off_cpu_ns| CallTimes { total_ns, on_cpu_ns, off_cpu_ns };
    assert_eq!(function(&got, 1).times, times(500, 150, 350));
    assert_eq!(function(&got, 0).times, times(800, 400, 400));
    let thread = thread(&got, T1);
    assert_eq!((thread.on_cpu_ns, thread.off_cpu_ns, thread.runnable_ns), (600, 300, 100));
    assert_eq!(thread.unknown_ns, 0);
}

#[test]
fn before_the_scheduler_says_something_an_event_proves_that_the_thread_runs() {
    let got = profile(
        100,
        &[
            start(0, T1, 0, "found"),
            enter(10, T1, 0),
            blocked(30, T1),
            switch_in(70, T1),
            leave(90, T1, 0),
        ],
    );
    let times = function(&got, 0).times;
    assert_eq!((times.on_cpu_ns, times.off_cpu_ns), (40, 40));
    assert_eq!(thread(&got, T1).unknown_ns, 10);
}

#[test]
fn being_renamed_proves_nothing() {
    let got = profile(
        100,
        &[event(10, T1, EventKind::Rename { name: ThreadName::new("x") }), preempted(60, T1)],
    );
    assert_eq!(thread(&got, T1).on_cpu_ns, 0);
    assert_eq!(thread(&got, T1).unknown_ns, 50);
    assert_eq!(thread(&got, T1).runnable_ns, 40);
    assert_eq!(thread(&got, T1).name, "x");
}

#[test]
fn threads_are_accounted_apart_and_their_calls_together() {
    let events = [
        start(0, T1, 0, "one"),
        start(0, T2, T1, "two"),
        enter(10, T1, 0),
        enter(20, T2, 0),
        leave(40, T1, 0),
        leave(90, T2, 0),
    ];
    let got = profile(100, &events);
    assert_eq!(function(&got, 0).calls, 2);
    assert_eq!(function(&got, 0).times.total_ns, 100);
    assert_eq!(thread(&got, T1).name, "one");
    assert_eq!(thread(&got, T2).events, 3);
    assert!(thread(&got, T1).functions.is_empty());

    let split = profile_with(ProfileOptions { by_thread: true, thread: None }, 100, &events);
    assert_eq!(split.functions.len(), 1);
    assert_eq!(function(&split, 0).times.total_ns, 100);
    assert_eq!(function(&split, 0).durations.count(), 2);
    assert_eq!(thread(&split, T1).functions[0].times.total_ns, 30);
    assert_eq!(thread(&split, T2).functions[0].times.total_ns, 70);

    let one =
        profile_with(ProfileOptions { by_thread: false, thread: Some(Tid(T2)) }, 100, &events);
    assert_eq!(one.events, 6);
    assert_eq!(one.threads.len(), 1);
    assert_eq!(function(&one, 0).times.total_ns, 70);
}

#[test]
fn lost_events_are_summed_by_thread_and_over_all() {
    let got = profile(
        100,
        &[
            enter(1, T1, 0),
            lost_calls(10, 20, T1, 2, 3),
            lost_others(30, 40, T1, 4),
            event(50, 0, EventKind::Gap { until_ns: 60, entries: 1, exits: 1, others: 1 }),
        ],
    );
    assert_eq!(got.lost_events, 12);
    assert_eq!(thread(&got, T1).lost_events, 9);
    assert!(got.threads.iter().all(|thread| thread.tid.0 != 0));
}

#[test]
fn a_call_seen_to_return_after_a_gap_counts_without_the_gap_and_has_no_duration() {
    let got = profile(
        200,
        &[
            switch_in(0, T1),
            enter(10, T1, 0),
            lost_calls(50, 80, T1, 1, 1),
            leave_as(100, T1, 0, CallEnd::Returned, true),
        ],
    );
    let function = function(&got, 0);
    assert_eq!(function.times, CallTimes { total_ns: 60, on_cpu_ns: 60, off_cpu_ns: 0 });
    assert_eq!(function.self_ns, 60);
    assert_eq!(function.unknown_durations, 1);
    assert_eq!(function.durations.count(), 0);
    // The thread itself ran all the time.
    assert_eq!(thread(&got, T1).on_cpu_ns, 200);
}

#[test]
fn a_call_lost_in_a_gap_counts_up_to_the_gap() {
    let got = profile(
        200,
        &[
            enter(10, T1, 0),
            lost_calls(50, 80, T1, 0, 1),
            leave_as(150, T1, 0, CallEnd::Lost, true),
            enter(150, T1, 1),
            leave(160, T1, 1),
        ],
    );
    assert_eq!(total_and_self(&got, 0), (40, 40));
    assert_eq!(function(&got, 0).unfinished, 1);
    assert_eq!(function(&got, 0).unknown_durations, 1);
    assert_eq!(total_and_self(&got, 1), (10, 10));
    assert_eq!(function(&got, 1).durations.count(), 1);
}

#[test]
fn a_call_open_at_the_end_after_a_gap_counts_up_to_the_gap() {
    let got = profile(200, &[enter(10, T1, 0), lost_calls(50, 80, T1, 0, 1)]);
    assert_eq!(total_and_self(&got, 0), (40, 40));
}

#[test]
fn after_a_gap_a_sure_inner_call_does_not_count_twice() {
    let got = profile(
        300,
        &[
            enter(0, T1, 0),
            lost_calls(50, 60, T1, 1, 0),
            enter(100, T1, 0),
            leave(150, T1, 0),
            leave_as(200, T1, 0, CallEnd::Returned, true),
        ],
    );
    assert_eq!(total_and_self(&got, 0), (190, 190));
    assert_eq!(function(&got, 0).durations.max_ns(), Some(50));
}

#[test]
fn a_recursive_call_in_doubt_counts_once() {
    let got = profile(
        300,
        &[
            enter(0, T1, 0),
            enter(10, T1, 0),
            lost_calls(50, 60, T1, 1, 1),
            leave_as(100, T1, 0, CallEnd::Returned, true),
            leave_as(200, T1, 0, CallEnd::Returned, true),
        ],
    );
    assert_eq!(total_and_self(&got, 0), (190, 190));
}

#[test]
fn a_second_gap_keeps_what_was_in_doubt_in_doubt() {
    let got = profile(
        300,
        &[
            enter(0, T1, 0),
            lost_calls(50, 60, T1, 1, 1),
            enter(70, T1, 1),
            lost_calls(100, 110, T1, 1, 1),
            leave_as(120, T1, 1, CallEnd::Lost, true),
            leave_as(200, T1, 0, CallEnd::Returned, true),
        ],
    );
    // Sure: 70..100. In doubt and never seen to return: 110..120.
    assert_eq!(total_and_self(&got, 1), (30, 30));
    // 0..50, 60..100 and 110..200.
    assert_eq!(total_and_self(&got, 0), (180, 140));
}

#[test]
fn a_call_entered_inside_a_gap_is_in_doubt() {
    let got = profile(
        300,
        &[
            enter(0, T1, 1),
            lost_calls(50, 100, T1, 1, 1),
            enter(70, T1, 0),
            leave_as(150, T1, 0, CallEnd::Returned, true),
        ],
    );
    assert_eq!(total_and_self(&got, 0), (50, 50));
    assert_eq!(function(&got, 0).durations.count(), 0);
}

#[test]
fn a_gap_of_unknown_threads_concerns_every_thread_also_new_ones() {
    let got = profile(
        300,
        &[
            enter(0, T1, 0),
            event(50, 0, EventKind::Gap { until_ns: 100, entries: 1, exits: 0, others: 0 }),
            enter(70, T2, 1),
            leave_as(150, T1, 0, CallEnd::Returned, true),
            leave_as(150, T2, 1, CallEnd::Returned, true),
        ],
    );
    assert_eq!(total_and_self(&got, 0), (100, 100));
    assert_eq!(total_and_self(&got, 1), (50, 50));
    assert_eq!(function(&got, 1).unknown_durations, 1);
}

#[test]
fn lost_scheduler_events_make_the_split_unknown_until_it_is_seen_again() {
    let got = profile(
        300,
        &[
            switch_in(0, T1),
            enter(0, T1, 0),
            lost_others(50, 100, T1, 2),
            // Inside the gap: what follows it may be missing.
            switch_in(60, T1),
            blocked(150, T1),
            switch_in(200, T1),
            leave(250, T1, 0),
        ],
    );
    let times = function(&got, 0).times;
    assert_eq!(times, CallTimes { total_ns: 250, on_cpu_ns: 100, off_cpu_ns: 50 });
    assert_eq!(function(&got, 0).durations.count(), 1);
    assert_eq!(thread(&got, T1).unknown_ns, 100);
}

#[test]
fn an_ended_thread_gathers_no_time() {
    let got =
        profile(1_000, &[start(0, T1, 1, "t"), switch_in(10, T1), exit(30, T1), preempted(40, T1)]);
    let thread = thread(&got, T1);
    assert_eq!((thread.on_cpu_ns, thread.runnable_ns, thread.unknown_ns), (20, 10, 0));
    assert_eq!(thread.events, 4);
}

#[test]
fn a_thread_id_used_again_is_another_thread() {
    let got = profile(
        100,
        &[
            start(0, T1, 1, "first"),
            switch_in(0, T1),
            exit(10, T1),
            start(50, T1, 1, "second"),
            switch_in(60, T1),
        ],
    );
    let threads: Vec<_> =
        got.threads.iter().map(|t| (t.name.as_str(), t.on_cpu_ns, t.runnable_ns)).collect();
    assert_eq!(threads, [("first", 10, 0), ("second", 40, 10)]);
}

#[test]
fn a_new_program_ends_the_other_threads_of_its_process() {
    let got = profile(
        100,
        &[
            switch_in(0, T1),
            switch_in(0, T2),
            enter(10, T2, 0),
            exit(20, T1),
            leave_as(30, T2, 0, CallEnd::Exec, false),
            exec(30, T1, "new"),
        ],
    );
    assert_eq!(thread(&got, T2).on_cpu_ns, 30);
    assert_eq!(thread(&got, T1).on_cpu_ns, 20 + 70);
    assert_eq!(thread(&got, T1).name, "new");
    assert_eq!(function(&got, 0).unfinished, 1);
}

#[test]
fn without_an_end_of_recording_the_latest_event_is_the_end() {
    let mut profiler = Profiler::new(100, ProfileOptions::default());
    profiler.push(&enter(150, T1, 0));
    profiler.push(&enter(170, T1, 1));
    let got = profiler.finish(None);
    assert_eq!(got.duration_ns, 70);
    assert_eq!(total_and_self(&got, 0), (20, 20));
}

#[test]
fn what_no_recorder_writes_is_no_panic() {
    let got = profile(
        0,
        &[
            leave(50, T1, 7),
            enter(40, T1, u32::MAX),
            enter(u64::MAX, T1, 1),
            enter(0, T1, 2),
            leave_as(0, T1, u32::MAX, CallEnd::Returned, true),
            lost_calls(u64::MAX, 0, T1, u32::MAX, u32::MAX),
            exit(0, T1),
            enter(1, T1, 1),
        ],
    );
    assert_eq!(got.lost_events, 2 * u64::from(u32::MAX));
    assert_eq!(function(&got, 1).calls, 2);
}

mod against_a_model {
    //! Random well-nested streams: what the profiler keeps incrementally must equal what is found
    //! by looking at every nanosecond of every stack.

    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Enter(u32),
        Leave,
        Switch(u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..4_u32).prop_map(Step::Enter),
            3 => Just(Step::Leave),
            2 => (0..3_u8).prop_map(Step::Switch),
            4 => (0..20_u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..80)
    }

    #[derive(Default, PartialEq, Debug)]
    struct Model {
        total: u64,
        own: u64,
        on: u64,
        off: u64,
    }

    proptest! {
        #[test]
        fn totals_are_those_of_every_nanosecond(steps in steps()) {
            let mut events = vec![switch_in(0, T1)];
            let mut stack: Vec<u32> = Vec::new();
            let mut running = true;
            let mut now = 0;
            let mut model: HashMap<u32, Model> = HashMap::new();
            for step in steps {
                match step {
                    Step::Enter(function) if running => {
                        stack.push(function);
                        model.entry(function).or_default();
                        events.push(enter(now, T1, function));
                    }
                    Step::Leave if running => {
                        if let Some(function) = stack.pop() {
                            events.push(leave(now, T1, function));
                        }
                    }
                    Step::Switch(to) => {
                        running = to == 0;
                        events.push(match to {
                            0 => switch_in(now, T1),
                            1 => preempted(now, T1),
                            _ => blocked(now, T1),
                        });
                    }
                    Step::Wait(ns) => {
                        now += ns;
                        if let Some(top) = stack.last() {
                            model.entry(*top).or_default().own += ns;
                        }
                        for function in stack.iter().collect::<BTreeSet<_>>() {
                            let entry = model.entry(*function).or_default();
                            entry.total += ns;
                            if running { entry.on += ns } else { entry.off += ns }
                        }
                    }
                    Step::Enter(_) | Step::Leave => {}
                }
            }
            let got = profile(now, &events);
            let got: HashMap<u32, Model> = got
                .functions
                .iter()
                .map(|f| {
                    let CallTimes { total_ns, on_cpu_ns, off_cpu_ns } = f.times;
                    (f.id.0, Model { total: total_ns, own: f.self_ns, on: on_cpu_ns, off: off_cpu_ns })
                })
                .collect();
            prop_assert_eq!(got, model);
        }
    }
}
