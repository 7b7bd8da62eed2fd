//! Whether a source is the one that a binary was built from.
//!
//! DWARF 5 may carry the MD5 of each file: then it is certain either way. Otherwise a file that
//! changed after the binary was linked is taken for another one, and any other is not sure.

use std::time::SystemTime;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// What is known of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// The MD5 recorded in the binary is the file's.
    Verified,
    /// Nothing speaks against it: no MD5 was recorded, and the file is not newer.
    Unverified,
    /// The recorded MD5 is another file's.
    OtherContent,
    /// No MD5 was recorded, and the file is newer than the binary.
    Newer,
}

impl Freshness {
    /// Compares a source with what a binary says of it; times are of last changes.
    #[must_use]
    pub fn of(
        text: &[u8],
        recorded_md5: Option<[u8; 16]>,
        source: Option<SystemTime>,
        binary: Option<SystemTime>,
    ) -> Self {
        match (recorded_md5, source, binary) {
            (Some(recorded), ..) if <[u8; 16]>::from(Md5::digest(text)) == recorded => {
                Self::Verified
            }
            (Some(_), ..) => Self::OtherContent,
            (None, Some(source), Some(binary)) if source > binary => Self::Newer,
            _ => Self::Unverified,
        }
    }

    /// Whether places in the source may be wrong: it must be marked where it is shown.
    #[must_use]
    pub const fn is_stale(self) -> bool {
        matches!(self, Self::OtherContent | Self::Newer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// MD5 of "abc" (RFC 1321, A.5).
    const ABC: [u8; 16] = [
        0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0, 0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f,
        0x72,
    ];

    #[test]
    fn a_recorded_digest_decides_whatever_the_times() {
        let late = Some(SystemTime::now());
        let early = Some(SystemTime::now() - Duration::from_secs(9));
        assert_eq!(Freshness::of(b"abc", Some(ABC), late, early), Freshness::Verified);
        assert_eq!(Freshness::of(b"abd", Some(ABC), early, late), Freshness::OtherContent);
    }

    #[test]
    fn without_a_digest_a_newer_file_is_stale() {
        let late = Some(SystemTime::now());
        let early = Some(SystemTime::now() - Duration::from_secs(9));
        assert!(Freshness::of(b"", None, late, early).is_stale());
        assert_eq!(Freshness::of(b"", None, early, late), Freshness::Unverified);
        assert_eq!(Freshness::of(b"", None, None, late), Freshness::Unverified);
    }
}
