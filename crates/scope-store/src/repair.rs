//! Repairing a trace: what can be read stays, what comes after the first damage goes.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use scope_model::Event;

use crate::block;
use crate::ledger::Ledger;
use crate::lock::Lock;
use crate::manifest::{ClosedSegment, Manifest, RecordingState, SegmentEntry};
use crate::sealing::{Retention, seal_rest};
use crate::segment::{SegmentHeader, SegmentWriter};
use crate::steps::Steps;
use crate::{StoreError, Trace, document, event_codec, segment};

/// What [`repair`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Events that are left.
    pub events: u64,
    /// What was damaged: the sentence of the error.
    pub damage: Option<String>,
    /// Bytes of segments from the damaged block on.
    pub bytes_dropped: u64,
    /// Segments of which nothing is left.
    pub segments_dropped: u32,
    /// The trace was not finished: it is now.
    pub closed: bool,
    /// Hot segments that were sealed.
    pub sealed: u32,
}

impl Repaired {
    /// Whether anything was changed.
    #[must_use]
    pub const fn changed(&self) -> bool {
        self.damage.is_some() || self.closed || self.sealed > 0
    }
}

/// Drops what cannot be read from the first damaged block on, and closes a trace whose recorder was
/// killed. The readable part of a damaged segment is written anew; then the manifest is replaced;
/// then what it does not list any more is removed; then what is hot is sealed, where the disk has room
/// for that. Of a trace that is whole and finished nothing is changed.
///
/// # Errors
///
/// [`StoreError::Packed`] for a packed trace; [`StoreError::InUse`] while it is recorded; where the trace cannot be opened at all, since the
/// manifest or a table is damaged; what the system says. The trace is then what it was.
pub fn repair(path: impl AsRef<Path>) -> Result<Repaired, StoreError> {
    let path = path.as_ref();
    let trace = Trace::open(path)?;
    if path.is_file() {
        return Err(StoreError::Packed { path: path.to_path_buf() });
    }
    let _lock = Lock::take(path)?;
    // Its recorder may have finished it meanwhile.
    let trace = if trace.is_complete() { trace } else { Trace::open(path)? };
    let mut events = trace.events();
    let mut count = 0;
    let mut damage = None;
    let mut last_ns = trace.manifest().start_ns;
    for event in &mut events {
        match event {
            Ok(event) => {
                count += 1;
                last_ns = last_ns.max(event.time_ns);
            }
            Err(error) => damage = Some(error.to_string()),
        }
    }
    let closed = !trace.is_complete();
    let mut repaired = Repaired { events: count, damage, closed, ..Repaired::default() };
    if !repaired.changed() {
        return Ok(repaired);
    }
    let mut manifest = trace.manifest().clone();
    if repaired.damage.is_some() {
        let (at, offset) = events.damaged_at();
        let first_event = trace.segments().get(at).map_or(0, super::view::SegmentView::first_event);
        let end = trace.first_event() + count;
        for view in &trace.segments()[at..] {
            repaired.bytes_dropped += view.committed;
        }
        repaired.bytes_dropped = repaired.bytes_dropped.saturating_sub(offset);
        let next_id = manifest.segments.last().map_or(0, |entry| entry.id.saturating_add(1));
        manifest.segments.truncate(at);
        repaired.segments_dropped = (trace.segments().len() - at) as u32;
        if end > first_event || manifest.segments.is_empty() {
            let position = crate::Position::after(first_event);
            let kept = trace.events_from(position).take((end - first_event) as usize);
            let header =
                SegmentHeader { id: next_id, first_event, trace: manifest.created_unix_ns };
            let entry = write(path, header, kept)?;
            manifest.segments.push(entry);
            repaired.segments_dropped = repaired.segments_dropped.saturating_sub(1);
        }
    } else {
        close_last(&trace, &mut manifest)?;
    }
    manifest.state = RecordingState::Complete;
    manifest.end_ns = Some(manifest.end_ns.unwrap_or(last_ns).min(last_ns));
    let killed = if repaired.closed { "the recorder was killed" } else { "" };
    let why = if repaired.damage.is_some() { "damaged from there on" } else { killed };
    manifest.end_reason = Some(format!("{why}; repaired"));
    document::sync_folder(&path.join("segments"))?;
    let ledger = Arc::new(Ledger::new(path, manifest.clone(), Steps::default()));
    ledger.update(|_| ())?;
    remove_unlisted(path, &manifest);
    // Without room for it the trace is as good, and larger.
    repaired.sealed =
        seal_rest(path, &ledger, Retention::default(), &Steps::default()).unwrap_or_default();
    Ok(repaired)
}

/// Removes what is no part of the trace: segments that are not listed, and what a killed recorder left.
fn remove_unlisted(path: &Path, manifest: &Manifest) {
    let listed = |entry: &SegmentEntry| match entry.sealed {
        true => segment::sealed_path(path, entry.id),
        false => segment::path(path, entry.id),
    };
    let listed: HashSet<_> = manifest.segments.iter().map(listed).collect();
    let files = fs::read_dir(path.join("segments")).into_iter().flatten().flatten();
    for file in files.map(|file| file.path()) {
        let is_segment = file.extension().is_some_and(|end| end == "seg" || end == "sealed");
        if is_segment && !listed.contains(&file) {
            // It means nothing to readers, whether it goes or stays.
            let _ = fs::remove_file(file);
        }
    }
    for name in ["reserve", "manifest.json.new"] {
        let _ = fs::remove_file(path.join(name));
    }
}

/// Writes events as a new hot segment, flushed.
fn write(
    path: &Path,
    header: SegmentHeader,
    events: impl Iterator<Item = Result<Event, StoreError>>,
) -> Result<SegmentEntry, StoreError> {
    let events: Vec<Event> = events.collect::<Result<_, _>>()?;
    let blocks = events.len() / block::MAX_EVENTS as usize + 1;
    let bytes = 4096 + blocks * block::HEADER_SIZE + events.len() * event_codec::SIZE;
    // What is left of a segment of less than 4 GiB, unless it was a sealed one: then it is cut.
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let file = segment::path(path, header.id);
    // Left by an earlier attempt, and not listed.
    let _ = fs::remove_file(&file);
    let mut writer = SegmentWriter::create(path, header, bytes)?;
    writer.append(&events);
    let closed = writer.close()?;
    sync(&file)?;
    let (id, first_event) = (header.id, header.first_event);
    Ok(SegmentEntry { id, first_event, closed: Some(closed), sealed: false })
}

/// The last segment gets no more events: it is cut to what is committed.
fn close_last(trace: &Trace, manifest: &mut Manifest) -> Result<(), StoreError> {
    let (Some(view), Some(entry)) = (trace.segments().last(), manifest.segments.last_mut()) else {
        return Ok(());
    };
    if entry.closed.is_some() {
        return Ok(());
    }
    let mut closed = ClosedSegment { bytes: view.committed, ..ClosedSegment::default() };
    for (number, event) in trace.events_from(crate::Position::after(entry.first_event)).enumerate()
    {
        let time_ns = event?.time_ns;
        closed.events += 1;
        closed.first_ns = if number == 0 { time_ns } else { closed.first_ns.min(time_ns) };
        closed.last_ns = closed.last_ns.max(time_ns);
    }
    entry.closed = Some(closed);
    let file = OpenOptions::new().write(true).open(view.path());
    file.and_then(|file| {
        file.set_len(view.committed)?;
        file.sync_all()
    })
    .map_err(StoreError::io("cut", view.path(), 0))
}

fn sync(path: &Path) -> Result<(), StoreError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("flush", path, 0))
}
