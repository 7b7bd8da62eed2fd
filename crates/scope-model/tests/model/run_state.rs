//! Run states, event by event.

use scope_model::{EventKind, Pid, RunState, ThreadName, Tid};

const SLEEPING: u32 = 1;

fn after(events: &[EventKind]) -> RunState {
    events.iter().fold(RunState::Unknown, RunState::after)
}

fn start(parent: u32) -> EventKind {
    EventKind::ThreadStart { parent: Tid(parent), name: ThreadName::new("t") }
}

fn waking(waker: u32) -> EventKind {
    EventKind::Waking { waker: Tid(waker), waker_pid: Pid(1) }
}

const IN: EventKind = EventKind::SwitchIn { cpu: 3 };
const SLEEP: EventKind = EventKind::SwitchOut { cpu: 3, state: SLEEPING };
const PREEMPTED: EventKind = EventKind::SwitchOut { cpu: 3, state: 0 };
const END: EventKind = EventKind::ThreadExit { code: 0, last: false };

fn gap(entries: u32, others: u32) -> EventKind {
    EventKind::Gap { until_ns: 9, entries, exits: 0, others }
}

#[test]
fn a_thread_that_was_found_is_unknown_until_it_is_seen() {
    assert_eq!(after(&[start(0)]), RunState::Unknown);
    assert_eq!(after(&[start(0), SLEEP]), RunState::Blocked { state: SLEEPING });
}

#[test]
fn a_new_thread_waits_for_a_cpu() {
    assert_eq!(after(&[start(5)]), RunState::Runnable { woken_by: Some(Tid(5)) });
}

#[test]
fn sleep_wake_run() {
    assert_eq!(after(&[IN]), RunState::Running { cpu: 3 });
    assert_eq!(after(&[IN, SLEEP]), RunState::Blocked { state: SLEEPING });
    let woken = RunState::Runnable { woken_by: Some(Tid(5)) };
    assert_eq!(after(&[IN, SLEEP, waking(5)]), woken);
    assert_eq!(after(&[IN, SLEEP, waking(5), IN]), RunState::Running { cpu: 3 });
}

#[test]
fn a_preempted_thread_waits_for_a_cpu_and_nobody_woke_it() {
    assert_eq!(after(&[IN, PREEMPTED]), RunState::Runnable { woken_by: None });
}

#[test]
fn a_second_waker_changes_nothing() {
    let woken = RunState::Runnable { woken_by: Some(Tid(5)) };
    assert_eq!(after(&[SLEEP, waking(5), waking(6)]), woken);
    assert_eq!(after(&[IN, waking(5)]), RunState::Running { cpu: 3 });
}

#[test]
fn calls_names_and_system_calls_change_nothing() {
    let number = EventKind::SyscallEnter { number: 1 };
    let rename = EventKind::Rename { name: ThreadName::new("n") };
    let exec = EventKind::Exec { name: ThreadName::new("n") };
    assert_eq!(after(&[IN, number, rename, exec]), RunState::Running { cpu: 3 });
}

#[test]
fn only_lost_scheduler_records_make_the_state_unknown() {
    assert_eq!(after(&[IN, gap(7, 0)]), RunState::Running { cpu: 3 });
    assert_eq!(after(&[IN, gap(0, 1)]), RunState::Unknown);
    assert_eq!(after(&[IN, gap(0, 1), SLEEP]), RunState::Blocked { state: SLEEPING });
}

#[test]
fn a_thread_that_ended_stays_so() {
    // The switch away from a dead thread comes after its end.
    assert_eq!(after(&[IN, END, SLEEP, waking(5), gap(0, 1)]), RunState::Ended);
}

#[test]
fn a_thread_id_that_is_used_again_begins_anew() {
    assert_eq!(after(&[IN, END, start(5)]), RunState::Runnable { woken_by: Some(Tid(5)) });
}

#[test]
fn exec_by_another_thread_revives_the_id_of_the_first() {
    // The first thread ended, then another one called exec and took over its id.
    let exec = EventKind::Exec { name: ThreadName::new("n") };
    assert_eq!(after(&[IN, END, exec]), RunState::Unknown);
    assert_eq!(after(&[IN, END, exec, IN]), RunState::Running { cpu: 3 });
}
