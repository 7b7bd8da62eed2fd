//! Parts: files of a trace that hold neither events nor what events need to be read, such as tables of
//! the code and its sources. The store keeps them, compressed and checked, and does not look inside.
//!
//! | bytes | |
//! |---|---|
//! | 0..8 | magic `SCOPEPRT` |
//! | 8..12 | format version |
//! | 12..16 | CRC-32 of bytes 0..12 and of all that follows |
//! | 16..24 | length of the content |
//! | 24.. | the content, one zstd frame |

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::document::sync_folder;
use crate::place::Place;
use crate::{FORMAT_VERSION, StoreError, Trace};

/// Folder of the parts within a trace.
pub(crate) const FOLDER: &str = "code";
/// How the name of a part's file ends.
const EXTENSION: &str = "part";
/// Longest content of a part.
const MOST_BYTES: u64 = 1 << 30;
/// Level of zstd: parts are written once, by a recorder that has more to do.
const LEVEL: i32 = 3;

const MAGIC: [u8; 8] = *b"SCOPEPRT";
const HEADER_SIZE: usize = 24;

/// Puts a part into the folder of a trace, in place of the one of that name, if any; returns the
/// length of its file in bytes. Readers see the old one or the new one whole.
///
/// # Errors
///
/// For a name that is not made of `a` to `z`, `0` to `9`, `-` and `_`; for a content of more than
/// 1 GiB; what the system says.
pub fn write_part(trace: impl AsRef<Path>, name: &str, content: &[u8]) -> Result<u64, StoreError> {
    let path = trace.as_ref().join(file_of(name));
    let failed = |needed| StoreError::io("write", &path, needed);
    if !is_name(name) || content.len() as u64 > MOST_BYTES {
        return Err(failed(0)(ErrorKind::InvalidInput.into()));
    }
    let stored = zstd::bulk::compress(content, LEVEL).map_err(failed(0))?;
    let mut head = [0; HEADER_SIZE];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    head[16..].copy_from_slice(&(content.len() as u64).to_le_bytes());
    let crc = checksum(&head, &stored);
    head[12..16].copy_from_slice(&crc.to_le_bytes());
    let length = (HEADER_SIZE + stored.len()) as u64;
    let temporary = path.with_extension("part.new");
    let written = File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(&head)?;
            file.write_all(&stored)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, &path));
    if let Err(source) = written {
        // The half-written file is of no use, and its space may be needed.
        let _ = fs::remove_file(&temporary);
        return Err(failed(length)(source));
    }
    sync_folder(&trace.as_ref().join(FOLDER))?;
    Ok(length)
}

/// The parts of a trace, apart from its events. Cheap to clone; a part is read when it is asked for.
#[derive(Clone, Debug)]
pub struct Parts(Place);

impl Parts {
    /// The content of a part; `None` where the trace has none of that name.
    ///
    /// # Errors
    ///
    /// Damage; a part of a newer format; what the system says.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let file = file_of(name);
        if !is_name(name) {
            return Ok(None);
        }
        let source = match self.0.open(&file) {
            Err(StoreError::MissingFile { .. }) => return Ok(None),
            source => source?,
        };
        let path = self.0.name(&file);
        let failed = || StoreError::io("read", &path, 0);
        let length = source.length().map_err(failed())?;
        let malformed = |what| StoreError::Malformed { file: path.clone(), offset: 0, what };
        // What does not compress is a little longer than itself.
        if length < HEADER_SIZE as u64 || length > MOST_BYTES + (MOST_BYTES >> 7) {
            return Err(malformed("it has an impossible length"));
        }
        let mut bytes = vec![0; length as usize];
        source.read_exact_at(&mut bytes, 0).map_err(failed())?;
        decode(&bytes, &path).map(Some)
    }

    /// Names of the parts that the trace has, sorted.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.files()?.iter().filter_map(|file| name_of(file)).collect())
    }

    /// The files of parts, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>, StoreError> {
        let mut files = self.0.files_in(FOLDER)?;
        files.retain(|file| name_of(file).is_some());
        files.sort_unstable();
        Ok(files)
    }
}

impl Trace {
    /// What the trace holds besides events.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts(self.place().clone())
    }
}

fn decode(bytes: &[u8], path: &Path) -> Result<Vec<u8>, StoreError> {
    let malformed = |what| StoreError::Malformed { file: path.to_path_buf(), offset: 0, what };
    let Some((head, stored)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
        return Err(malformed("it is too short for a part"));
    };
    let u32_at =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..8] != MAGIC {
        return Err(malformed("it does not begin like a part"));
    }
    if u32_at(8) > FORMAT_VERSION {
        let (file, found) = (path.to_path_buf(), u32_at(8));
        return Err(StoreError::NewerVersion { file, found, supported: FORMAT_VERSION });
    }
    let (got, expected) = (checksum(head, stored), u32_at(12));
    if got != expected {
        let file = path.to_path_buf();
        return Err(StoreError::ChecksumMismatch { file, offset: 0, got, expected });
    }
    let length = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
    let length = usize::try_from(length).ok().filter(|length| *length as u64 <= MOST_BYTES);
    let length = length.ok_or_else(|| malformed("its content is larger than it can be"))?;
    let content = zstd::bulk::decompress(stored, length);
    let content = content.map_err(|_| malformed("it cannot be decompressed"))?;
    if content.len() == length {
        Ok(content)
    } else {
        Err(malformed("its content has another length than it says"))
    }
}

/// Of the header, the place of the checksum aside, and what follows.
fn checksum(head: &[u8; HEADER_SIZE], stored: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&head[..12]);
    crc.update(&head[16..]);
    crc.update(stored);
    crc.finalize()
}

/// The file of a part within a trace.
fn file_of(name: &str) -> String {
    format!("{FOLDER}/{name}.{EXTENSION}")
}

/// The part that a file is of, by its name within the trace.
fn name_of(file: &str) -> Option<String> {
    let file = PathBuf::from(file);
    let name = file.file_stem()?.to_str()?;
    (file.extension()? == EXTENSION && is_name(name)).then(|| name.to_owned())
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}
