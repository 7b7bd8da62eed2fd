//! Tests of the trace store through its public interface, a file a promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod blocks;
mod crafted;
mod crash;
mod damage;
mod errors;
mod format;
mod full_disk;
mod fuzz;
mod live;
mod packed;
mod parts;
mod program;
mod round_trip;
mod sealed;
mod sealing;
mod support;
mod verify;
mod versions;
