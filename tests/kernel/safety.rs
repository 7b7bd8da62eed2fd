//! The target is never harmed: it prints what it prints untraced, byte for byte, however often and
//! however rudely it is traced, and nothing of the tracer is left in it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use scope_tests::require_root;

use super::harness::{
    C, C_FLAGS, CPP_FLAGS, EVERY, NOP5_FLAGS, Program, RUST_FLAGS, Recorder, Target, record,
    rounds, shared, wait_until,
};

/// Numbers that look random and are the same in every run.
pub(super) struct Moments(u64);

impl Moments {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets up to `most` milliseconds pass: the moment itself is what the test varies.
    pub(super) fn pass(&mut self, most: u64) {
        std::thread::sleep(Duration::from_micros(self.below(most * 1000)));
    }
}

/// Attaches and detaches in every way, round after round, while the target works.
fn survives(program: &Program) {
    let mut target = Target::start(program, &[]);
    let mut moments = Moments::new(0x5c09_e000_0000_0001);
    let pid = target.pid().to_string();
    for round in 0..rounds(200) {
        match round % 4 {
            // Ctrl-C once it records.
            0 => {
                let recorder = Recorder::attach(target.pid(), EVERY);
                moments.pass(30);
                recorder.interrupt().verify();
            }
            // SIGKILL while it records.
            1 => {
                let recorder = Recorder::attach(target.pid(), EVERY);
                moments.pass(30);
                recorder.kill();
            }
            // SIGKILL at any moment, also while it reads symbols or attaches.
            2 => {
                let recorder = Recorder::start(&[&pid], |_| {});
                moments.pass(150);
                recorder.kill();
            }
            // SIGTERM at any moment.
            _ => {
                let mut recorder = Recorder::start(&[&pid], |_| {});
                moments.pass(150);
                recorder.signal(Signal::TERM);
                recorder.wait_for_end();
                recorder.into_trace();
            }
        }
        assert!(target.is_running(), "the target ended in round {round}: {:?}", target.end());
    }
    wait_until("the target's code to be its file's again", || code_is_untouched(target.pid()));
    let traced = target.end();
    let batches = traced.lines.len();
    assert!(batches > 0, "the target did nothing");
    let untraced = Command::new(program.path()).arg(batches.to_string()).output().unwrap();
    assert_eq!(untraced.status.code(), Some(7));
    assert_eq!(traced.status, untraced.status);
    let untraced = String::from_utf8(untraced.stdout).unwrap();
    for (traced, untraced) in traced.lines.iter().zip(untraced.lines().skip(1)) {
        assert_eq!(traced, untraced);
    }
    assert_eq!(batches, untraced.lines().count() - 1);
}

/// Whether every executable byte that a process maps from files is as in the file: no breakpoint, no
/// call that the kernel put in its place.
pub(super) fn code_is_untouched(pid: u32) -> bool {
    let memory = File::open(format!("/proc/{pid}/mem")).expect("the target runs");
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("the target runs");
    let mut compared = 0;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let range = fields.next().and_then(|range| range.split_once('-'));
        let (Some((start, end)), Some(flags), Some(offset)) = (range, fields.next(), fields.next())
        else {
            continue;
        };
        let path = fields.nth(2).unwrap_or_default();
        if !flags.contains('x') || !path.starts_with('/') {
            continue;
        }
        let number = |text| u64::from_str_radix(text, 16).expect("maps are hexadecimal");
        let (start, end, offset) = (number(start), number(end), number(offset));
        let length = usize::try_from(end - start).expect("it is mapped");
        let (mut mapped, mut on_disk) = (vec![0; length], vec![0; length]);
        memory.read_exact_at(&mut mapped, start).expect("it is mapped");
        let mut read = 0;
        let file = File::open(path).expect("the file is where it was");
        while let Ok(count @ 1..) = file.read_at(&mut on_disk[read..], offset + read as u64) {
            read += count;
        }
        if mapped[..read] != on_disk[..read] {
            return false;
        }
        compared += 1;
    }
    assert!(compared > 0, "no code was compared: {maps}");
    true
}

#[test]
fn probes_are_seen_in_the_code_while_recording() {
    require_root!();
    let _turn = shared();
    let target = Target::start(&C("recursion"), &[]);
    assert!(code_is_untouched(target.pid()));
    let recorder = Recorder::attach(target.pid(), EVERY);
    // Otherwise the tests that find none afterwards would show nothing.
    assert!(!code_is_untouched(target.pid()));
    recorder.interrupt();
    wait_until("the probes to go", || code_is_untouched(target.pid()));
}

#[test]
fn target_that_calls_jumps_and_takes_signals() {
    require_root!();
    let _turn = shared();
    survives(&C("busy"));
}

#[test]
fn target_whose_code_the_kernel_rewrites() {
    require_root!();
    let _turn = shared();
    survives(&Program::c("busy", NOP5_FLAGS));
}

#[test]
fn target_that_may_make_no_system_call() {
    require_root!();
    let _turn = shared();
    for flags in [C_FLAGS, NOP5_FLAGS] {
        let (ended, trace) = record(&Program::c("seccomp", flags), &[], EVERY);
        trace.check(&ended.success().truth);
    }
}

#[test]
fn target_that_throws_all_the_time() {
    require_root!();
    let _turn = shared();
    survives(&Program::cpp("busy_exceptions", CPP_FLAGS));
}

#[test]
fn target_that_panics_all_the_time() {
    require_root!();
    let _turn = shared();
    survives(&Program::rust("busy_panics", RUST_FLAGS));
}
