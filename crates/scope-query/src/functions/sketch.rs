//! Numbers of which percentiles are asked, in little memory and quickly: a query has one for each of its
//! groups.
//!
//! While they are few they are kept as they are. Beyond, each is the number of a bucket of a histogram of
//! three significant digits, the same buckets that [`scope_timeline::Durations`] has (those of
//! HdrHistogram: 2,048 of width 1, then 1,024 for each power of two). Bucket numbers are put down one
//! after the other and counted once they are many: to count each as it comes would mean to look for a
//! place in hundreds of KiB, for each of thousands of groups in turn.

/// Numbers kept one by one: as many as the timeline's durations.
const FEW: u64 = 256;
/// Bucket numbers put down before they are counted.
const PENDING: usize = 1 << 14;
/// Largest number told apart.
const MOST: u64 = 1 << 62;
/// Bits of a number that tell its bucket.
const BITS: u32 = 11;
/// Buckets of a power of two.
const HALF: u64 = 1 << (BITS - 1);

/// Some numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sketch {
    count: u64,
    least: i64,
    greatest: i64,
    /// All of them, while they are few.
    few: Vec<i64>,
    /// Buckets not counted yet.
    pending: Vec<u16>,
    /// Counts of the buckets from `base` on.
    counts: Vec<u64>,
    base: u16,
}

impl Sketch {
    /// Adds a number. Returns how many bytes more that takes.
    #[inline]
    pub(super) fn add(&mut self, value: i64) -> usize {
        self.see(value);
        self.count += 1;
        if self.count > FEW && self.few.is_empty() && self.pending.len() < self.pending.capacity() {
            self.pending.push(bucket(value));
            return 0;
        }
        self.make_room(value)
    }

    /// The number that a share of them does not exceed. `None` where there are none.
    pub(super) fn quantile(&mut self, share: f64) -> Option<i64> {
        let rank = (share.clamp(0.0, 1.0) * self.count as f64).ceil() as u64;
        let rank = rank.max(1);
        if self.count <= FEW {
            self.few.sort_unstable();
            return self.few.get(rank as usize - 1).copied();
        }
        let mut before = 0;
        if share <= 0.0 {
            return Some(self.least);
        }
        let found = self.buckets().into_iter().find(|(_, count)| {
            before += count;
            before >= rank
        });
        // A bucket may reach beyond what was seen.
        let highest = found.map_or(self.greatest, |(bucket, _)| highest(bucket));
        Some(highest.clamp(self.least, self.greatest))
    }

    /// Takes those of another in, as [`Sketch::encode`] wrote them. `None` for what it did not write.
    pub(super) fn merge(&mut self, mut bytes: &[u8]) -> Option<()> {
        let bytes = &mut bytes;
        let (had, count) = (self.count, number(bytes)?);
        if count == 0 {
            return Some(());
        }
        if count <= FEW {
            for _ in 0..count {
                self.add(signed(number(bytes)?));
            }
            return Some(());
        }
        for _ in 0..2 {
            self.see(signed(number(bytes)?));
            self.count = self.count.max(1);
        }
        // What is few here is many together.
        self.count = had.checked_add(count)?;
        self.spill();
        let mut bucket = 0;
        while !bytes.is_empty() {
            bucket = number(bytes)?.checked_add(bucket)?;
            self.count_bucket(u16::try_from(bucket).ok()?, number(bytes)?);
        }
        Some(())
    }

    /// As bytes, for another thread.
    pub(super) fn encode(&mut self, out: &mut Vec<u8>) {
        put(out, self.count);
        if self.count <= FEW {
            self.few.iter().for_each(|value| put(out, unsigned(*value)));
            return;
        }
        put(out, unsigned(self.least));
        put(out, unsigned(self.greatest));
        let mut last = 0;
        for (bucket, count) in self.buckets() {
            put(out, u64::from(bucket - last));
            put(out, count);
            last = bucket;
        }
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.few.capacity() * 8 + self.pending.capacity() * 2 + self.counts.capacity() * 8
    }

    fn see(&mut self, value: i64) {
        (self.least, self.greatest) = match self.count {
            0 => (value, value),
            _ => (self.least.min(value), self.greatest.max(value)),
        };
    }

    #[cold]
    fn make_room(&mut self, value: i64) -> usize {
        let before = self.bytes();
        if self.count <= FEW {
            self.few.push(value);
        } else {
            self.spill();
            if self.pending.len() >= PENDING {
                self.tally();
            }
            self.pending.push(bucket(value));
        }
        self.bytes().saturating_sub(before)
    }

    /// From single numbers to buckets.
    fn spill(&mut self) {
        let few = std::mem::take(&mut self.few);
        self.pending.extend(few.into_iter().map(bucket));
    }

    /// Counts what was put down.
    fn tally(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let ends = pending.iter().min().zip(pending.iter().max());
        if let Some((least, greatest)) = ends {
            self.reach(*least, *greatest);
        }
        for bucket in &pending {
            self.counts[usize::from(bucket - self.base)] += 1;
        }
        // Its memory is used again.
        self.pending = pending;
        self.pending.clear();
    }

    fn count_bucket(&mut self, bucket: u16, count: u64) {
        self.reach(bucket, bucket);
        let counted = &mut self.counts[usize::from(bucket - self.base)];
        *counted = counted.saturating_add(count);
    }

    /// Makes the counts hold these buckets.
    fn reach(&mut self, least: u16, greatest: u16) {
        if self.counts.is_empty() {
            self.base = least;
        }
        if least < self.base {
            let more = usize::from(self.base - least);
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.base = least;
        }
        let length = usize::from(greatest - self.base) + 1;
        if length > self.counts.len() {
            self.counts.resize(length, 0);
        }
    }

    /// The buckets that hold any, and how many, ascending.
    fn buckets(&mut self) -> Vec<(u16, u64)> {
        if self.counts.is_empty() {
            // Far fewer than there are buckets.
            self.pending.sort_unstable();
            let runs = self.pending.chunk_by(|one, next| one == next);
            return runs.map(|run| (run[0], run.len() as u64)).collect();
        }
        self.tally();
        let counts = self.counts.iter().zip(self.base..=u16::MAX);
        counts.filter(|(count, _)| **count > 0).map(|(count, bucket)| (bucket, *count)).collect()
    }
}

/// The bucket of a number.
fn bucket(value: i64) -> u16 {
    let value = u64::try_from(value).unwrap_or_default().min(MOST);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
    // Of 63 bits at the most: below 2^16.
    (u64::from(shift) * HALF + (value >> shift)) as u16
}

/// The largest number of a bucket.
fn highest(bucket: u16) -> i64 {
    let bucket = u64::from(bucket);
    let shift = (bucket / HALF).saturating_sub(1);
    let next = (bucket - shift * HALF + 1) << shift;
    i64::try_from(next - 1).unwrap_or(i64::MAX)
}

/// Small numbers of either sign as small ones without.
const fn unsigned(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

const fn signed(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// LEB128.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scope_timeline::Durations;

    use super::*;

    /// Numbers of all magnitudes, few and many of them.
    fn values() -> impl Strategy<Value = Vec<i64>> {
        let value =
            (0..62_u32, any::<u64>()).prop_map(|(bits, value)| (value >> (63 - bits)) as i64);
        prop_oneof![
            prop::collection::vec(value.clone(), 0..20),
            prop::collection::vec(value.clone(), 200..600),
            (prop::collection::vec(value, 300..400), 40..60_usize)
                .prop_map(|(values, times)| values.repeat(times)),
        ]
    }

    fn sketch(values: &[i64]) -> Sketch {
        let mut sketch = Sketch::default();
        let bytes: usize = values.iter().map(|value| sketch.add(*value)).sum();
        assert!(bytes >= sketch.bytes(), "{bytes} {}", sketch.bytes());
        sketch
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn percentiles_are_those_of_reports(
            values in values(),
            others in values(),
            share in 0.0..=1.0_f64,
        ) {
            let mut durations = Durations::default();
            values.iter().chain(&others).for_each(|value| durations.record(*value as u64));
            let mut bytes = Vec::new();
            sketch(&others).encode(&mut bytes);
            let mut both = sketch(&values);
            both.merge(&bytes).unwrap();
            for share in [share, 0.0, 0.5, 0.99, 1.0] {
                let expected = durations.quantile_ns(share).map(|ns| ns as i64);
                prop_assert_eq!(both.quantile(share), expected, "{}", share);
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut sketch = sketch(&[1, 2, 3]);
            if sketch.merge(&bytes).is_some() {
                sketch.quantile(0.5);
            }
        }
    }

    #[test]
    fn numbers_below_zero_are_small() {
        let values: Vec<i64> = (-300..300).collect();
        let mut sketch = sketch(&values);
        assert_eq!(sketch.quantile(0.0), Some(-300));
        assert_eq!(sketch.quantile(0.5), Some(0));
        assert_eq!(sketch.quantile(1.0), Some(299));
        assert_eq!(sketch(&[-5, 7]).quantile(0.0), Some(-5));
    }
}
