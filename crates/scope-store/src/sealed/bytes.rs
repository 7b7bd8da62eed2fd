//! Bytes of sealed segments: LEB128 numbers written, and read with every length checked.

/// What is wrong with bytes that cannot be decoded: a clause for the error that names the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

/// What decoding gives.
pub(crate) type Decoded<T> = Result<T, Corrupt>;

const ENDS: Corrupt = Corrupt("it ends within a number");

/// Appends a number, seven bits a byte, low bits first.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Makes small numbers of either sign small.
#[inline]
pub(crate) const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// The number whose [`zigzag`] that is.
#[inline]
pub(crate) const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// The difference `to - from` of two words, whichever way round is shorter.
#[inline]
pub(crate) const fn difference(from: u64, to: u64) -> u64 {
    zigzag(to.wrapping_sub(from).cast_signed())
}

/// The word at that [`difference`] from another.
#[inline]
pub(crate) const fn moved(from: u64, difference: u64) -> u64 {
    from.wrapping_add(unzigzag(difference).cast_unsigned())
}

/// The seven low bits of each of eight bytes, joined: pairs, then pairs of pairs, then all.
#[inline]
const fn joined(word: u64) -> u64 {
    let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
    word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4
}

/// Reads what was put.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Decoded<u8> {
        let byte = *self.bytes.get(self.at).ok_or(ENDS)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of any size.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Decoded<u64> {
        let rest = &self.bytes[self.at..];
        match rest.first() {
            Some(first) if *first < 0x80 => {
                self.at += 1;
                return Ok((*first).into());
            }
            _ => {}
        }
        if let Some(word) = rest.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) {
            // The high bits of the bytes that end a number, of which the first counts.
            let ends = !word & 0x8080_8080_8080_8080;
            if ends != 0 {
                self.at += (ends.trailing_zeros() / 8 + 1) as usize;
                return Ok(joined(word & (ends ^ (ends - 1))));
            }
        }
        self.long_number()
    }

    /// A number byte by byte: a long one, or one near the end.
    fn long_number(&mut self) -> Decoded<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                let fits = shift < 63 || byte <= 1;
                return if fits { Ok(value) } else { Err(Corrupt("a number is too large")) };
            }
        }
        Err(Corrupt("a number is too large"))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Decoded<u32> {
        u32::try_from(self.number()?).map_err(|_| Corrupt("a number is too large"))
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Decoded<u16> {
        u16::try_from(self.number()?).map_err(|_| Corrupt("a number is too large"))
    }

    /// A count of things that take at least one byte each of what is left: safe to allocate for.
    pub(crate) fn count(&mut self) -> Decoded<usize> {
        let count = self.number()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => Ok(count),
            _ => Err(Corrupt("a count is larger than what follows")),
        }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Decoded<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let bytes = &self.bytes[self.at..end.ok_or(Corrupt("it ends within a part"))?];
        self.at += count;
        Ok(bytes)
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Decoded<()> {
        if self.left() == 0 { Ok(()) } else { Err(Corrupt("bytes follow its end")) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<u64>().prop_flat_map(|value| (0..64_u32).prop_map(move |shift| value >> shift)), 0..50)) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| put(&mut bytes, *value));
            let mut reader = Reader::new(&bytes);
            for value in values {
                prop_assert_eq!(reader.number(), Ok(value));
            }
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn differences_come_back(from in any::<u64>(), to in any::<u64>()) {
            prop_assert_eq!(moved(from, difference(from, to)), to);
        }

        #[test]
        fn any_bytes_are_numbers_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..30)) {
            let mut reader = Reader::new(&bytes);
            while reader.left() > 0 && reader.number().is_ok() {}
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_refused() {
        let mut bytes = vec![0xff; 9];
        bytes.push(2);
        assert!(Reader::new(&bytes).number().is_err());
    }
}
