//! `scope graph`, `scope diff` and `scope top`.

use scope_model::Event;
use serde_json::json;

use crate::harness::{Sample, command, enter, everything, fail, leave, succeed};

#[test]
fn a_function_stands_between_its_callers_and_its_callees() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "server::parse"]), @"");
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "main", "--limit", "1"]), @"");
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "server::never_called"]), @"");
}

#[test]
fn the_graph_is_also_json() {
    let sample = Sample::new(&everything());
    let graph = sample.json(&["graph", "sample.scope", "main", "--json"]);
    assert_eq!(graph["function"]["name"], "main");
    assert_eq!(graph["function"]["calls"], 1);
    assert_eq!(graph["callers"][0]["name"], json!(null));
    assert_eq!(graph["callees"][0]["name"], "server::wait");
    assert_eq!(graph["callees"][0]["p50_ns"], 4_300_000);
    assert_eq!(graph["callees"][1]["calls"], 4);
    assert_eq!(graph["callees_not_shown"], 0);
}

#[test]
fn a_function_that_is_not_there_or_not_one_is_refused() {
    let sample = Sample::new(&everything());
    let error = |name: &str| fail(sample.command(&["graph", "sample.scope", name]));
    insta::assert_snapshot!(error("server::wiat").1, @"");
    insta::assert_snapshot!(error("server::*").1, @"");
    assert_eq!(error("server::*").0, Some(1));
}

/// Calls of `wait`, so many, each of them so long or somewhat longer.
fn calls(count: u64, long_us: u64) -> Vec<Event> {
    let one = |number: u64| {
        let begin = number * 40;
        [enter(begin, 100, 2), leave(begin + long_us + number % 5, 100, 2)]
    };
    (0..count).flat_map(one).collect()
}

/// A folder with two traces, `a.scope` and `b.scope`.
fn pair(a: &[Event], b: &[Event]) -> (tempfile::TempDir, [Sample; 2]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let samples = [Sample::new(a), Sample::new(b)];
    for (name, sample) in ["a.scope", "b.scope"].iter().zip(&samples) {
        std::os::unix::fs::symlink(sample.path(), folder.path().join(name)).expect("a link");
    }
    (folder, samples)
}

#[test]
fn a_diff_tells_what_changed_from_what_is_chance() {
    let mut after = calls(100, 20);
    after.extend([enter(8_000, 100, 1), leave(8_010, 100, 1)]);
    let (folder, _samples) = pair(&calls(90, 10), &after);
    let diff = |more: &[&str]| {
        succeed(command(folder.path(), &[&["diff", "a.scope", "b.scope"] as &[_], more].concat()))
    };
    insta::assert_snapshot!(diff(&[]), @"");
    insta::assert_snapshot!(diff(&["--edges"]), @"");
    let same = succeed(command(folder.path(), &["diff", "a.scope", "a.scope", "--significant"]));
    insta::assert_snapshot!(same, @"");
}

#[test]
fn a_diff_is_also_json() {
    let (folder, _samples) = pair(&calls(90, 10), &everything());
    let text = succeed(command(folder.path(), &["diff", "a.scope", "b.scope", "--json"]));
    let diff: serde_json::Value = serde_json::from_str(&text).expect("it prints JSON");
    let rows = diff["rows"].as_array().expect("rows");
    let wait = rows.iter().find(|row| row["function"] == "server::wait").expect("a row");
    assert_eq!(wait["a"]["calls"], 90);
    assert_eq!(wait["b"]["calls"], 1);
    assert!(wait["p_value"].as_f64().expect("a number") > 0.0);
    let main = rows.iter().find(|row| row["function"] == "main").expect("a row");
    assert_eq!((&main["a"], &main["p_value"]), (&json!(null), &json!(null)));
}

#[test]
fn top_shows_the_latest_stretch() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["top", "sample.scope"]), @"");
    insta::assert_snapshot!(sample.text(&["top", "sample.scope", "--interval", "1ms", "-f"]), @"");
    let top = sample.json(&["top", "sample.scope", "--interval", "3ms", "--json", "--limit", "1"]);
    assert_eq!((&top["from_ns"], &top["until_ns"]), (&json!(6_000_000), &json!(9_000_000)));
    assert_eq!(top["functions_not_shown"], 2);
}
