//! The machine the tests share: turns, deadlines, folders.

use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tempfile::TempDir;

static MACHINE: RwLock<()> = RwLock::new(());

/// A turn beside other tests.
pub fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A turn with no other test of this process running: for tests whose truth is about time or about
/// load.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How long anything may take before its test fails.
pub fn deadline() -> Duration {
    Duration::from_secs(60)
}

/// Waits for a condition that nothing announces, and fails when the deadline passes first.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < deadline(), "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Time that the machine under this virtual one has taken from its CPUs since it began, ns: a thread that
/// is on a CPU then does not run, and its own CPU clock leaves that out, which its scheduler does not tell.
pub fn stolen_ns() -> u64 {
    /// `/proc/stat` counts in hundredths of a second on every machine.
    const TICK_NS: u64 = 10_000_000;
    let text = std::fs::read_to_string("/proc/stat").expect("procfs is mounted");
    let steal = text.lines().next().and_then(|line| line.split_whitespace().nth(8));
    steal.and_then(|ticks| ticks.parse::<u64>().ok()).map_or(0, |ticks| ticks * TICK_NS)
}

/// A folder of a test's own, gone at its end.
pub fn folder() -> TempDir {
    TempDir::with_prefix_in("scope-", Path::new(env!("CARGO_TARGET_TMPDIR")))
        .expect("cargo made the folder for it")
}

/// Rounds of the tests that repeat themselves: `full` when `SCOPE_TEST_ROUNDS` says 200, `full` / 10
/// by default, in proportion otherwise.
pub fn rounds(full: u32) -> u32 {
    let of_200: u32 = std::env::var("SCOPE_TEST_ROUNDS")
        .ok()
        .map_or(20, |text| text.parse().expect("SCOPE_TEST_ROUNDS is a number"));
    (full * of_200 / 200).max(1)
}
