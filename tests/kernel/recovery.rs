//! Any end of the recorder leaves a trace that opens: SIGKILL at any moment, a full disk, signals.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use scope_tests::require_root;

use super::harness::{
    C, EVERY, NOP5_FLAGS, Program, Recorder, Target, folder, rounds, run, scope, scope_fails,
    shared, wait_until,
};
use super::safety::{Moments, code_is_untouched};

#[test]
fn killed_at_any_moment_leaves_a_trace_that_opens() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("busy"), &[]);
    let mut moments = Moments::new(0x5c09_e000_0000_0002);
    let mut with_calls = 0;
    let rounds = rounds(50 * 2);
    for round in 0..rounds {
        // Every other one is killed among sealing, replacing manifests and beginning segments.
        let small = ["--segment-size", "64K"];
        let arguments: Vec<&str> =
            EVERY.iter().chain(small.iter().filter(|_| round % 2 == 1)).copied().collect();
        let recorder = Recorder::attach(target.pid(), &arguments);
        moments.pass(400);
        let trace = recorder.kill();
        let explained = trace.verify();
        assert!(!explained.is_empty(), "verify explains what is there");
        let report = trace.report();
        with_calls += u32::from(report.calls("batch") > 0);
        let _ = trace.info();
        if report.number("events") > 0 {
            trace.assert_well_nested();
        }
        let path = trace.path().to_str().unwrap();
        let repaired = scope(&["verify", path, "--repair"]);
        assert!(repaired.contains(": repaired: closed what a killed recorder"), "{repaired}");
        let verified = scope(&["verify", path]);
        assert!(verified.contains("sound and complete"), "{verified}");
        assert_eq!(trace.report().number("events"), report.number("events"));
    }
    assert!(with_calls > 0, "no round recorded anything in {rounds}");
    assert!(target.is_running());
}

#[test]
fn a_trace_is_not_repaired_while_it_is_recorded() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("busy"), &[]);
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.wait_for_lines(5);
    let path = recorder.trace_path();
    let said = scope_fails(&["verify", path.to_str().unwrap(), "--repair"]);
    assert!(said.contains("is being recorded"), "{said}");
    let trace = recorder.interrupt();
    let said = scope(&["verify", trace.path().to_str().unwrap(), "--repair"]);
    assert!(said.contains("nothing to repair") && said.contains("sound and complete"), "{said}");
    assert!(target.is_running());
}

#[test]
fn killed_before_it_is_ready_leaves_nothing_or_a_trace_that_opens() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("recursion"), &[]);
    let mut moments = Moments::new(0x5c09_e000_0000_0003);
    for _ in 0..rounds(100) {
        let recorder = Recorder::start(&[&target.pid().to_string()], |_| {});
        moments.pass(100);
        let trace = recorder.kill();
        if trace.path().join("manifest.json").exists() {
            trace.verify();
            trace.report();
        }
    }
    wait_until("the probes to go", || code_is_untouched(target.pid()));
    // Nothing of the killed ones stands in the way of the next.
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    recorder.finish().check(&ended.truth);
}

#[test]
fn sigterm_ends_with_a_whole_trace() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("busy"), &[]);
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.wait_for_lines(5);
    recorder.signal(Signal::TERM);
    let trace = recorder.finish();
    trace.verify();
    trace.assert_well_nested();
    assert!(trace.report().calls("batch") > 0);
    wait_until("the probes to go", || code_is_untouched(target.pid()));
    assert!(target.is_running());
}

#[test]
fn ctrl_c_twice_ends_with_a_trace_that_opens() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("busy"), &[]);
    let mut recorder = Recorder::attach(target.pid(), EVERY);
    target.wait_for_lines(5);
    recorder.signal_group(Signal::INT);
    recorder.signal_group(Signal::INT);
    recorder.wait_for_end();
    let trace = recorder.into_trace();
    trace.verify();
    trace.report();
    wait_until("the probes to go", || code_is_untouched(target.pid()));
    assert!(target.is_running());
}

/// A small file system of its own, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let disk = Self(folder());
        let options = format!("size={size}");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "none"])
            .arg(disk.0.path())
            .status()
            .unwrap();
        assert!(status.success());
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn full_disk_ends_with_a_trace_that_opens() {
    require_root!();
    let _turn = shared();
    // No room for a hot segment of the usual size, and for less than those it takes to be behind.
    let disk = SmallDisk::new("2M");
    let out = disk.path().join("full.scope");
    let program = Program::c("hot", NOP5_FLAGS);
    let mut target = Target::start(&program, &["1", "2000000000000"]);
    target.go();
    let pid = target.pid().to_string();
    let output = run(&["trace", &pid, "--no-tui", "--quiet", "-o", out.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no space left") && said.contains("holds what fits"), "{said}");
    wait_until("the probes to go", || code_is_untouched(target.pid()));
    assert!(target.is_running());
    let out = out.to_str().unwrap();
    let verified = scope(&["verify", out]);
    assert!(verified.contains("sound and complete"), "{verified}");
    let info = scope(&["info", out, "--json"]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    // Hot, so many events would take more than there is.
    assert!(info["events"].as_u64() > Some(110_000), "{info}");
    assert!(info["recorder"]["cut_off_events"].as_u64() > Some(0), "{info}");
    assert!(info["end_reason"].as_str().unwrap().contains("failed"), "{info}");
}
