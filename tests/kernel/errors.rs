//! What a new user meets: every mistake ends with status 1 and a sentence that says what, why and what
//! to do, and with the target as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use scope_tests::{not_run, require_root, test_name};

use super::harness::{
    C, EVERY, Program, Recorder, Target, folder, rounds, run, scope, scope_fails, shared,
};
use super::safety::Moments;

/// Fails unless a message has all of the words.
fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(
            message.to_lowercase().contains(&word.to_lowercase()),
            "{word:?} is not in: {message}"
        );
    }
}

/// Runs `scope trace` into a folder of its own; it must fail, and leave no trace.
fn trace_fails(arguments: &[&str]) -> String {
    let folder = folder();
    let out = folder.path().join("out.scope");
    let mut all = vec!["trace", "--no-tui", "--quiet", "-o", out.to_str().unwrap()];
    all.extend(arguments);
    let message = scope_fails(&all);
    assert!(!out.exists(), "a failed attach left a trace behind");
    assert_eq!(message.lines().filter(|line| line.contains("panicked")).count(), 0, "{message}");
    message
}

#[test]
fn no_such_process() {
    require_root!();
    let _turn = shared();
    // Above the largest pid that Linux gives.
    assert_says(&trace_fails(&["4194305"]), &["4194305", "no"]);
}

#[test]
fn no_such_command() {
    require_root!();
    let _turn = shared();
    assert_says(&trace_fails(&["--", "/nowhere/program"]), &["/nowhere/program"]);
}

#[test]
fn kernel_thread() {
    require_root!();
    let _turn = shared();
    if fs::read_to_string("/proc/2/comm").ok().as_deref() != Some("kthreadd\n") {
        not_run(test_name!(), "process 2 is not a kernel thread: this is a pid namespace");
        return;
    }
    assert_says(&trace_fails(&["2"]), &["2", "kernel thread"]);
}

#[test]
fn program_of_32_bits() {
    require_root!();
    let _turn = shared();
    let program = Program::c("bits32", &["-m32", "-nostdlib", "-static"]);
    let target = Target::spawn(&mut Command::new(program.path()));
    assert_says(&trace_fails(&[&target.pid().to_string()]), &["32-bit"]);
}

#[test]
fn nothing_matches_and_the_nearest_name_is_suggested() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("recursion"), &[]);
    let message = trace_fails(&[&target.pid().to_string(), "-F", "fibonaci"]);
    assert_says(&message, &["fibonaci", "fibonacci"]);
    assert!(target.is_running());
}

#[test]
fn a_name_of_a_library_and_the_module_is_suggested() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("recursion"), &[]);
    let message = trace_fails(&[&target.pid().to_string(), "-F", "pthread_mutex_*"]);
    assert_says(&message, &["pthread_mutex_*", "libc.so.6", "--module"]);
    assert!(target.is_running());
}

#[test]
fn the_same_process_twice() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&C("recursion"), &[]);
    let first = Recorder::attach(target.pid(), EVERY);
    let second = Recorder::attach(target.pid(), EVERY);
    target.go();
    let ended = target.end().success();
    first.finish().check(&ended.truth);
    second.finish().check(&ended.truth);
}

#[test]
fn output_exists() {
    require_root!();
    let _turn = shared();
    let folder = folder();
    let out = folder.path().join("out.scope");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("precious"), "mine").unwrap();
    let target = Target::start(&C("recursion"), &[]);
    let pid = target.pid().to_string();
    let out_text = out.to_str().unwrap();
    let message = scope_fails(&["trace", &pid, "--no-tui", "--quiet", "-o", out_text]);
    assert_says(&message, &["out.scope", "exist"]);
    assert_eq!(fs::read_to_string(out.join("precious")).unwrap(), "mine");
}

#[test]
fn output_cannot_be_written() {
    require_root!();
    let _turn = shared();
    let target = Target::start(&C("recursion"), &[]);
    let pid = target.pid().to_string();
    let out = "/proc/nowhere/out.scope";
    let message = scope_fails(&["trace", &pid, "--no-tui", "--quiet", "-o", out]);
    assert_says(&message, &["/proc/nowhere"]);
}

#[test]
fn target_that_exits_at_once() {
    require_root!();
    let _turn = shared();
    let mut recorder = Recorder::start(&["--all", "--", "/bin/false"], |_| {});
    let status = recorder.wait_for_end();
    assert_eq!(status.code(), Some(1), "{}", recorder.stderr());
    let trace = recorder.into_trace();
    trace.verify();
    trace.report();
}

#[test]
fn target_that_runs_another_program_at_once() {
    require_root!();
    let _turn = shared();
    let script = ["--all", "--", "/bin/sh", "-c", "exec /bin/true"];
    let mut recorder = Recorder::start(&script, |_| {});
    let status = recorder.wait_for_end();
    assert!(status.success(), "{}", recorder.stderr());
    let trace = recorder.into_trace();
    trace.verify();
    assert!(trace.events().iter().any(|event| event["kind"] == "exec"));
}

#[test]
fn target_that_is_gone_while_it_is_attached_to() {
    require_root!();
    let _turn = shared();
    let mut moments = Moments::new(0x5c09_e000_0000_0004);
    for _ in 0..rounds(200) {
        let target = Target::start(&C("startup"), &["wait"]);
        let pid = target.pid().to_string();
        let mut recorder = Recorder::start(&[&pid], |_| {});
        // Ends at any moment of the attach; both ends are fine, a hang is not.
        moments.pass(30);
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        target.end();
        let status = recorder.wait_for_end();
        assert!(matches!(status.code(), Some(0 | 1)), "{status}: {}", recorder.stderr());
        let said = recorder.stderr();
        assert!(status.success() || said.contains(&pid), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn not_root_names_the_missing_capability() {
    require_root!();
    let _turn = shared();
    let target = Target::start(&C("recursion"), &[]);
    let folder = folder();
    // Where the user may run it and write: neither the build folder nor root's home need be open.
    let binary = folder.path().join("scope");
    fs::copy(scope_tests::scope_binary(), &binary).unwrap();
    let open = std::env::temp_dir().join(format!("scope-user-{}", std::process::id()));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let usable = open.join("scope");
    fs::rename(&binary, &usable).or_else(|_| fs::copy(&binary, &usable).map(|_| ())).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        .arg(&usable)
        .args(["trace", &target.pid().to_string(), "--no-tui", "--quiet", "-o"])
        .arg(open.join("out.scope"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let _ = fs::remove_dir_all(&open);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert_says(&message, &["CAP_", "root"]);
}

#[test]
fn wrong_usage_is_status_2() {
    let output = run(&["trace", "--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["trace", "--no-tui"]);
    assert_eq!(output.status.code(), Some(2), "neither a pid nor a command");
}

#[test]
fn dry_run_prints_the_plan_and_probes_nothing() {
    require_root!();
    let _turn = shared();
    let target = Target::start(&C("recursion"), &[]);
    let plan = scope(&["trace", &target.pid().to_string(), "--no-tui", "--dry-run"]);
    assert_says(&plan, &["fibonacci", "ackermann"]);
    assert!(super::safety::code_is_untouched(target.pid()));
}
