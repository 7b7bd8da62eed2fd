//! Sealing one segment, putting sealed segments in the place of hot ones, and dropping the oldest
//! where a recording may not grow.
//!
//! The order of steps is what makes it safe to stop at any of them: the sealed file is written and
//! flushed, then the manifest lists it instead of the hot one, then the hot file is removed. A file
//! the manifest does not list means nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scope_model::State;

use crate::ledger::Ledger;
use crate::manifest::{ClosedSegment, Manifest};
use crate::segment::{self, BlockReader, SegmentHeader, SegmentReader};
use crate::steps::Steps;
use crate::{StoreError, Trace, document, event_codec, sealed};

/// What a recording may keep.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retention {
    pub(crate) max_bytes: Option<u64>,
    pub(crate) keep_ns: Option<u64>,
}

/// A closed hot segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    /// Bytes committed.
    pub(crate) bytes: u64,
}

/// Writes the sealed form of a hot segment, whose threads begin in `state`; returns what is in it
/// and the state after it. Nothing stays on the disk after an error.
pub(crate) fn seal(
    path: &Path,
    segment: &Segment,
    source: &Arc<SegmentReader>,
    state: State,
    steps: &Steps,
) -> Result<(ClosedSegment, State), StoreError> {
    let sealed_path = segment::sealed_path(path, segment.header.id);
    let step = |step| steps.before(step).map_err(StoreError::io("seal", &sealed_path, 0));
    step("seal")?;
    sealed::seal(source, segment.bytes, state, segment.header, &sealed_path)
        .and_then(|sealed| {
            step("sync the folder of segments")?;
            document::sync_folder(&path.join("segments"))?;
            Ok(sealed)
        })
        .inspect_err(|_| {
            // Its space is of more use than it.
            let _ = fs::remove_file(&sealed_path);
        })
}

/// Applies the events of a hot segment, of which `committed` bytes are committed, to the state before
/// them.
pub(crate) fn replay(
    source: &Arc<SegmentReader>,
    committed: u64,
    state: &mut State,
) -> Result<(), StoreError> {
    let mut reader = BlockReader::new(Arc::clone(source), committed);
    let mut payload = Vec::new();
    while let Some(header) = reader.peek()? {
        let (at, first_event) = (reader.offset(), reader.next_event());
        reader.read(&header, &mut payload)?;
        let (records, _) = payload.as_chunks::<{ event_codec::SIZE }>();
        for (record, number) in records.iter().zip(first_event..) {
            let event = event_codec::decode(record).map_err(|what| source.malformed(at, what))?;
            state.apply(number, &event);
        }
    }
    Ok(())
}

/// Seals what a manifest lists as closed and hot, one after the other: for whoever has no sealers, or
/// none any more. Returns how many were sealed.
pub(crate) fn seal_rest(
    path: &Path,
    ledger: &Arc<Ledger>,
    retention: Retention,
    steps: &Steps,
) -> Result<u32, StoreError> {
    let trace = Trace::open(path)?;
    let entries = trace.manifest().segments.clone();
    let first = entries.iter().position(|entry| !entry.sealed).unwrap_or(entries.len());
    let mut state = (*trace.state_before(first)?).clone();
    let mut publisher = Publisher::new(path, Arc::clone(ledger), retention, steps.clone());
    let mut count = 0;
    for entry in &entries[first..] {
        let Some(closed) = entry.closed.filter(|_| !entry.sealed) else { break };
        let trace = trace.manifest().created_unix_ns;
        let header = SegmentHeader { id: entry.id, first_event: entry.first_event, trace };
        let source = Arc::new(SegmentReader::open(path, header)?);
        let job = Segment { header, bytes: closed.bytes };
        let sealed;
        (sealed, state) = seal(path, &job, &source, state, steps)?;
        publisher.next = entry.id;
        publisher.add(entry.id, sealed);
        while let Some(change) = publisher.list()? {
            publisher.remove(&change)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Lists sealed segments in their order, whatever the order in which they were made.
#[derive(Debug)]
pub(crate) struct Publisher {
    path: PathBuf,
    ledger: Arc<Ledger>,
    retention: Retention,
    steps: Steps,
    /// The segment that is listed next: ids of a recording follow one another.
    next: u32,
    /// Sealed, flushed and not listed.
    made: BTreeMap<u32, ClosedSegment>,
}

/// What the manifest does not list any more.
#[derive(Debug)]
pub(crate) struct Change {
    /// How many hot segments are sealed now.
    pub(crate) sealed: usize,
    hot: Vec<u32>,
    dropped: Vec<u32>,
}

impl Publisher {
    /// For a trace whose segments from 0 on are to be sealed.
    pub(crate) fn new(
        path: &Path,
        ledger: Arc<Ledger>,
        retention: Retention,
        steps: Steps,
    ) -> Self {
        Self { path: path.to_path_buf(), ledger, retention, steps, next: 0, made: BTreeMap::new() }
    }

    /// Takes a segment whose sealed form is on the disk.
    pub(crate) fn add(&mut self, id: u32, closed: ClosedSegment) {
        self.made.insert(id, closed);
    }

    /// Lists what was made and comes next; `None` where that is nothing.
    pub(crate) fn list(&mut self) -> Result<Option<Change>, StoreError> {
        let ready: Vec<(u32, ClosedSegment)> =
            (self.next..).map_while(|id| self.made.get(&id).map(|closed| (id, *closed))).collect();
        let Some((last, _)) = ready.last() else { return Ok(None) };
        let next = last.saturating_add(1);
        let mut dropped = Vec::new();
        let mut update = || {
            let manifest = self.path.join(crate::manifest::FILE);
            let listed = self.steps.before("list the sealed segment");
            listed.map_err(StoreError::io("write", &manifest, 0))?;
            self.ledger.update(|manifest| {
                for (id, closed) in &ready {
                    let entry = manifest.segments.iter_mut().find(|entry| entry.id == *id);
                    if let Some(entry) = entry {
                        entry.closed = Some(*closed);
                        entry.sealed = true;
                    }
                }
                dropped = drop_oldest(manifest, self.retention);
            })
        };
        if let Err(error) = update() {
            // Unless the manifest may list them after all, their space is of more use than they.
            if !error.is_no_space() {
                self.made = self.made.split_off(&next);
            }
            return Err(error);
        }
        self.next = next;
        let hot: Vec<u32> = ready.into_iter().map(|(id, _)| id).collect();
        self.made = self.made.split_off(&next);
        Ok(Some(Change { sealed: hot.len(), hot, dropped }))
    }

    /// Removes the files that are no part of the trace any more.
    pub(crate) fn remove(&self, change: &Change) -> Result<(), StoreError> {
        let step = |step| self.steps.before(step).map_err(StoreError::io("remove", &self.path, 0));
        for id in &change.hot {
            step("remove the hot segment")?;
            // What the manifest does not list any more is not missed.
            let _ = fs::remove_file(segment::path(&self.path, *id));
        }
        for id in &change.dropped {
            step("remove a dropped segment")?;
            let _ = fs::remove_file(segment::sealed_path(&self.path, *id));
        }
        Ok(())
    }

    /// Nothing more is listed: removes what was made for nothing.
    pub(crate) fn give_up(&mut self) {
        for id in std::mem::take(&mut self.made).into_keys() {
            let _ = fs::remove_file(segment::sealed_path(&self.path, id));
        }
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
