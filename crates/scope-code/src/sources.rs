//! The text of sources, as a trace keeps it or as it was found on this machine.
//!
//! The part `sources` of a trace:
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | length of the index |
//! | 4..n | the index: JSON, an array of [`SourceEntry`] |
//! | n.. | the texts, each one zstd frame, at the offsets that the index says |
//!
//! A text is decompressed when it is asked for.

use std::ops::Range;

use rustc_hash::FxHashMap;
use scope_symbols::sources::{FoundSource, Presence, Staleness};
use serde::{Deserialize, Serialize};

use crate::CodeError;

/// The part of a trace that holds them.
pub(crate) const PART: &str = "sources";
/// Largest text that is read.
const MOST_BYTES: u64 = 64 << 20;
/// Level of zstd.
const LEVEL: i32 = 3;

/// Number of a source in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceNumber(pub u32);

/// Whether a source is what was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Its checksum is the one in the binary.
    Verified,
    /// The binary has no checksum of it; it is not newer than the binary.
    Unverified,
    /// Its checksum is not the one in the binary.
    Changed,
    /// It is newer than the binary, which has no checksum of it.
    NewerThanBinary,
}

impl Freshness {
    /// The text may not be what was compiled.
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::Changed | Self::NewerThanBinary)
    }

    /// As one clause for a person; empty where there is nothing to say.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Verified | Self::Unverified => "",
            Self::Changed => "not the text that was compiled: its checksum is another",
            Self::NewerThanBinary => {
                "may not be the text that was compiled: it is newer than the binary"
            }
        }
    }

    /// Of a source that was found; `None`: it was not.
    pub(crate) fn of(found: &FoundSource, has_checksum: bool) -> Option<Self> {
        match found.presence {
            Presence::Present if has_checksum => Some(Self::Verified),
            Presence::Present => Some(Self::Unverified),
            Presence::Stale(Staleness::Checksum) => Some(Self::Changed),
            Presence::Stale(Staleness::NewerThanBinary) => Some(Self::NewerThanBinary),
            Presence::Missing => None,
        }
    }
}

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// Its path, as the binary has it.
    pub path: String,
    /// What node ids call it: its path within its crate, package or project.
    pub name: String,
    /// Name of its language.
    pub language: String,
    /// Whether it is what was compiled.
    pub freshness: Freshness,
    /// Bytes of text.
    pub bytes: u64,
    /// Where its frame begins, after the index.
    offset: u64,
    /// Length of its frame.
    stored: u64,
}

/// Sources with their text.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    entries: Vec<SourceEntry>,
    by_path: FxHashMap<String, SourceNumber>,
    stored: Vec<u8>,
}

impl Sources {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All of them, in the order of their numbers.
    #[must_use]
    pub fn entries(&self) -> &[SourceEntry] {
        &self.entries
    }

    /// The source that a binary calls so.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<SourceNumber> {
        self.by_path.get(path).copied()
    }

    /// What is known of a source.
    #[must_use]
    pub fn entry(&self, source: SourceNumber) -> Option<&SourceEntry> {
        self.entries.get(source.0 as usize)
    }

    /// The text of a source.
    ///
    /// # Errors
    ///
    /// When what is stored is no such text.
    pub fn text(&self, source: SourceNumber) -> Result<Vec<u8>, CodeError> {
        let wrong = |why: &str| CodeError::part(PART, format!("source {}: {why}", source.0));
        let entry = self.entry(source).ok_or_else(|| wrong("there is none of this number"))?;
        let frame = range(entry.offset, entry.stored).and_then(|range| self.stored.get(range));
        let frame = frame.ok_or_else(|| wrong("its text lies outside"))?;
        let length = usize::try_from(entry.bytes).ok().filter(|_| entry.bytes <= MOST_BYTES);
        let length = length.ok_or_else(|| wrong("it is too large"))?;
        let text =
            zstd::bulk::decompress(frame, length).map_err(|error| wrong(&error.to_string()))?;
        if text.len() == length { Ok(text) } else { Err(wrong("its text has another length")) }
    }

    /// Adds a source, unless its path is there.
    pub(crate) fn add(&mut self, new: NewSource<'_>) -> Result<(), CodeError> {
        if self.by_path.contains_key(new.path) {
            return Ok(());
        }
        let frame = zstd::bulk::compress(new.text, LEVEL);
        let frame = frame.map_err(|error| CodeError::part(PART, error))?;
        let number = u32::try_from(self.entries.len()).map_err(|why| CodeError::part(PART, why))?;
        self.by_path.insert(new.path.to_owned(), SourceNumber(number));
        self.entries.push(SourceEntry {
            path: new.path.to_owned(),
            name: new.name,
            language: new.language.to_owned(),
            freshness: new.freshness,
            bytes: new.text.len() as u64,
            offset: self.stored.len() as u64,
            stored: frame.len() as u64,
        });
        self.stored.extend(frame);
        Ok(())
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, CodeError> {
        let index = serde_json::to_vec(&self.entries).map_err(|why| CodeError::part(PART, why))?;
        let length = u32::try_from(index.len()).map_err(|why| CodeError::part(PART, why))?;
        Ok([&length.to_le_bytes(), &index[..], &self.stored].concat())
    }

    pub(crate) fn decode(mut bytes: Vec<u8>) -> Result<Self, CodeError> {
        let short = || CodeError::part(PART, "it is shorter than its index");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
        let length = u32::from_le_bytes(*length) as usize;
        let index = rest.get(..length).ok_or_else(short)?;
        let entries: Vec<SourceEntry> =
            serde_json::from_slice(index).map_err(|why| CodeError::part(PART, why))?;
        let numbers = entries.iter().zip(0..);
        let by_path =
            numbers.map(|(entry, number)| (entry.path.clone(), SourceNumber(number))).collect();
        bytes.drain(..4 + length);
        Ok(Self { entries, by_path, stored: bytes })
    }
}

/// A source to be added.
pub(crate) struct NewSource<'s> {
    pub(crate) path: &'s str,
    pub(crate) name: String,
    pub(crate) language: &'s str,
    pub(crate) freshness: Freshness,
    pub(crate) text: &'s [u8],
}

fn range(start: u64, length: u64) -> Option<Range<usize>> {
    let end = start.checked_add(length)?;
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sources() -> Sources {
        let mut sources = Sources::default();
        for (path, text) in
            [("/a/one.rs", "fn one() {}\n"), ("/a/two.c", ""), ("/a/one.rs", "other")]
        {
            let name = path.trim_start_matches("/a/").to_owned();
            let (language, freshness) = ("rust", Freshness::Verified);
            let text = text.as_bytes();
            sources.add(NewSource { path, name, language, freshness, text }).unwrap();
        }
        sources
    }

    #[test]
    fn texts_are_read_as_they_were_written() {
        let sources = Sources::decode(sources().encode().unwrap()).unwrap();
        assert_eq!(sources.len(), 2);
        let one = sources.find("/a/one.rs").unwrap();
        assert_eq!(sources.text(one).unwrap(), b"fn one() {}\n");
        assert_eq!(sources.entry(one).unwrap().name, "one.rs");
        let two = sources.find("/a/two.c").unwrap();
        assert_eq!(sources.text(two).unwrap(), b"");
        assert_eq!(sources.find("two.c"), None);
        assert!(sources.text(SourceNumber(2)).is_err());
    }

    #[test]
    fn an_entry_that_points_outside_is_refused_when_it_is_read() {
        let mut sources = sources();
        sources.entries[0].offset = u64::MAX;
        assert!(sources.text(SourceNumber(0)).is_err());
        sources.entries[0].offset = 0;
        sources.entries[0].bytes = u64::MAX;
        assert!(sources.text(SourceNumber(0)).is_err());
        sources.entries[0].bytes = 3;
        assert!(sources.text(SourceNumber(0)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_sources_or_an_error(bytes: Vec<u8>, at: usize, value: u8) {
            let _ = Sources::decode(bytes);
            let mut real = sources().encode().unwrap();
            let at = at % real.len();
            real[at] = value;
            if let Ok(sources) = Sources::decode(real) {
                for number in 0..sources.len() as u32 {
                    let _ = sources.text(SourceNumber(number));
                }
            }
        }
    }
}
