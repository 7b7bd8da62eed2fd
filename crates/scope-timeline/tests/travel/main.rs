//! Time travel over stored traces, against a model that holds all events and walks them one by one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod calls;
mod conditions;
mod generate;
mod model;
mod nonsense;
mod scenario;
mod states;
mod steps;
mod store;
