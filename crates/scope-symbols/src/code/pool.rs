//! Texts and expressions, each stored once.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

/// Longest text or expression that is kept whole; longer ones are cut.
pub(crate) const LONGEST: usize = 32 << 10;

/// Collects byte strings; the offset of each stands for it.
pub(crate) struct PoolBuilder<'a> {
    bytes: Vec<u8>,
    known: FxHashMap<Cow<'a, [u8]>, u32>,
}

impl<'a> PoolBuilder<'a> {
    pub(crate) fn new() -> Self {
        // Offset 0 stands for nothing.
        Self { bytes: vec![0], known: FxHashMap::default() }
    }

    /// The offset of a borrowed byte string.
    pub(crate) fn add(&mut self, bytes: &'a [u8]) -> u32 {
        self.insert(Cow::Borrowed(bytes))
    }

    /// The offset of a text made here.
    pub(crate) fn add_owned(&mut self, text: String) -> u32 {
        self.insert(Cow::Owned(text.into_bytes()))
    }

    fn insert(&mut self, bytes: Cow<'a, [u8]>) -> u32 {
        if bytes.is_empty() {
            return 0;
        }
        if let Some(offset) = self.known.get(&bytes) {
            return *offset;
        }
        let kept = &bytes[..bytes.len().min(LONGEST)];
        // What does not fit is left out, as if it had no name.
        let Ok(offset) = u32::try_from(self.bytes.len()) else { return 0 };
        let mut length = kept.len();
        while length >= 0x80 {
            self.bytes.push(0x80 | (length & 0x7f) as u8);
            length >>= 7;
        }
        self.bytes.push(length as u8);
        self.bytes.extend_from_slice(kept);
        self.known.insert(bytes, offset);
        offset
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The byte string at an offset of a pool; empty where there is none.
pub(crate) fn bytes_at(pool: &[u8], offset: u32) -> &[u8] {
    let Some(mut rest) = pool.get(offset as usize..) else { return &[] };
    let (mut length, mut shift) = (0_usize, 0);
    while let Some((byte, after)) = rest.split_first() {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        rest = after;
        if byte & 0x80 == 0 {
            return rest.get(..length).unwrap_or_default();
        }
        if shift > 21 {
            break;
        }
    }
    &[]
}

/// The text at an offset of a pool: what is no UTF-8 ends it.
pub(crate) fn text_at(pool: &[u8], offset: u32) -> &str {
    let bytes = bytes_at(pool, offset);
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_found_again_and_stored_once() {
        let long = vec![b'x'; 300];
        let mut pool = PoolBuilder::new();
        let (a, b) = (pool.add(b"alpha"), pool.add(&long));
        assert_eq!((pool.add(b"alpha"), pool.add_owned("alpha".to_owned())), (a, a));
        assert_eq!(pool.add(b""), 0);
        let bytes = pool.finish();
        assert_eq!(text_at(&bytes, a), "alpha");
        assert_eq!(bytes_at(&bytes, b), long);
        assert_eq!(text_at(&bytes, 0), "");
    }

    #[test]
    fn offsets_that_lead_nowhere_are_empty() {
        let mut pool = PoolBuilder::new();
        pool.add(b"text");
        let bytes = pool.finish();
        for offset in 0..40 {
            let _ = bytes_at(&bytes, offset);
        }
        assert_eq!(bytes_at(&bytes, u32::MAX), b"");
        assert_eq!(bytes_at(&[0xff, 0xff, 0xff, 0xff, 0xff], 0), b"");
    }

    #[test]
    fn a_text_ends_where_it_is_no_text() {
        let mut pool = PoolBuilder::new();
        let offset = pool.add(b"ab\xffcd");
        assert_eq!(text_at(&pool.finish(), offset), "ab");
    }
}
