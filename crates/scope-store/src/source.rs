//! Where a reader takes the bytes of a file from: a file of its own, or a part of a packed trace.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, or a part of one, that is read by offset.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A whole file, as long as it happens to be.
    Whole(Arc<File>),
    /// A whole file that is opened whenever it is read: a long trace has more files than a process
    /// may have open.
    Closed(PathBuf),
    /// Part of a file: where it begins and how long it is.
    Part(Arc<File>, u64, u64),
}

impl Source {
    /// A whole file, which may grow.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::Whole(Arc::new(File::open(path)?)))
    }

    /// Part of a file.
    pub(crate) fn part(file: Arc<File>, start: u64, length: u64) -> Self {
        Self::Part(file, start, length)
    }

    /// Whether it takes a descriptor of its own for as long as it lives.
    pub(crate) const fn is_kept_open(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// How long it is now, in bytes.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self {
            Self::Whole(file) => Ok(file.metadata()?.len()),
            Self::Closed(path) => Ok(path.metadata()?.len()),
            Self::Part(_, _, length) => Ok(*length),
        }
    }

    /// Fills `bytes` from `offset`; [`io::ErrorKind::UnexpectedEof`] where it ends before.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Whole(file) => file.read_exact_at(bytes, offset),
            Self::Closed(path) => File::open(path)?.read_exact_at(bytes, offset),
            Self::Part(file, start, length) => {
                let end = offset.checked_add(bytes.len() as u64);
                match start.checked_add(offset) {
                    Some(at) if end.is_some_and(|end| end <= *length) => {
                        file.read_exact_at(bytes, at)
                    }
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        }
    }
}
