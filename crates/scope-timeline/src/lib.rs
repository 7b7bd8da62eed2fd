//! What a trace says about time: profiles over a whole trace ([`mod@profile`]), and travel through it.
//!
//! A moment of a trace is a place between two of its events, told by the number of the event that
//! comes next: all events below it have happened. Times are a view of it, since several events can
//! have one time. [`Timeline`] answers from any moment: what every thread was doing there, where a
//! step forward or backward leads ([`step`]), what a call did ([`call`]), and which events satisfy a
//! [`Condition`] ([`search`]). [`Place`] is how people name moments.
//!
//! Everything here is computed from the events of a trace and from nothing else, the same for a
//! finished trace and for one that still grows. Nothing is read from the start on: checkpoints give the
//! state before any block, and indexes the blocks worth reading.
//!
//! Absent here: files and their format (`scope-store`), tables and JSON, and keeping anything: a
//! cursor is two numbers, bookmarks belong to the caller.

pub mod call;
pub mod condition;
pub mod place;
pub mod profile;

pub mod search;
pub mod step;
pub mod syscall;
mod timeline;
mod track;
pub mod units;

mod error;

pub use call::{CallEnding, CallView, Callee, Callees, RunTimes, WaitSlice};
pub use condition::{Condition, ConditionError};
pub use error::TimelineError;
pub use place::{Bookmarks, Place};
pub use profile::{
    CallTimes, Durations, FunctionProfile, Profile, ProfileOptions, Profiler, SiteProfile,
    SiteProfiler, ThreadProfile, profile,
};
pub use search::{Found, Hit, Search, SearchOptions};
pub use step::{Cursor, Move, Moved, Outcome, Stop};
pub use timeline::{Happening, Moment, Timeline};
