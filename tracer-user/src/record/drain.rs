//! One thread a ring: takes records out on a timer and says how far the ring is complete.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use tracer_common::Record;

use crate::probe::ring::{Drained, Ring};

/// Time between two passes over a ring that had little.
const TICK: Duration = Duration::from_millis(10);
/// Most records of one pass.
const LIMIT: usize = 1 << 16;

/// What one pass over one ring gave.
#[derive(Debug)]
pub struct Batch {
    /// Index of the ring.
    pub ring: usize,
    /// Records in the order of their places.
    pub records: Vec<Record>,
    /// No record older than this can still appear in the ring, ns.
    pub complete_until_ns: u64,
    /// The last batch of the ring.
    pub last: bool,
}

/// The drain threads.
#[derive(Debug)]
pub struct Drains {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drains {
    /// Starts a thread for each ring; batches go to `out`. `fill` is set to the fullest ring seen
    /// lately, in thousandths.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        rings: Vec<Ring>,
        out: &SyncSender<Batch>,
        fill: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::with_capacity(rings.len());
        for (index, ring) in rings.into_iter().enumerate() {
            let (out, stop, fill) = (out.clone(), Arc::clone(&stop), Arc::clone(fill));
            let thread = std::thread::Builder::new()
                .name(format!("scope-drain-{index}"))
                .spawn(move || run(index, ring, &out, &stop, &fill))?;
            threads.push(thread);
        }
        Ok(Self { stop, threads })
    }

    /// Has every thread empty its ring and end. To be called when no probe is left.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            thread.thread().unpark();
            if thread.join().is_err() {
                log::error!("a drain thread panicked; what was left in its ring is lost");
            }
        }
    }
}

fn run(index: usize, mut ring: Ring, out: &SyncSender<Batch>, stop: &AtomicBool, fill: &AtomicU64) {
    let mut complete_until_ns = 0;
    let mut capacity = 1024;
    loop {
        let stopping = stop.load(Ordering::Acquire);
        fill.fetch_max((ring.fill() * 1000.0) as u64, Ordering::Relaxed);
        // The clock is read before the ring's end: see `Batch::complete_until_ns`.
        let now = now_ns();
        let mut records = Vec::with_capacity(capacity);
        let drained = ring.drain(LIMIT, &mut records);
        if drained == Drained::Whole {
            complete_until_ns = now;
        }
        capacity = records.len().next_power_of_two().clamp(16, LIMIT);
        // Without probes nothing is being written any more: what is busy now stays busy.
        let last = stopping && drained != Drained::Limited;
        if out.send(Batch { ring: index, records, complete_until_ns, last }).is_err() || last {
            return;
        }
        if drained != Drained::Limited && !stopping {
            std::thread::park_timeout(TICK);
        }
    }
}

/// `CLOCK_MONOTONIC`, ns: the clock of the records.
#[must_use]
pub fn now_ns() -> u64 {
    clock_ns(rustix::time::ClockId::Monotonic)
}

/// A clock, ns.
#[must_use]
pub fn clock_ns(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
