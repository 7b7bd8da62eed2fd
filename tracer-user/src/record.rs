//! A recording: from rings to a trace on disk.
//!
//! One thread a ring drains ([`drain`]); one thread merges by time ([`merge`]), gives events their
//! stacks and writes ([`pipeline`]). Where the trace takes no more, records are dropped as gaps
//! ([`dropped`]). Absent here: which functions, and how probes get in.

pub mod drain;
pub mod dropped;
pub mod health;
pub mod loaded;
pub mod merge;
pub mod pipeline;
pub mod privilege;
pub mod returns;
pub mod scribe;
pub mod session;
pub mod status;
pub mod switches;
pub mod target;
pub mod threads;
pub mod trigger;
