//! `scope verify`, and what the other commands say of a damaged trace.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Sample, everything, fail, leave};

/// Flips a bit in the middle of the first segment's events.
fn damage(sample: &Sample) -> PathBuf {
    let folder = sample.path().join("segments");
    let segment = fs::read_dir(folder).expect("segments").next().expect("one").expect("readable");
    let mut bytes = fs::read(segment.path()).expect("a segment");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("events");
    bytes[last] ^= 1;
    fs::write(segment.path(), bytes).expect("damage");
    segment.path()
}

#[test]
fn a_sound_trace() {
    let sample = Sample::new(&everything());
    let text = sample.text(&["verify", "sample.scope"]);
    assert!(
        text.starts_with("sample.scope: sound and complete\n28 events in 1 block of 1 segment"),
        "{text}"
    );
    let json = sample.json(&["verify", "sample.scope", "--json"]);
    assert_eq!(json["sound"], true);
    assert_eq!(json["complete"], true);
    assert_eq!(json["events"], 28);
    assert_eq!(json["torn"], Value::Null);
}

#[test]
fn a_killed_recorder_leaves_a_sound_trace() {
    let sample = Sample::unfinished(&everything());
    let text = sample.text(&["verify", "sample.scope"]);
    assert!(text.contains("sound as far as it goes"), "{text}");
}

#[test]
fn a_flipped_bit_is_found_and_ends_with_status_1() {
    let sample = Sample::new(&everything());
    damage(&sample);
    let output = sample.command(&["verify", "sample.scope"]).output().expect("scope runs");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("sample.scope: damaged\n"), "{text}");
    assert!(text.contains("its checksum is"), "{text}");
    assert!(text.contains("before the damage: 0 events; from there on: "), "{text}");

    let output =
        sample.command(&["verify", "sample.scope", "--json"]).output().expect("scope runs");
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["sound"], false);
    assert_eq!(json["torn"]["events_lost"], 28);
}

#[test]
fn calls_that_do_not_nest_are_a_problem() {
    let sample = Sample::new(&[leave(10, 100, 1)]);
    let output = sample.command(&["verify", "sample.scope"]).output().expect("scope runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("damaged"));
}

#[test]
fn other_commands_name_the_damage_and_the_way_on() {
    let sample = Sample::new(&everything());
    damage(&sample);
    for command in ["report", "info", "dump"] {
        let (status, message) = fail(sample.command(&[command, "sample.scope"]));
        assert_eq!(status, Some(1), "{command}");
        assert!(message.starts_with("scope: sample.scope/segments/"), "{message}");
        assert!(message.contains("its checksum is"), "{message}");
        assert!(message.ends_with("; scope verify sample.scope tells what is left\n"), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}

#[test]
fn a_sound_trace_needs_no_repair() {
    let sample = Sample::new(&everything());
    let text = sample.text(&["verify", "sample.scope", "--repair"]);
    assert!(text.starts_with("sample.scope: nothing to repair\n"), "{text}");
    assert!(text.contains("sound and complete"), "{text}");
    let json = sample.json(&["verify", "sample.scope", "--repair", "--json"]);
    assert_eq!(json["repair"]["changed"], false);
    assert_eq!(sample.json(&["verify", "sample.scope", "--json"])["repair"], Value::Null);
}

#[test]
fn what_a_killed_recorder_left_open_is_closed() {
    let sample = Sample::unfinished(&everything());
    let text = sample.text(&["verify", "sample.scope", "--repair"]);
    insta::assert_snapshot!(text.lines().next().expect("a line"), @"sample.scope: repaired: closed what a killed recorder left open, sealed 1 segment; 28 events kept");
    assert!(text.contains("sound and complete"), "{text}");
    let info = sample.json(&["info", "sample.scope", "--json"]);
    assert_eq!(info["end_reason"], "the recorder was killed; repaired");
}

#[test]
fn damage_is_dropped() {
    let sample = Sample::new(&everything());
    damage(&sample);
    let json = sample.json(&["verify", "sample.scope", "--repair", "--json"]);
    let repair = &json["repair"];
    assert_eq!(repair["changed"], true);
    assert_eq!(repair["closed"], false);
    assert!(repair["damage"].as_str().expect("a sentence").contains("its checksum is"));
    assert!(repair["bytes_dropped"].as_u64() > Some(0), "{repair}");
    assert_eq!(json["sound"], true);
    assert_eq!(json["events"], repair["events_kept"]);
    let text = sample.text(&["verify", "sample.scope", "--repair"]);
    assert!(text.starts_with("sample.scope: nothing to repair\n"), "{text}");
}

#[test]
fn a_packed_trace_is_not_repaired() {
    let sample = Sample::new(&everything());
    sample.text(&["pack", "sample.scope", "sample.pack"]);
    let (status, message) = fail(sample.command(&["verify", "sample.pack", "--repair"]));
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(message, @"scope: sample.pack is a packed trace, which is not repaired; repair the folder it was made of, and pack that");
}

#[test]
fn a_trace_that_somebody_writes_is_not_repaired() {
    let sample = Sample::unfinished(&everything());
    let folder = fs::File::open(sample.path()).expect("a trace");
    folder.lock().expect("nobody else has the lock");
    let (status, message) = fail(sample.command(&["verify", "sample.scope", "--repair"]));
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(message, @"scope: sample.scope is being recorded or repaired at this moment; wait for that to end, or end it");
    drop(folder);
    sample.text(&["verify", "sample.scope", "--repair"]);
}
