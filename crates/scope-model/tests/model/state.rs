//! What threads are doing after a run of events.

use scope_model::state::{CPU_UNKNOWN, Lost};
use scope_model::{
    CallEnd, Event, EventKind, FunctionId, Pid, RunState, State, ThreadName, ThreadState, Tid,
};

fn apply(state: &mut State, tid: u32, kinds: &[EventKind]) {
    for kind in kinds {
        let number = state.next_event();
        let event = Event { time_ns: 100 + number, pid: Pid(7), tid: Tid(tid), kind: *kind };
        state.apply(number, &event);
    }
}

fn after(kinds: &[EventKind]) -> State {
    let mut state = State::new();
    apply(&mut state, 7, kinds);
    state
}

fn thread(state: &State) -> &ThreadState {
    state.thread(Tid(7)).unwrap()
}

const fn enter(function: u32) -> EventKind {
    EventKind::Enter {
        function: FunctionId(function),
        return_address: 5,
        stack_pointer: 6,
        inherited: false,
    }
}

const fn leave(function: u32) -> EventKind {
    EventKind::Leave {
        function: FunctionId(function),
        end: CallEnd::Returned,
        return_value: 0,
        crosses_gap: false,
    }
}

const EXIT: EventKind = EventKind::ThreadExit { code: 0, last: false };
const LAST_SWITCH: EventKind = EventKind::SwitchOut { cpu: 0, state: 0x80 };

#[test]
fn open_calls_have_the_number_of_their_entry_as_id() {
    let mut state = after(&[enter(1), enter(2), leave(2), enter(3)]);
    let stack = &thread(&state).stack;
    let calls: Vec<_> =
        stack.iter().map(|call| (call.id, call.function.0, call.entered_ns)).collect();
    assert_eq!(calls, [(0, 1, 100), (3, 3, 103)]);
    let event = Event { time_ns: 104, pid: Pid(7), tid: Tid(7), kind: leave(3) };
    assert_eq!(state.apply(4, &event).map(|call| call.id), Some(3));
    assert_eq!((state.next_event(), state.latest_ns()), (5, 104));
}

#[test]
fn a_thread_that_calls_runs_even_if_nobody_saw_it_get_its_cpu() {
    let state = after(&[enter(1)]);
    assert_eq!(thread(&state).run, RunState::Running { cpu: CPU_UNKNOWN });
    let state = after(&[EventKind::SwitchIn { cpu: 3 }, enter(1)]);
    assert_eq!(thread(&state).run, RunState::Running { cpu: 3 });
    assert_eq!(thread(&state).run_since_ns, 100);
}

#[test]
fn system_calls_are_open_until_they_end_or_may_have_been_lost() {
    let state = after(&[EventKind::SyscallEnter { number: 3 }, LAST_SWITCH]);
    assert_eq!(thread(&state).syscall.map(|call| (call.number, call.since_ns)), Some((3, 100)));
    let state = after(&[
        EventKind::SyscallEnter { number: 3 },
        EventKind::SyscallExit { number: 3, result: 0 },
    ]);
    assert_eq!(thread(&state).syscall, None);
    let gap = EventKind::Gap { until_ns: 101, entries: 0, exits: 0, others: 1 };
    let state = after(&[EventKind::SyscallEnter { number: 3 }, gap]);
    assert_eq!(thread(&state).syscall, None);
}

#[test]
fn a_gap_makes_doubtful_what_is_open_and_what_is_entered_within_it() {
    let gap = EventKind::Gap { until_ns: 102, entries: 1, exits: 2, others: 3 };
    let state = after(&[enter(1), gap, enter(2), enter(3)]);
    let doubtful: Vec<_> = thread(&state).stack.iter().map(|call| call.crosses_gap).collect();
    assert_eq!(doubtful, [true, true, false]);
    let lost = Lost { entries: 1, exits: 2, others: 3, calls_until_ns: 102, others_until_ns: 102 };
    assert_eq!((thread(&state).lost, thread(&state).lost.total()), (lost, 6));
    // Within it the run state is not known, whatever is seen.
    let state = after(&[gap, EventKind::SwitchIn { cpu: 1 }]);
    assert_eq!(thread(&state).run, RunState::Unknown);
}

#[test]
fn a_gap_of_unknown_threads_is_one_of_all() {
    let mut state = after(&[enter(1)]);
    apply(&mut state, 8, &[enter(1)]);
    apply(&mut state, 0, &[EventKind::Gap { until_ns: 110, entries: 1, exits: 0, others: 1 }]);
    apply(&mut state, 9, &[enter(1)]);
    for tid in [7, 8, 9] {
        let thread = state.thread(Tid(tid)).unwrap();
        assert!(thread.stack[0].crosses_gap && thread.run == RunState::Unknown);
        assert_eq!(thread.lost.total(), 0);
    }
    assert_eq!(state.lost().total(), 2);
    assert!(state.thread(Tid(0)).is_none());
}

#[test]
fn an_ended_thread_is_there_until_its_last_switch() {
    let mut state = after(&[EventKind::SwitchIn { cpu: 0 }, EXIT]);
    assert_eq!(thread(&state).run, RunState::Ended);
    apply(&mut state, 7, &[LAST_SWITCH]);
    assert!(state.threads().is_empty());
}

#[test]
fn of_ended_threads_whose_last_switch_is_missing_only_the_latest_are_kept() {
    let mut state = State::new();
    for tid in 1..=100 {
        apply(&mut state, tid, &[enter(1), leave(1), EXIT]);
    }
    let mut left: Vec<_> = state.threads().iter().map(|thread| thread.tid.0).collect();
    left.sort_unstable();
    assert_eq!(left, (69..=100).collect::<Vec<_>>());
}

#[test]
fn an_exec_leaves_one_thread_of_its_process_without_calls() {
    let mut state = after(&[enter(1)]);
    apply(&mut state, 8, &[enter(2)]);
    apply(&mut state, 7, &[EXIT]);
    let exec = EventKind::Exec { name: ThreadName::new("new") };
    apply(&mut state, 7, &[exec]);
    let tids: Vec<_> = state.threads().iter().map(|thread| thread.tid.0).collect();
    assert_eq!(tids, [7]);
    let thread = thread(&state);
    assert_eq!((thread.stack.len(), thread.name.text().as_str()), (0, "new"));
    assert_eq!(thread.run, RunState::Running { cpu: CPU_UNKNOWN });
}

#[test]
fn a_thread_id_that_is_used_again_begins_anew() {
    let start = |parent| EventKind::ThreadStart { parent: Tid(parent), name: ThreadName::new("b") };
    let state = after(&[enter(1), start(3)]);
    assert_eq!((thread(&state).stack.len(), thread(&state).name.text().as_str()), (0, "b"));
    assert_eq!(thread(&state).run, RunState::Runnable { woken_by: Some(Tid(3)) });
    // Found by the recorder, which may have heard of it before.
    let state = after(&[enter(1), start(0)]);
    assert_eq!(thread(&state).stack.len(), 1);
}

#[test]
fn parts_make_the_state_they_were_taken_from() {
    let mut state = after(&[enter(1), EventKind::Rename { name: ThreadName::new("x") }]);
    apply(&mut state, 9, &[enter(2), EXIT]);
    let threads = state.threads().iter().rev().cloned().collect();
    let again = State::from_parts(threads, *state.lost(), state.next_event(), state.latest_ns());
    assert_eq!(again, state);
    apply(&mut state, 9, &[LAST_SWITCH]);
    assert_ne!(again, state);
    assert_eq!(state.sorted_threads().len(), 1);
}
