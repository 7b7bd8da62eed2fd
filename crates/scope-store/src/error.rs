//! What can go wrong with a trace: each variant one sentence that says what, where and, where
//! something can be done, what.

use std::io;
use std::path::{Path, PathBuf};

use crate::FORMAT_VERSION;
use crate::source::Source;

/// Error of the trace store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The path of a new trace is taken.
    #[error("{} exists already; choose another output or remove it", path.display())]
    AlreadyExists {
        /// The taken path.
        path: PathBuf,
    },
    /// Somebody writes the trace.
    #[error("{} is being recorded or repaired at this moment; wait for that to end, or end it", path.display())]
    InUse {
        /// The trace.
        path: PathBuf,
    },
    /// A packed trace, which does not change.
    #[error("{} is a packed trace, which is not repaired; repair the folder it was made of, and pack that", path.display())]
    Packed {
        /// Its file.
        path: PathBuf,
    },
    /// The path is no trace.
    #[error("{} is not a scope trace: {why}", path.display())]
    NotATrace {
        /// What was to be opened.
        path: PathBuf,
        /// What is missing there, and what to give instead.
        why: &'static str,
    },
    /// Written by a newer version.
    #[error("{} has format version {found}, this scope reads up to {supported}; use a newer scope", file.display())]
    NewerVersion {
        /// The file that says so.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that can be read.
        supported: u32,
    },
    /// Bytes are not those that were written.
    #[error("{} is damaged at byte {offset}: its checksum is {got:08x}, expected {expected:08x}", file.display())]
    ChecksumMismatch {
        /// The damaged file.
        file: PathBuf,
        /// Where the checked bytes begin.
        offset: u64,
        /// Checksum of the bytes found.
        got: u32,
        /// Checksum recorded when they were written.
        expected: u32,
    },
    /// A file ends before its contents do.
    #[error("{} was cut: it ends at byte {found}, but {expected} bytes were committed", file.display())]
    Truncated {
        /// The cut file.
        file: PathBuf,
        /// Bytes it should have at least.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// Bytes that no version of scope writes.
    #[error("{} is damaged at byte {offset}: {what}", file.display())]
    Malformed {
        /// The damaged file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A JSON document of the trace that cannot be understood.
    #[error("{} cannot be read: {why}", file.display())]
    Document {
        /// The document.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that the manifest lists is not there.
    #[error("{} is missing: the manifest lists it", file.display())]
    MissingFile {
        /// The missing file.
        file: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("no space left for {} ({needed} bytes); what was committed before is kept", path.display())]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
        /// Bytes asked for.
        needed: u64,
    },
    /// A table given to the writer whose rows are not at the index of their id, or that changes
    /// rows that events may refer to.
    #[error("row {row} of the {table} table {what}")]
    Table {
        /// Which table.
        table: &'static str,
        /// Its first wrong row.
        row: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A block was asked for that the snapshot does not have.
    #[error("there is no block {block}: the trace has {blocks}")]
    NoSuchBlock {
        /// The number asked for.
        block: usize,
        /// How many there are.
        blocks: usize,
    },
    /// The manifest was replaced again and again while it was read.
    #[error("{} keeps changing while it is read; try again", path.display())]
    Unsettled {
        /// The trace.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the disk or the quota is full: a recording can end with what it has.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }

    /// What it means that a file of a trace, of which `expected` bytes count, cannot be read.
    pub(crate) fn reading<'a>(
        path: &'a Path,
        source: &'a Source,
        expected: u64,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |error| match error.kind() {
            // Of files that are not kept open: it may have gone since.
            io::ErrorKind::NotFound => Self::MissingFile { file: path.to_path_buf() },
            io::ErrorKind::UnexpectedEof => match source.length() {
                Ok(found) if found < expected => {
                    Self::Truncated { file: path.to_path_buf(), expected, found }
                }
                _ => Self::io("read", path, 0)(error),
            },
            _ => Self::io("read", path, 0)(error),
        }
    }

    /// Bytes of a file that no version of scope writes.
    pub(crate) fn malformed(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Malformed { file: path.to_path_buf(), offset, what }
    }

    /// Bytes of a file that are not those that were written.
    pub(crate) fn checksum(path: &Path, offset: u64, got: u32, expected: u32) -> Self {
        Self::ChecksumMismatch { file: path.to_path_buf(), offset, got, expected }
    }

    /// A file of a newer version.
    pub(crate) fn newer(path: &Path, found: u32) -> Self {
        Self::NewerVersion { file: path.to_path_buf(), found, supported: FORMAT_VERSION }
    }

    /// Makes an error of the system one of the store; a full disk is told apart.
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
        needed: u64,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { path, needed }
            }
            _ => Self::Io { action, path, source },
        }
    }
}
