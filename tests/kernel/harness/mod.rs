//! What the tests share: programs to trace, running targets, running recorders, and what is read
//! from their traces.

mod machine;
mod program;
mod recorder;
mod target;
mod trace;

pub use machine::{alone, folder, rounds, shared, stolen_ns, wait_until};
pub use program::{C, C_FLAGS, CPP_FLAGS, NOP5_FLAGS, Program, RUST_FLAGS};
pub use recorder::{EVERY, Recorder, record, run, scope, scope_fails};
pub use target::{Ended, Owned, Target, Truth};
pub use trace::{Report, Trace};
