//! Tells in the trace how its recording is getting on, for whoever looks at it meanwhile or later.
//!
//! A thread that gives way to the others; what it cannot write it leaves, since a recording is worth more
//! than its numbers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use scope_store::{Health, HealthSample};

use super::drain::now_ns;
use super::pipeline::Progress;
use super::session::own_cpu_ns;
use super::switches::SharedSwitches;

/// Between two looks at how full the rings are.
const LOOK: Duration = Duration::from_millis(500);
/// Looks for each time that it is written.
const LOOKS: u32 = 2;
/// How much this thread gives way.
const NICE: i32 = 10;

/// The thread that tells. It ends when this is dropped, with the last numbers.
#[derive(Debug)]
pub struct Teller {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is told of.
#[derive(Debug)]
pub struct Subject {
    /// The folder of the trace.
    pub trace: PathBuf,
    /// Numbers.
    pub progress: Arc<Progress>,
    /// What somebody did to the recording.
    pub switches: SharedSwitches,
    /// CPU time that this process had used before, ns.
    pub cpu_before_ns: u64,
    /// Rings.
    pub rings: u32,
    /// Bytes of each.
    pub ring_bytes: u64,
}

impl Teller {
    /// Begins.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(subject: Subject) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let work = move || {
            // Failing leaves it as important as others.
            let _ = setpriority_process(Some(gettid()), NICE);
            let mut health = Health {
                rings: subject.rings,
                ring_bytes: subject.ring_bytes,
                ..Health::default()
            };
            let (mut fill, mut noted) = (0, 0);
            for look in 0_u32.. {
                let end = stopped.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
                let lately = subject.progress.fill.swap(0, Ordering::Relaxed);
                subject.progress.fill_lately.store(lately, Ordering::Relaxed);
                fill = fill.max(lately);
                if end || look % LOOKS == LOOKS - 1 {
                    subject.tell(&mut health, std::mem::take(&mut fill), &mut noted);
                }
                if end {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("scope-health".into()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Subject {
    fn tell(&self, health: &mut Health, fill: u64, noted: &mut usize) {
        let progress = &self.progress;
        let writer = progress.writer();
        health.push(HealthSample {
            time_ns: now_ns(),
            events: progress.events.load(Ordering::Relaxed),
            lost: progress.lost.load(Ordering::Relaxed),
            dropped: progress.dropped.load(Ordering::Relaxed),
            bytes: progress.bytes.load(Ordering::Relaxed),
            cpu_ns: own_cpu_ns().saturating_sub(self.cpu_before_ns),
            ring_fill: u32::try_from(fill).unwrap_or(u32::MAX),
            hot_segments: writer.hot_segments,
            max_hot_segments: writer.max_hot_segments,
        });
        for note in self.switches.done_since(*noted) {
            *noted += 1;
            health.note(note);
        }
        if let Err(error) = health.write(&self.trace) {
            log::debug!("what the recorder tells is not kept: {error}");
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that tells how the recording is getting on panicked");
        }
    }
}
