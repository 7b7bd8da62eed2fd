//! `scope at`.

use serde_json::json;

use crate::harness::{Sample, everything, fail};

#[test]
fn text_has_each_thread_with_its_calls_innermost_first() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["at", "sample.scope", "2.4ms"]), @r"
    sample.scope at 0.002400000s, after event #15

    thread 100 server: blocked (sleeping) for 200us in nanosleep
         300us  server::wait  call:11
        2.30ms  main  call:2

    thread 101 helper-1 of process 100: running on CPU 0 for 300us
         100us  server::parse<alloc::string::String>  call:14
    ");
}

#[test]
fn text_says_what_was_lost_and_whether_it_is_missing_here() {
    let sample = Sample::new(&everything());
    let at = |place| sample.text(&["at", "sample.scope", place, "--thread", "100"]);
    insta::assert_snapshot!(at("7.2ms"), @r"
    sample.scope at 0.007200000s, after event #23

    thread 100 server: running on CPU 0 for 900us
         200us  server::parse<alloc::string::String> (crosses a gap)  call:22
        7.10ms  main (crosses a gap)  call:2
                5 events lost; some are missing here, until 0.007400000s
    ");
    insta::assert_snapshot!(at("end"), @r"
    sample.scope at 0.010000000s, after event #27

    thread 100 server: waiting for a CPU for 1.00ms
        9.90ms  main (crosses a gap)  call:2
                5 events lost until 0.007400000s
    ");
}

#[test]
fn a_moment_has_many_names() {
    let sample = Sample::new(&everything());
    let after = |place| {
        let at = sample.json(&["at", "sample.scope", place, "--json"]);
        json!([at["after_event"], at["t_ns"]])
    };
    for (place, expected) in [
        // The first event is at time 0.
        ("0s", json!([0, 0])),
        ("start", json!([null, 0])),
        ("end", json!([27, 10_000_000])),
        ("50%", json!([17, 5_000_000])),
        ("2.1ms", json!([11, 2_100_000])),
        ("2099999ns", json!([9, 2_099_999])),
        ("call:11", json!([11, 2_100_000])),
        ("#10", json!([10, 2_100_000])),
        ("event:10", json!([10, 2_100_000])),
    ] {
        assert_eq!(after(place), expected, "{place}");
    }
}

#[test]
fn json_has_the_state_of_each_thread() {
    let sample = Sample::new(&everything());
    let at = sample.json(&["at", "sample.scope", "6.25ms", "--json", "--thread", "100"]);
    assert_eq!(
        at,
        json!({
            "trace": "sample.scope",
            "t_ns": 6_250_000,
            "after_event": 18,
            "threads": [{
                "tid": 100,
                "pid": 100,
                "name": "server",
                "state": "runnable",
                "state_since_ns": 6_200_000,
                "cpu": null,
                "woken_by": 9,
                "task_state": null,
                "syscall": { "number": 35, "name": "nanosleep", "since_ns": 2_150_000 },
                "stack": [
                    {
                        "call": 2,
                        "function": 0,
                        "name": "main",
                        "t_ns": 100_000,
                        "return_address": 0x55_0000_1234_u64,
                        "stack_pointer": 0x7fff_0000_0ff8_u64,
                        "inherited": false,
                        "crosses_gap": false
                    },
                    {
                        "call": 11,
                        "function": 2,
                        "name": "server::wait",
                        "t_ns": 2_100_000,
                        "return_address": 0x55_0000_1234_u64,
                        "stack_pointer": 0x7fff_0000_0ff8_u64,
                        "inherited": false,
                        "crosses_gap": false
                    }
                ],
                "lost_events": 0,
                "missing_until_ns": null
            }],
            "lost_events": 0,
            "missing_until_ns": null
        })
    );
}

#[test]
fn what_is_not_there_is_said_in_one_sentence() {
    let sample = Sample::new(&everything());
    for (arguments, message) in [
        (
            &["at", "sample.scope", "11ms"] as &[&str],
            "scope: 0.011000000s is outside the trace, which goes from 0.000000000s to 0.010000000s\n",
        ),
        (
            &["at", "sample.scope", "event:28"],
            "scope: there is no event 28: the trace has events 0 to 27\n",
        ),
        (
            &["at", "sample.scope", "call:4"],
            "scope: event 4 is no call: it is a leave event; a call's id is the number of its enter event\n",
        ),
        (
            &["at", "sample.scope", "1ms", "--thread", "101"],
            "scope: thread 101: not known at that moment; scope info sample.scope lists the threads\n",
        ),
    ] {
        assert_eq!(fail(sample.command(arguments)), (Some(1), message.to_owned()));
    }
}

#[test]
fn a_trace_that_still_grows_can_be_visited() {
    let sample = Sample::unfinished(&everything());
    let at = sample.json(&["at", "sample.scope", "end", "--json"]);
    assert_eq!(at["t_ns"], 9_000_000);
    let empty = Sample::unfinished(&[]);
    insta::assert_snapshot!(empty.text(&["at", "sample.scope", "end"]), @r"
    sample.scope at 0.000000000s, before the first event

    no thread is known yet
    ");
}
