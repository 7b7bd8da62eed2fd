//! What the UI can have a recorder do that runs in the same process.
//!
//! What a recorder does is read back from the trace like everything else; here is only the way to it.

use std::collections::BTreeSet;

use scope_model::FunctionId;

/// Something a recorder is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Record no calls until told otherwise.
    Pause,
    /// Record calls again.
    Resume,
    /// Record the calls of a function again.
    Enable(FunctionId),
    /// Record no calls of a function.
    Disable(FunctionId),
    /// End the recording; the trace is completed.
    Stop,
}

/// A recorder.
pub trait Recorder: Send {
    /// Has it do something. Returns at once; an end takes its time, and is seen in the trace.
    ///
    /// # Errors
    ///
    /// Why it cannot, as a clause for a person.
    fn order(&mut self, order: Order) -> Result<(), String>;
}

/// What a recorder was told, as far as the screen shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// No calls are recorded.
    pub paused: bool,
    /// It was told to end.
    pub stopped: bool,
    /// Functions whose calls are not recorded.
    pub disabled: BTreeSet<FunctionId>,
}

impl Control {
    /// The state once an order was given.
    pub(crate) fn give(&mut self, order: Order) {
        match order {
            Order::Pause => self.paused = true,
            Order::Resume => self.paused = false,
            Order::Enable(function) => {
                self.disabled.remove(&function);
            }
            Order::Disable(function) => {
                self.disabled.insert(function);
            }
            Order::Stop => self.stopped = true,
        }
    }

    /// The order that undoes another one.
    pub(crate) const fn reverse(order: Order) -> Option<Order> {
        match order {
            Order::Pause => Some(Order::Resume),
            Order::Resume => Some(Order::Pause),
            Order::Enable(function) => Some(Order::Disable(function)),
            Order::Disable(function) => Some(Order::Enable(function)),
            Order::Stop => None,
        }
    }
}
