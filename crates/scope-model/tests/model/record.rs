//! Records of the kernel half become typed raw events.

use scope_model::{FunctionId, Pid, RawEvent, RawKind, RecordError, ThreadName, Tid};
use tracer_common::{Record, RecordKind};

fn record(kind: RecordKind) -> Record {
    Record { time_ns: 5, pid: 6, tid: 7, id: 8, cpu: 9, kind: kind as u8, flags: 0, a: 10, b: 11 }
}

fn kind_of(record: Record) -> RawKind {
    let raw = RawEvent::try_from(&record).unwrap();
    assert_eq!((raw.time_ns, raw.pid, raw.tid), (5, Pid(6), Tid(7)));
    raw.kind
}

#[test]
fn entries() {
    let entry = |watched, on_signal_stack| RawKind::Entry {
        function: FunctionId(8),
        stack_pointer: 10,
        return_address: 11,
        watched,
        on_signal_stack,
    };
    let plain = record(RecordKind::Entry);
    assert_eq!(kind_of(plain), entry(true, false));
    let flags = Record::FLAG_UNWATCHED;
    assert_eq!(kind_of(Record { flags, ..plain }), entry(false, false));
    let flags = Record::FLAG_UNWATCHED | Record::FLAG_SIGNAL_STACK;
    assert_eq!(kind_of(Record { flags, ..plain }), entry(false, true));
}

#[test]
fn exits() {
    let expected = RawKind::Exit { function: FunctionId(8), stack_pointer: 10, return_value: 11 };
    assert_eq!(kind_of(record(RecordKind::Exit)), expected);
}

#[test]
fn switches() {
    assert_eq!(kind_of(record(RecordKind::SwitchIn)), RawKind::SwitchIn { cpu: 9 });
    let out = record(RecordKind::SwitchOut);
    assert_eq!(kind_of(out), RawKind::SwitchOut { cpu: 9, state: 10 });
    let preempted = Record { flags: Record::FLAG_PREEMPTED, ..out };
    assert_eq!(kind_of(preempted), RawKind::SwitchOut { cpu: 9, state: 0 });
    let waking = RawKind::Waking { waker: Tid(8), waker_pid: Pid(10) };
    assert_eq!(kind_of(record(RecordKind::Waking)), waking);
}

#[test]
fn tasks_and_their_names() {
    let name = ThreadName::new("fifteen_letters_and_more");
    assert_eq!(name.text(), "fifteen_letters");
    let (head, tail) = name.0.split_at(8);
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    let named = |kind| Record { a: word(head), b: word(tail), ..record(kind) };
    let task = |same_process, shares_memory| RawKind::NewTask {
        parent: Tid(8),
        same_process,
        shares_memory,
        name,
    };
    let new = named(RecordKind::NewTask);
    assert_eq!(kind_of(new), task(false, false));
    let flags = Record::FLAG_SHARES_MEMORY;
    assert_eq!(kind_of(Record { flags, ..new }), task(false, true));
    let flags = Record::FLAG_SHARES_MEMORY | Record::FLAG_SAME_PROCESS;
    assert_eq!(kind_of(Record { flags, ..new }), task(true, true));
    assert_eq!(kind_of(named(RecordKind::Exec)), RawKind::Exec { old_tid: Tid(8), name });
    assert_eq!(kind_of(named(RecordKind::Rename)), RawKind::Rename { name });
    let exit = record(RecordKind::TaskExit);
    assert_eq!(kind_of(exit), RawKind::TaskExit { code: 10, last: false });
    let last = Record { flags: Record::FLAG_LAST_THREAD, ..exit };
    assert_eq!(kind_of(last), RawKind::TaskExit { code: 10, last: true });
}

#[test]
fn programs() {
    let program = record(RecordKind::Program);
    assert_eq!(kind_of(program), RawKind::Program { code_start: 10 });
}

#[test]
fn system_calls() {
    let enter = record(RecordKind::SyscallEnter);
    assert_eq!(kind_of(enter), RawKind::SyscallEnter { number: 8 });
    let failed = Record { a: (-4_i64).cast_unsigned(), ..record(RecordKind::SyscallExit) };
    assert_eq!(kind_of(failed), RawKind::SyscallExit { number: 8, result: -4 });
}

#[test]
fn kinds_that_are_not_known_are_refused_and_no_other() {
    for kind in 0..=u8::MAX {
        let record = Record { kind, ..record(RecordKind::Entry) };
        match RecordKind::from_number(kind) {
            Some(known) => {
                assert_eq!(known as u8, kind);
                assert!(RawEvent::try_from(&record).is_ok());
            }
            None => assert_eq!(RawEvent::try_from(&record), Err(RecordError { kind })),
        }
    }
}

#[test]
fn names_that_are_not_text_are_readable() {
    let mut name = ThreadName::new("ab");
    name.0[1] = 0xff;
    assert_eq!(name.text(), "a\u{fffd}");
    assert_eq!(ThreadName([b'x'; 16]).text(), "x".repeat(16));
}
