//! From merged records to a trace on disk: losses placed, stacks built, events written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use aya::maps::MapError;
use scope_model::stack::Gap;
use scope_model::{CallStacks, Event, Pid, RawEvent, RawKind, Tid};
use scope_store::{StoreError, TraceWriter};
use tokio::sync::mpsc::UnboundedSender;
use tracer_common::Record;

use super::drain::{Batch, now_ns};
use super::merge::Merge;
use super::trigger::{Fired, Trigger};
use crate::probe::loss::Losses;

/// Numbers of a running recording, for whoever shows them.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events written.
    pub events: AtomicU64,
    /// Records lost in the rings.
    pub lost: AtomicU64,
    /// Bytes of the trace.
    pub bytes: AtomicU64,
    /// Fill of the fullest ring since last asked, in thousandths.
    pub fill: Arc<AtomicU64>,
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
    failed: bool,
    trigger: Option<Trigger>,
    records: Vec<Record>,
    events: Vec<Event>,
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
            failed: false,
            trigger: None,
            records: Vec::new(),
            events: Vec::new(),
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
            if let Err(error) = self.pass() {
                if !self.failed {
                    self.failed = true;
                    // The other end is gone only when the recording is ending anyway.
                    let _ = self.notices.send(Notice::Failed(error));
                }
                self.events.clear();
            }
            if self.merge.has_ended() {
                break;
            }
        }
        Finished {
            orphan_exits: self.stacks.orphan_exits(),
            late_records: self.merge.late(),
            unattributed_losses: self.losses.unattributed(),
            unknown_records: self.unknown_records,
            writer: self.writer,
        }
    }

    fn pass(&mut self) -> Result<(), PipelineError> {
        let until = self.merge.complete_until_ns();
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

        self.records.clear();
        self.merge.take_until(until, &mut self.records);
        for record in std::mem::take(&mut self.records).drain(..) {
            self.before(record.time_ns);
            match RawEvent::try_from(&record) {
                Ok(raw) => self.record(&raw),
                Err(_) => self.unknown_records += 1,
            }
        }
        self.before(until);
        if self.failed {
            self.events.clear();
            return Ok(());
        }
        if let Some(trigger) = &mut self.trigger
            && let Some(fired) = self.events.iter().find_map(|event| trigger.see(event))
        {
            self.trigger = None;
            // As above: nobody listens only when the recording is ending.
            let _ = self.notices.send(Notice::Triggered(fired));
        }
        if !self.events.is_empty() {
            self.writer.append(&self.events)?;
            self.events.clear();
            self.writer.commit()?;
        }
        self.progress.events.store(self.writer.events(), Ordering::Relaxed);
        self.progress.bytes.store(self.writer.bytes(), Ordering::Relaxed);
        Ok(())
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

    fn record(&mut self, raw: &RawEvent) {
        match raw.kind {
            RawKind::NewTask { same_process, .. } => {
                // Born between the first probe and the look into /proc: found already.
                if self.found.get(&raw.tid).is_some_and(|found| raw.time_ns <= *found) {
                    return;
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
        self.stacks.push(raw, &mut self.events);
    }
}
