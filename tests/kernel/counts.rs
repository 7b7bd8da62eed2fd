//! Calls in the report equal the calls that were made: plain code, deep recursion, threads, tail calls,
//! and every way a binary can be linked.

use std::process::Command;

use scope_tests::require_root;

use super::harness::{C, C_FLAGS, EVERY, NOP5_FLAGS, Program, Recorder, Target, record, shared};

#[test]
fn recursion_deeper_than_the_kernels_return_probes() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("recursion"), &[], EVERY);
    let report = trace.check(&ended.success().truth);
    // What returned inside the 64 levels is known; nothing is left open and nothing was unwound.
    assert_eq!(report.of("deep", "unfinished"), 0);
    assert_eq!(report.of("fibonacci", "unwound"), 0);
}

#[test]
fn threads_that_were_there_and_threads_that_begin() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("threads"), &[], EVERY);
    let report = trace.check(&ended.success().truth);
    let threads = report.0["threads"].as_array().unwrap();
    let with_calls = threads.iter().filter(|row| row["events"].as_u64() > Some(10_000)).count();
    assert_eq!(with_calls, 16, "{threads:?}");
}

#[test]
fn tail_calls() {
    require_root!();
    let _turn = shared();
    let program = Program::c("tail_calls", &["-O2", "-g"]);
    assert_hands_over(&program, "second", "third");
    assert_hands_over(&program, "ping", "pong");
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

/// Fails unless the function ends in a jump to the next one: otherwise the test would show nothing.
fn assert_hands_over(program: &Program, from: &str, to: &str) {
    let output = Command::new("objdump")
        .arg(format!("--disassemble={from}"))
        .arg(program.path())
        .output()
        .expect("objdump comes with the compiler");
    let code = String::from_utf8_lossy(&output.stdout);
    let target = format!("<{to}>");
    let by = |instruction: &str| {
        code.lines().any(|line| line.contains(instruction) && line.contains(&target))
    };
    assert!(by("jmp") && !by("call"), "{from} does not jump to {to}: {code}");
}

#[test]
fn no_position_independent_executable() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O1", "-g", "-no-pie", "-fno-pie"]);
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn static_executable() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O1", "-g", "-static"]);
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn static_position_independent_executable() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O1", "-g", "-static-pie"]);
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn optimised_code_whose_prologues_save_registers() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O2", "-g", "-fno-optimize-sibling-calls"]);
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn functions_that_begin_with_endbr64() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O1", "-g", "-fcf-protection=full"]);
    let (ended, trace) = record(&program, &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn functions_that_begin_with_a_nop_of_five_bytes() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&Program::c("recursion", NOP5_FLAGS), &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn unoptimised_code() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&Program::c("recursion", &["-O0", "-g"]), &[], EVERY);
    trace.check(&ended.success().truth);
}

#[test]
fn symbols_without_debug_information() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&Program::c("recursion", &["-O1"]), &[], &["--all"]);
    trace.check(&ended.success().truth);
}

#[test]
fn stripped_binary_whose_functions_only_the_unwind_table_knows() {
    require_root!();
    let _turn = shared();
    let program = Program::c("recursion", &["-O1", "-s"]);
    let (ended, trace) = record(&program, &[], &["--all"]);
    let truth = ended.success().truth;
    trace.assert_well_nested();
    // The names are gone; the numbers of calls are not.
    let report = trace.report();
    let mut seen: Vec<u64> =
        report.functions().iter().map(|row| row["calls"].as_u64().unwrap()).collect();
    for (name, calls) in &truth.calls {
        let index = seen.iter().position(|number| number == calls);
        let index = index.unwrap_or_else(|| panic!("no function called {calls} times, as {name}"));
        seen.remove(index);
    }
}

#[test]
fn only_the_functions_that_were_asked_for() {
    require_root!();
    let _turn = shared();
    let arguments = ["--all", "-F", "is_*", "-F", "deep", "-x", "*_odd"];
    let (ended, trace) = record(&C("recursion"), &[], &arguments);
    let mut truth = ended.success().truth;
    truth.calls.retain(|name, _| name == "is_even" || name == "deep");
    let report = trace.check(&truth);
    assert_eq!(report.functions().len(), 2, "{:?}", report.functions());
}

#[test]
fn functions_left_out_by_default_are_listed_and_the_others_counted() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("recursion"), &[], &[]);
    let truth = ended.success().truth;
    trace.verify();
    let (report, info) = (trace.report(), trace.info());
    let left_out = info["functions"]["left_out"].as_array().unwrap();
    for (name, calls) in &truth.calls {
        let is_left_out = left_out.iter().any(|row| row["symbol"] == **name);
        let expected = if is_left_out { 0 } else { *calls };
        assert_eq!(report.calls(name), expected, "{name}, of which info says: {left_out:?}");
    }
    assert!(info["functions"]["probed"].as_u64() > Some(0), "nothing was probed: {left_out:?}");
}

#[test]
fn recording_that_begins_and_ends_while_the_target_runs() {
    require_root!();
    let _turn = shared();
    let mut target = Target::start(&Program::c("hot", C_FLAGS), &["2", "2000000000000"]);
    target.go();
    let recorder = Recorder::attach(target.pid(), &[EVERY, &["--duration", "300ms"]].concat());
    let trace = recorder.finish();
    trace.verify();
    trace.assert_well_nested();
    assert!(trace.report().calls("leaf") > 0);
    assert!(target.is_running());
}
