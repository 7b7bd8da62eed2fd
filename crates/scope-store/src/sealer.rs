//! Sealing in the background: a pool of threads takes full hot segments in their order, and each
//! makes the sealed form of one. What they made is listed in that order too ([`Publisher`]).
//!
//! To seal a segment takes the state before it. Where the segment before is still being sealed by
//! another thread, its events are read once more for the state after it: that is far less work than
//! sealing it, and is done only while sealing is behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use scope_model::State;

use crate::StoreError;
use crate::ledger::Ledger;
use crate::sealing::{self, Publisher, Retention, Segment};
use crate::segment::{SegmentHeader, SegmentReader};
use crate::steps::Steps;

/// What the sealers and the writer both see.
#[derive(Debug, Default)]
struct Shared {
    /// Segments given to be sealed whose hot files are still there.
    waiting: AtomicUsize,
    /// Nobody waits for what is not begun.
    abandoned: AtomicBool,
    /// Why sealing ended before its time.
    stopped: Mutex<Option<Stopped>>,
    /// Told when segments are sealed or sealing stops.
    progress: Condvar,
}

/// Why sealing ended before its time.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    /// A sentence.
    pub(crate) why: String,
    /// The disk was full: where there is space again, the rest can be sealed.
    pub(crate) no_space: bool,
}

/// A pool of threads that seal.
#[derive(Debug)]
pub(crate) struct Sealer {
    jobs: Option<Sender<Segment>>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Sealer {
    /// Starts so many sealers, at least one, for a new trace.
    pub(crate) fn start(
        path: &Path,
        ledger: Arc<Ledger>,
        retention: Retention,
        steps: Steps,
        sealers: u32,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = channel();
        let shared = Arc::new(Shared::default());
        let work = Arc::new(Work {
            path: path.to_path_buf(),
            queue: Mutex::new(queue),
            chain: Mutex::default(),
            publisher: Mutex::new(Publisher::new(path, ledger, retention, steps.clone())),
            steps,
            shared: Arc::clone(&shared),
        });
        let mut sealer = Self { jobs: Some(jobs), shared, threads: Vec::new() };
        for number in 0..sealers.max(1) {
            let work = Arc::clone(&work);
            let thread = std::thread::Builder::new()
                .name(format!("scope-sealer-{number}"))
                .spawn(move || work.run())
                .map_err(StoreError::io("start a thread to seal", path, 0));
            match thread {
                Ok(thread) => sealer.threads.push(thread),
                Err(error) => {
                    sealer.end();
                    return Err(error);
                }
            }
        }
        Ok(sealer)
    }

    /// Gives a closed hot segment of `bytes` bytes to be sealed. They must come in their order.
    pub(crate) fn add(&self, header: SegmentHeader, bytes: u64) {
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        // The threads end only when sealing stopped, or with this.
        let job = Segment { header, bytes };
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Segments that wait to be sealed.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// Why sealing stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        lock(&self.shared.stopped).clone()
    }

    /// Waits until fewer than so many segments wait, or sealing stopped.
    pub(crate) fn wait_below(&self, most: usize) {
        let mut stopped = lock(&self.shared.stopped);
        while stopped.is_none() && self.waiting() >= most {
            // Whoever changes either holds the lock meanwhile; the time limit is for nothing known.
            let woken = self.shared.progress.wait_timeout(stopped, Duration::from_secs(1));
            stopped = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all is sealed, or sealing stopped.
    pub(crate) fn finish(mut self) -> Option<Stopped> {
        self.end();
        self.stopped()
    }

    /// Ends after the segments that are being sealed.
    pub(crate) fn abandon(mut self) {
        self.shared.abandoned.store(true, Ordering::Release);
        self.end();
    }

    fn end(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // One that panicked has said so: see `Fault`.
            let _ = thread.join();
        }
    }
}

/// What the threads of a pool share.
struct Work {
    path: PathBuf,
    /// Held while a segment is taken and the state before it is found: so these come in order.
    queue: Mutex<Receiver<Segment>>,
    chain: Mutex<Chain>,
    /// Held while the manifest is replaced: it has one owner at a time.
    publisher: Mutex<Publisher>,
    steps: Steps,
    shared: Arc<Shared>,
}

/// The latest state between two segments that is known.
#[derive(Debug, Default)]
struct Chain {
    state: State,
    /// The segment after it, which is being sealed; the one after that needs the state in between.
    begun: Option<Begun>,
}

/// A segment that is being sealed.
#[derive(Clone, Debug)]
struct Begun {
    id: u32,
    source: Arc<SegmentReader>,
    bytes: u64,
}

/// Says that sealing stopped when it is dropped by a panic.
struct Fault<'a>(&'a Work);

impl Drop for Fault<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "the sealer failed".to_owned();
            self.0.stop(Stopped { why, no_space: false });
        }
    }
}

impl Work {
    fn run(&self) {
        let _fault = Fault(self);
        while let Some(job) = self.next() {
            if let Err(error) = job.and_then(|(job, source, state)| self.seal(job, source, state)) {
                let no_space = error.is_no_space();
                self.stop(Stopped { why: error.to_string(), no_space });
            }
        }
    }

    /// The next segment, and the state before it. `None` when there is nothing left to do.
    #[expect(clippy::type_complexity, reason = "taken apart at once")]
    fn next(&self) -> Option<Result<(Segment, Arc<SegmentReader>, State), StoreError>> {
        let queue = lock(&self.queue);
        let job = queue.recv().ok()?;
        if self.shared.abandoned.load(Ordering::Acquire) || lock(&self.shared.stopped).is_some() {
            return None;
        }
        Some(self.begin(job).map(|(source, state)| (job, source, state)))
    }

    /// Finds the state before a segment, and notes that the segment is being sealed.
    fn begin(&self, job: Segment) -> Result<(Arc<SegmentReader>, State), StoreError> {
        let source = Arc::new(SegmentReader::open(&self.path, job.header)?);
        let (id, bytes) = (job.header.id, job.bytes);
        let begun = Begun { id, source: Arc::clone(&source), bytes };
        loop {
            let mut chain = lock(&self.chain);
            let mut state = chain.state.clone();
            let Some(before) = chain.begun.clone() else {
                chain.begun = Some(begun);
                return Ok((source, state));
            };
            drop(chain);
            sealing::replay(&before.source, before.bytes, &mut state)?;
            lock(&self.chain).advance(before.id, &state);
        }
    }

    fn seal(
        &self,
        job: Segment,
        source: Arc<SegmentReader>,
        state: State,
    ) -> Result<(), StoreError> {
        let (closed, state) = sealing::seal(&self.path, &job, &source, state, &self.steps)?;
        lock(&self.chain).advance(job.header.id, &state);
        // A removed file keeps its space for as long as somebody maps it.
        drop((source, state));
        let mut publisher = lock(&self.publisher);
        publisher.add(job.header.id, closed);
        while let Some(change) = publisher.list()? {
            publisher.remove(&change)?;
            // Only now is there the space that a writer may wait for.
            let told = lock(&self.shared.stopped);
            self.shared.waiting.fetch_sub(change.sealed, Ordering::AcqRel);
            self.shared.progress.notify_all();
            drop(told);
        }
        if lock(&self.shared.stopped).is_some() {
            publisher.give_up();
        }
        Ok(())
    }

    fn stop(&self, why: Stopped) {
        lock(&self.shared.stopped).get_or_insert(why);
        self.shared.progress.notify_all();
        // After the reason is known: whoever comes later gives up by itself.
        lock(&self.publisher).give_up();
    }
}

impl Chain {
    /// The state after a segment is known now; it may have been known already.
    fn advance(&mut self, id: u32, state: &State) {
        if self.begun.take_if(|begun| begun.id == id).is_some() {
            self.state.clone_from(state);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic may have left half done is not used any more: sealing stops.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
