//! Losses are exact: what a full ring drops is counted, placed, and never hidden in a duration.

use std::collections::HashMap;

use scope_tests::require_root;
use serde_json::Value;

use super::harness::{C, NOP5_FLAGS, Program, Report, Trace, alone, record};

const THREADS: u64 = 4;
const CALLS: u64 = 150_000;

#[test]
fn recorded_and_lost_calls_are_the_calls_made() {
    require_root!();
    let _turn = alone();
    let trace = assert_losses_are_exact(&["--ring-size", "4K"]);
    assert_eq!(trace.info()["recorder"]["dropped_records"], 0);
}

#[test]
fn what_is_dropped_while_sealing_is_behind_is_counted_and_placed() {
    require_root!();
    let _turn = alone();
    // Far fewer events a second are sealed than come.
    let slow = ["--hot-segments", "2", "--segment-size", "1M", "--seal-delay", "400ms"];
    let trace = assert_losses_are_exact(&slow);
    let info = trace.info();
    let dropped = info["recorder"]["dropped_records"].as_u64().unwrap();
    assert!(0 < dropped && dropped <= info["lost_events"].as_u64().unwrap(), "{dropped}");
    let warnings = info["warnings"].to_string();
    assert!(warnings.contains("sealing or the disk did not keep up"), "{warnings}");
}

/// Records calls of which some must be lost with these arguments.
fn assert_losses_are_exact(arguments: &[&str]) -> Trace {
    let (threads, calls) = (THREADS.to_string(), CALLS.to_string());
    let arguments: Vec<&str> = ["-F", "leaf"].iter().chain(arguments).copied().collect();
    let (ended, trace) = record(&C("hot"), &[&threads, &calls], &arguments);
    let truth = ended.success().truth.calls["leaf"];
    assert_eq!(truth, THREADS * CALLS);
    trace.verify();
    let report = trace.report();
    let events = trace.events();
    let gaps: Vec<&Value> = events.iter().filter(|event| event["kind"] == "gap").collect();
    let sum = |name: &str| gaps.iter().map(|gap| gap[name].as_u64().unwrap()).sum::<u64>();
    let (entries, exits, others) = (sum("entries"), sum("exits"), sum("others"));
    assert!(entries > 0, "nothing was lost: the test shows nothing");
    assert_eq!(report.calls("leaf") + entries, truth, "calls recorded + lost");
    assert_eq!(report.number("lost_events"), entries + exits + others);
    assert_eq!(trace.info()["lost_events"], report.0["lost_events"]);
    trace.assert_well_nested();
    assert_gaps_are_placed(&report, &gaps);
    assert_no_duration_crosses_a_gap(&events);
    trace
}

/// Every gap is a span of time inside the recording, of a thread of the target.
fn assert_gaps_are_placed(report: &Report, gaps: &[&Value]) {
    let end = report.number("duration_ns");
    let threads = report.0["threads"].as_array().unwrap();
    for gap in gaps {
        let (from, until) = (gap["t_ns"].as_u64().unwrap(), gap["until_ns"].as_u64().unwrap());
        assert!(
            from <= until && until <= end,
            "{gap} lies outside of the recording, which ends {end}"
        );
        let tid = &gap["tid"];
        let is_known = *tid == 0 || threads.iter().any(|thread| thread["tid"] == *tid);
        assert!(is_known, "{gap} is of no known thread");
    }
}

/// A call whose time from enter to leave touches a loss of calls of its thread says so.
fn assert_no_duration_crosses_a_gap(events: &[Value]) {
    let mut gaps: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
    for gap in events.iter().filter(|event| event["kind"] == "gap") {
        if gap["entries"] != 0 || gap["exits"] != 0 {
            let span = (gap["t_ns"].as_u64().unwrap(), gap["until_ns"].as_u64().unwrap());
            gaps.entry(gap["tid"].as_u64().unwrap()).or_default().push(span);
        }
    }
    gaps.values_mut().for_each(|gaps| gaps.sort_unstable());
    let mut open: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut crossing = 0;
    for event in events {
        let tid = event["tid"].as_u64().unwrap();
        let time = event["t_ns"].as_u64().unwrap();
        if event["kind"] == "enter" {
            open.entry(tid).or_default().push(time);
        } else if event["kind"] == "leave" {
            let begin = open.get_mut(&tid).and_then(Vec::pop).unwrap();
            // Strictly inside: a loss at the very nanosecond of an edge may be on either side.
            let touches = [tid, 0].iter().filter_map(|tid| gaps.get(tid)).any(|gaps| {
                let next = gaps.partition_point(|(from, _)| *from <= begin);
                gaps.get(next).is_some_and(|(_, until)| *until < time)
            });
            if touches {
                crossing += 1;
                assert_eq!(event["crosses_gap"], true, "{event} began at {begin}");
            }
        }
    }
    assert!(crossing > 0, "no call crosses a gap: the test shows nothing");
}

#[test]
fn default_rings_lose_nothing_at_300_000_events_a_second() {
    require_root!();
    let _turn = alone();
    // A call is two events. The probe stands on a nop: on other code, one CPU may not make so many calls.
    let program = Program::c("paced", NOP5_FLAGS);
    let (ended, trace) = record(&program, &["150000", "10"], &[]);
    let ended = ended.success();
    let report = trace.report();
    assert_eq!(report.number("lost_events"), 0);
    report.assert_calls(&ended.truth);
    assert_eq!(report.calls("leaf"), 1_500_000);
    trace.verify();
}
