//! Streams by hand.

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, Tid};

use crate::store::START_NS;

/// The thread of most scenarios.
pub(crate) const T: Tid = Tid(7);

pub(crate) fn event(t_ns: u64, tid: Tid, kind: EventKind) -> Event {
    Event { time_ns: START_NS + t_ns, pid: Pid(7), tid, kind }
}

pub(crate) fn enter(t_ns: u64, tid: Tid, function: u32) -> Event {
    let kind = EventKind::Enter {
        function: FunctionId(function),
        return_address: 0x4010,
        stack_pointer: 0x7fff_0000,
        inherited: false,
    };
    event(t_ns, tid, kind)
}

pub(crate) fn leave(t_ns: u64, tid: Tid, function: u32) -> Event {
    leave_as(t_ns, tid, function, CallEnd::Returned)
}

pub(crate) fn leave_as(t_ns: u64, tid: Tid, function: u32, end: CallEnd) -> Event {
    let function = FunctionId(function);
    event(t_ns, tid, EventKind::Leave { function, end, return_value: 0, crosses_gap: false })
}

/// `main` calls `parse`, which calls `wait` twice, the second time in no time; then `parse` again,
/// which is open at the end.
pub(crate) fn nested() -> Vec<Event> {
    vec![
        enter(100, T, 0),
        enter(200, T, 1),
        enter(300, T, 2),
        leave(300, T, 2),
        leave(400, T, 1),
        enter(500, T, 1),
        event(600, T, EventKind::SwitchOut { cpu: 0, state: 1 }),
        event(700, T, EventKind::SwitchIn { cpu: 1 }),
        enter(900, T, 2),
        leave(1_000, T, 2),
    ]
}
