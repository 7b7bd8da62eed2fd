//! Writing a trace.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scope_model::{Event, Function, LeftOut, Module};

use crate::ledger::Ledger;
use crate::lock::Lock;
use crate::manifest::{Manifest, RecorderStats, RecordingState, SegmentEntry};
use crate::sealer::{Sealer, Stopped};
use crate::sealing::{Retention, seal_rest};
use crate::segment::{self, SegmentHeader, SegmentWriter};
use crate::steps::Steps;
use crate::{FORMAT_VERSION, StoreError, document, tables};

/// Space kept for the last manifest, so that a full disk does not keep a recording from ending
/// well: manifests are smaller up to some thousand segments.
const RESERVE_BYTES: u64 = 512 << 10;
/// Where the disk is short of space hot segments get smaller, down to this. With less the end of a
/// recording would be drawn out: each segment waits for the one before to be sealed.
const SMALLEST_SEGMENT: u32 = 1 << 20;

/// How a trace is written.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Size of a hot segment's file. Its space is reserved when it begins, and what is not used is
    /// given back when it ends. Raised to the smallest that holds an event.
    pub segment_bytes: u32,
    /// Whether full segments are sealed in the background, and the rest at the end.
    pub seal: bool,
    /// Threads that seal, at least 1.
    pub sealers: u32,
    /// Hot segments there may be at once, the one that is written among them: what bounds the disk a
    /// recording needs beside its sealed segments. At least 2.
    pub max_hot_segments: u32,
    /// Largest size of closed segments, bytes: the oldest sealed ones go when it is exceeded.
    pub max_bytes: Option<u64>,
    /// How far back a flight recording reaches, ns: sealed segments that end earlier go.
    pub keep_ns: Option<u64>,
    /// For tests.
    #[doc(hidden)]
    pub steps: Steps,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 32 << 20,
            seal: true,
            sealers: std::thread::available_parallelism()
                .map_or(1, |cpus| cpus.get().min(2) as u32),
            max_hot_segments: 8,
            max_bytes: None,
            keep_ns: None,
            steps: Steps::default(),
        }
    }
}

/// How a writer is getting on, for a status line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterStatus {
    /// Hot segments: the one that is written and those that wait to be sealed.
    pub hot_segments: u32,
    /// How many there may be.
    pub max_hot_segments: u32,
    /// Times that [`TraceWriter::append`] had to wait for the sealers.
    pub waits: u64,
    /// The disk has no room for another hot segment before others are sealed.
    pub short_of_space: bool,
    /// Why nothing is sealed any more, a sentence: segments stay as they are, and the bound on them
    /// is off.
    pub sealing_stopped: Option<String>,
}

/// The one writer of a trace.
///
/// Dropped without [`TraceWriter::finish`] it commits what was appended and leaves the trace in
/// the state a killed recorder leaves: readable, [`RecordingState::Recording`].
#[derive(Debug)]
pub struct TraceWriter {
    path: PathBuf,
    ledger: Arc<Ledger>,
    /// `None` for a trace that is not sealed, and after the end.
    sealer: Option<Sealer>,
    max_hot_segments: u32,
    waits: u64,
    retention: Retention,
    steps: Steps,
    /// Why sealing stopped, once there are no sealers any more.
    sealing_stopped: Option<Stopped>,
    functions: Vec<Function>,
    /// `None` only between two segments and after the end.
    segment: Option<SegmentWriter>,
    segment_bytes: u32,
    /// Closed, but not yet in the manifest and with the sealer.
    closed: Option<(SegmentHeader, crate::ClosedSegment)>,
    /// Events of closed segments.
    closed_events: u64,
    next_id: u32,
    functions_bytes: u64,
    left_out_bytes: u64,
    /// Goes last: until then nobody may repair the trace.
    _lock: Option<Lock>,
}

impl TraceWriter {
    /// Begins a trace at a path where nothing is. `manifest.segments` and `state` are set here.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyExists`] where something is; [`StoreError::Table`] for tables whose rows
    /// are not at the index of their id; else what the system says. Nothing stays on the disk then.
    pub fn create(
        path: &Path,
        manifest: Manifest,
        functions: &[Function],
        left_out: &[LeftOut],
        options: WriterOptions,
    ) -> Result<Self, StoreError> {
        tables::check((&[], &[]), &manifest.modules, functions)?;
        fs::create_dir(path).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => StoreError::AlreadyExists { path: path.to_path_buf() },
            _ => StoreError::io("create", path, 0)(source),
        })?;
        Self::fill(path, manifest, functions, left_out, options).inspect_err(|_| {
            // Made by this call and of no use.
            let _ = fs::remove_dir_all(path);
        })
    }

    fn fill(
        path: &Path,
        manifest: Manifest,
        functions: &[Function],
        left_out: &[LeftOut],
        options: WriterOptions,
    ) -> Result<Self, StoreError> {
        let lock = Lock::take_if_any(path)?;
        for folder in ["segments", "code"] {
            let folder = path.join(folder);
            fs::create_dir(&folder).map_err(StoreError::io("create", &folder, 0))?;
        }
        let mut segment_bytes = options.segment_bytes;
        if !SegmentWriter::is_large_enough(segment_bytes) {
            segment_bytes = 4096;
        }
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            state: RecordingState::Recording,
            segments: Vec::new(),
            dropped_events: 0,
            ..manifest
        };
        let ledger = Arc::new(Ledger::new(path, manifest, options.steps.clone()));
        let retention = Retention { max_bytes: options.max_bytes, keep_ns: options.keep_ns };
        let mut writer = Self {
            path: path.to_path_buf(),
            functions: functions.to_vec(),
            functions_bytes: tables::write_functions(path, functions)?,
            left_out_bytes: tables::write_left_out(path, left_out)?,
            sealer: None,
            max_hot_segments: options.max_hot_segments.max(2),
            waits: 0,
            retention,
            steps: options.steps.clone(),
            sealing_stopped: None,
            segment: None,
            segment_bytes,
            closed: None,
            closed_events: 0,
            next_id: 0,
            ledger: Arc::clone(&ledger),
            _lock: lock,
        };
        segment::reserve_file(&writer.reserve_path(), RESERVE_BYTES)?;
        // The manifest comes last and makes the folder a trace.
        writer.next_segment()?;
        document::sync_folder(path)?;
        if options.seal {
            let (steps, sealers) = (options.steps, options.sealers);
            writer.sealer = Some(Sealer::start(path, ledger, retention, steps, sealers)?);
        }
        Ok(writer)
    }

    /// Appends events in the order in which readers are to see them. Readers see them after the
    /// next [`TraceWriter::commit`] at the latest. Waits for the sealer where
    /// [`TraceWriter::is_behind`]; who must not wait uses [`TraceWriter::try_append`].
    ///
    /// # Errors
    ///
    /// When the segment is full and no further one can be created ([`StoreError::is_no_space`]).
    /// The events that did fit are kept and counted in [`TraceWriter::events`]; what is left to do
    /// is [`TraceWriter::finish`].
    pub fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let mut rest = events;
        loop {
            rest = &rest[self.try_append(rest)?..];
            if rest.is_empty() {
                return Ok(());
            }
            self.waits += 1;
            if let Some(sealer) = &self.sealer {
                // Whether a place or space is what is wanted: one segment sealed gives both.
                sealer.wait_below(sealer.waiting().clamp(1, self.max_hot_segments as usize - 1));
            }
        }
    }

    /// As [`TraceWriter::append`], but never waits: returns how many events were taken, fewer than
    /// given only where [`TraceWriter::is_behind`] and the segment is full. Events that are then
    /// dropped belong into the trace as a gap.
    ///
    /// # Errors
    ///
    /// As [`TraceWriter::append`].
    pub fn try_append(&mut self, events: &[Event]) -> Result<usize, StoreError> {
        let mut taken = 0;
        loop {
            if let Some(segment) = &mut self.segment {
                taken += segment.append(&events[taken..]);
            }
            if taken == events.len() || (self.segment.is_some() && self.is_behind()) {
                return Ok(taken);
            }
            if !self.next_segment()? {
                return Ok(taken);
            }
        }
    }

    /// Whether there are as many hot segments as there may be, or as the disk has room for: the disk
    /// or the sealers do not keep up. Not once sealing has stopped, see
    /// [`WriterStatus::sealing_stopped`].
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let waiting = self.being_sealed();
        waiting + 1 >= self.max_hot_segments as usize || (self.segment.is_none() && waiting > 0)
    }

    /// Segments that will be sealed while the recording goes on.
    fn being_sealed(&self) -> usize {
        let sealer = self.sealer.as_ref().filter(|sealer| sealer.stopped().is_none());
        sealer.map_or(0, Sealer::waiting)
    }

    /// How it is getting on.
    #[must_use]
    pub fn status(&self) -> WriterStatus {
        let waiting = self.sealer.as_ref().map_or(0, Sealer::waiting);
        WriterStatus {
            hot_segments: u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1),
            max_hot_segments: self.max_hot_segments,
            waits: self.waits,
            short_of_space: self.segment.is_none() && self.being_sealed() > 0,
            sealing_stopped: match &self.sealer {
                Some(sealer) => sealer.stopped().map(|stopped| stopped.why),
                None => self.sealing_stopped.as_ref().map(|stopped| stopped.why.clone()),
            },
        }
    }

    /// Makes all appended events visible to readers. From then on they survive the death of this
    /// process.
    ///
    /// # Errors
    ///
    /// None in this version; a caller must be ready for a full disk.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if let Some(segment) = &mut self.segment {
            segment.commit();
        }
        Ok(())
    }

    /// Replaces the tables by longer ones, before events that refer to their new rows are
    /// appended. Modules and functions written before must be unchanged.
    ///
    /// # Errors
    ///
    /// [`StoreError::Table`] if they are not; else what the system says. The tables on the disk
    /// are then the old ones or, with rows nothing refers to, the new.
    pub fn extend_tables(
        &mut self,
        modules: &[Module],
        functions: &[Function],
        left_out: &[LeftOut],
    ) -> Result<(), StoreError> {
        let known = self.ledger.manifest().modules.clone();
        tables::check((&known, &self.functions), modules, functions)?;
        // Modules first: a reader never sees a function whose module it cannot find.
        self.ledger.update(|manifest| manifest.modules = modules.to_vec())?;
        self.functions_bytes = tables::write_functions(&self.path, functions)?;
        self.functions = functions.to_vec();
        self.left_out_bytes = tables::write_left_out(&self.path, left_out)?;
        Ok(())
    }

    /// Folder of the trace.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the trace as committed, manifest and tables among them. Space that is reserved but
    /// not used yet is not counted: it is given back.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let segment = self.segment.as_ref().map_or(0, SegmentWriter::committed_bytes);
        let closed = self.closed.map_or(0, |(_, closed)| closed.bytes);
        self.ledger.bytes() + segment + closed + self.functions_bytes + self.left_out_bytes
    }

    /// Events appended.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.closed_events + self.segment.as_ref().map_or(0, SegmentWriter::events)
    }

    /// Commits, seals what is not sealed, flushes to the disk and marks the trace complete.
    /// `end_ns` is `CLOCK_MONOTONIC`; `reason` a clause for a person.
    ///
    /// # Errors
    ///
    /// What the system says. All that was appended is committed whatever it says.
    pub fn finish(
        mut self,
        end_ns: u64,
        reason: &str,
        stats: RecorderStats,
    ) -> Result<(), StoreError> {
        self.close_segment()?;
        if self.list_closed(None).is_err() {
            // On a full disk the reserve is for the manifest.
            self.release_reserve();
            self.list_closed(None)?;
        }
        if let Some(sealer) = self.sealer.take() {
            self.sealing_stopped = sealer.finish();
        }
        self.release_reserve();
        if self.sealing_stopped.as_ref().is_some_and(|stopped| stopped.no_space) {
            // The segment that was written has given back what it did not use. What does not fit
            // even so stays as it is.
            let _ = seal_rest(&self.path, &self.ledger, self.retention, &self.steps);
        }
        // Sealed segments are on the disk already. Opened again so that a long recording does not
        // hold a descriptor for each.
        let hot: Vec<u32> = {
            let manifest = self.ledger.manifest();
            manifest.segments.iter().filter(|entry| !entry.sealed).map(|entry| entry.id).collect()
        };
        for id in hot {
            let path = segment::path(&self.path, id);
            File::open(&path)
                .and_then(|file| file.sync_data())
                .map_err(StoreError::io("flush", &path, 0))?;
        }
        document::sync_folder(&self.path.join("segments"))?;
        self.ledger.update(|manifest| {
            manifest.state = RecordingState::Complete;
            manifest.end_ns = Some(end_ns);
            manifest.end_reason = Some(reason.to_owned());
            manifest.recorder = Some(stats);
        })
    }

    fn reserve_path(&self) -> PathBuf {
        self.path.join("reserve")
    }

    fn release_reserve(&self) {
        // It may have been taken away; a recording ends well without it where there is space.
        let _ = fs::remove_file(self.reserve_path());
    }

    fn close_segment(&mut self) -> Result<(), StoreError> {
        let Some(segment) = self.segment.take() else { return Ok(()) };
        let header = segment.header();
        let closed = segment.close()?;
        self.closed_events += closed.events;
        self.closed = Some((header, closed));
        Ok(())
    }

    /// Closes the segment, if any, and begins the next one. `false` where there is no space for it
    /// before segments that wait are sealed. Where none waits it is smaller.
    fn next_segment(&mut self) -> Result<bool, StoreError> {
        self.close_segment()?;
        let mut bytes = self.segment_bytes;
        loop {
            let to_come = self.closed.is_some() || self.being_sealed() > 0;
            let Err(error) = self.begin_segment(bytes) else { return Ok(true) };
            if !error.is_no_space() {
                return Err(error);
            }
            self.list_closed(None)?;
            if self.being_sealed() > 0 {
                return Ok(false);
            }
            if to_come {
                // The space of the last one may have come just now.
                continue;
            }
            if bytes <= SMALLEST_SEGMENT {
                return Err(error);
            }
            bytes = (bytes / 2).max(SMALLEST_SEGMENT);
        }
    }

    /// Begins a segment of so many bytes. It becomes part of the trace when the manifest lists it,
    /// before anything is written to it.
    fn begin_segment(&mut self, bytes: u32) -> Result<(), StoreError> {
        let header = SegmentHeader {
            id: self.next_id,
            first_event: self.closed_events,
            trace: self.ledger.manifest().created_unix_ns,
        };
        if self.sealer.as_ref().is_some_and(|sealer| sealer.stopped().is_none()) {
            // Sealed forms are there before the hot ones go.
            let hot = self.being_sealed() as u64 + 1;
            self.check_space(u64::from(bytes) + hot * u64::from(bytes / 4))?;
        }
        let segment = SegmentWriter::create(&self.path, header, bytes)?;
        if let Err(error) = self.list_closed(Some(&header)) {
            // A full disk refuses the new manifest before it takes the old one's place. After any
            // other error the manifest may list the segment, which has to stay then.
            if error.is_no_space() {
                drop(segment);
                let _ = fs::remove_file(segment::path(&self.path, header.id));
            }
            return Err(error);
        }
        self.next_id += 1;
        self.segment = Some(segment);
        Ok(())
    }

    /// Whether the file system says that it has so many bytes left.
    fn check_space(&self, needed: u64) -> Result<(), StoreError> {
        let path = self.path.join("segments");
        // What cannot be asked is found out by trying.
        let Ok(space) = rustix::fs::statvfs(&path) else { return Ok(()) };
        match space.f_bavail.saturating_mul(space.f_frsize) < needed {
            true => Err(StoreError::NoSpace { path, needed }),
            false => Ok(()),
        }
    }

    /// Lists what was closed as closed, and a new segment; then the closed one can be sealed.
    fn list_closed(&mut self, new: Option<&SegmentHeader>) -> Result<(), StoreError> {
        if self.closed.is_none() && new.is_none() {
            return Ok(());
        }
        let closed = self.closed;
        self.ledger.update(|manifest| {
            if let Some((header, closed)) = closed
                && let Some(entry) = manifest.segments.iter_mut().rfind(|e| e.id == header.id)
            {
                entry.closed = Some(closed);
            }
            if let Some(header) = new {
                let (id, first_event) = (header.id, header.first_event);
                let entry = SegmentEntry { id, first_event, closed: None, sealed: false };
                manifest.segments.push(entry);
            }
        })?;
        self.closed = None;
        if let (Some(sealer), Some((header, closed))) = (&self.sealer, closed) {
            sealer.add(header, closed.bytes);
        }
        Ok(())
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        // Errors have nobody to go to; the trace is readable without the trimming.
        let _ = self.close_segment();
        if let Some(sealer) = self.sealer.take() {
            sealer.abandon();
        }
        self.release_reserve();
    }
}
