//! Reading a trace.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use scope_model::{Function, LeftOut, Module};

use crate::blocks::Layout;
use crate::cache::Caches;
use crate::document::Stamp;
use crate::manifest::{self, Manifest, RecordingState};
use crate::pack::Pack;
use crate::place::Place;
use crate::source::Source;
use crate::view::{self, SegmentView};
use crate::{Events, Position, StoreError, document, tables};

/// How often a snapshot is begun anew because the manifest was replaced meanwhile.
const SNAPSHOT_TRIES: u32 = 64;

/// A trace as it was at one moment: what was committed when it was opened or last refreshed.
///
/// The tables are never older than the events: every function that an event of the snapshot refers
/// to is in [`Trace::functions`], its module in [`Trace::modules`].
#[derive(Debug)]
pub struct Trace {
    place: Place,
    manifest: Manifest,
    manifest_stamp: Stamp,
    functions: Vec<Function>,
    functions_stamp: Stamp,
    left_out: Vec<LeftOut>,
    left_out_stamp: Stamp,
    segments: Vec<SegmentView>,
    /// Where blocks are in the segments; found when first asked for.
    pub(crate) layout: OnceLock<Layout>,
    pub(crate) caches: Caches,
}

impl Trace {
    /// Opens the trace in a folder, read only, also while it is recorded or after its recorder was
    /// killed. Costs no more for a long trace than for a short one, but for one `open` a segment.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotATrace`], [`StoreError::NewerVersion`], damage to the manifest, a table or the
    /// header of a segment, or what the system says. Damage to blocks shows when they are read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let place = find(path.as_ref())?;
        let mut open = Vec::new();
        for _ in 0..SNAPSHOT_TRIES {
            let (manifest, manifest_stamp) = read_manifest(&place)?;
            let unchanged = || place.stamp(manifest::FILE) == Some(manifest_stamp);
            let mut segments = Vec::with_capacity(manifest.segments.len());
            match view::take(&place, &manifest, &open, &mut segments) {
                // Sealed or dropped since the manifest was read.
                Err(StoreError::MissingFile { .. }) if !unchanged() => {
                    open = segments;
                    continue;
                }
                taken => taken?,
            }
            // After the events, so that the tables have all that those refer to.
            let (functions, functions_stamp) = tables::read_functions(&place)?;
            let (left_out, left_out_stamp) = tables::read_left_out(&place)?;
            if unchanged() {
                return Ok(Self {
                    place,
                    manifest,
                    manifest_stamp,
                    functions,
                    functions_stamp,
                    left_out,
                    left_out_stamp,
                    segments,
                    layout: OnceLock::new(),
                    caches: Caches::default(),
                });
            }
            open = segments;
        }
        Err(StoreError::Unsettled { path: place.path().to_path_buf() })
    }

    /// Moves the snapshot to now. Returns whether anything came since.
    ///
    /// # Errors
    ///
    /// As [`Trace::open`]; the trace then stays what it was.
    pub fn refresh(&mut self) -> Result<bool, StoreError> {
        let place = &self.place;
        let mut open = None;
        for _ in 0..SNAPSHOT_TRIES {
            let changed = place.stamp(manifest::FILE) != Some(self.manifest_stamp);
            let new_manifest = changed.then(|| read_manifest(place)).transpose()?;
            let (manifest, manifest_stamp) = match &new_manifest {
                Some((manifest, stamp)) => (manifest, *stamp),
                None => (&self.manifest, self.manifest_stamp),
            };
            let unchanged = || place.stamp(manifest::FILE) == Some(manifest_stamp);
            let known = open.as_ref().unwrap_or(&self.segments);
            let mut segments = Vec::with_capacity(manifest.segments.len());
            match view::take(place, manifest, known, &mut segments) {
                // Sealed or dropped since the manifest was read.
                Err(StoreError::MissingFile { .. }) if !unchanged() => continue,
                taken => taken?,
            }
            let functions = (place.stamp(tables::FUNCTIONS) != Some(self.functions_stamp))
                .then(|| tables::read_functions(place))
                .transpose()?;
            let left_out = (place.stamp(tables::LEFT_OUT) != Some(self.left_out_stamp))
                .then(|| tables::read_left_out(place))
                .transpose()?;
            if !unchanged() {
                open = Some(segments);
                continue;
            }
            let grown = segments.len() != self.segments.len()
                || segments.iter().zip(&self.segments).any(|(a, b)| a.committed != b.committed);
            let any = grown || new_manifest.is_some() || functions.is_some() || left_out.is_some();
            self.segments = segments;
            self.layout = OnceLock::new();
            if let Some((manifest, stamp)) = new_manifest {
                (self.manifest, self.manifest_stamp) = (manifest, stamp);
            }
            if let Some((functions, stamp)) = functions {
                (self.functions, self.functions_stamp) = (functions, stamp);
            }
            if let Some((left_out, stamp)) = left_out {
                (self.left_out, self.left_out_stamp) = (left_out, stamp);
            }
            return Ok(any);
        }
        Err(StoreError::Unsettled { path: place.path().to_path_buf() })
    }

    /// All events of the snapshot, in stored order.
    #[must_use]
    pub fn events(&self) -> Events {
        self.events_from(Position::START)
    }

    /// The events of the snapshot from a place on.
    #[must_use]
    pub fn events_from(&self, position: Position) -> Events {
        Events::new(&self.segments, position)
    }

    /// Folder of the trace, or its packed file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// What the manifest says.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Mapped files of the target; the index is the [`scope_model::ModuleId`].
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.manifest.modules
    }

    /// Probed functions; the index is the [`scope_model::FunctionId`].
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Functions that were chosen but not probed.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Whether the recorder finished: nothing comes any more. Otherwise it records, or was killed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.manifest.state == RecordingState::Complete
    }

    /// Bytes of the snapshot: what is committed of the segments, the manifest and the tables.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let segments: u64 = self.segments.iter().map(|view| view.committed).sum();
        let documents = [self.manifest_stamp, self.functions_stamp, self.left_out_stamp];
        documents.iter().fold(segments, |sum, stamp| sum.saturating_add(stamp.bytes()))
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn segments(&self) -> &[SegmentView] {
        &self.segments
    }

    /// The files of the snapshot: name, where it is read, and how much of it counts.
    pub(crate) fn files(&self) -> Result<Vec<(String, Source, u64)>, StoreError> {
        let mut files = Vec::new();
        let documents = [manifest::FILE, tables::FUNCTIONS, tables::LEFT_OUT].map(str::to_owned);
        for name in documents.into_iter().chain(self.parts().files()?) {
            let source = self.place.open(&name)?;
            let path = self.place.name(&name);
            let length = source.length().map_err(StoreError::io("examine", &path, 0))?;
            files.push((name, source, length));
        }
        // The manifest that was opened is that of the snapshot.
        if self.place.stamp(manifest::FILE) != Some(self.manifest_stamp) {
            return Err(StoreError::Unsettled { path: self.path().to_path_buf() });
        }
        for view in &self.segments {
            files.push((view.file_name(), view.source().clone(), view.committed));
        }
        Ok(files)
    }
}

/// What is at a path: the folder of a trace, or a packed one.
fn find(path: &Path) -> Result<Place, StoreError> {
    let not = |why| Err(StoreError::NotATrace { path: path.to_path_buf(), why });
    match fs::metadata(path) {
        Err(source) if source.kind() == ErrorKind::NotFound => not("there is nothing of that name"),
        Err(source) => Err(StoreError::io("open", path, 0)(source)),
        Ok(metadata) if !metadata.is_dir() => match Pack::open(path)? {
            Some(pack) => Ok(Place::Packed(Arc::new(pack))),
            None => not("it is a file; give the folder that `scope trace` wrote"),
        },
        Ok(_) => match fs::metadata(path.join(manifest::FILE)) {
            Err(source) if source.kind() == ErrorKind::NotFound => {
                not("it has no manifest.json; give the folder that `scope trace` wrote")
            }
            Err(source) => Err(StoreError::io("open", path, 0)(source)),
            Ok(_) => Ok(Place::Folder(path.to_path_buf())),
        },
    }
}

fn read_manifest(place: &Place) -> Result<(Manifest, Stamp), StoreError> {
    let document = document::read::<Manifest>(place, manifest::FILE, manifest::FORMAT)?;
    let mut manifest = document.content;
    manifest.format_version = document.version;
    Ok((manifest, document.stamp))
}
