//! A small trace with something of everything.

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

use crate::store::START_NS;

pub(crate) fn event(t: u64, tid: u32, kind: EventKind) -> Event {
    Event { time_ns: START_NS + t, pid: Pid(1), tid: Tid(tid), kind }
}

pub(crate) fn enter(t: u64, tid: u32, function: u32) -> Event {
    let kind = EventKind::Enter {
        function: FunctionId(function),
        return_address: 0x4000,
        stack_pointer: 0x7fff_0000,
        inherited: false,
    };
    event(t, tid, kind)
}

pub(crate) fn leave(t: u64, tid: u32, function: u32, end: CallEnd) -> Event {
    let function = FunctionId(function);
    let return_value = u64::from(end == CallEnd::Returned) * 7;
    event(t, tid, EventKind::Leave { function, end, return_value, crosses_gap: false })
}

/// Thread 1 calls `parse` and waits in `wait` for thread 2, which works in `send` meanwhile and wakes
/// it; then losses.
pub(crate) fn events() -> Vec<Event> {
    let name = ThreadName::new;
    vec![
        event(0, 1, EventKind::ThreadStart { parent: Tid(0), name: name("main") }),
        event(10, 1, EventKind::SwitchIn { cpu: 0 }),
        enter(100, 1, 0),
        event(120, 2, EventKind::ThreadStart { parent: Tid(1), name: name("worker") }),
        event(130, 2, EventKind::SwitchIn { cpu: 1 }),
        enter(200, 1, 1),
        leave(700, 1, 1, CallEnd::Returned),
        enter(800, 1, 2),
        event(850, 1, EventKind::SyscallEnter { number: 202 }),
        event(900, 1, EventKind::SwitchOut { cpu: 0, state: 1 }),
        enter(1_000, 2, 3),
        event(1_900, 1, EventKind::Waking { waker: Tid(2), waker_pid: Pid(1) }),
        event(2_000, 1, EventKind::SwitchIn { cpu: 0 }),
        event(2_010, 1, EventKind::SyscallExit { number: 202, result: -4 }),
        leave(2_100, 1, 2, CallEnd::Returned),
        leave(2_200, 2, 3, CallEnd::Unwound),
        enter(2_300, 1, 1),
        event(
            2_400,
            1,
            EventKind::Gap { until_ns: START_NS + 2_500, entries: 1, exits: 1, others: 0 },
        ),
        event(3_000, 1, EventKind::SwitchOut { cpu: 0, state: 0 }),
    ]
}
