//! What a trace says about time: profiles over a whole trace ([`profile`]).
//!
//! Everything here is computed from the events of a trace and from nothing else, the same for a
//! finished trace and for one that still grows.
//!
//! Absent here: files and their format (`scope-store`), names of functions, tables and JSON.

pub mod profile;

pub use profile::{
    CallTimes, Durations, FunctionProfile, Profile, ProfileOptions, Profiler, ThreadProfile,
    profile,
};
