//! Writing a trace.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use scope_model::{Event, Function, LeftOut, Module};

use crate::manifest::{self, Manifest, RecorderStats, RecordingState, SegmentEntry};
use crate::segment::{self, SegmentHeader, SegmentWriter};
use crate::{FORMAT_VERSION, StoreError, document, tables};

/// Space kept for the last manifest, so that a full disk does not keep a recording from ending
/// well: manifests are smaller up to some thousand segments.
const RESERVE_BYTES: u64 = 512 << 10;

/// How a trace is written.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Size of a segment file. Its space is reserved when it begins, and what is not used is given
    /// back when it ends. Raised to the smallest that holds an event.
    pub segment_bytes: u32,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20 }
    }
}

/// The one writer of a trace.
///
/// Dropped without [`TraceWriter::finish`] it commits what was appended and leaves the trace in
/// the state a killed recorder leaves: readable, [`RecordingState::Recording`].
#[derive(Debug)]
pub struct TraceWriter {
    path: PathBuf,
    manifest: Manifest,
    functions: Vec<Function>,
    /// `None` only between two segments and after the end.
    segment: Option<SegmentWriter>,
    segment_bytes: u32,
    /// Events and bytes of closed segments.
    closed_events: u64,
    closed_bytes: u64,
    manifest_bytes: u64,
    functions_bytes: u64,
    left_out_bytes: u64,
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
        for folder in ["segments", "code"] {
            let folder = path.join(folder);
            fs::create_dir(&folder).map_err(StoreError::io("create", &folder, 0))?;
        }
        let mut segment_bytes = options.segment_bytes;
        if !SegmentWriter::is_large_enough(segment_bytes) {
            segment_bytes = 4096;
        }
        let mut writer = Self {
            path: path.to_path_buf(),
            functions: functions.to_vec(),
            functions_bytes: tables::write_functions(path, functions)?,
            left_out_bytes: tables::write_left_out(path, left_out)?,
            manifest: Manifest {
                format_version: FORMAT_VERSION,
                state: RecordingState::Recording,
                segments: Vec::new(),
                ..manifest
            },
            segment: None,
            segment_bytes,
            closed_events: 0,
            closed_bytes: 0,
            manifest_bytes: 0,
        };
        segment::reserve_file(&writer.reserve_path(), RESERVE_BYTES)?;
        // The manifest comes last and makes the folder a trace.
        writer.next_segment()?;
        document::sync_folder(path)?;
        Ok(writer)
    }

    /// Appends events in the order in which readers are to see them. Readers see them after the
    /// next [`TraceWriter::commit`] at the latest.
    ///
    /// # Errors
    ///
    /// When the segment is full and no further one can be created ([`StoreError::is_no_space`]).
    /// The events that did fit are kept and counted in [`TraceWriter::events`]; what is left to do
    /// is [`TraceWriter::finish`].
    pub fn append(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let mut rest = events;
        loop {
            if let Some(segment) = &mut self.segment {
                rest = &rest[segment.append(rest)..];
            }
            if rest.is_empty() {
                return Ok(());
            }
            self.next_segment()?;
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
        tables::check((&self.manifest.modules, &self.functions), modules, functions)?;
        // Modules first: a reader never sees a function whose module it cannot find.
        self.manifest.modules = modules.to_vec();
        self.write_manifest()?;
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
        self.closed_bytes
            + segment
            + self.manifest_bytes
            + self.functions_bytes
            + self.left_out_bytes
    }

    /// Events appended.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.closed_events + self.segment.as_ref().map_or(0, SegmentWriter::events)
    }

    /// Commits, gives unused space back, flushes to the disk and marks the trace complete.
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
        self.release_reserve();
        // Those closed long ago are on the disk already; opened again so that a long recording
        // does not hold a descriptor for each.
        for entry in &self.manifest.segments {
            let path = segment::path(&self.path, entry.id);
            File::open(&path)
                .and_then(|file| file.sync_data())
                .map_err(StoreError::io("flush", &path, 0))?;
        }
        document::sync_folder(&self.path.join("segments"))?;
        self.manifest.state = RecordingState::Complete;
        self.manifest.end_ns = Some(end_ns);
        self.manifest.end_reason = Some(reason.to_owned());
        self.manifest.recorder = Some(stats);
        self.write_manifest()
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
        let id = segment.id();
        let closed = segment.close()?;
        self.closed_events += closed.events;
        self.closed_bytes += closed.bytes;
        if let Some(entry) = self.manifest.segments.iter_mut().rfind(|entry| entry.id == id) {
            entry.closed = Some(closed);
        }
        Ok(())
    }

    /// Closes the segment, if any, and begins the next one. A segment becomes part of the trace
    /// when the manifest lists it, before anything is written to it.
    fn next_segment(&mut self) -> Result<(), StoreError> {
        self.close_segment()?;
        let id = self.manifest.segments.last().map_or(0, |entry| entry.id + 1);
        let header = SegmentHeader {
            id,
            first_event: self.closed_events,
            trace: self.manifest.created_unix_ns,
        };
        let segment = SegmentWriter::create(&self.path, header, self.segment_bytes)?;
        self.manifest.segments.push(SegmentEntry {
            id,
            first_event: header.first_event,
            closed: None,
            sealed: false,
        });
        if let Err(error) = self.write_manifest() {
            self.manifest.segments.pop();
            // A full disk refuses the new manifest before it takes the old one's place. After any
            // other error the manifest may list the segment, which has to stay then.
            if error.is_no_space() {
                drop(segment);
                let _ = fs::remove_file(segment::path(&self.path, id));
            }
            return Err(error);
        }
        self.segment = Some(segment);
        Ok(())
    }

    fn write_manifest(&mut self) -> Result<(), StoreError> {
        self.manifest_bytes =
            document::replace(&self.path.join(manifest::FILE), manifest::FORMAT, &self.manifest)?;
        Ok(())
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        // Errors have nobody to go to; the trace is readable without the trimming.
        let _ = self.close_segment();
        self.release_reserve();
    }
}
