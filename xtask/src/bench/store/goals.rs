//! What the store is meant to reach on the synthetic trace of 10⁸ events, beside what was measured.

use super::table::{aligned, short};
use crate::bench::results::Results;

#[derive(Clone, Copy, Debug)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

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

/// Adds a table of the goals to the results. It judges nothing: on a busy machine, or with fewer
/// events, they say little.
pub fn show(results: &mut Results) {
    let mut rows = vec![["", "measured", "goal", ""].map(str::to_owned).to_vec()];
    for (name, goal) in GOALS {
        let measured = results.get(name);
        let (goal, met) = match goal {
            Goal::AtLeast(least) => {
                (format!("≥ {}", short(least)), measured.map(|value| value >= least))
            }
            Goal::AtMost(most) => {
                (format!("≤ {}", short(most)), measured.map(|value| value <= most))
            }
        };
        let verdict = match met {
            Some(true) => "",
            Some(false) => "missed",
            None => "not run",
        };
        let measured = measured.map(short).unwrap_or_default();
        rows.push(vec![name.to_owned(), measured, goal, verdict.to_owned()]);
    }
    results.table(
        "the longest synthetic trace, and the goals at 1e8 events".to_owned(),
        aligned(&rows),
    );
}
