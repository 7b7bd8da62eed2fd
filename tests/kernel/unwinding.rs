//! Ways to leave a function that are no return: panics, exceptions, `longjmp`, the end of a thread; and
//! what else reads or leaves the stack: signals, coroutines, backtraces. The target must do what it does
//! untraced, and its calls must be counted.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use scope_tests::require_root;

use super::harness::{
    C, CPP_FLAGS, EVERY, Ended, Program, RUST_FLAGS, Report, Target, alone, record, shared,
};

/// Records a program, compares its facts with those of an untraced run, and its calls with the trace.
fn same_as_untraced(program: &Program, arguments: &[&str], scope_arguments: &[&str]) -> Report {
    let untraced = untraced(program, arguments);
    let (ended, trace) = record(program, arguments, scope_arguments);
    let ended = ended.success();
    assert_eq!(ended.truth.facts, untraced.truth.facts);
    trace.check(&ended.truth)
}

/// Fails unless every call of the function was unwound, or was too deep for a return probe.
fn assert_never_returned(report: &Report, function: &str) {
    let (calls, unwound) = (report.of(function, "calls"), report.of(function, "unwound"));
    assert_eq!(unwound + report.of(function, "unobserved"), calls);
    assert!(unwound > calls / 2, "{unwound} of {calls}");
}

fn untraced(program: &Program, arguments: &[&str]) -> Ended {
    let mut target = Target::start(program, arguments);
    target.go();
    target.end().success()
}

#[test]
fn rust_panics_caught_resumed_and_ending_threads() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&Program::rust("panics", RUST_FLAGS), &[], EVERY);
    // `fail` never returns, `caught` and `calm` always do.
    assert_never_returned(&report, "panics::fail");
    assert_eq!(report.of("panics::caught", "unwound"), 0);
    assert_eq!(report.of("panics::calm", "unwound"), 0);
}

#[test]
fn rust_panics_in_unoptimised_code() {
    require_root!();
    let _turn = shared();
    same_as_untraced(&Program::rust("panics", &["-g"]), &[], EVERY);
}

#[test]
fn cpp_exceptions_caught_rethrown_and_nested() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&Program::cpp("exceptions", CPP_FLAGS), &[], EVERY);
    assert_never_returned(&report, "work::fail(int)");
    assert_eq!(report.of("work::caught(int)", "unwound"), 0);
    assert_eq!(report.of("work::calm(int)", "unwound"), 0);
}

#[test]
fn cpp_exceptions_with_every_function_probed() {
    require_root!();
    let _turn = shared();
    same_as_untraced(&Program::cpp("exceptions", CPP_FLAGS), &[], &["--all"]);
}

/// The thread that waits for its return addresses must give way to the process that writes them, where
/// no other CPU is there for it. The target and the recorder inherit this thread's CPU.
#[test]
fn cpp_exceptions_on_a_single_cpu() {
    require_root!();
    let _turn = alone();
    let before = sched_getaffinity(None).unwrap();
    let mut first = CpuSet::new();
    first.set((0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).unwrap());
    sched_setaffinity(None, &first).unwrap();
    same_as_untraced(&Program::cpp("exceptions", CPP_FLAGS), &[], EVERY);
    sched_setaffinity(None, &before).unwrap();
}

#[test]
fn cpp_exceptions_in_a_static_executable() {
    require_root!();
    let _turn = shared();
    let program = Program::cpp("exceptions", &["-O1", "-g", "-std=c++17", "-static"]);
    same_as_untraced(&program, &[], EVERY);
}

#[test]
fn longjmp_over_frames() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&C("longjmp"), &[], EVERY);
    assert_eq!(report.of("round_trip", "unwound"), 0);
    assert_eq!(report.of("leaf", "unwound"), 0);
}

#[test]
fn threads_that_end_inside_calls() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&C("cancel"), &[], EVERY);
    assert_eq!(report.of("clean_up", "unwound"), 0);
}

#[test]
fn signal_handlers_on_the_threads_own_stack() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&C("signals"), &["plain"], EVERY);
    assert_eq!(report.of("work", "unwound"), 0);
}

#[test]
fn signal_handlers_on_an_alternate_stack_below() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&C("signals"), &["low"], EVERY);
    assert_eq!(report.of("work", "unwound"), 0);
}

#[test]
fn signal_handlers_on_an_alternate_stack_above() {
    require_root!();
    let _turn = shared();
    same_as_untraced(&C("signals"), &["high"], EVERY);
}

#[test]
fn signal_handlers_that_jump_away() {
    require_root!();
    let _turn = shared();
    let report = same_as_untraced(&C("signals"), &["jump"], EVERY);
    assert_eq!(report.of("in_handler", "unwound"), 0);
}

#[test]
fn coroutines_on_stacks_of_their_own() {
    require_root!();
    let _turn = shared();
    same_as_untraced(&C("coroutines"), &[], EVERY);
}

#[test]
fn backtraces_in_c_name_the_same_callers() {
    require_root!();
    let _turn = shared();
    let program = Program::c("backtrace", &["-O1", "-g", "-rdynamic"]);
    let untraced = untraced(&program, &[]);
    let (ended, trace) = record(&program, &[], EVERY);
    assert_eq!(ended.success().lines, untraced.lines);
    assert_eq!(trace.report().calls("show"), 3);
}

#[test]
fn backtraces_in_rust_name_the_same_callers() {
    require_root!();
    let _turn = shared();
    let program = Program::rust("backtrace", RUST_FLAGS);
    let untraced = untraced(&program, &[]);
    let (ended, trace) = record(&program, &[], EVERY);
    assert_eq!(ended.success().lines, untraced.lines);
    assert_eq!(trace.report().calls("backtrace::show"), 3);
}
