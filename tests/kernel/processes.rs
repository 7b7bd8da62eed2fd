//! More than one process, more than one program: fork, vfork, spawn, exec, libraries loaded at run time.

use scope_tests::require_root;

use super::harness::{C, EVERY, Program, record, shared};

#[test]
fn children_and_grandchildren_are_counted_when_forks_are_followed() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("forks"), &[], &[EVERY, &["--follow-forks"]].concat());
    let report = trace.check(&ended.success().truth);
    let mut pids: Vec<u64> = report.0["threads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["pid"].as_u64().unwrap())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 10, "{pids:?}");
}

#[test]
fn only_the_parent_is_counted_when_forks_are_not_followed() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("forks"), &[], EVERY);
    let ended = ended.success();
    let mut truth = ended.truth.clone();
    for (name, calls) in &mut truth.calls {
        *calls = u64::try_from(ended.truth.fact(&format!("{name}_in_parent"))).unwrap();
    }
    trace.check(&truth);
}

#[test]
fn the_same_program_again_by_exec() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("execs"), &["self"], EVERY);
    let report = trace.check(&ended.success().truth);
    assert_eq!(report.of("becomes", "unfinished"), 2);
    let events = trace.events();
    let ended_by_exec = events.iter().filter(|event| event["end"] == "exec").count();
    assert_eq!(ended_by_exec, 3, "`becomes` twice, and `main` of the second life");
    let execs = events.iter().filter(|event| event["kind"] == "exec").count();
    assert_eq!(execs, 2);
}

#[test]
fn another_program_by_exec() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("execs"), &["/bin/true"], EVERY);
    trace.check(&ended.success().truth);
    assert!(trace.events().iter().any(|event| event["kind"] == "exec"));
}

#[test]
fn vfork_and_spawn_when_forks_are_followed() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("spawns"), &[], &[EVERY, &["--follow-forks"]].concat());
    let ended = ended.success();
    assert_eq!(ended.truth.fact("failed"), 0);
    trace.check(&ended.truth);
}

#[test]
fn vfork_and_spawn_when_forks_are_not_followed() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("spawns"), &[], EVERY);
    let ended = ended.success();
    assert_eq!(ended.truth.fact("failed"), 0);
    let mut truth = ended.truth.clone();
    let in_parent = u64::try_from(ended.truth.fact("leaf_in_parent")).unwrap();
    truth.calls.insert("leaf".to_owned(), in_parent);
    trace.check(&truth);
}

fn library() -> Program {
    Program::c("plugin", &["-O1", "-g", "-shared", "-fPIC"])
}

#[test]
fn library_loaded_before_the_attach() {
    require_root!();
    let _turn = shared();
    let library = library();
    let path = library.path().to_str().unwrap();
    let (ended, trace) =
        record(&C("plugin_host"), &[path, "early"], &[EVERY, &["--module", path]].concat());
    trace.check(&ended.success().truth);
}

#[test]
fn library_loaded_after_the_attach() {
    require_root!();
    let _turn = shared();
    let library = library();
    let path = library.path().to_str().unwrap();
    let (ended, trace) =
        record(&C("plugin_host"), &[path, "late"], &[EVERY, &["--module", path]].concat());
    trace.check(&ended.success().truth);
}
