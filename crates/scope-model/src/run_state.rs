//! What the scheduler has a thread do, as a state machine over its events.

use crate::event::EventKind;
use crate::ids::Tid;

/// Run state of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// Not seen yet, or lost in a gap.
    #[default]
    Unknown,
    /// On a CPU.
    Running {
        /// Which.
        cpu: u16,
    },
    /// Waiting for a CPU.
    Runnable {
        /// Who woke it; `None` when it was preempted or just created.
        woken_by: Option<Tid>,
    },
    /// Waiting for something else.
    Blocked {
        /// Task state bits, as the kernel reports them.
        state: u32,
    },
    /// Ended.
    Ended,
}

impl RunState {
    /// The state after an event of the thread.
    #[must_use]
    pub const fn after(self, event: &EventKind) -> Self {
        match *event {
            EventKind::ThreadStart { parent, .. } => match parent {
                Tid(0) => Self::Unknown,
                parent => Self::Runnable { woken_by: Some(parent) },
            },
            // A thread that calls exec takes over the id of its process' first thread, whose end was
            // seen before.
            EventKind::Exec { .. } if matches!(self, Self::Ended) => Self::Unknown,
            _ if matches!(self, Self::Ended) => Self::Ended,
            EventKind::SwitchIn { cpu } => Self::Running { cpu },
            EventKind::SwitchOut { state: 0, .. } => Self::Runnable { woken_by: None },
            EventKind::SwitchOut { state, .. } => Self::Blocked { state },
            EventKind::Waking { waker, .. } => match self {
                // A thread that is still on its CPU, on its way to sleep, is not moved by this.
                Self::Running { .. } | Self::Runnable { .. } | Self::Ended => self,
                Self::Unknown | Self::Blocked { .. } => Self::Runnable { woken_by: Some(waker) },
            },
            EventKind::ThreadExit { .. } => Self::Ended,
            EventKind::Gap { others: 1.., .. } => Self::Unknown,
            _ => self,
        }
    }
}
