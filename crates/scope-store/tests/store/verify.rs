//! `verify` finds what does not hold between events.

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, Tid};
use scope_store::{Torn, verify};

use crate::support::{create, event_range, finish, place};

fn at(time_ns: u64, kind: EventKind) -> Event {
    Event { time_ns, pid: Pid(7), tid: Tid(7), kind }
}

fn enter(function: u32) -> EventKind {
    EventKind::Enter {
        function: FunctionId(function),
        return_address: 1,
        stack_pointer: 2,
        inherited: false,
    }
}

fn leave(function: u32) -> EventKind {
    EventKind::Leave {
        function: FunctionId(function),
        end: CallEnd::Returned,
        return_value: 0,
        crosses_gap: false,
    }
}

fn problems(events: &[Event]) -> String {
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(events).unwrap();
    finish(writer);
    let report = verify(&path).unwrap();
    assert_eq!(report.events, events.len() as u64);
    assert_eq!(report.torn, None);
    assert_eq!(report.is_sound(), report.problems.is_empty());
    report.problems.join("\n")
}

#[test]
fn a_sound_trace() {
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&event_range(0..200)).unwrap();
    finish(writer);
    let report = verify(&path).unwrap();
    assert!(report.is_sound() && report.complete);
    assert_eq!((report.events, report.segments, report.blocks), (200, 3, 3));
}

#[test]
fn a_call_that_is_not_the_innermost_ends() {
    let events =
        [at(1, enter(1)), at(2, enter(2)), at(3, leave(1)), at(4, leave(1)), at(5, leave(3))];
    insta::assert_snapshot!(problems(&events), @r#"
event 2: thread 7 leaves function 1, but is in 2
event 4: thread 7 leaves function 3, but is in none
"#);
}

#[test]
fn time_goes_back_within_a_thread_only() {
    let other = |time_ns| Event { tid: Tid(8), ..at(time_ns, EventKind::SwitchIn { cpu: 0 }) };
    let switch = |time_ns| at(time_ns, EventKind::SwitchIn { cpu: 1 });
    let events = [switch(10), other(5), switch(7), switch(10)];
    insta::assert_snapshot!(problems(&events), @"event 2: time goes back by 3 ns in thread 7");
}

#[test]
fn functions_that_are_not_in_the_table() {
    insta::assert_snapshot!(problems(&[at(1, enter(8)), at(2, enter(9))]), @"event 1: function 9 is not in the table");
}

#[test]
fn gaps_and_thread_ends() {
    let gap = EventKind::Gap { until_ns: 5, entries: 1, exits: 0, others: 0 };
    let events =
        [at(6, gap), at(7, enter(0)), at(8, EventKind::ThreadExit { code: 0, last: true })];
    insta::assert_snapshot!(problems(&events), @r#"
event 0: a gap ends before it begins
event 2: thread 7 ends with 1 calls open
"#);
}

#[test]
fn many_problems_are_counted() {
    let events: Vec<_> = (0..30).map(|time| at(time, leave(0))).collect();
    let problems = problems(&events);
    assert_eq!(problems.lines().count(), 21);
    assert!(problems.ends_with("\n10 further problems"), "{problems}");
}

#[test]
fn a_torn_trace_says_where_and_what_was_lost() {
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&event_range(0..200)).unwrap();
    finish(writer);
    let segment = path.join("segments/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let length = bytes.len() as u64;
    bytes[1000] ^= 8;
    std::fs::write(&segment, bytes).unwrap();
    let kept = std::fs::metadata(path.join("segments/00000000.seg")).unwrap().len() - 64 - 48;
    let last = std::fs::metadata(path.join("segments/00000002.seg")).unwrap().len();
    let report = verify(&path).unwrap();
    let Torn { file, events_kept, bytes_lost, events_lost, .. } = report.torn.unwrap();
    assert_eq!(file, segment);
    assert_eq!(events_kept, kept / 40);
    assert_eq!(events_lost, Some(200 - kept / 40));
    assert_eq!(bytes_lost, length - 64 + last);
}
