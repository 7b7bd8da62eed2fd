//! Flight recordings: the oldest part goes, the end stays, and a call ends them.

use scope_tests::require_root;

use super::harness::{C, NOP5_FLAGS, Program, Recorder, Target, alone, record, shared, wait_until};

#[test]
fn a_long_call_ends_the_recording() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("times"), &[]);
    let recorder =
        Recorder::attach(target.pid(), &["-F", "nap", "-F", "spin", "--trigger", "nap > 40ms"]);
    target.go();
    let trace = recorder.finish();
    // Twenty rounds of 100 ms take longer than one.
    assert!(target.is_running());
    let info = trace.info();
    let reason = info["end_reason"].as_str().unwrap();
    assert!(reason.starts_with("trigger: nap took "), "{reason}");
    let report = trace.report();
    assert!(report.calls("nap") >= 1);
    assert!(report.of("nap", "max_ns") >= 40_000_000);
    target.end().success();
}

#[test]
fn a_trigger_that_is_not_probed_is_refused() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("times"), &[]);
    let pid = target.pid().to_string();
    let message = super::harness::scope_fails(&[
        "trace",
        &pid,
        "--no-tui",
        "-o",
        "/dev/null/none",
        "-F",
        "nap",
        "--trigger",
        "spin>1ms",
    ]);
    assert!(message.contains("--trigger spin") && message.contains("-F"), "{message}");
    assert!(target.is_running());
}

#[test]
fn a_size_limit_keeps_the_end() {
    require_root!();
    let _turn = alone();
    const LIMIT: u64 = 1 << 20;
    let program = Program::c("hot", NOP5_FLAGS);
    let calls = "2000000";
    let (ended, trace) = record(&program, &["1", calls], &["-F", "leaf", "--max-size", "1M"]);
    let made = ended.success().truth.calls["leaf"];
    trace.verify();
    let info = trace.info();
    let number = |name: &str| info[name].as_u64().unwrap();
    assert!(number("dropped_events") > 0, "nothing was dropped: the test shows nothing");
    assert!(number("bytes") <= LIMIT * 5 / 4, "{} bytes", number("bytes"));
    // What is left is the end, and the report is of what is left.
    let report = trace.report();
    let kept = report.calls("leaf");
    assert!(0 < kept && kept < made, "{kept} of {made}");
    assert_eq!(report.number("events"), number("events"));
    let last = trace.events().into_iter().rfind(|event| event["kind"] == "leave").unwrap();
    let end = number("duration_ns");
    assert!(last["t_ns"].as_u64().unwrap() > 0 && end > 0);
}

#[test]
fn a_time_limit_keeps_at_least_that_long() {
    require_root!();
    let _turn = alone();
    let program = Program::c("hot", NOP5_FLAGS);
    let mut target = Target::start(&program, &["1", "2000000000"]);
    let arguments = ["-F", "leaf", "--keep", "100ms", "--max-size", "64M"];
    let recorder = Recorder::attach(target.pid(), &arguments);
    target.go();
    let path = recorder.trace_path();
    wait_until("a segment to be dropped", || {
        scope_store::Trace::open(&path).is_ok_and(|trace| trace.first_event() > 0)
    });
    let trace = recorder.interrupt();
    trace.verify();
    let info = trace.info();
    assert!(info["dropped_events"].as_u64() > Some(0));
    assert!(info["duration_ns"].as_u64() >= Some(100_000_000), "{info}");
    assert!(target.is_running());
}
