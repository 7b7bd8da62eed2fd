//! Tests of the machines that give records their meaning.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod record;
mod run_state;
mod simulator;
mod stack_properties;
mod stack_scenarios;
mod state;
