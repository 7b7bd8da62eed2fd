//! `scope step`.

use serde_json::{Value, json};

use crate::harness::{Sample, everything, fail};

/// The events just before the moments that steps lead to, and why they stopped.
fn walk(sample: &Sample, from: &str, step: &str, count: &str) -> Value {
    let walk = sample.json(&[
        "step",
        "sample.scope",
        "--at",
        from,
        "--thread",
        "100",
        step,
        "-n",
        count,
        "--json",
    ]);
    let steps = walk["steps"].as_array().expect("steps");
    let events: Vec<_> = steps.iter().map(|step| step["after_event"].clone()).collect();
    json!([events, walk["stopped"]])
}

#[test]
fn text_has_a_line_a_step_and_the_thread_at_the_end() {
    let sample = Sample::new(&everything());
    let steps = ["step", "sample.scope", "--at", "call:2", "--thread", "100", "over", "-n", "3"];
    insta::assert_snapshot!(sample.text(&steps), @r"
            #4    0.000700000s      100  leave            server::parse<alloc::string::String> 500us
            #8    0.002000000s      100  leave            server::parse<alloc::string::String> 1.00ms
           #21    0.006400000s      100  leave            server::wait 4.30ms

    thread 100 server: running on CPU 0 for 100us
        6.30ms  main  call:2
    ");
}

#[test]
fn text_says_where_events_were_lost_and_why_a_step_is_not_made() {
    let sample = Sample::new(&everything());
    let back = ["step", "sample.scope", "--at", "end", "--thread", "100", "back-over", "-n", "9"];
    insta::assert_snapshot!(sample.text(&back), @r"
           #26    0.008100000s      100  leave            server::parse<alloc::string::String> 100us
           #24    0.008000000s      100  leave            server::parse<alloc::string::String> (lost)
           #21    0.006400000s      100  leave            server::wait 4.30ms
                events were lost here
            #8    0.002000000s      100  leave            server::parse<alloc::string::String> 1.00ms
            #4    0.000700000s      100  leave            server::parse<alloc::string::String> 500us
            #2    0.000100000s      100  enter          main
                start of the trace
                nothing comes before: this is the start of the trace
    ");
    let out = ["step", "sample.scope", "--at", "call:5", "--thread", "100", "out", "-n", "3"];
    insta::assert_snapshot!(sample.text(&out), @r"
            #8    0.002000000s      100  leave            server::parse<alloc::string::String> 1.00ms
                main (call:2) is still open where the trace ends, at 0.010000000s

    thread 100 server: running on CPU 1 for 1.99ms
        1.90ms  main  call:2
    ");
}

#[test]
fn every_step_goes_its_way() {
    let sample = Sample::new(&everything());
    for (from, step, count, expected) in [
        ("call:2", "next", "2", json!([[3, 4], null])),
        ("call:2", "previous", "9", json!([[1, 0, null], "start"])),
        ("call:2", "into", "4", json!([[3, 4, 5, 6], null])),
        ("event:8", "back-into", "3", json!([[7, 6, 5], null])),
        ("call:5", "over", "2", json!([[7, 8], null])),
        ("call:6", "back-out", "3", json!([[5, 4, null], null])),
        ("call:2", "out", "1", json!([[], "never_ends"])),
        ("start", "out", "1", json!([[], "no_call"])),
        ("end", "next", "1", json!([[], "end"])),
    ] {
        assert_eq!(walk(&sample, from, step, count), expected, "{step} from {from}");
    }
}

#[test]
fn json_has_the_event_of_each_step_and_the_thread() {
    let sample = Sample::new(&everything());
    let step = ["step", "sample.scope", "--at", "call:22", "--thread", "100", "out", "--json"];
    let document = sample.json(&step);
    assert_eq!(
        document["steps"],
        json!([{
            "after_event": 24,
            "depth": 1,
            "crosses_gap": true,
            "event": {
                "event": 24,
                "call": 22,
                "t_ns": 8_000_000,
                "tid": 100,
                "pid": 100,
                "kind": "leave",
                "function": 1,
                "name": "server::parse<alloc::string::String>",
                "depth": 1,
                "end": "lost",
                "duration_ns": null,
                "return_value": 0,
                "crosses_gap": true
            }
        }])
    );
    assert_eq!(document["step"], "out");
    assert_eq!((&document["t_ns"], &document["after_event"]), (&json!(8_000_000), &json!(24)));
    assert_eq!(document["thread"]["stack"][0]["name"], "main");
    let never = ["step", "sample.scope", "--at", "call:2", "--thread", "100", "out", "--json"];
    let document = sample.json(&never);
    assert_eq!(
        (&document["stopped"], &document["stopped_by_call"]),
        (&json!("never_ends"), &json!(2))
    );
}

#[test]
fn without_a_thread_all_are_stepped_through() {
    let sample = Sample::new(&everything());
    let step = ["step", "sample.scope", "--at", "event:13", "into", "-n", "3", "--json"];
    let document = sample.json(&step);
    let tids: Vec<_> =
        document["steps"].as_array().expect("steps").iter().map(|s| &s["event"]["tid"]).collect();
    assert_eq!(tids, [101, 101, 100]);
    assert_eq!(document["thread"], Value::Null);
}

#[test]
fn a_thread_that_is_not_there_is_said() {
    let sample = Sample::new(&everything());
    let step = ["step", "sample.scope", "--at", "1ms", "--thread", "5", "next"];
    let message =
        "scope: thread 5: not in sample.scope; scope report sample.scope lists its threads\n";
    assert_eq!(fail(sample.command(&step)), (Some(1), message.to_owned()));
    // Later than this moment, but there.
    let step = ["step", "sample.scope", "--at", "1ms", "--thread", "101", "next"];
    assert!(sample.text(&step).contains("thread_start"));
}
