//! The container of the tables: a header, a directory of sections, and the sections.
//!
//! ```text
//! header     magic (8 bytes), version (4), sections (4), checksum of all that follows the header
//!            (CRC-32, 4), reserved (4), length of the whole (8), base address (8)
//! directory  for each section: kind (4), size of a row (4), offset in the file (8), rows (8)
//! sections   rows without gaps; the pool holds texts and expressions, each as its length (LEB128)
//!            and its bytes; facts about the module are JSON
//! ```
//!
//! All numbers are little-endian. A reader takes what has its own version and the right checksum,
//! and treats the rows as untrusted all the same: a reference that leads nowhere is no reference.

use std::ops::Range;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Version of the format: a reader refuses others.
pub const TABLES_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"scopecod";

/// Most sections a file may claim.
const MAX_SECTIONS: usize = 64;

/// Why bytes are no tables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TablesError {
    /// Something else, or cut off before the header ends.
    #[error("not a code table")]
    NotTables,
    /// Written by another version.
    #[error("code table of version {found}; this program reads version {expected}")]
    Version {
        /// What the file says.
        found: u32,
        /// What is read here.
        expected: u32,
    },
    /// Changed or cut off since it was written.
    #[error("code table is damaged: checksum is {got:08x}, should be {expected:08x}")]
    ChecksumMismatch {
        /// Of the bytes.
        got: u32,
        /// In the header.
        expected: u32,
    },
    /// The checksum is right, the contents make no sense.
    #[error("code table is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U32,
    sections: U32,
    checksum: U32,
    reserved: U32,
    length: U64,
    base: U64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Entry {
    kind: U32,
    row_size: U32,
    offset: U64,
    rows: U64,
}

/// Makes length and checksum of damaged tables right, for fuzzers.
pub(crate) fn stamp(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    if let Ok((header, rest)) = Header::mut_from_prefix(bytes) {
        header.magic = MAGIC;
        header.version = U32::new(TABLES_VERSION);
        header.length = U64::new(length);
        header.checksum = U32::new(crc32fast::hash(rest));
    }
}

/// What a section holds. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Section {
    Facts = 0,
    Pool = 1,
    Units = 2,
    Files = 3,
    Functions = 4,
    Generics = 5,
    Arguments = 6,
    Ranges = 7,
    Inlined = 8,
    Spans = 9,
    Lines = 10,
    Parameters = 11,
    Locations = 12,
    Types = 13,
    Members = 14,
}

/// Number of [`Section`]s.
const SECTIONS: usize = 15;

/// Where each section lies in the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    ranges: [Range<usize>; SECTIONS],
    /// Added to every address.
    pub(crate) base: u64,
}

impl Directory {
    /// Checks the header, the checksum and the directory.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, TablesError> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| TablesError::NotTables)?;
        if header.magic != MAGIC {
            return Err(TablesError::NotTables);
        }
        if header.version.get() != TABLES_VERSION {
            let found = header.version.get();
            return Err(TablesError::Version { found, expected: TABLES_VERSION });
        }
        let (got, expected) = (crc32fast::hash(rest), header.checksum.get());
        if got != expected || header.length.get() != bytes.len() as u64 {
            return Err(TablesError::ChecksumMismatch { got, expected });
        }
        let count = header.sections.get() as usize;
        let entries = count
            .checked_mul(size_of::<Entry>())
            .filter(|_| count <= MAX_SECTIONS)
            .and_then(|size| rest.get(..size))
            .and_then(|rest| <[Entry]>::ref_from_bytes(rest).ok())
            .ok_or(TablesError::Damaged { what: "its directory is cut off" })?;
        let mut directory = Self { base: header.base.get(), ..Self::default() };
        for entry in entries {
            let size = u64::from(entry.row_size.get()).checked_mul(entry.rows.get());
            let end = size.and_then(|size| size.checked_add(entry.offset.get()));
            let range = end
                .filter(|end| *end <= bytes.len() as u64)
                .and_then(|end| {
                    Some(usize::try_from(entry.offset.get()).ok()?..usize::try_from(end).ok()?)
                })
                .ok_or(TablesError::Damaged { what: "a section lies outside the file" })?;
            // Sections of later writers of the same version are none of ours.
            if let Some(slot) = directory.ranges.get_mut(entry.kind.get() as usize) {
                *slot = range;
            }
        }
        Ok(directory)
    }

    /// The bytes of a section.
    pub(crate) fn bytes<'b>(&self, bytes: &'b [u8], section: Section) -> &'b [u8] {
        let range = self.ranges[section as usize].clone();
        bytes.get(range).unwrap_or_default()
    }

    /// The rows of a section; none where their size is not that of `T`.
    pub(crate) fn rows<'b, T>(&self, bytes: &'b [u8], section: Section) -> &'b [T]
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        <[T]>::ref_from_bytes(self.bytes(bytes, section)).unwrap_or(&[])
    }
}

/// Puts sections together, each copied once.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Writer {
    /// `size`: bytes to expect.
    pub(crate) fn new(size: usize) -> Self {
        let start = size_of::<Header>() + SECTIONS * size_of::<Entry>();
        let mut bytes = Vec::with_capacity(start + size);
        bytes.resize(start, 0);
        Self { bytes, entries: Vec::new() }
    }

    /// Adds a section, and frees the rows.
    pub(crate) fn rows<T: IntoBytes + Immutable>(&mut self, section: Section, rows: Vec<T>) {
        self.entries.push(Entry {
            kind: U32::new(section as u32),
            row_size: U32::new(u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)),
            offset: U64::new(self.bytes.len() as u64),
            rows: U64::new(rows.len() as u64),
        });
        self.bytes.extend_from_slice(rows.as_bytes());
    }

    pub(crate) fn finish(self, base: u64) -> Vec<u8> {
        let Self { mut bytes, entries } = self;
        let directory = size_of::<Header>();
        for (at, entry) in entries.iter().take(SECTIONS).enumerate() {
            let start = directory + at * size_of::<Entry>();
            bytes[start..start + size_of::<Entry>()].copy_from_slice(entry.as_bytes());
        }
        let header = Header {
            magic: MAGIC,
            version: U32::new(TABLES_VERSION),
            sections: U32::new(u32::try_from(entries.len().min(SECTIONS)).unwrap_or(0)),
            checksum: U32::new(crc32fast::hash(&bytes[directory..])),
            reserved: U32::ZERO,
            length: U64::new(bytes.len() as u64),
            base: U64::new(base),
        };
        bytes[..directory].copy_from_slice(header.as_bytes());
        bytes
    }
}
