//! From merged records to a trace on disk: losses placed, stacks built, events written.
//!
//! Nothing here waits for the disk or for sealing while probes are in: the rings would fill behind it.
//! What the trace does not take is held for a while, then dropped as gaps ([`Dropped`]). At the end,
//! when no more can come, what is held waits for its place.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use aya::maps::MapError;
use scope_model::stack::Gap;
use scope_model::{CallStacks, Event, Pid, RawEvent, RawKind, Tid};
use scope_store::{StoreError, TraceWriter, WriterStatus};
use tokio::sync::mpsc::UnboundedSender;
use tracer_common::Record;

use super::drain::{Batch, now_ns};
use super::dropped::Dropped;
use super::loaded::LoadedModules;
use super::merge::Merge;
use super::scribe::Scribe;
use super::trigger::{Fired, Trigger};
use crate::probe::loss::Losses;

/// Records that are held, at most, while the trace takes no more: 40 bytes each.
const MOST_HELD: usize = 1 << 18;

/// Least time between two reports of where modules are loaded, ns.
const LAYOUTS_PERIOD_NS: u64 = 200_000_000;

/// Numbers of a running recording, for whoever shows them.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events written.
    pub events: AtomicU64,
    /// Records lost in the rings.
    pub lost: AtomicU64,
    /// Bytes of the trace.
    pub bytes: AtomicU64,
    /// Records dropped since sealing or the disk was behind.
    pub dropped: AtomicU64,
    /// When the pipeline was last seen at work, ns.
    pub alive_ns: AtomicU64,
    /// Fill of the fullest ring since last asked, in thousandths.
    pub fill: Arc<AtomicU64>,
    /// As of the last half second.
    pub fill_lately: AtomicU64,
    writer: Mutex<WriterStatus>,
}

impl Progress {
    /// How the writer of the trace is getting on.
    #[must_use]
    pub fn writer(&self) -> WriterStatus {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the pipeline has to say while it runs.
#[derive(Debug)]
pub enum Notice {
    /// The last traced process ended.
    AllExited,
    /// The call that ends the recording was made.
    Triggered(Fired),
    /// Nothing more can be recorded.
    Failed(PipelineError),
}

/// Why a recording cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The trace cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The loss counters cannot be read.
    #[error("cannot read the loss counters of the kernel half: {0}")]
    Losses(#[from] MapError),
}

/// A thread that was there when recording began.
#[derive(Clone, Debug)]
pub struct FoundThread {
    /// Its birth, as far as the trace knows.
    pub start: RawEvent,
    /// What it was doing when it was found: empty where that is not known.
    pub state: Vec<RawEvent>,
    /// When it was found, ns.
    pub found_ns: u64,
}

/// What remains when all rings have ended.
#[derive(Debug)]
pub struct Finished {
    /// To be finished by the caller.
    pub writer: TraceWriter,
    /// Exits without an entry.
    pub orphan_exits: u64,
    /// Records that came late.
    pub late_records: u64,
    /// Losses of unknown threads.
    pub unattributed_losses: u64,
    /// Records of a kind this version does not know.
    pub unknown_records: u64,
    /// Records dropped since sealing or the disk was behind; in the trace as gaps.
    pub dropped: u64,
    /// Where the trace could not go on.
    pub cut: Option<Cut>,
    /// Where modules were loaded, and from where they were called.
    pub loaded: LoadedModules,
}

/// The end of a trace that could not go on.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Up to when it is whole, ns.
    pub until_ns: u64,
    /// Events that came after that. The trace does not have them, nor gaps for them.
    pub events: u64,
}

/// The single thread that writes.
#[derive(Debug)]
pub struct Pipeline {
    merge: Merge,
    stacks: CallStacks,
    losses: Losses,
    writer: TraceWriter,
    notices: UnboundedSender<Notice>,
    progress: Arc<Progress>,
    live: HashSet<Pid>,
    found: HashMap<Tid, u64>,
    /// States of found threads, by the time they were read, latest first.
    states: Vec<FoundThread>,
    scheduled: HashSet<Tid>,
    gaps: Vec<Gap>,
    last_pass_ns: u64,
    unknown_records: u64,
    dropped: Dropped,
    /// Nothing more can be written.
    cut: Option<Cut>,
    trigger: Option<Trigger>,
    loaded: LoadedModules,
    scribe: Scribe,
    layouts_told_ns: u64,
    records: Vec<Record>,
    /// What is to be written, of which `written` are.
    events: Vec<Event>,
    written: usize,
}

impl Pipeline {
    /// Over so many rings, for the processes in `live`.
    pub fn new(
        rings: usize,
        losses: Losses,
        writer: TraceWriter,
        live: HashSet<Pid>,
        notices: UnboundedSender<Notice>,
        progress: Arc<Progress>,
        (loaded, scribe): (LoadedModules, Scribe),
    ) -> Self {
        Self {
            merge: Merge::new(rings),
            stacks: CallStacks::new(),
            losses,
            writer,
            notices,
            progress,
            live,
            found: HashMap::new(),
            states: Vec::new(),
            scheduled: HashSet::new(),
            gaps: Vec::new(),
            last_pass_ns: now_ns(),
            unknown_records: 0,
            dropped: Dropped::default(),
            cut: None,
            trigger: None,
            loaded,
            scribe,
            layouts_told_ns: 0,
            records: Vec::new(),
            events: Vec::new(),
            written: 0,
        }
    }

    /// Watches for a call, and tells of it once.
    pub fn watch_for(&mut self, trigger: Option<Trigger>) {
        self.trigger = trigger;
    }

    /// Tells of the threads that are there already. To be called before [`Pipeline::run`].
    pub fn found(&mut self, threads: Vec<FoundThread>) {
        for thread in &threads {
            self.found.insert(thread.start.tid, thread.found_ns);
            self.loaded.thread(thread.start.tid, thread.start.pid);
            self.stacks.push(&thread.start, &mut self.events);
        }
        self.states = threads;
        self.states.sort_by_key(|thread| std::cmp::Reverse(thread.found_ns));
    }

    /// Works until every ring has ended.
    pub fn run(mut self, batches: &Receiver<Batch>) -> Finished {
        while let Ok(batch) = batches.recv() {
            self.merge.add(batch);
            for batch in batches.try_iter() {
                self.merge.add(batch);
            }
            let until_ns = self.merge.complete_until_ns();
            if let Err(error) = self.pass(until_ns) {
                let until_ns = self.events.get(self.written).map_or(until_ns, |next| next.time_ns);
                let events = self.events.len().saturating_sub(self.written) as u64;
                self.cut.get_or_insert(Cut { until_ns, events });
                self.clear();
                // The other end is gone only when the recording is ending anyway.
                let _ = self.notices.send(Notice::Failed(error));
            }
            self.tell();
            if self.merge.has_ended() {
                break;
            }
        }
        Finished {
            orphan_exits: self.stacks.orphan_exits(),
            late_records: self.merge.late(),
            unattributed_losses: self.losses.unattributed(),
            unknown_records: self.unknown_records,
            dropped: self.dropped.records(),
            cut: self.cut,
            writer: self.writer,
            loaded: self.loaded,
        }
    }

    /// Passes on what is complete up to a time.
    fn pass(&mut self, until: u64) -> Result<(), PipelineError> {
        // Losses are read after the rings: those up to `until` are among them, and are placed before
        // younger records are passed on.
        let gaps = self.losses.since_last(self.last_pass_ns, now_ns())?;
        self.last_pass_ns = now_ns();
        self.progress.lost.fetch_add(
            gaps.iter().map(|gap| gap.entries + gap.exits + gap.others).sum(),
            Ordering::Relaxed,
        );
        self.gaps.extend(gaps);
        self.gaps.sort_by_key(|gap| std::cmp::Reverse(gap.first_ns));
        if self.cut.is_some() {
            self.cut_off(until);
            return Ok(());
        }
        if !self.write()? {
            if self.merge.waiting() > MOST_HELD {
                self.drop_until(until);
            }
            return Ok(());
        }

        for gap in self.dropped.take() {
            self.stacks.gap(&gap, &mut self.events);
        }
        self.records.clear();
        self.merge.take_until(until, &mut self.records);
        for record in std::mem::take(&mut self.records).drain(..) {
            self.before(record.time_ns);
            match RawEvent::try_from(&record) {
                Ok(raw) if self.note(&raw) => self.stacks.push(&raw, &mut self.events),
                Ok(_) => {}
                Err(_) => self.unknown_records += 1,
            }
        }
        self.before(until);
        if let Some(trigger) = &mut self.trigger
            && let Some(fired) = self.events.iter().find_map(|event| trigger.see(event))
        {
            self.trigger = None;
            // As above: nobody listens only when the recording is ending.
            let _ = self.notices.send(Notice::Triggered(fired));
        }
        self.write()?;
        Ok(())
    }

    /// Gives the trace what it takes and commits that; whether it took all.
    fn write(&mut self) -> Result<bool, PipelineError> {
        if self.events.is_empty() {
            return Ok(true);
        }
        // What comes now is the last: no ring fills meanwhile.
        let wait = self.merge.has_ended();
        let before = self.writer.events();
        let left = self.events.get(self.written..).unwrap_or_default();
        let result = match wait {
            true => self.writer.append(left),
            false => self.writer.try_append(left).map(drop),
        };
        // Also where it failed: part of them may be in.
        self.written += (self.writer.events() - before) as usize;
        self.writer.commit()?;
        result?;
        let all = self.written == self.events.len();
        if all {
            self.clear();
        }
        Ok(all)
    }

    fn clear(&mut self) {
        self.events.clear();
        self.written = 0;
    }

    /// Makes gaps of what is held up to a time: the trace takes no more.
    fn drop_until(&mut self, until: u64) {
        while let Some(gap) = self.gaps.pop_if(|gap| gap.first_ns <= until) {
            self.dropped.add(gap);
        }
        // What /proc said of threads is older than what is dropped here.
        self.states.retain(|thread| thread.found_ns > until);
        self.records.clear();
        self.merge.take_until(until, &mut self.records);
        for record in std::mem::take(&mut self.records).drain(..) {
            match RawEvent::try_from(&record) {
                Ok(raw) if self.note(&raw) => self.dropped.record(&raw),
                Ok(_) => {}
                Err(_) => self.unknown_records += 1,
            }
        }
    }

    /// Counts what comes after the end of a trace that cannot go on.
    fn cut_off(&mut self, until: u64) {
        self.records.clear();
        self.merge.take_until(until, &mut self.records);
        if let Some(cut) = &mut self.cut {
            let lost = self.gaps.drain(..).map(|gap| gap.entries + gap.exits + gap.others);
            cut.events += self.records.len() as u64 + lost.sum::<u64>();
        }
        for record in std::mem::take(&mut self.records).drain(..) {
            if let Ok(raw) = RawEvent::try_from(&record) {
                self.note(&raw);
            }
        }
    }

    /// Lets others see how it is getting on.
    fn tell(&mut self) {
        let now = now_ns();
        if now - self.layouts_told_ns > LAYOUTS_PERIOD_NS
            && let Some(layouts) = self.loaded.take_changed()
        {
            self.layouts_told_ns = now;
            self.scribe.layouts(layouts);
        }
        let progress = &self.progress;
        progress.events.store(self.writer.events(), Ordering::Relaxed);
        progress.bytes.store(self.writer.bytes(), Ordering::Relaxed);
        progress.dropped.store(self.dropped.records(), Ordering::Relaxed);
        progress.alive_ns.store(now_ns(), Ordering::Relaxed);
        *progress.writer.lock().unwrap_or_else(PoisonError::into_inner) = self.writer.status();
    }

    /// What is known from elsewhere and belongs before this time.
    fn before(&mut self, time_ns: u64) {
        while self.gaps.last().is_some_and(|gap| gap.first_ns <= time_ns) {
            if let Some(gap) = self.gaps.pop() {
                self.stacks.gap(&gap, &mut self.events);
            }
        }
        while self.states.last().is_some_and(|thread| thread.found_ns <= time_ns) {
            let Some(thread) = self.states.pop() else { break };
            // What the scheduler said meanwhile is truer than what /proc said.
            if !self.scheduled.contains(&thread.start.tid) {
                for raw in &thread.state {
                    self.stacks.push(raw, &mut self.events);
                }
            }
        }
    }

    /// Takes note of what a record says of processes and threads; whether it belongs into the trace.
    fn note(&mut self, raw: &RawEvent) -> bool {
        self.loaded.see(raw);
        match raw.kind {
            RawKind::Program { .. } => return false,
            RawKind::NewTask { same_process, .. } => {
                // Born between the first probe and the look into /proc: found already.
                if self.found.get(&raw.tid).is_some_and(|found| raw.time_ns <= *found) {
                    return false;
                }
                if !same_process {
                    self.live.insert(raw.pid);
                }
            }
            RawKind::TaskExit { last, .. } => {
                self.found.remove(&raw.tid);
                if last && self.live.remove(&raw.pid) && self.live.is_empty() {
                    // As above: nobody listens only when the recording is ending.
                    let _ = self.notices.send(Notice::AllExited);
                }
            }
            RawKind::SwitchIn { .. } | RawKind::SwitchOut { .. } if !self.states.is_empty() => {
                self.scheduled.insert(raw.tid);
            }
            _ => {}
        }
        true
    }
}
