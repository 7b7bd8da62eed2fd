//! Segments as a snapshot has them: hot or sealed.

use std::path::Path;
use std::sync::Arc;

use crate::StoreError;
use crate::manifest::{ClosedSegment, Manifest};
use crate::place::Place;
use crate::sealed::SealedReader;
use crate::segment::{MARK_AT, SegmentHeader, SegmentReader};
use crate::source::Source;

/// Files of segments that are kept open: the latest ones. What is older and sealed is opened when
/// it is read, and may then be gone from a flight recording: an error, and a reason to refresh.
const MOST_OPEN: usize = 256;

/// An open segment.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    Hot(Arc<SegmentReader>),
    Sealed(Arc<SealedReader>),
}

/// A segment as far as a snapshot reaches.
#[derive(Clone, Debug)]
pub(crate) struct SegmentView {
    pub(crate) handle: Handle,
    /// Bytes committed when the snapshot was taken.
    pub(crate) committed: u64,
    /// What the manifest says of a segment that is full.
    pub(crate) closed: Option<ClosedSegment>,
}

impl SegmentView {
    pub(crate) fn id(&self) -> u32 {
        match &self.handle {
            Handle::Hot(reader) => reader.id(),
            Handle::Sealed(reader) => reader.id(),
        }
    }

    pub(crate) fn first_event(&self) -> u64 {
        match &self.handle {
            Handle::Hot(reader) => reader.first_event(),
            Handle::Sealed(reader) => reader.first_event(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match &self.handle {
            Handle::Hot(reader) => reader.path(),
            Handle::Sealed(reader) => reader.path(),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        match &self.handle {
            Handle::Hot(reader) => reader.source(),
            Handle::Sealed(reader) => reader.source(),
        }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.handle, Handle::Sealed(_))
    }

    pub(crate) fn malformed(&self, offset: u64, what: &'static str) -> StoreError {
        StoreError::Malformed { file: self.path().to_path_buf(), offset, what }
    }

    /// Its file's name within the trace.
    pub(crate) fn file_name(&self) -> String {
        let end = if self.is_sealed() { "sealed" } else { "seg" };
        format!("segments/{:08}.{end}", self.id())
    }
}

/// Opens the segments that a manifest lists, those already open aside, and notes how far each is
/// committed. What `views` has after an error is worth being given as `open` the next time.
pub(crate) fn take(
    place: &Place,
    manifest: &Manifest,
    open: &[SegmentView],
    views: &mut Vec<SegmentView>,
) -> Result<(), StoreError> {
    // Both are in the order of events, and segments go at the front alone.
    let mut open = open.iter().peekable();
    let keep_closed = manifest.segments.len().saturating_sub(MOST_OPEN);
    for (number, entry) in manifest.segments.iter().enumerate() {
        while open.next_if(|view| view.id() < entry.id).is_some() {}
        let header = SegmentHeader {
            id: entry.id,
            first_event: entry.first_event,
            trace: manifest.created_unix_ns,
        };
        let known = open.next_if(|view| {
            view.id() == entry.id
                && view.first_event() == entry.first_event
                && view.is_sealed() == entry.sealed
                // With time it becomes one of those that are not kept open.
                && (number >= keep_closed || !entry.sealed || !view.source().is_kept_open())
        });
        if entry.sealed {
            let name = format!("segments/{:08}.sealed", entry.id);
            let path = place.name(&name);
            let closed = entry.closed.ok_or_else(|| StoreError::Document {
                file: place.name(crate::manifest::FILE),
                why: format!("segment {} is sealed but not closed", entry.id),
            })?;
            let handle = match known {
                Some(view) => view.handle.clone(),
                None => {
                    let source = match number < keep_closed {
                        true => place.open_closed(&name)?,
                        false => place.open(&name)?,
                    };
                    Handle::Sealed(Arc::new(SealedReader::open(
                        source,
                        path,
                        header,
                        closed.bytes,
                    )?))
                }
            };
            views.push(SegmentView { handle, committed: closed.bytes, closed: Some(closed) });
            continue;
        }
        let name = format!("segments/{:08}.seg", entry.id);
        let reader = match known.map(|view| &view.handle) {
            Some(Handle::Hot(reader)) => Arc::clone(reader),
            _ => {
                let source = place.open(&name)?;
                Arc::new(SegmentReader::from_source(source, place.name(&name), header)?)
            }
        };
        let committed = reader.committed()?;
        if entry.closed.is_some_and(|closed| closed.bytes != committed) {
            let what = "its mark differs from the length the manifest says";
            return Err(reader.malformed(MARK_AT as u64, what));
        }
        views.push(SegmentView { handle: Handle::Hot(reader), committed, closed: entry.closed });
    }
    Ok(())
}
