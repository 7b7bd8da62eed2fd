//! A thread's state as the events that bring a fresh profile into it.

use scope_model::state::ThreadState;
use scope_model::{EventKind, RunState, Tid};

/// A thread's birth, its open calls, outermost first, and what it is doing.
pub fn events(thread: &ThreadState) -> impl Iterator<Item = EventKind> {
    let birth = EventKind::ThreadStart { parent: Tid(0), name: thread.name };
    let calls = thread.stack.iter().map(|call| EventKind::Enter {
        function: call.function,
        return_address: call.return_address,
        stack_pointer: call.stack_pointer,
        inherited: true,
    });
    let run = match thread.run {
        RunState::Running { cpu } => Some(EventKind::SwitchIn { cpu }),
        RunState::Runnable { .. } => Some(EventKind::SwitchOut { cpu: 0, state: 0 }),
        RunState::Blocked { state } => Some(EventKind::SwitchOut { cpu: 0, state }),
        RunState::Ended => Some(EventKind::ThreadExit { code: 0, last: false }),
        RunState::Unknown => None,
    };
    std::iter::once(birth).chain(calls).chain(run)
}
