//! Parts of a sealed segment, compressed with zstd where that makes them smaller.
//!
//! A part is the length of its bytes, then the length as stored times two, plus one if compressed,
//! both LEB128, then the stored bytes.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::bytes::{Corrupt, Decoded, Reader, put};

/// Compresses parts; one a sealer, since its tables are large.
pub(crate) struct Packer {
    zstd: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    /// With a level of zstd. Should zstd have no memory, parts are stored as they are.
    pub(crate) fn new(level: i32) -> Self {
        let zstd = Compressor::new(level).ok().map(|mut zstd| {
            // What the part says already; a failure costs some bytes.
            let _ = zstd.include_checksum(false);
            let _ = zstd.include_contentsize(false);
            zstd
        });
        Self { zstd, buffer: Vec::new() }
    }

    /// Stores parts as they are.
    pub(crate) const fn none() -> Self {
        Self { zstd: None, buffer: Vec::new() }
    }

    /// Appends a part.
    pub(crate) fn pack(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        put(out, bytes.len() as u64);
        self.buffer.clear();
        // Room for anything smaller than the bytes themselves: more is of no use.
        self.buffer.reserve(bytes.len());
        let compressed = self
            .zstd
            .as_mut()
            .filter(|_| bytes.len() > 16)
            .and_then(|zstd| zstd.compress_to_buffer(bytes, &mut self.buffer).ok())
            .filter(|length| *length < bytes.len());
        match compressed {
            Some(length) => {
                put(out, (length as u64) << 1 | 1);
                out.extend_from_slice(&self.buffer[..length]);
            }
            None => {
                put(out, (bytes.len() as u64) << 1);
                out.extend_from_slice(bytes);
            }
        }
    }
}

thread_local! {
    /// Decompression works in tables of some hundred kilobytes, of which a thread needs one.
    static ZSTD: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Reads a part into `out`, in place of what is there; at most `most` bytes.
pub(crate) fn unpack(reader: &mut Reader<'_>, most: usize, out: &mut Vec<u8>) -> Decoded<()> {
    out.clear();
    let length = usize::try_from(reader.number()?).ok().filter(|length| *length <= most);
    let length = length.ok_or(Corrupt("a part is larger than it can be"))?;
    let stored = reader.number()?;
    let bytes = reader.take(usize::try_from(stored >> 1).unwrap_or(usize::MAX))?;
    if stored & 1 == 0 {
        if bytes.len() != length {
            return Err(Corrupt("a part has another length than it says"));
        }
        out.extend_from_slice(bytes);
        return Ok(());
    }
    out.reserve(length);
    ZSTD.with_borrow_mut(|zstd| {
        let zstd = match zstd {
            Some(zstd) => zstd,
            None => zstd.insert(
                Decompressor::new().map_err(|_| Corrupt("there is no memory to decompress it"))?,
            ),
        };
        let got = zstd
            .decompress_to_buffer(bytes, out)
            .map_err(|_| Corrupt("a part cannot be decompressed"))?;
        if got == length { Ok(()) } else { Err(Corrupt("a part has another length than it says")) }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_come_back(parts in prop::collection::vec(prop::collection::vec(0..8_u8, 0..200), 0..4)) {
            let mut packer = Packer::new(1);
            let mut bytes = Vec::new();
            parts.iter().for_each(|part| packer.pack(part, &mut bytes));
            let mut reader = Reader::new(&bytes);
            let mut out = Vec::new();
            for part in &parts {
                prop_assert_eq!(unpack(&mut reader, 200, &mut out), Ok(()));
                prop_assert_eq!(&out, part);
            }
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn any_bytes_are_a_part_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut out = Vec::new();
            if unpack(&mut Reader::new(&bytes), 100, &mut out).is_ok() {
                prop_assert!(out.len() <= 100);
            }
        }
    }
}
