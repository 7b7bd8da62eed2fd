//! Where a reader takes the bytes of a file from: a file of its own, or a part of a packed trace.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A file, or a part of one, that is read by offset.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: Arc<File>,
    /// The part: where it begins and how long it is. `None` for a file as long as it happens to be.
    part: Option<(u64, u64)>,
}

impl Source {
    /// A whole file, which may grow.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: Arc::new(File::open(path)?), part: None })
    }

    /// Part of a file, which must lie within the first 2⁶³ bytes.
    pub(crate) fn part(file: Arc<File>, start: u64, length: u64) -> Self {
        Self { file, part: Some((start, length)) }
    }

    /// How long it is now, in bytes.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self.part {
            Some((_, length)) => Ok(length),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    /// Fills `bytes` from `offset`; [`io::ErrorKind::UnexpectedEof`] where it ends before.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let Some((start, length)) = self.part else {
            return self.file.read_exact_at(bytes, offset);
        };
        let end = offset.checked_add(bytes.len() as u64);
        match start.checked_add(offset) {
            Some(at) if end.is_some_and(|end| end <= length) => self.file.read_exact_at(bytes, at),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
