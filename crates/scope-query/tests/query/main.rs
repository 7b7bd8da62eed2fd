//! SQL over traces written here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod aggregates;
mod agreement;
mod answers;
mod asking;
mod code;
mod functions;
#[path = "../../../scope-timeline/tests/travel/generate.rs"]
mod generate;
mod growing;
mod model;
mod relation;
mod scenario;
#[path = "../../../scope-timeline/tests/travel/store.rs"]
mod store;
