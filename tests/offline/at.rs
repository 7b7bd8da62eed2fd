//! `scope at`.

use scope_model::{EventKind, Pid, ThreadName, Tid};
use serde_json::json;

use crate::harness::{PID, Sample, enter, event, everything, fail, leave};

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
                        "crosses_gap": false,
                        "file": "src/server.rs",
                        "line": 10,
                        "node_id": null,
                        "call_node_id": null,
                        "call_file": null,
                        "call_line": null
                    },
                    {
                        "call": 11,
                        "function": 2,
                        "name": "server::wait",
                        "t_ns": 2_100_000,
                        "return_address": 0x55_0000_1234_u64,
                        "stack_pointer": 0x7fff_0000_0ff8_u64,
                        "inherited": false,
                        "crosses_gap": false,
                        "file": "src/server.rs",
                        "line": 12,
                        "node_id": null,
                        "call_node_id": null,
                        "call_file": null,
                        "call_line": null
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

#[test]
fn a_call_has_its_callers_its_times_its_callees_and_its_waits() {
    let sample = Sample::new(&waiting());
    insta::assert_snapshot!(sample.text(&["at", "sample.scope", "--call", "3"]), @r"
    server::wait in thread 100 server  call:3
      began   0.000200000s
      ended   0.002200000s, returned 0x7 after 2.00ms
      self    1.70ms
      times   850us on a CPU, 1.00ms blocked, 150us waiting for a CPU
      callers main  call:2

    2 calls
      0.000300000s      100us  server::parse<alloc::string::String>  call:4
      0.001800000s      200us  server::parse<alloc::string::String>  call:12

    3 waits
      0.000700000s     1.00ms  blocked (sleeping) in futex, woken by 101 helper  call:3
      0.001700000s     50.0us  waiting for a CPU in futex  call:3
      0.001850000s      100us  waiting for a CPU  call:12
    ");
    insta::assert_snapshot!(sample.text(&["at", "sample.scope", "--call", "call:3", "--limit", "1"]), @r"
    server::wait in thread 100 server  call:3
      began   0.000200000s
      ended   0.002200000s, returned 0x7 after 2.00ms
      self    1.70ms
      times   850us on a CPU, 1.00ms blocked, 150us waiting for a CPU
      callers main  call:2

    2 calls
      0.000300000s      100us  server::parse<alloc::string::String>  call:4
                               and 1 more; --limit 0 shows all

    3 waits
      0.000700000s     1.00ms  blocked (sleeping) in futex, woken by 101 helper  call:3
                               and 2 more; --limit 0 shows all
    ");
}

#[test]
fn a_call_that_crosses_a_gap_and_never_ends() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["at", "sample.scope", "--call", "2"]), @r"
    main in thread 100 server  call:2
      began   0.000100000s
      ended   never: open when the trace ends, 9.90ms later
      self    not known: events were lost meanwhile
      times   4.80ms on a CPU, 4.00ms blocked, 1.10ms waiting for a CPU
      callers none that is recorded

    5 calls
      0.000200000s      500us  server::parse<alloc::string::String>  call:3
      0.001000000s     1.00ms  server::parse<alloc::string::String>  call:5
      0.002100000s     4.30ms  server::wait  call:11
      0.007000000s       lost  server::parse<alloc::string::String>  call:22
      0.008000000s      100us  server::parse<alloc::string::String>  call:25

    3 waits
      0.002200000s     4.00ms  blocked (sleeping) in nanosleep, woken by 9  call:11
      0.006200000s      100us  waiting for a CPU in nanosleep  call:11
      0.009000000s     1.00ms  waiting for a CPU  call:2
    ");
    insta::assert_snapshot!(sample.text(&["at", "sample.scope", "--call", "6"]), @r"
    server::parse<alloc::string::String> in thread 100 server  call:6
      began   0.001200000s
      ended   0.001500000s, unwound: noticed after 300us
      self    300us
      times   300us on a CPU
      callers server::parse<alloc::string::String>  call:5
              main  call:2

    no recorded function was called

    it did not wait, as far as is known
    ");
}

#[test]
fn json_of_a_call() {
    let sample = Sample::new(&waiting());
    let call = sample.json(&["at", "sample.scope", "--call", "3", "--json"]);
    let text = serde_json::to_string_pretty(&call).expect("JSON");
    insta::assert_snapshot!(text, @r#"
    {
      "blocked_ns": 1000000,
      "call": 3,
      "call_file": null,
      "call_line": null,
      "call_node_id": null,
      "callees": [
        {
          "call": 4,
          "duration_ns": 100000,
          "end": "returned",
          "function": 1,
          "inherited": false,
          "name": "server::parse<alloc::string::String>",
          "return_address": 365072224820,
          "t_ns": 300000
        },
        {
          "call": 12,
          "duration_ns": 200000,
          "end": "returned",
          "function": 1,
          "inherited": false,
          "name": "server::parse<alloc::string::String>",
          "return_address": 365072224820,
          "t_ns": 1800000
        }
      ],
      "callees_not_shown": 0,
      "callers": [
        {
          "call": 2,
          "call_file": null,
          "call_line": null,
          "call_node_id": null,
          "crosses_gap": false,
          "file": "src/server.rs",
          "function": 0,
          "inherited": false,
          "line": 10,
          "name": "main",
          "node_id": null,
          "return_address": 365072224820,
          "stack_pointer": 140733193392120,
          "t_ns": 100000
        }
      ],
      "crosses_gap": false,
      "duration_ns": 2000000,
      "elapsed_ns": 2000000,
      "end": "returned",
      "end_event": 16,
      "end_ns": 2200000,
      "file": "src/server.rs",
      "function": 2,
      "inherited": false,
      "line": 12,
      "name": "server::wait",
      "node_id": null,
      "off_cpu_ns": 1150000,
      "on_cpu_ns": 850000,
      "pid": 100,
      "return_address": 365072224820,
      "return_value": 7,
      "runnable_ns": 150000,
      "self_ns": 1700000,
      "stack_pointer": 140733193392120,
      "t_ns": 200000,
      "thread_name": "server",
      "tid": 100,
      "trace": "sample.scope",
      "unknown_ns": 0,
      "waits": [
        {
          "call": 3,
          "state": "blocked",
          "syscall": {
            "name": "futex",
            "number": 202,
            "since_ns": 600000
          },
          "t_ns": 700000,
          "task_state": 1,
          "until_ns": 1700000,
          "woken_by": 101
        },
        {
          "call": 3,
          "state": "runnable",
          "syscall": {
            "name": "futex",
            "number": 202,
            "since_ns": 600000
          },
          "t_ns": 1700000,
          "task_state": null,
          "until_ns": 1750000,
          "woken_by": null
        },
        {
          "call": 12,
          "state": "runnable",
          "syscall": null,
          "t_ns": 1850000,
          "task_state": null,
          "until_ns": 1950000,
          "woken_by": null
        }
      ],
      "waits_not_shown": 0
    }
    "#);
}

#[test]
fn what_is_no_call_is_refused() {
    let sample = Sample::new(&everything());
    let (status, message) = fail(sample.command(&["at", "sample.scope", "--call", "4"]));
    assert_eq!(status, Some(1));
    assert!(message.contains("event 4 is no call: it is a leave event"), "{message}");
    let (status, message) = fail(sample.command(&["at", "sample.scope", "1ms", "--call", "2"]));
    assert_eq!(status, Some(2), "{message}");
}

/// `main` calls `wait`, which calls `parse` twice, sleeps in a system call and is preempted.
fn waiting() -> Vec<scope_model::Event> {
    let (server, helper) = (ThreadName::new("server"), ThreadName::new("helper"));
    vec![
        event(0, 100, EventKind::ThreadStart { parent: Tid(0), name: server }),
        event(10, 100, EventKind::SwitchIn { cpu: 1 }),
        enter(100, 100, 0),
        enter(200, 100, 2),
        enter(300, 100, 1),
        leave(400, 100, 1),
        event(500, 101, EventKind::ThreadStart { parent: Tid(100), name: helper }),
        event(600, 100, EventKind::SyscallEnter { number: 202 }),
        event(700, 100, EventKind::SwitchOut { cpu: 1, state: 1 }),
        event(1_700, 100, EventKind::Waking { waker: Tid(101), waker_pid: Pid(PID) }),
        event(1_750, 100, EventKind::SwitchIn { cpu: 0 }),
        event(1_760, 100, EventKind::SyscallExit { number: 202, result: 0 }),
        enter(1_800, 100, 1),
        event(1_850, 100, EventKind::SwitchOut { cpu: 0, state: 0 }),
        event(1_950, 100, EventKind::SwitchIn { cpu: 0 }),
        leave(2_000, 100, 1),
        leave(2_200, 100, 2),
        leave(2_300, 100, 0),
    ]
}
