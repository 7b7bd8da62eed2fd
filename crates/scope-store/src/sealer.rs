//! Sealing in the background: takes full hot segments in their order, puts sealed ones in their
//! place, and drops the oldest where a recording may not grow.
//!
//! The order of steps is what makes it safe to stop at any of them: the sealed file is written and
//! flushed, then the manifest lists it instead of the hot one, then the hot file is removed. A file
//! the manifest does not list means nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use scope_model::State;

use crate::ledger::Ledger;
use crate::manifest::Manifest;
use crate::segment::{self, SegmentHeader, SegmentReader};
use crate::steps::Steps;
use crate::{StoreError, document, sealed};

/// What a recording may keep.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retention {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) keep_ns: Option<u64>,
}

/// A segment to be sealed.
#[derive(Debug)]
struct Job {
    header: SegmentHeader,
    bytes: u64,
}

/// What the sealer's thread and the writer both see.
#[derive(Debug, Default)]
struct Shared {
    /// Segments given to the sealer and not yet sealed.
    waiting: AtomicUsize,
    /// Nobody waits for what is not begun.
    abandoned: AtomicBool,
    /// Why sealing ended before its time: a sentence.
    stopped: Mutex<Option<String>>,
    /// Told when a segment is sealed or sealing stops.
    progress: Condvar,
}

/// A sealer's thread.
#[derive(Debug)]
pub(crate) struct Sealer {
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sealer {
    /// Starts a sealer for a new trace.
    pub(crate) fn start(
        path: &Path,
        ledger: Arc<Ledger>,
        retention: Retention,
        steps: Steps,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = channel();
        let shared = Arc::new(Shared::default());
        let work = Work {
            path: path.to_path_buf(),
            ledger,
            retention,
            steps,
            shared: Arc::clone(&shared),
            state: State::new(),
        };
        let thread = std::thread::Builder::new()
            .name("scope-sealer".to_owned())
            .spawn(move || work.run(&queue))
            .map_err(StoreError::io("start a thread to seal", path, 0))?;
        Ok(Self { jobs: Some(jobs), shared, thread: Some(thread) })
    }

    /// Gives a closed hot segment of `bytes` bytes to be sealed. They must come in their order.
    pub(crate) fn add(&self, header: SegmentHeader, bytes: u64) {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        // The thread ends only when sealing stopped, or with this.
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job { header, bytes }).is_ok());
        if !sent {
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Segments that wait to be sealed.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// Why sealing stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<String> {
        let why = lock(&self.shared.stopped).clone();
        // While jobs can come the thread ends by itself only with a reason, or by a panic.
        let panicked =
            self.jobs.is_some() && self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        why.or_else(|| panicked.then(|| "the sealer failed".to_owned()))
    }

    /// Waits until fewer than so many segments wait, or sealing stopped.
    pub(crate) fn wait_below(&self, most: usize) {
        let mut stopped = lock(&self.shared.stopped);
        while stopped.is_none() && self.waiting() >= most {
            // Woken by each segment; the time limit is for a thread that panicked.
            let limit = Duration::from_millis(100);
            let woken = self.shared.progress.wait_timeout(stopped, limit);
            stopped = woken.unwrap_or_else(PoisonError::into_inner).0;
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return;
            }
        }
    }

    /// Waits until all is sealed, or sealing stopped.
    pub(crate) fn finish(mut self) -> Option<String> {
        self.end();
        self.stopped()
    }

    /// Ends after the segment that is being sealed.
    pub(crate) fn abandon(mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.end();
    }

    fn end(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            lock(&self.shared.stopped).get_or_insert_with(|| "the sealer failed".to_owned());
        }
    }
}

struct Work {
    path: PathBuf,
    ledger: Arc<Ledger>,
    retention: Retention,
    steps: Steps,
    shared: Arc<Shared>,
    /// After the last sealed segment.
    state: State,
}

impl Work {
    fn run(mut self, queue: &Receiver<Job>) {
        for job in queue {
            if self.shared.abandoned.load(Ordering::Acquire) {
                return;
            }
            let sealed = self.seal(&job);
            let mut stopped = lock(&self.shared.stopped);
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
            let failed = sealed.is_err();
            if let Err(error) = sealed {
                *stopped = Some(error.to_string());
            }
            self.shared.progress.notify_all();
            if failed {
                // The segments after it need the state after it.
                return;
            }
        }
    }

    fn seal(&mut self, job: &Job) -> Result<(), StoreError> {
        let id = job.header.id;
        let hot_path = segment::path(&self.path, id);
        let sealed_path = segment::sealed_path(&self.path, id);
        let step = |step| self.steps.before(step).map_err(StoreError::io("seal", &sealed_path, 0));
        step("seal")?;
        let source = Arc::new(SegmentReader::open(&self.path, job.header)?);
        let result = sealed::seal(&source, job.bytes, self.state.clone(), job.header, &sealed_path)
            .and_then(|sealed| {
                step("sync the folder of segments")?;
                document::sync_folder(&self.path.join("segments"))?;
                Ok(sealed)
            })
            .and_then(|(closed, state)| {
                step("list the sealed segment")?;
                let mut dropped = Vec::new();
                self.ledger.update(|manifest| {
                    if let Some(entry) = manifest.segments.iter_mut().find(|entry| entry.id == id) {
                        entry.closed = Some(closed);
                        entry.sealed = true;
                    }
                    dropped = drop_oldest(manifest, self.retention);
                })?;
                Ok((state, dropped))
            });
        let (state, dropped) = match result {
            Ok(sealed) => sealed,
            Err(error) => {
                // Unless the manifest may list it after all, its space is of more use than it.
                let listed = matches!(&error, StoreError::Io { path, .. } if *path != sealed_path);
                if !listed {
                    let _ = fs::remove_file(&sealed_path);
                }
                return Err(error);
            }
        };
        self.state = state;
        step("remove the hot segment")?;
        // What the manifest does not list any more is not missed; it is no part of the trace.
        let _ = fs::remove_file(hot_path);
        for id in dropped {
            step("remove a dropped segment")?;
            let _ = fs::remove_file(segment::sealed_path(&self.path, id));
        }
        Ok(())
    }
}

/// Takes the oldest sealed segments off the list, as far as the limits ask for it; returns which. The
/// newest sealed one stays: it says in which state what follows begins.
fn drop_oldest(manifest: &mut Manifest, retention: Retention) -> Vec<u32> {
    let closed = |manifest: &Manifest| -> u64 {
        manifest.segments.iter().filter_map(|entry| Some(entry.closed?.bytes)).sum()
    };
    let latest_ns = manifest.segments.iter().filter_map(|entry| Some(entry.closed?.last_ns)).max();
    let mut dropped = Vec::new();
    while let [oldest, next, ..] = manifest.segments.as_slice()
        && oldest.sealed
        && next.sealed
    {
        let too_large = retention.max_bytes.is_some_and(|most| closed(manifest) > most);
        let too_old = retention.keep_ns.is_some_and(|keep_ns| {
            let from_ns = latest_ns.unwrap_or_default().saturating_sub(keep_ns);
            oldest.closed.is_some_and(|closed| closed.last_ns < from_ns)
        });
        if !too_large && !too_old {
            break;
        }
        manifest.dropped_events = next.first_event;
        dropped.push(oldest.id);
        manifest.segments.remove(0);
    }
    dropped
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Only whole values are put in.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
