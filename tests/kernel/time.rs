//! Time is right: against the clocks that the target read itself.

use scope_tests::require_root;

use super::harness::{C, EVERY, alone, record, shared, stolen_ns};

/// Stolen time is counted in ticks of 10 ms on each CPU.
const TICKS_NS: u64 = 20_000_000;

fn assert_within_2_percent(what: &str, seen: u64, truth: i64) {
    assert_within(what, seen, truth, 0);
}

/// Within 2 % and so many ns.
fn assert_within(what: &str, seen: u64, truth: i64, more_ns: u64) {
    let truth = u64::try_from(truth).unwrap();
    assert!(
        seen.abs_diff(truth) <= truth / 50 + more_ns,
        "{what}: {seen} ns recorded, {truth} ns true, {more_ns} ns stolen"
    );
}

#[test]
fn sleeping_and_spinning_take_the_time_they_took() {
    require_root!();
    let _turn = alone();
    let stolen_before = stolen_ns();
    let (ended, trace) = record(&C("times"), &[], EVERY);
    let stolen = stolen_ns() - stolen_before + TICKS_NS;
    let truth = ended.success().truth;
    let report = trace.check(&truth);
    let (nap_wall, nap_cpu) = (truth.fact("nap_wall_ns"), truth.fact("nap_cpu_ns"));
    let (spin_wall, spin_cpu) = (truth.fact("spin_wall_ns"), truth.fact("spin_cpu_ns"));
    assert_within_2_percent("nap in all", report.of("nap", "total_ns"), nap_wall);
    assert_within_2_percent("nap off CPU", report.of("nap", "off_cpu_ns"), nap_wall - nap_cpu);
    assert_within_2_percent("spin in all", report.of("spin", "total_ns"), spin_wall);
    assert_within("spin on CPU", report.of("spin", "on_cpu_ns"), spin_cpu, stolen);
    let on = report.of("nap", "on_cpu_ns");
    assert!(on < u64::try_from(nap_wall).unwrap() / 20, "a sleeping function on a CPU for {on} ns");
    let off = report.of("spin", "off_cpu_ns");
    let others = u64::try_from(spin_wall - spin_cpu).unwrap();
    assert!(
        off.abs_diff(others) <= u64::try_from(spin_wall).unwrap() / 50 + stolen,
        "a spinning function off its CPU for {off} ns, {others} ns true"
    );
    // Each call by itself, too: 50 ms is the least that any can take.
    for function in ["nap", "spin"] {
        let least = report.of(function, "min_ns");
        assert!(least >= 50_000_000, "{function} took {least} ns");
        assert_eq!(report.of(function, "calls"), 20);
    }
}

/// Number of `clock_nanosleep` on x86-64.
const CLOCK_NANOSLEEP: u64 = 230;

#[test]
fn a_wait_says_in_which_system_call() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("times"), &[], EVERY);
    ended.success();
    // Per nap: the calls that begin in it, and their results.
    let mut naps: Vec<(Vec<u64>, Vec<i64>)> = Vec::new();
    let mut inside = false;
    for event in trace.events() {
        match event["kind"].as_str().unwrap() {
            "enter" if event["name"] == "nap" => {
                inside = true;
                naps.push((Vec::new(), Vec::new()));
            }
            "leave" if event["name"] == "nap" => inside = false,
            "syscall_enter" if inside => {
                naps.last_mut().unwrap().0.push(event["number"].as_u64().unwrap());
            }
            "syscall_exit" if inside => {
                assert_eq!(event["number"], CLOCK_NANOSLEEP, "{event}");
                naps.last_mut().unwrap().1.push(event["result"].as_i64().unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(naps, vec![(vec![CLOCK_NANOSLEEP], vec![0]); 20]);
}

#[test]
fn system_calls_are_left_out_on_request() {
    require_root!();
    let _turn = shared();
    let (ended, trace) = record(&C("times"), &[], &[EVERY, &["--no-syscalls"]].concat());
    trace.check(&ended.success().truth);
    let kinds: Vec<String> =
        trace.events().iter().map(|event| event["kind"].as_str().unwrap().into()).collect();
    assert!(kinds.iter().any(|kind| kind == "switch_out"));
    assert!(!kinds.iter().any(|kind| kind.starts_with("syscall")), "{kinds:?}");
    assert!(trace.info()["warnings"].to_string().contains("--no-syscalls"));
}

#[test]
fn two_spinners_on_one_cpu_wait_for_each_other() {
    require_root!();
    let _turn = alone();
    let stolen_before = stolen_ns();
    let (ended, trace) = record(&C("spinners"), &[], EVERY);
    let stolen = stolen_ns() - stolen_before + TICKS_NS;
    let truth = ended.success().truth;
    let report = trace.check(&truth);
    let mut waited = 0;
    for name in ["a", "b"] {
        let fact = |what: &str| truth.fact(&format!("{what}_{name}"));
        let (wall, cpu) = (fact("wall_ns"), fact("cpu_ns"));
        let thread = report.thread(fact("tid"));
        let number = |what: &str| thread[what].as_u64().unwrap();
        let allowed = u64::try_from(wall).unwrap() / 50 + stolen;
        let waiting = u64::try_from(wall - cpu).unwrap();
        assert!(
            number("runnable_ns").abs_diff(waiting) <= allowed,
            "waited {waiting} ns, recorded {thread}"
        );
        assert!(
            number("on_cpu_ns").abs_diff(u64::try_from(cpu).unwrap()) <= allowed,
            "ran {cpu} ns, recorded {thread}"
        );
        waited += waiting;
    }
    assert!(waited > 300_000_000, "they hardly shared the CPU: the test shows nothing");
}
