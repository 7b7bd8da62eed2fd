//! Where a trace is: a folder, or one packed file that holds what the folder held.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::StoreError;
use crate::document::Stamp;
use crate::pack::Pack;
use crate::source::Source;

/// A place from which the files of a trace are read.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The folder of this path.
    Folder(PathBuf),
    /// A packed file.
    Packed(Arc<Pack>),
}

impl Place {
    /// The path that was given.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::Packed(pack) => pack.path(),
        }
    }

    /// A file of the trace, as errors name it.
    pub(crate) fn name(&self, file: &str) -> PathBuf {
        self.path().join(file)
    }

    /// Opens a file of the trace.
    pub(crate) fn open(&self, file: &str) -> Result<Source, StoreError> {
        let opened = match self {
            Self::Folder(path) => Source::open(&path.join(file)),
            Self::Packed(pack) => pack.source(file).ok_or_else(|| ErrorKind::NotFound.into()),
        };
        opened.map_err(|source| match source.kind() {
            ErrorKind::NotFound => StoreError::MissingFile { file: self.name(file) },
            _ => StoreError::io("open", &self.name(file), 0)(source),
        })
    }

    /// As [`Place::open`], but of a file that is not kept open.
    pub(crate) fn open_closed(&self, file: &str) -> Result<Source, StoreError> {
        match self {
            Self::Folder(path) => Ok(Source::Closed(path.join(file))),
            Self::Packed(_) => self.open(file),
        }
    }

    /// The files in a folder of the trace, by their names within the trace.
    pub(crate) fn files_in(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Folder(path) => {
                let folder_path = path.join(folder);
                let failed = || StoreError::io("list", &folder_path, 0);
                let entries = std::fs::read_dir(&folder_path).map_err(failed())?;
                entries
                    .map(|entry| {
                        let name = entry.map_err(failed())?.file_name();
                        Ok(format!("{folder}/{}", name.to_string_lossy()))
                    })
                    .collect()
            }
            Self::Packed(pack) => Ok(pack
                .names()
                .filter(|name| name.starts_with(folder))
                .map(str::to_owned)
                .collect()),
        }
    }

    /// Tells the present state of a file from others; `None` when that cannot be said.
    pub(crate) fn stamp(&self, file: &str) -> Option<Stamp> {
        match self {
            Self::Folder(path) => Stamp::of(&path.join(file)),
            // What is packed does not change.
            Self::Packed(pack) => pack.source(file)?.length().ok().map(Stamp::of_length),
        }
    }
}
