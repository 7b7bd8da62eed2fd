//! A writer killed by SIGKILL at any moment leaves a trace that has what was committed.

use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use scope_store::{Trace, verify};

use crate::support::{create_sealing, event, event_range, place, read_all};

const CHILD: &str = "SCOPE_STORE_TEST_WRITER";
const KILLS: u32 = 60;

/// The process that is killed: this test binary, run for this test alone.
#[test]
fn child_that_writes() {
    let Some(path) = env::var_os(CHILD) else { return };
    // Small, so that new segments and new manifests are a large part of the work.
    let mut writer = create_sealing(&PathBuf::from(path), 16 << 10);
    let mut next = 0;
    loop {
        let end = next + 1 + next % 499;
        writer.append(&event_range(next..end)).unwrap();
        writer.commit().unwrap();
        next = end;
        // To the pipe itself: the test harness keeps what `print!` gets.
        std::io::stderr().write_all(&next.to_le_bytes()).unwrap();
    }
}

#[test]
fn everything_committed_before_sigkill_is_there() {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut unfinished_segments = 0;
    for kill in 0..KILLS {
        let (_folder, path) = place();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_writes", "--nocapture", "--test-threads=1"])
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reports = child.stderr.take().unwrap();
        let mut committed = [0; 8];
        for _ in 0..1 + random.next_u32() % 40 {
            reports.read_exact(&mut committed).unwrap();
        }
        // Anywhere between this report and the next ones, not just after a commit.
        for _ in 0..random.next_u32() % 20_000 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut late = Vec::new();
        reports.read_to_end(&mut late).unwrap();
        if let Some(last) = late.chunks_exact(8).last() {
            committed.copy_from_slice(last);
        }
        let committed = u64::from_le_bytes(committed);
        let trace = Trace::open(&path).unwrap();
        let events = read_all(&trace);
        assert!(events.len() as u64 >= committed, "kill {kill}: {committed} were committed");
        for (number, found) in events.iter().enumerate() {
            assert_eq!(*found, event(number as u64), "kill {kill}");
        }
        assert!(!trace.is_complete());
        let report = verify(&path).unwrap();
        assert!(report.is_sound(), "kill {kill}: {report:?}");
        assert_eq!(report.events, events.len() as u64);
        let on_disk = std::fs::read_dir(path.join("segments")).unwrap().count();
        unfinished_segments += on_disk - trace.manifest().segments.len();
    }
    // Not a condition, but what shows that kills reach between a segment and its manifest.
    println!("{unfinished_segments} of {KILLS} kills left a segment that is not in the manifest");
}
