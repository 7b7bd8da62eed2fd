//! `scope info`.

use serde_json::json;

use crate::harness::{Sample, everything, names};

#[test]
fn text_says_what_is_there_and_what_is_not() {
    let sample = Sample::new(&everything());
    let text = sample.text(&["info", "sample.scope"]);
    // The size depends on how times are written; all else is fixed.
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("size")).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    trace      sample.scope, format 2
    target     ./server --port 80 (pid 100)
    host       testhost, Linux 6.1.0, x86_64, 2 CPUs
    duration   10.0ms, ended: the target ended
    events     28 (enter 8, gap 1, leave 7, rename 1, switch_in 3, switch_out 2, syscall_enter 1, syscall_exit 1, thread_exit 1, thread_start 2, waking 1)
    lost       5 (entries 2, exits 3)
    functions  4 (emulated 2, moved 1, nop5 1)
    recorder   1.00ms of CPU time, 10.0% of the duration; uprobe_multi; returns: uretprobe

    events  lost  pid  tid  thread
        22     5  100  100  server
         6     0  100  101  helper-1

    1 function left out
      server::tiny: inlined everywhere (3 copies)

    warning: 5 events lost: durations that cross a gap are unknown, totals are lower bounds; record fewer functions or with a larger --ring-size
    ");
}

#[test]
fn json_has_the_names_of_the_contract() {
    let info = Sample::new(&everything()).json(&["info", "sample.scope", "--json"]);
    let contract = ["events", "lost_events", "bytes", "bytes_per_event", "threads", "functions"];
    for name in contract {
        assert!(names(&info).contains(&name), "{name}");
    }
    assert_eq!(info["events"], everything().len());
    assert_eq!(info["lost_events"], 5);
    assert_eq!(info["threads"].as_array().map(Vec::len), Some(2));
    assert_eq!(info["functions"]["probed"], 4);
    assert_eq!(info["functions"]["left_out"][0]["symbol"], "_ZN6server4tiny17h3E");
    assert_eq!(info["functions"]["left_out"][0]["reason"], "inlined everywhere (3 copies)");
    assert_eq!(info["functions"]["site_classes"], json!({"emulated": 2, "moved": 1, "nop5": 1}));
    assert!(info["bytes_per_event"].as_f64().is_some_and(|bytes| bytes > 1.0));
    assert_eq!(info["lost"], json!({"entries": 2, "exits": 3, "others": 0}));
    assert_eq!(info["host"]["hostname"], "testhost");
    assert_eq!(info["state"], "complete");
}

#[test]
fn a_killed_recorder_is_a_warning() {
    let info = Sample::unfinished(&everything()).json(&["info", "sample.scope", "--json"]);
    assert_eq!(info["state"], "recording");
    assert_eq!(info["end_reason"], serde_json::Value::Null);
    let warnings = info["warnings"].as_array().expect("warnings");
    assert!(warnings.iter().any(|text| text.to_string().contains("was killed")), "{warnings:?}");
}

#[test]
fn a_trace_without_an_event_has_no_bytes_per_event() {
    let info = Sample::new(&[]).json(&["info", "sample.scope", "--json"]);
    assert_eq!(info["bytes_per_event"], serde_json::Value::Null);
}
