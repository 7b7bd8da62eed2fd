//! What the codec of blocks knows of open calls: enough to leave out of a `Leave` which function
//! ends, and of an `Enter` where its frame lies.
//!
//! Fewer things than [`State`] keeps, in a form that is quick to change: encoder and decoder go
//! through it once an event. It follows `State` in well-nested streams; in others the encoder sees
//! where they part and has the decoder begin anew.

use rustc_hash::FxHashMap;
use scope_model::{EventKind, FunctionId, OpenCall, State, ThreadState, Tid};

/// An open call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) function: FunctionId,
    pub(crate) stack_pointer: u64,
}

impl Frame {
    #[inline]
    pub(crate) fn of(call: &OpenCall) -> Self {
        Self { function: call.function, stack_pointer: call.stack_pointer }
    }

    /// The open calls of a thread, outermost first.
    pub(crate) fn stack_of(thread: &ThreadState) -> Vec<Self> {
        thread.stack.iter().map(Self::of).collect()
    }
}

/// The open calls of all threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stacks {
    slots: FxHashMap<Tid, u32>,
    stacks: Vec<Vec<Frame>>,
}

impl Stacks {
    /// Those of a state.
    pub(crate) fn of(state: &State) -> Self {
        let mut stacks = Self::default();
        for thread in state.threads().iter().filter(|thread| !thread.stack.is_empty()) {
            let slot = stacks.slot(thread.tid);
            stacks.stacks[slot] = Frame::stack_of(thread);
        }
        stacks
    }

    /// Where a thread's stack is kept.
    pub(crate) fn slot(&mut self, tid: Tid) -> usize {
        // Thread ids are of 32 bits, so that there are no more slots than that.
        let next = self.stacks.len() as u32;
        let slot = *self.slots.entry(tid).or_insert(next);
        if slot == next {
            self.stacks.push(Vec::new());
        }
        slot as usize
    }

    /// The stack in a slot that [`Stacks::slot`] gave, outermost call first.
    #[inline]
    pub(crate) fn stack(&mut self, slot: usize) -> &mut Vec<Frame> {
        &mut self.stacks[slot]
    }

    /// Whether a state has the same open calls.
    pub(crate) fn agree_with(&self, state: &State) -> bool {
        let open = self.stacks.iter().filter(|stack| !stack.is_empty()).count();
        let mut open_there = 0;
        for thread in state.threads().iter().filter(|thread| !thread.stack.is_empty()) {
            open_there += 1;
            let Some(slot) = self.slots.get(&thread.tid) else { return false };
            let stack = &self.stacks[*slot as usize];
            let same = |(here, there): (&Frame, &OpenCall)| {
                here.function == there.function && here.stack_pointer == there.stack_pointer
            };
            if stack.len() != thread.stack.len() || !stack.iter().zip(&thread.stack).all(same) {
                return false;
            }
        }
        open == open_there
    }
}

/// Whether an event leaves its thread without open calls, whatever was open.
#[inline]
pub(crate) fn clears(kind: &EventKind) -> bool {
    match kind {
        EventKind::ThreadStart { parent, .. } => *parent != Tid(0),
        EventKind::Exec { .. } | EventKind::ThreadExit { .. } => true,
        _ => false,
    }
}
