//! Columns of numbers whose high bits are worth compressing and whose low bits are noise: times,
//! return values.
//!
//! A number below 16 is its own token. A larger one of *n* bits has the token 16 + 4 (n - 5) + its
//! second and third highest bits, and n - 3 low bits that stand in a row of bits, first at the
//! lowest. Tokens are compressed; what remains is close to the entropy of any smooth distribution.

use super::bytes::{Corrupt, Decoded};

/// Numbers being written.
#[derive(Debug, Default)]
pub(crate) struct NumberWriter {
    pub(crate) tokens: Vec<u8>,
    pub(crate) bits: Vec<u8>,
    held: u64,
    held_bits: u32,
}

impl NumberWriter {
    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.bits.clear();
        (self.held, self.held_bits) = (0, 0);
    }

    #[inline]
    pub(crate) fn push(&mut self, value: u64) {
        if value < 16 {
            self.tokens.push(value as u8);
            return;
        }
        let length = 64 - value.leading_zeros();
        let low = length - 3;
        self.tokens.push(16 + 4 * (length as u8 - 5) + (value >> low & 3) as u8);
        let value = value & ((1 << low) - 1);
        self.held |= value << self.held_bits;
        if self.held_bits + low >= 64 {
            self.bits.extend_from_slice(&self.held.to_le_bytes());
            // At least 3 bits were held, since no more than 61 come.
            self.held = value >> (64 - self.held_bits);
            self.held_bits = self.held_bits + low - 64;
        } else {
            self.held_bits += low;
        }
    }

    /// Writes out what is held back. Nothing may be pushed after it.
    pub(crate) fn finish(&mut self) {
        let bytes = self.held_bits.div_ceil(8) as usize;
        self.bits.extend_from_slice(&self.held.to_le_bytes()[..bytes]);
        (self.held, self.held_bits) = (0, 0);
    }
}

/// Bytes that must follow the bits for [`NumberReader`]: it reads words, also at the end.
pub(crate) const PADDING: usize = 16;

/// Of each token: how many low bits follow, and the bits above them.
static TOKENS: [(u8, u64); 256] = {
    let mut tokens = [(0, 0); 256];
    let mut token = 0;
    while token < 256 {
        tokens[token] = if token < 16 {
            (0, token as u64)
        } else {
            let low = (token - 16) / 4 + 2;
            (low as u8, (((token - 16) % 4 + 4) << low) as u64)
        };
        token += 1;
    }
    tokens
};

/// How many bits follow tokens.
pub(crate) fn bits_of(tokens: &[u8]) -> usize {
    tokens.iter().map(|token| usize::from(TOKENS[usize::from(*token)].0)).sum()
}

/// Calls `each` with all numbers of a column. `bits` must end with [`PADDING`] bytes of zero.
#[inline]
pub(crate) fn each_number(tokens: &[u8], bits: &[u8], mut each: impl FnMut(u64)) -> Decoded<()> {
    if bits_of(tokens).div_ceil(8) + PADDING != bits.len() {
        return Err(Corrupt("a column has another length than its numbers"));
    }
    // There are as many bits as the tokens ask for: nothing below fails.
    let mut reader = NumberReader::new(tokens, bits, 0);
    while reader.tokens.len() > 0 {
        each(reader.next()?);
    }
    Ok(())
}

/// Numbers being read.
#[derive(Debug)]
pub(crate) struct NumberReader<'a> {
    tokens: std::slice::Iter<'a, u8>,
    /// With padding behind them.
    bits: &'a [u8],
    at: usize,
}

impl<'a> NumberReader<'a> {
    /// Numbers whose first has its bits at bit `at`. `bits` must end with [`PADDING`] bytes of zero.
    pub(crate) fn new(tokens: &'a [u8], bits: &'a [u8], at: usize) -> Self {
        Self { tokens: tokens.iter(), bits, at }
    }

    /// The next number.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Decoded<u64> {
        let token = *self.tokens.next().ok_or(Corrupt("a column has too few numbers"))?;
        let (low, high) = TOKENS[usize::from(token)];
        let (byte, shift) = (self.at / 8, (self.at % 8) as u32);
        let word = self.bits.get(byte..).and_then(<[u8]>::first_chunk);
        let word = word.ok_or(Corrupt("a column has too few bits"))?;
        let mut value = u64::from_le_bytes(*word) >> shift;
        if u32::from(low) + shift > 64 {
            let ninth = self.bits.get(byte + 8).copied().unwrap_or_default();
            value |= u64::from(ninth) << (64 - shift);
        }
        self.at += usize::from(low);
        Ok(high | value & ((1 << low) - 1))
    }

    /// All must have been read.
    pub(crate) fn end(&self) -> Decoded<()> {
        if self.tokens.len() == 0 {
            Ok(())
        } else {
            Err(Corrupt("a column has more numbers than are used"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_size() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any_size(), 0..300)) {
            let mut writer = NumberWriter::default();
            values.iter().for_each(|value| writer.push(*value));
            writer.finish();
            writer.bits.extend([0; PADDING]);
            let mut reader = NumberReader::new(&writer.tokens, &writer.bits, 0);
            for value in values {
                prop_assert_eq!(reader.next(), Ok(value));
            }
            prop_assert_eq!(reader.end(), Ok(()));
            prop_assert!(reader.next().is_err());
        }

        #[test]
        fn all_numbers_come_back_at_once(values in prop::collection::vec(any_size(), 0..300)) {
            let mut writer = NumberWriter::default();
            values.iter().for_each(|value| writer.push(*value));
            writer.finish();
            writer.bits.extend([0; PADDING]);
            let mut read = Vec::new();
            let done = each_number(&writer.tokens, &writer.bits, |value| read.push(value));
            prop_assert_eq!(done, Ok(()));
            prop_assert_eq!(read, values);
        }

        #[test]
        fn any_bytes_are_numbers_or_an_error(
            tokens in prop::collection::vec(any::<u8>(), 0..40),
            bits in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut reader = NumberReader::new(&tokens, &bits, 0);
            while reader.next().is_ok() {}
        }
    }

    #[test]
    fn every_length_of_number_keeps_its_bits() {
        let values: Vec<u64> =
            (0..64).flat_map(|n| [1 << n, u64::MAX >> n, (1 << n) | 5]).collect();
        let mut writer = NumberWriter::default();
        values.iter().for_each(|value| writer.push(*value));
        writer.finish();
        writer.bits.extend([0; PADDING]);
        let mut reader = NumberReader::new(&writer.tokens, &writer.bits, 0);
        assert!(values.iter().all(|value| reader.next() == Ok(*value)));
    }
}
