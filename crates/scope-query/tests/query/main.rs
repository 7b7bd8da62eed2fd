//! SQL over traces written here.

mod agreement;
mod answers;
mod asking;
#[path = "../../../scope-timeline/tests/travel/generate.rs"]
mod generate;
mod growing;
mod scenario;
#[path = "../../../scope-timeline/tests/travel/store.rs"]
mod store;
