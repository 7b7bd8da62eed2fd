//! The mapping through which a writer fills its segment: the crate's only `unsafe`.
//!
//! It upholds two things. Bytes below the committed mark are never handed out again, so what is
//! committed cannot change. And no reference ever covers the mark, which is reached as an atomic
//! only.
//!
//! A store to a mapped page without a block on the disk behind it is a `SIGBUS`. The file is
//! therefore never mapped beyond its length, and every byte is reserved on the disk before, so
//! that a full disk shows as an error of the reservation. What remains is somebody who cuts the
//! file while it is written: who may write to the recorder's files may end the recorder too.
//! Copy-on-write and network file systems may still refuse the page's first write when it reaches
//! the disk; the kernel then reports it at the final flush.
//!
//! Readers do not map: see the crate's documentation.

use std::fs::File;
use std::io;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::segment::{HEADER_SIZE, MARK_AT};

/// A segment file mapped for its one writer.
#[derive(Debug)]
pub(crate) struct SegmentMap {
    map: MmapRaw,
    committed: usize,
}

impl SegmentMap {
    /// Maps the first `bytes` of a file whose space is reserved and whose header is written.
    pub(crate) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        if bytes < HEADER_SIZE || file.metadata()?.len() < bytes as u64 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Self { map, committed: HEADER_SIZE })
    }

    /// Bytes committed, the header among them.
    pub(crate) fn committed(&self) -> usize {
        self.committed
    }

    /// The bytes after the committed ones.
    pub(crate) fn uncommitted(&mut self) -> &mut [u8] {
        let length = self.map.len() - self.committed;
        // SAFETY: `committed` lies between the header's size and the mapping's length (`new`,
        // `commit`), so the range is inside the mapping, which lives as long as `self`. Only
        // `self` reaches this memory, and `&mut self` makes the slice the only one; readers never
        // look beyond the mark, which is no further than `committed`.
        unsafe { slice::from_raw_parts_mut(self.map.as_mut_ptr().add(self.committed), length) }
    }

    /// Gives the first `bytes` to the readers by storing `mark`, which says so.
    ///
    /// # Panics
    ///
    /// If that is less than was committed before, or more than there is.
    pub(crate) fn commit(&mut self, bytes: usize, mark: u64) {
        assert!(bytes >= self.committed && bytes <= self.map.len(), "a commit only moves forward");
        self.committed = bytes;
        // SAFETY: The mark lies inside the mapping (`new` checked for a whole header), at a
        // multiple of eight bytes from its page-aligned start. It is reached only here in this
        // process and as one aligned word.
        let word = unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(MARK_AT).cast()) };
        word.store(mark.to_le(), Ordering::Release);
    }
}
