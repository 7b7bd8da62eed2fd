//! `scope bookmark`, and `@NAME` where a moment is wanted.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Sample, everything, fail, succeed};

/// `scope` with a state folder of its own.
fn command(sample: &Sample, arguments: &[&str]) -> Command {
    let mut command = sample.command(arguments);
    command.env("XDG_STATE_HOME", sample.path().with_file_name("state"));
    command
}

fn lines(sample: &Sample, trace: &str) -> Vec<Value> {
    let text = succeed(command(sample, &["bookmark", trace, "--json"]));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_named_moment_is_found_again() {
    let sample = Sample::new(&everything());
    let text = |arguments: &[&str]| succeed(command(&sample, arguments));
    assert!(text(&["bookmark", "sample.scope"]).starts_with("no bookmarks"));
    let kept = text(&["bookmark", "sample.scope", "slow", "call:11", "--note", "sleeps here"]);
    insta::assert_snapshot!(kept, @"@slow is 0.002100000s, kept in sample.scope/bookmarks.json");
    text(&["bookmark", "sample.scope", "early", "1ms"]);
    insta::assert_snapshot!(text(&["bookmark", "sample.scope"]), @r"
            time  name    note
    0.001000000s  @early
    0.002100000s  @slow   sleeps here
    ");
    let marks = lines(&sample, "sample.scope");
    let slow = json!({"name": "slow", "t_ns": 2_100_000, "after_event": 11, "note": "sleeps here"});
    assert_eq!(marks[1], slow);
    let at = |place| text(&["at", "sample.scope", place]);
    assert_eq!(at("@slow"), at("call:11"));
    assert_eq!(at("mark:slow"), at("call:11"));
    let step = ["step", "sample.scope", "next", "--at", "@slow"];
    assert_eq!(text(&step), text(&["step", "sample.scope", "next", "--at", "call:11"]));
    let find = ["find", "sample.scope", "kind=waking", "--from", "@slow", "--to", "end"];
    assert!(text(&find).contains("waking"));
    // A name moves; names go.
    text(&["bookmark", "sample.scope", "slow", "50%"]);
    assert_eq!(lines(&sample, "sample.scope")[1]["t_ns"], 5_000_000);
    text(&["bookmark", "sample.scope", "--remove", "slow"]);
    text(&["bookmark", "sample.scope", "--remove", "early"]);
    assert!(!sample.path().join("bookmarks.json").exists());
}

#[test]
fn a_packed_trace_has_them_in_the_state_folder() {
    let sample = Sample::new(&everything());
    sample.text(&["pack", "sample.scope", "sample.pack"]);
    let kept = succeed(command(&sample, &["bookmark", "sample.pack", "here", "1ms"]));
    assert!(kept.contains("state/scope/bookmarks/"), "{kept}");
    // It is the same trace, wherever it is read from.
    for trace in ["sample.pack", "sample.scope"] {
        assert_eq!(lines(&sample, trace)[0]["name"], "here", "{trace}");
    }
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let sample = Sample::new(&everything());
    let (status, message) = fail(command(&sample, &["at", "sample.scope", "@slow"]));
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(message, @"scope: there is no bookmark slow: there are none");
    succeed(command(&sample, &["bookmark", "sample.scope", "fast", "1ms"]));
    let (_, message) = fail(command(&sample, &["at", "sample.scope", "@slow"]));
    insta::assert_snapshot!(message, @"scope: there is no bookmark slow; there are fast");
    let (status, message) =
        fail(command(&sample, &["bookmark", "sample.scope", "--remove", "slow"]));
    assert_eq!((status, message.contains("no bookmark slow")), (Some(1), true), "{message}");
    let (status, _) = fail(command(&sample, &["bookmark", "sample.scope", "slow"]));
    assert_eq!(status, Some(2));
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let sample = Sample::new(&everything());
    for text in ["", "{", "[]", "{\"version\": 1, \"bookmarks\": 3}"] {
        fs::write(sample.path().join("bookmarks.json"), text).expect("a file");
        let (status, message) = fail(command(&sample, &["at", "sample.scope", "@slow"]));
        assert_eq!(status, Some(1));
        assert!(message.contains("cannot read the bookmarks in "), "{message}");
        // What needs none of them goes on.
        sample.text(&["at", "sample.scope", "1ms"]);
    }
}
