//! Blocks of a sealed segment: up to 4,096 events as columns.
//!
//! A block can be decoded with the dictionary of its segment and the open calls at its start. Its
//! payload is a byte of flags, then parts (see [`super::packed`]): tokens of the times, bits of the
//! times, threads, operations, tokens of the return values, their bits, the rest. docs/format.md
//! has the details.
//!
//! - *Times* are differences from event to event.
//! - *Threads* are ranks in the order of last use: what runs now comes again soon.
//! - *Operations* say what happened, an entry's shape included. They and all that follows stand thread
//!   by thread: what one thread does repeats itself, what many do between each other does not. How much
//!   is whose is said first, so that one thread's part, its *lane*, can be decoded alone.
//! - *Return values* that are neither usual for the function nor the same as the last time.
//! - *The rest*, LEB128, of scheduler events and of everything rare.

mod columns;
mod encode;
mod lane;
mod recent;

use scope_model::EventKind;

pub(crate) use columns::Columns;
pub use columns::EndedCall;
pub(crate) use encode::BlockEncoder;

/// Flag: times go back somewhere; their differences have signs.
const FLAG_BACK: u8 = 1;
/// Flag: open calls are those of the checkpoint, not those after the block before.
const FLAG_ANEW: u8 = 2;

/// Flag: there are events of kind [`op::OTHER`], which may concern other threads than their own.
const FLAG_RARE: u8 = 4;

/// Rank of a thread that is new in the block.
const RANK_NEW: u8 = 255;
/// Rank of one that was not used for long: its number in the block is in the rest.
const RANK_OLD: u8 = 254;
/// Threads whose order is kept.
const RANKS: usize = 254;

/// Whether an event is written as [`op::OTHER`].
const fn is_rare(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::ThreadStart { .. }
            | EventKind::ThreadExit { .. }
            | EventKind::Rename { .. }
            | EventKind::Exec { .. }
            | EventKind::Gap { .. }
    )
}

/// Operations.
mod op {
    /// The innermost call returned what is usual for it.
    pub(super) const RETURN_USUAL: u8 = 0;
    /// It returned what the function returned last.
    pub(super) const RETURN_LATEST: u8 = 1;
    /// It returned something else.
    pub(super) const RETURN: u8 = 2;
    /// A call ended in another way, or is not the innermost.
    pub(super) const LEAVE: u8 = 3;
    pub(super) const SWITCH_IN: u8 = 4;
    pub(super) const SWITCH_OUT: u8 = 5;
    pub(super) const WAKING: u8 = 6;
    pub(super) const SYSCALL_ENTER: u8 = 7;
    pub(super) const SYSCALL_EXIT: u8 = 8;
    /// Anything, as the fields that hot segments have.
    pub(super) const OTHER: u8 = 9;
    /// An entry whose shape is not in the dictionary.
    pub(super) const ENTER: u8 = 10;
    /// No event: from here on the thread's process is another.
    pub(super) const PROCESS: u8 = 11;
    /// Entries of the shapes from 212 on: 32 operations, followed by a byte.
    pub(super) const SHAPE_LONG: u8 = 12;
    /// Entries of the shapes 0 to 211.
    pub(super) const SHAPE: u8 = 44;
}

/// Shapes that one byte can name.
const SHORT_SHAPES: usize = 256 - op::SHAPE as usize;

/// Longest a column of bytes can be: no event takes more than three.
const fn most(events: u32) -> usize {
    3 * events as usize
}

/// Longest the rest can be: what an event takes, and what is said of a thread, are shorter than that.
const fn most_rest(events: u32) -> usize {
    64 * (events as usize + 1)
}
