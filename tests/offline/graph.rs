//! `scope graph`, `scope diff` and `scope top`.

use scope_model::Event;
use serde_json::json;

use crate::harness::{Sample, command, enter, everything, fail, leave, succeed};

#[test]
fn a_function_stands_between_its_callers_and_its_callees() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "server::parse"]), @r"
    server::parse<alloc::string::String>
      src/server.rs:11
      6 calls, total 1.90ms, self 1.90ms, on-CPU 1.90ms, off-CPU 0ns

    calls    time    p50     p99     max  called by
        4  2.60ms  500us  1.00ms  1.00ms  main
        1   300us      -       -       -  server::parse<alloc::string::String>
        1   200us  200us   200us   200us  (no probed function)

    calls   time  p50  p99  max  calls
        1  300us    -    -    -  server::parse<alloc::string::String>
    ");
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "main", "--limit", "1"]), @r"
    main
      src/server.rs:10
      1 call, total 7.00ms, self 1.10ms, on-CPU 2.90ms, off-CPU 4.10ms

    calls    time  p50  p99  max  called by
        1  9.90ms    -    -    -  (no probed function)

    calls    time     p50     p99     max  calls
        1  4.30ms  4.30ms  4.30ms  4.30ms  server::wait
    1 more; --limit 0 shows all
    ");
    insta::assert_snapshot!(sample.text(&["graph", "sample.scope", "server::never_called"]), @r"
    server::never_called
      src/server.rs:13
      0 calls, total 0ns, self 0ns, on-CPU 0ns, off-CPU 0ns

    never called

    calls nothing that was probed
    ");
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
    insta::assert_snapshot!(error("server::wiat").1, @"scope: no probed function of sample.scope is called server::wiat; there is server::wait");
    insta::assert_snapshot!(error("server::*").1, @"scope: server::* fits 3 functions; name one: server::parse<alloc::string::String>, server::wait, server::never_called");
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
    insta::assert_snapshot!(diff(&[]), @r"
    from a.scope to b.scope

    calls  change    self  change     p50  change     p99  change       function
      100    +11%  2.20ms   +104%  22.0us    +83%  24.0us    +71%  !    server::wait
        1          10.0us          10.0us          10.0us          new  server::parse<alloc::string::String>

    !: its calls take a different time, beyond chance
    ");
    insta::assert_snapshot!(diff(&["--edges"]), @r"
    from a.scope to b.scope

    calls  change    time  change     p50  change     p99  change       caller → callee
      100    +11%  2.20ms   +104%  22.0us    +83%  24.0us    +71%  !    (no probed function) → server::wait
        1          10.0us          10.0us          10.0us          new  (no probed function) → server::parse<alloc::string::String>

    !: its calls take a different time, beyond chance
    ");
    let same = succeed(command(folder.path(), &["diff", "a.scope", "a.scope", "--significant"]));
    insta::assert_snapshot!(same, @r"
    from a.scope to a.scope

    nothing differs
    ");
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
    insta::assert_snapshot!(sample.text(&["top", "sample.scope"]), @r"
    sample.scope: 9.00ms from 0.000000000s
    5 events lost

      self  share  on-CPU  off-CPU  calls  function
    4.30ms  47.8%   200us   4.10ms      1  server::wait
    2.80ms  31.1%  2.80ms      0ns      6  server::parse<alloc::string::String>
    2.00ms  22.2%  2.00ms      0ns      1  main
    ");
    insta::assert_snapshot!(sample.text(&["top", "sample.scope", "--interval", "1ms", "-f"]), @r"
    sample.scope: 1.00ms from 0.008000000s

     self  share  on-CPU  off-CPU  calls  function
    900us  90.0%   900us      0ns      0  main
    100us  10.0%   100us      0ns      1  server::parse<alloc::string::String>
    ");
    let top = sample.json(&["top", "sample.scope", "--interval", "3ms", "--json", "--limit", "1"]);
    assert_eq!((&top["from_ns"], &top["until_ns"]), (&json!(6_000_000), &json!(9_000_000)));
    assert_eq!(top["functions_not_shown"], 2);
}
