//! The JSON documents of a trace: an envelope with format name, version and checksum around the
//! content, read whole and replaced atomically.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::place::Place;
use crate::steps::Steps;
use crate::{FORMAT_VERSION, StoreError};

/// Larger documents are refused: no recorder writes them, and they would be read whole.
const MAX_BYTES: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: String,
    version: u32,
    /// CRC-32 of the bytes of `content`, eight hexadecimal digits.
    checksum: String,
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The part of an envelope that every version keeps; any JSON object is one.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    format: Value,
    #[serde(default)]
    version: Value,
}

/// Tells one state of a replaced file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp of what a path names now; `None` when that cannot be said.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Some(Self::from(&fs::metadata(path).ok()?))
    }

    /// The stamp of something that does not change.
    pub(crate) const fn of_length(bytes: u64) -> Self {
        Self { inode: 0, bytes, modified: (0, 0) }
    }

    /// Length of the file, in bytes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn from(metadata: &fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A document as read.
#[derive(Debug)]
pub(crate) struct Document<T> {
    pub(crate) version: u32,
    pub(crate) stamp: Stamp,
    pub(crate) content: T,
}

/// Reads a document of a trace whose envelope names `format`.
pub(crate) fn read<T: DeserializeOwned>(
    place: &Place,
    file: &str,
    format: &str,
) -> Result<Document<T>, StoreError> {
    let path = &place.name(file);
    let failed = |source| StoreError::io("read", path, 0)(source);
    let (bytes, stamp) = match place {
        Place::Folder(_) => {
            let file = File::open(path).map_err(|source| match source.kind() {
                ErrorKind::NotFound => StoreError::MissingFile { file: path.clone() },
                _ => StoreError::io("open", path, 0)(source),
            })?;
            let metadata = file.metadata().map_err(StoreError::io("examine", path, 0))?;
            let mut bytes = Vec::new();
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
            (bytes, Stamp::from(&metadata))
        }
        Place::Packed(_) => {
            let source = place.open(file)?;
            let length = source.length().map_err(failed)?;
            // Bounded: it lies within the packed file.
            let mut bytes = vec![0; length.min(MAX_BYTES + 1) as usize];
            source.read_exact_at(&mut bytes, 0).map_err(failed)?;
            (bytes, Stamp::of_length(length))
        }
    };
    let (version, content) = parse(&bytes, path, format)?;
    Ok(Document { version, stamp, content })
}

/// Checks the envelope of a document and reads its content.
pub(crate) fn parse<T: DeserializeOwned>(
    bytes: &[u8],
    path: &Path,
    format: &str,
) -> Result<(u32, T), StoreError> {
    let malformed = |why: String| StoreError::Document { file: path.to_path_buf(), why };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(malformed(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let damaged = |error: serde_json::Error| malformed(format!("it is damaged ({error})"));
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.format != format {
        return Err(malformed(format!("it is not a {format:?} document")));
    }
    let version = head.version.as_u64().and_then(|version| u32::try_from(version).ok());
    match version {
        Some(1..=FORMAT_VERSION) => {}
        Some(found @ 1..) => {
            let file = path.to_path_buf();
            return Err(StoreError::NewerVersion { file, found, supported: FORMAT_VERSION });
        }
        _ => return Err(malformed(format!("{} is no format version", head.version))),
    }
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(damaged)?;
    let got = crc32fast::hash(envelope.content.get().as_bytes());
    // As it is written, and no other way: a flipped bit can make a capital letter.
    let expected = u32::from_str_radix(&envelope.checksum, 16)
        .ok()
        .filter(|expected| format!("{expected:08x}") == envelope.checksum)
        .ok_or_else(|| malformed(format!("{:?} is not a checksum", envelope.checksum)))?;
    if got != expected {
        let start = envelope.content.get().as_ptr().addr() - bytes.as_ptr().addr();
        return Err(StoreError::ChecksumMismatch {
            file: path.to_path_buf(),
            offset: start as u64,
            got,
            expected,
        });
    }
    let content = serde_json::from_str(envelope.content.get()).map_err(damaged)?;
    Ok((envelope.version, content))
}

/// Puts a document in the place of the one at `path`, if any. Readers see the old or the new one
/// whole, whenever the writer or the machine stops. Returns its length in bytes.
pub(crate) fn replace<T: Serialize>(
    path: &Path,
    format: &str,
    content: &T,
    steps: &Steps,
) -> Result<u64, StoreError> {
    let invalid = |error: serde_json::Error| StoreError::Document {
        file: path.to_path_buf(),
        why: error.to_string(),
    };
    let content = serde_json::value::to_raw_value(content).map_err(invalid)?;
    let envelope = Envelope {
        format: format.to_owned(),
        version: FORMAT_VERSION,
        checksum: format!("{:08x}", crc32fast::hash(content.get().as_bytes())),
        content: &content,
    };
    let mut bytes = serde_json::to_vec(&envelope).map_err(invalid)?;
    bytes.push(b'\n');
    let needed = bytes.len() as u64;
    let temporary = path.with_extension("json.new");
    let written = File::create(&temporary)
        .and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        })
        .and_then(|()| steps.before("replace a document"))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The half-written file is of no use, and its space may be needed.
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io("write", path, needed)(source));
    }
    steps.before("sync the folder of a document").map_err(StoreError::io("flush", path, 0))?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(needed)
}

/// Makes new and renamed entries of a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::io("flush", folder, 0))
}
