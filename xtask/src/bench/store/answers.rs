//! What the answers of a trace come to: names and numbers for the JSON, and tables for people.
//!
//! The names of the longest trace are plain, those of the shorter ones end in `_at_` and their
//! number of events.

use super::questions::Answers;
use super::synthetic::Written;
use crate::bench::results::Results;
use crate::bench::sample::millis;
use crate::bench::table::{aligned, short};

/// A name and a number.
type Named = (String, f64);

/// The numbers of a trace, with a prefix to their names.
pub fn numbers(answers: &Answers, prefix: &str) -> Vec<Named> {
    let mut named = Vec::new();
    let mut put = |name: &str, value: f64| named.push((format!("{prefix}{name}"), value));
    let (first, following) = answers.steps.first_and_following();
    let all = answers.steps.all();
    put("open_ms", answers.open.millis(0.5));
    put("state_at_warm_p50_us", answers.warm.micros(0.5));
    put("state_at_warm_p99_us", answers.warm.micros(0.99));
    if let Some((open, state)) = &answers.cold {
        put("open_cold_p50_ms", open.millis(0.5));
        put("state_at_cold_p50_ms", state.millis(0.5));
        put("state_at_cold_p99_ms", state.millis(0.99));
    }
    put("step_p50_us", all.micros(0.5));
    put("step_p99_us", all.micros(0.99));
    put("step_first_p50_us", first.micros(0.5));
    put("step_first_p99_us", first.micros(0.99));
    put("step_following_p50_us", following.micros(0.5));
    put("step_following_p99_us", following.micros(0.99));
    if answers.rare.first.len() > 0 {
        put("rare_find_ms", answers.rare.first.millis(0.5));
        put("rare_find_max_ms", answers.rare.first.millis(1.0));
        put("rare_find_again_ms", answers.rare.again.millis(0.5));
        put("rare_find_again_max_ms", answers.rare.again.millis(1.0));
    }
    put("overview_200_ms", answers.overview.millis(0.5));
    put("overview_200_first_ms", answers.overview_first.millis(0.5));
    if let Some(passed) = answers.search {
        put("search_unindexed_ms", millis(passed));
        put("search_unindexed_events_per_s", answers.events as f64 / passed.as_secs_f64());
    }
    if let Some(passed) = answers.read {
        put("read_events_per_s", answers.events as f64 / passed.as_secs_f64());
    }
    named
}

/// Takes the numbers of a trace into the JSON, and those of each kind of step.
pub fn report(answers: &Answers, prefix: &str, results: &mut Results) {
    for (name, value) in numbers(answers, prefix) {
        results.number(&name, value);
    }
    let mut rows = vec![
        ["", "first p50", "p99", "max", "following p50", "p99", "max", "steps"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let all = answers.steps.first_and_following();
    let kinds = answers.steps.kinds.iter();
    let rows_of = kinds.map(|kind| (kind.name, &kind.first, &kind.following));
    for (name, first, following) in rows_of.chain([("all but in_thread", &all.0, &all.1)]) {
        let mut row = vec![name.to_owned()];
        for times in [first, following] {
            row.extend([0.5, 0.99, 1.0].map(|share| format!("{:.1}", times.micros(share))));
        }
        row.push((first.len() + following.len()).to_string());
        rows.push(row);
    }
    for kind in &answers.steps.kinds {
        let mut both = kind.first.clone();
        both.extend(&kind.following);
        let name = format!("{prefix}step_{}", kind.name);
        results.number(&format!("{name}_p50_us"), both.micros(0.5));
        results.number(&format!("{name}_p99_us"), both.micros(0.99));
        results.number(&format!("{name}_first_p99_us"), kind.first.micros(0.99));
        results.number(&format!("{name}_following_p99_us"), kind.following.micros(0.99));
    }
    let which = if prefix.is_empty() { "longest synthetic" } else { "recorded" };
    results.table(format!("steps of the {which} trace, us",), aligned(&rows));
}

/// Shows traces of several lengths side by side, ascending.
pub fn growth(traces: &[(Written, Answers)], results: &mut Results) {
    let mut head = vec!["events".to_owned()];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (written, answers) in traces {
        let size = format!("{:e}", written.events);
        head.push(size.clone());
        let mut all = vec![
            ("ingest_events_per_s".to_owned(), written.events_per_s()),
            ("bytes_per_event".to_owned(), written.bytes_per_event()),
        ];
        all.extend(numbers(answers, ""));
        for (name, value) in all {
            results.number(&format!("{name}_at_{size}"), value);
            match rows.iter_mut().find(|row| row[0] == name) {
                Some(row) => row.push(short(value)),
                None => rows.push(vec![name, short(value)]),
            }
        }
    }
    rows.insert(0, head);
    results.table("growth".to_owned(), aligned(&rows));
}

/// Shows the recorded trace.
pub fn recorded(answers: &Answers, results: &mut Results) {
    let named = numbers(answers, "").into_iter();
    let rows: Vec<_> = named.map(|(name, value)| vec![name, short(value)]).collect();
    results.table("the recorded trace".to_owned(), aligned(&rows));
}
