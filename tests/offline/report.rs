//! `scope report`.

use serde_json::json;

use crate::harness::{Sample, enter, everything, fail, leave, names};

#[test]
fn text_has_threads_functions_and_what_the_numbers_leave_out() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["report", "sample.scope"]), @r"
    sample.scope: 10.0ms, 28 events

    on-CPU  blocked  runnable  events  lost  pid  tid  thread
    4.89ms   4.00ms    1.10ms      22     5  100  100  server
     500us      0ns    50.0us       6     0  100  101  helper-1

    calls   total    self  on-CPU  off-CPU     p50     p90     p99     max  where         function
        1  7.00ms  1.10ms  2.90ms   4.10ms       -       -       -       -  server.rs:10  main
        1  4.30ms  4.30ms   200us   4.10ms  4.30ms  4.30ms  4.30ms  4.30ms  server.rs:12  server::wait
        6  1.90ms  1.90ms  1.90ms      0ns   200us  1.00ms  1.00ms  1.00ms  server.rs:11  server::parse<alloc::string::String>

    3 of 4 probed functions called
    2 calls had not ended, or lost their end: in the totals, not in the percentiles
    1 call ended by unwinding: in the totals, not in the percentiles
    1 function chosen but not probed; scope info says why
    5 events lost: totals are lower bounds, 2 calls of unknown duration
    ");
}

#[test]
fn by_thread_splits_every_function() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["report", "sample.scope", "--by-thread", "--limit", "1", "--sort", "calls"]), @r"
    sample.scope: 10.0ms, 28 events

    on-CPU  blocked  runnable  events  lost  pid  tid  thread
    4.89ms   4.00ms    1.10ms      22     5  100  100  server
    1 more thread; --limit 0 shows all

    calls   total    self  on-CPU  off-CPU    p50     p90     p99     max  where         function
        6  1.90ms  1.90ms  1.90ms      0ns  200us  1.00ms  1.00ms  1.00ms  server.rs:11  server::parse<alloc::string::String>
        5  1.70ms  1.70ms  1.70ms      0ns  500us  1.00ms  1.00ms  1.00ms                  100 server
        1   200us   200us   200us      0ns  200us   200us   200us   200us                  101 helper-1

    2 more functions; --limit 0 shows all
    3 of 4 probed functions called
    2 calls had not ended, or lost their end: in the totals, not in the percentiles
    1 call ended by unwinding: in the totals, not in the percentiles
    1 function chosen but not probed; scope info says why
    5 events lost: totals are lower bounds, 2 calls of unknown duration
    ");
}

#[test]
fn json_has_the_names_of_the_contract() {
    let report = Sample::new(&everything()).json(&["report", "sample.scope", "--json"]);
    for name in ["trace", "duration_ns", "events", "lost_events", "threads", "functions"] {
        assert!(names(&report).contains(&name), "{name}");
    }
    let thread =
        ["tid", "pid", "name", "events", "lost_events", "on_cpu_ns", "off_cpu_ns", "runnable_ns"];
    for name in thread {
        assert!(names(&report["threads"][0]).contains(&name), "{name}");
    }
    let function = [
        "id",
        "name",
        "symbol",
        "module",
        "file",
        "line",
        "calls",
        "unfinished",
        "unwound",
        "total_ns",
        "self_ns",
        "on_cpu_ns",
        "off_cpu_ns",
        "min_ns",
        "mean_ns",
        "p50_ns",
        "p90_ns",
        "p99_ns",
        "max_ns",
    ];
    for name in function {
        assert!(names(&report["functions"][0]).contains(&name), "{name}");
    }
}

#[test]
fn json_has_the_numbers() {
    let sample = Sample::new(&everything());
    let report = sample.json(&["report", "sample.scope", "--json", "--sort", "name"]);
    assert_eq!(report["trace"], "sample.scope");
    assert_eq!(report["duration_ns"], 10_000_000);
    assert_eq!(report["lost_events"], 5);
    let rows: Vec<_> = report["functions"]
        .as_array()
        .expect("functions")
        .iter()
        .map(|row| {
            json!([
                row["name"],
                row["calls"],
                row["unfinished"],
                row["unwound"],
                row["total_ns"],
                row["self_ns"],
                row["off_cpu_ns"],
                row["p50_ns"]
            ])
        })
        .collect();
    assert_eq!(
        rows,
        [
            // Open at the end after a gap: counts up to the gap.
            json!(["main", 1, 1, 0, 7_000_000, 1_100_000, 4_100_000, null]),
            json!([
                "server::parse<alloc::string::String>",
                6,
                1,
                1,
                1_900_000,
                1_900_000,
                0,
                200_000
            ]),
            json!(["server::wait", 1, 0, 0, 4_300_000, 4_300_000, 4_100_000, 4_300_000]),
        ]
    );
    let main = &report["threads"][0];
    assert_eq!(main["name"], "server");
    assert_eq!(main["on_cpu_ns"], 4_890_000);
    assert_eq!(main["off_cpu_ns"], 4_000_000);
    assert_eq!(main["runnable_ns"], 1_100_000);
    assert_eq!(main["lost_events"], 5);
    assert_eq!(report["threads"][1]["name"], "helper-1");
}

#[test]
fn sort_and_limit_choose_the_rows() {
    let sample = Sample::new(&everything());
    let first = |sort: &str| {
        let report =
            sample.json(&["report", "sample.scope", "--json", "--sort", sort, "--limit", "1"]);
        assert_eq!(report["functions"].as_array().expect("functions").len(), 1);
        assert_eq!(report["functions_not_shown"], 2);
        report["functions"][0]["id"].as_u64().expect("an id")
    };
    for (sort, id) in [
        ("total", 0),
        ("self", 2),
        ("calls", 1),
        ("on-cpu", 0),
        ("off-cpu", 0),
        ("p50", 2),
        ("p99", 2),
        ("max", 2),
        ("name", 0),
    ] {
        assert_eq!(first(sort), id, "--sort {sort}");
    }
    let all = sample.json(&["report", "sample.scope", "--json", "--limit", "0"]);
    assert_eq!(all["functions"].as_array().expect("functions").len(), 3);
}

#[test]
fn one_thread_alone() {
    let sample = Sample::new(&everything());
    let report = sample.json(&["report", "sample.scope", "--json", "--thread", "101"]);
    assert_eq!(report["threads"].as_array().expect("threads").len(), 1);
    assert_eq!(report["functions"].as_array().expect("functions").len(), 1);
    assert_eq!(report["functions"][0]["calls"], 1);
    let (status, message) = fail(sample.command(&["report", "sample.scope", "--thread", "5"]));
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(message, @r"
    scope: thread 5: not in sample.scope; scope report sample.scope lists its threads
    ");
}

#[test]
fn a_share_of_a_function_is_named_by_its_thread() {
    let sample = Sample::new(&everything());
    let report =
        sample.json(&["report", "sample.scope", "--json", "--by-thread", "--sort", "calls"]);
    let shares = &report["functions"][0]["threads"];
    assert_eq!(shares[0]["tid"], 100);
    assert_eq!(shares[0]["calls"], 5);
    assert_eq!(shares[1]["tid"], 101);
    assert_eq!(shares[1]["thread_name"], "helper-1");
    assert_eq!(shares[1]["total_ns"], 200_000);
    assert_eq!(report["functions"][0]["calls"], 6);
}

#[test]
fn a_trace_without_an_event_has_an_empty_report() {
    let sample = Sample::new(&[]);
    let report = sample.json(&["report", "sample.scope", "--json"]);
    assert_eq!(report["events"], 0);
    assert_eq!(report["functions"].as_array().map(Vec::len), Some(0));
    assert!(sample.text(&["report", "sample.scope"]).contains("0 of 4 probed functions called"));
}

#[test]
fn a_trace_that_was_cut_short_is_reported_up_to_its_last_event() {
    let sample =
        Sample::unfinished(&[enter(1_000, 100, 0), enter(2_000, 100, 2), leave(3_000, 100, 2)]);
    let report = sample.json(&["report", "sample.scope", "--json"]);
    assert_eq!(report["duration_ns"], 3_000_000);
    assert_eq!(report["functions"][0]["total_ns"], 2_000_000);
    let text = sample.text(&["report", "sample.scope"]);
    assert!(text.contains("the recording has not ended, or was killed"), "{text}");
}
