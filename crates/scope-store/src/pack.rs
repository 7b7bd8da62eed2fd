//! A trace in one file, to hand to somebody: what its folder holds, one file after the other, then
//! a directory.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | magic `SCOPEPAK` |
//! | 8..12 | format version |
//! | 12..16 | CRC-32 of bytes 0..12 |
//! | 16.. | the files, then the directory |
//! | last 32 | trailer |
//!
//! An entry of the directory is the length of a file's name (LEB128), its name, where it begins and
//! how long it is (LEB128). The trailer is where the directory begins (8), its length (8), its
//! CRC-32 (4), the magic `SCOPEEOP` (8), and the CRC-32 of those 28 bytes (4).

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::sync_folder;
use crate::sealed::bytes::{Corrupt, Decoded, Reader, put};
use crate::source::Source;
use crate::{FORMAT_VERSION, StoreError, Trace};

const MAGIC: [u8; 8] = *b"SCOPEPAK";
const END_MAGIC: [u8; 8] = *b"SCOPEEOP";
const HEADER_SIZE: usize = 16;
const TRAILER_SIZE: usize = 32;
/// Longest directory: that of a hundred thousand segments.
const MOST_DIRECTORY_BYTES: u64 = 4 << 20;

/// How often packing begins anew because the manifest was replaced meanwhile.
const TRIES: u32 = 64;

/// A packed trace, opened.
#[derive(Debug)]
pub(crate) struct Pack {
    path: PathBuf,
    file: Arc<File>,
    files: Vec<(String, u64, u64)>,
}

impl Pack {
    /// Opens a packed trace; `None` where the file does not begin like one.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let failed = |source| StoreError::io("read", path, 0)(source);
        let malformed =
            |offset, what| StoreError::Malformed { file: path.to_path_buf(), offset, what };
        let checksum = |offset, got, expected| StoreError::ChecksumMismatch {
            file: path.to_path_buf(),
            offset,
            got,
            expected,
        };
        let file = File::open(path).map_err(StoreError::io("open", path, 0))?;
        let length = file.metadata().map_err(failed)?.len();
        let mut head = [0; HEADER_SIZE];
        match file.read_exact_at(&mut head, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(failed)?,
        }
        if head[..8] != MAGIC {
            return Ok(None);
        }
        let (got, expected) = (crc32fast::hash(&head[..12]), u32_at(&head, 12));
        if got != expected {
            return Err(checksum(0, got, expected));
        }
        if u32_at(&head, 8) > FORMAT_VERSION {
            let (file, found) = (path.to_path_buf(), u32_at(&head, 8));
            return Err(StoreError::NewerVersion { file, found, supported: FORMAT_VERSION });
        }
        let mut tail = [0; TRAILER_SIZE];
        let at = length.checked_sub((HEADER_SIZE + TRAILER_SIZE) as u64);
        let at = at.ok_or_else(|| malformed(0, "it was cut"))? + HEADER_SIZE as u64;
        file.read_exact_at(&mut tail, at).map_err(failed)?;
        if tail[20..28] != END_MAGIC {
            return Err(malformed(at, "it was cut: it does not end like a packed trace"));
        }
        let (got, expected) = (crc32fast::hash(&tail[..28]), u32_at(&tail, 28));
        if got != expected {
            return Err(checksum(at, got, expected));
        }
        let (directory, bytes) = (u64_at(&tail, 0), u64_at(&tail, 8));
        if bytes > MOST_DIRECTORY_BYTES || directory.checked_add(bytes) != Some(at) {
            return Err(malformed(at, "its directory is not where it should be"));
        }
        let mut content = vec![0; bytes as usize];
        file.read_exact_at(&mut content, directory).map_err(failed)?;
        let (got, expected) = (crc32fast::hash(&content), u32_at(&tail, 16));
        if got != expected {
            return Err(checksum(directory, got, expected));
        }
        let files = entries(&content, directory);
        let files = files.map_err(|Corrupt(what)| malformed(directory, what))?;
        Ok(Some(Self { path: path.to_path_buf(), file: Arc::new(file), files }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all files of the trace.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(name, _, _)| name.as_str())
    }

    /// A file of the trace, if it is there.
    pub(crate) fn source(&self, name: &str) -> Option<Source> {
        let (_, start, length) = self.files.iter().find(|(known, _, _)| known == name)?;
        Some(Source::part(Arc::clone(&self.file), *start, *length))
    }
}

/// The entries of a directory that begins at a place, before which all files lie.
fn entries(content: &[u8], directory: u64) -> Decoded<Vec<(String, u64, u64)>> {
    let mut reader = Reader::new(content);
    let mut files = Vec::new();
    while reader.left() > 0 {
        let length = reader.count()?;
        let name = std::str::from_utf8(reader.take(length)?);
        let name = name.map_err(|_| Corrupt("a file has no proper name"))?.to_owned();
        let (start, bytes) = (reader.number()?, reader.number()?);
        if start.checked_add(bytes).is_none_or(|end| end > directory) {
            return Err(Corrupt("a file lies beyond the end"));
        }
        files.push((name, start, bytes));
    }
    Ok(files)
}

/// Writes a trace into one new file. A trace that is still recorded is packed as it is now.
///
/// # Errors
///
/// [`StoreError::AlreadyExists`] where `file` exists; what opening the trace gives; what the system
/// says. Nothing stays at `file` then.
pub fn pack(trace: impl AsRef<Path>, file: impl AsRef<Path>) -> Result<(), StoreError> {
    let path = file.as_ref();
    let mut trace = Trace::open(trace)?;
    let mut tries = 0;
    let files = loop {
        match trace.files() {
            Err(StoreError::Unsettled { .. }) if tries < TRIES => {
                tries += 1;
                trace.refresh()?;
            }
            files => break files?,
        }
    };
    let created = File::create_new(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => StoreError::AlreadyExists { path: path.to_path_buf() },
        _ => StoreError::io("create", path, 0)(source),
    })?;
    write(files, created, path).inspect_err(|_| {
        // Made by this call and of no use.
        let _ = std::fs::remove_file(path);
    })
}

fn write(files: Vec<(String, Source, u64)>, created: File, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("write", path, 0)(source);
    let mut out = BufWriter::with_capacity(1 << 20, created);
    let mut head = [0; HEADER_SIZE];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&head[..12]);
    head[12..].copy_from_slice(&crc.to_le_bytes());
    out.write_all(&head).map_err(failed)?;
    let mut at = HEADER_SIZE as u64;
    let mut directory = Vec::new();
    for (name, source, length) in files {
        let mut content = Part { source: &source, at: 0, length };
        let copied = io::copy(&mut content, &mut out).map_err(failed)?;
        if copied != length {
            let file = path.join(name);
            return Err(StoreError::Truncated { file, expected: length, found: copied });
        }
        put(&mut directory, name.len() as u64);
        directory.extend_from_slice(name.as_bytes());
        put(&mut directory, at);
        put(&mut directory, length);
        at += length;
    }
    let mut tail = [0; TRAILER_SIZE];
    tail[0..8].copy_from_slice(&at.to_le_bytes());
    tail[8..16].copy_from_slice(&(directory.len() as u64).to_le_bytes());
    tail[16..20].copy_from_slice(&crc32fast::hash(&directory).to_le_bytes());
    tail[20..28].copy_from_slice(&END_MAGIC);
    let crc = crc32fast::hash(&tail[..28]);
    tail[28..].copy_from_slice(&crc.to_le_bytes());
    out.write_all(&directory).map_err(failed)?;
    out.write_all(&tail).map_err(failed)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
        _ => Ok(()),
    }
}

/// The first bytes of a source, read one after the other.
struct Part<'a> {
    source: &'a Source,
    at: u64,
    length: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let count = bytes.len().min(left);
        self.source.read_exact_at(&mut bytes[..count], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
