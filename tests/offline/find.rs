//! `scope find`.

use serde_json::Value;

use crate::harness::{Sample, everything, fail};

/// Numbers of the events found.
fn found(sample: &Sample, arguments: &[&str]) -> Vec<u64> {
    let all: Vec<&str> =
        ["find", "sample.scope", "--json"].iter().chain(arguments).copied().collect();
    let lines = sample.text(&all);
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is an object"))
        .map(|object| object["event"].as_u64().expect("a number"))
        .collect()
}

#[test]
fn text_is_one_event_a_line_with_its_number() {
    let sample = Sample::new(&everything());
    let find = ["find", "sample.scope", "state=blocked or function=wait or end=lost"];
    insta::assert_snapshot!(sample.text(&find), @r"
           #11    0.002100000s      100  enter          server::wait
           #13    0.002200000s      100  switch_out     CPU 1, sleeping
           #24    0.008000000s      100  leave          server::parse<alloc::string::String> (lost)
    ");
    let find = ["find", "sample.scope", "function=never_called"];
    insta::assert_snapshot!(sample.text(&find), @"no event satisfies the condition");
}

#[test]
fn json_is_one_object_a_line() {
    let sample = Sample::new(&everything());
    let find = ["find", "sample.scope", "--json", "duration>1ms"];
    insta::assert_snapshot!(sample.text(&find), @r#"{"event":21,"call":11,"t_ns":6400000,"tid":100,"pid":100,"kind":"leave","function":2,"name":"server::wait","depth":1,"end":"returned","duration_ns":4300000,"return_value":7,"crosses_gap":false}"#);
}

#[test]
fn searches_go_either_way_between_two_moments() {
    let sample = Sample::new(&everything());
    for (arguments, expected) in [
        (&["function=parse"] as &[&str], &[3, 5, 6, 14, 22, 25][..]),
        (&["function=parse", "-n", "2"], &[3, 5]),
        (&["function=parse", "--from", "1ms", "--to", "7ms"], &[6, 14, 22]),
        (&["function=parse", "--back"], &[25, 22, 14, 6, 5, 3]),
        (&["function=parse", "--back", "--from", "2ms", "-n", "1"], &[6]),
        (&["function=parse", "--back", "--from", "event:22", "--to", "50%"], &[22]),
        (&["function=parse", "thread=helper*"], &[14]),
        (&["function", "=", "parse", "not", "thread=100"], &[14]),
        (&["duration", ">=", "500us"], &[4, 8, 21]),
        (&["end=unwound"], &[7]),
        (&["end=never"], &[2]),
        (&["syscall=nanosleep", "kind=waking"], &[18]),
        (&["within=wait", "state=running"], &[11, 12, 19, 20, 21]),
        (&["file=server.rs", "depth=2"], &[6]),
    ] {
        assert_eq!(found(&sample, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn a_wrong_condition_says_where() {
    let sample = Sample::new(&everything());
    let (status, message) =
        fail(sample.command(&["find", "sample.scope", "duration", ">", "soon"]));
    assert_eq!(status, Some(2));
    insta::assert_snapshot!(message, @r"
    error: not a condition: `soon` is not a duration such as 5ms

      duration > soon
                 ^

    Usage: scope find [OPTIONS] <TRACE> <CONDITION>...

    For more information, try '--help'.
    ");
}

#[test]
fn a_name_that_nothing_has_suggests_others() {
    let sample = Sample::new(&everything());
    let message = "scope: no function of the trace matches prase; nearest: \
                   server::parse<alloc::string::String>\n";
    let find = ["find", "sample.scope", "function=prase"];
    assert_eq!(fail(sample.command(&find)), (Some(1), message.to_owned()));
}
