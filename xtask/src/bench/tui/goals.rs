//! What the UI is meant to reach on the synthetic trace of 10⁸ events.

use crate::bench::goals::{self, Goal};
use crate::bench::results::Results;

const GOALS: [(&str, Goal); 6] = [
    ("frame_p99_ms", Goal::AtMost(8.0)),
    ("live_frame_p99_ms", Goal::AtMost(8.0)),
    ("live_lost_events", Goal::AtMost(0.0)),
    ("first_frame_ms", Goal::AtMost(150.0)),
    ("rss_mib", Goal::AtMost(128.0)),
    ("load_over_uftrace", Goal::AtLeast(1.0)),
];

/// Adds a table of the goals to the results.
pub fn show(results: &mut Results) {
    goals::show("the UI, and the goals at 1e8 events and 300,000 a second", &GOALS, results);
}
