//! The bytes of a file, mapped or owned: the one place of this crate that maps files.
//!
//! A mapped file can be truncated by others while it is read, which ends the reader with `SIGBUS`.
//! Binaries that run are not truncated in place (the kernel refuses with `ETXTBSY`); for libraries
//! and debug files the risk is that of every profiler, and package managers replace by renaming.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// The contents of one file.
#[derive(Debug)]
pub struct FileBytes(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl FileBytes {
    /// Maps a regular file for reading.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or the file is not a regular one.
    pub fn map(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.len() == 0 {
            return Ok(Self(Bytes::Owned(Vec::new())));
        }
        // SAFETY: the mapping is private and read-only, and lives as long as the slices borrowed
        // from it. Bytes that another process changes meanwhile are read as plain `u8`, and every
        // parser here treats them as untrusted; truncation is discussed at the head of this file.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Bytes::Mapped(map)))
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}
