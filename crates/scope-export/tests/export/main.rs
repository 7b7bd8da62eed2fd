//! Exports of random traces against the timeline and the report, which know nothing of exports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

#[path = "../../../scope-timeline/tests/travel/generate.rs"]
mod generate;
#[path = "../../../scope-timeline/tests/travel/store.rs"]
mod store;

mod formats;
mod stacks;
mod walks;
