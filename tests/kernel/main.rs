//! End-to-end tests through the real kernel, as root: each starts a workload that knows its own truth,
//! records it with the `scope` binary, and compares what `scope` says afterwards with that truth.
//!
//! Nothing here waits for time to pass: workloads block until they are told to go, and the recorder
//! says when its probes are in. Every wait has a deadline, after which the test fails.
//!
//! Environment: `SCOPE_BIN` (binary under test), `SCOPE_TEST_ROUNDS` (rounds of the long tests),
//! `SCOPE_TEST_RIPGREP` (compares a larger real program too), `SCOPE_NOT_RUN_FILE`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod harness;

mod callgrind;
mod code;
mod counts;
mod errors;
mod flight;
mod live_ui;
mod loss;
mod places;
mod processes;
mod query;
mod recovery;
mod safety;
mod start;
mod syntax;
mod terminal;
mod time;
mod tour;
mod unwinding;
