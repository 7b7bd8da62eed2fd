//! What the store is meant to reach on the synthetic trace of 10⁸ events.

use crate::bench::goals::{self, Goal};
use crate::bench::results::Results;

const GOALS: [(&str, Goal); 10] = [
    ("ingest_events_per_s", Goal::AtLeast(4e6)),
    ("bytes_per_event", Goal::AtMost(4.0)),
    ("open_ms", Goal::AtMost(10.0)),
    ("state_at_warm_p50_us", Goal::AtMost(100.0)),
    ("state_at_warm_p99_us", Goal::AtMost(1_000.0)),
    ("state_at_cold_p99_ms", Goal::AtMost(20.0)),
    ("step_p99_us", Goal::AtMost(50.0)),
    ("rare_find_ms", Goal::AtMost(20.0)),
    ("overview_200_ms", Goal::AtMost(5.0)),
    ("rss_mib", Goal::AtMost(64.0)),
];

/// Adds a table of the goals to the results.
pub fn show(results: &mut Results) {
    goals::show("the longest synthetic trace, and the goals at 1e8 events", &GOALS, results);
}
