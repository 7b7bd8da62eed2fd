//! Programs started under `scope trace -- CMD`: traced from the first instruction, with their input,
//! output, signals and exit status passed through.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use scope_tests::require_root;

use super::harness::{C, EVERY, Recorder, Target, Truth, shared};

fn start(arguments: &[&str]) -> Recorder {
    let program = C("startup");
    let all = [EVERY, &["--", program.path().to_str().unwrap()], arguments].concat();
    Recorder::start(&all, |command: &mut Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    })
}

#[test]
fn constructors_main_and_exit_handlers_are_counted() {
    require_root!();
    let _turn = shared();
    let mut recorder = start(&[]);
    recorder.child().stdin.take().unwrap().write_all(b"one two\n").unwrap();
    let mut output = String::new();
    recorder.child().stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let status = recorder.wait_for_end();
    assert_eq!(status.code(), Some(37), "{}", recorder.stderr());
    let (text, facts) = output.split_at(8);
    assert_eq!(text, "ONE TWO\n");
    let truth = Truth::from_lines(&facts.lines().collect::<Vec<_>>());
    assert_eq!(truth.calls["capital"], 8);
    recorder.into_trace().check(&truth);
}

#[test]
fn a_signal_that_kills_the_program_is_passed_on_as_a_shell_does() {
    require_root!();
    let _turn = shared();
    let mut recorder = start(&["abort"]);
    let status = recorder.wait_for_end();
    assert_eq!(status.code(), Some(128 + 6), "{status}: {}", recorder.stderr());
    let trace = recorder.into_trace();
    trace.verify();
    trace.assert_well_nested();
    assert_eq!(trace.report().calls("main"), 1);
}

#[test]
fn sigterm_to_the_recorder_reaches_a_program_that_it_started() {
    require_root!();
    let _turn = shared();
    let mut recorder = start(&["wait"]);
    let mut output = BufReader::new(recorder.child().stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    recorder.signal(Signal::TERM);
    let mut lines = Vec::new();
    for line in output.lines() {
        lines.push(line.unwrap());
    }
    let status = recorder.wait_for_end();
    assert_eq!(status.code(), Some(9), "{status}: {}", recorder.stderr());
    recorder.into_trace().check(&Truth::from_lines(&lines));
}

#[test]
fn every_thread_of_a_running_program_is_attached_to() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("threads"), &[]);
    let recorder = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    let report = recorder.finish().check(&ended.truth);
    // The eight threads that waited, the main thread, and the eight that came.
    assert_eq!(report.0["threads"].as_array().unwrap().len(), 17);
}
