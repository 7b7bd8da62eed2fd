//! How long calls of each function took, as counts: kept a segment each, so that percentiles over a
//! long trace need no reading of its events.
//!
//! A duration below 16 ns has a count of its own; above, each power of two is divided into sixteen
//! equal parts, so that a percentile is at most 1/16 too high.

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Event, EventKind, FunctionId, OpenCall};

use crate::sealed::bytes::{Corrupt, Decoded, Reader, put};

/// Counts there are.
const BUCKETS: usize = 976;

/// How long calls of one function took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallDurations {
    /// Calls that began; inherited ones are none.
    pub calls: u64,
    /// Calls that ended in another way than by returning.
    pub not_returned: u64,
    /// Calls that returned but crossed a gap or were inherited: of unknown duration.
    pub unknown: u64,
    /// Sum of the known durations, ns.
    pub sum_ns: u64,
    /// The shortest, ns; 0 without any.
    pub min_ns: u64,
    /// The longest, ns.
    pub max_ns: u64,
    /// Calls by duration: bucket and count, ascending. Most buckets are empty.
    counts: Vec<(u16, u32)>,
}

impl CallDurations {
    /// Calls of known duration.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The duration that this share of the calls (0 to 1) did not exceed, ns: at most 1/16 more
    /// than exact. `None` without calls of known duration.
    #[must_use]
    pub fn percentile_ns(&self, share: f64) -> Option<u64> {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut passed = 0;
        let (bucket, _) = self.counts.iter().find(|(_, count)| {
            passed += u64::from(*count);
            passed >= wanted
        })?;
        Some(highest_of(usize::from(*bucket)).min(self.max_ns))
    }

    /// Calls by duration, ascending: the longest duration of a bucket, ns, and the calls in it. Empty
    /// buckets are left out.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u32)> {
        self.counts.iter().map(|(bucket, count)| (highest_of(usize::from(*bucket)), *count))
    }

    /// Adds what another segment counted.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.not_returned += other.not_returned;
        self.unknown += other.unknown;
        if other.counts.is_empty() {
            return;
        }
        self.extremes(other.min_ns, other.max_ns);
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        for (bucket, count) in &other.counts {
            self.count_in(*bucket, *count);
        }
    }

    fn record(&mut self, ns: u64) {
        self.extremes(ns, ns);
        self.sum_ns = self.sum_ns.saturating_add(ns);
        // Buckets are fewer than 16 bits can number.
        self.count_in(bucket_of(ns) as u16, 1);
    }

    fn extremes(&mut self, min_ns: u64, max_ns: u64) {
        self.min_ns = if self.counts.is_empty() { min_ns } else { self.min_ns.min(min_ns) };
        self.max_ns = self.max_ns.max(max_ns);
    }

    fn count_in(&mut self, bucket: u16, more: u32) {
        match self.counts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(more),
            Err(at) => self.counts.insert(at, (bucket, more)),
        }
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns < 16 {
        return ns as usize;
    }
    let length = 64 - ns.leading_zeros() as usize;
    (length - 4) * 16 + (ns >> (length - 5) & 15) as usize
}

fn highest_of(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let (length, part) = (bucket / 16 + 4, bucket as u64 % 16);
    let width = 1_u64 << (length - 5);
    (16 + part) * width + (width - 1)
}

/// Durations of all functions of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Durations {
    functions: Vec<(FunctionId, CallDurations)>,
    index: FxHashMap<FunctionId, u32>,
}

impl Durations {
    /// Takes an event, and the call that it ends.
    pub(crate) fn push(&mut self, event: &Event, ended: Option<&OpenCall>) {
        match event.kind {
            EventKind::Enter { function, inherited: false, .. } => self.entry(function).calls += 1,
            EventKind::Leave { function, end, crosses_gap, .. } => {
                let durations = self.entry(function);
                match ended.filter(|open| !open.inherited && open.function == function) {
                    _ if end != CallEnd::Returned => durations.not_returned += 1,
                    Some(open) if !crosses_gap => {
                        durations.record(event.time_ns.saturating_sub(open.entered_ns));
                    }
                    _ => durations.unknown += 1,
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, function: FunctionId) -> &mut CallDurations {
        let next = self.functions.len();
        // Functions are fewer than their ids.
        let at = *self.index.entry(function).or_insert(next as u32) as usize;
        if at == next {
            self.functions.push((function, CallDurations::default()));
        }
        &mut self.functions[at].1
    }

    pub(crate) fn all(&self) -> &[(FunctionId, CallDurations)] {
        &self.functions
    }

    pub(crate) fn of(&self, function: FunctionId) -> Option<&CallDurations> {
        let at = *self.index.get(&function)?;
        self.functions.get(at as usize).map(|(_, durations)| durations)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut functions: Vec<_> = self.functions.iter().collect();
        functions.sort_unstable_by_key(|(function, _)| *function);
        put(out, functions.len() as u64);
        let mut next = 0;
        for (function, durations) in &functions {
            put(out, u64::from(function.0) - next);
            next = u64::from(function.0) + 1;
            let counted = durations.counts.len();
            for number in [durations.calls, durations.not_returned, durations.unknown] {
                put(out, number);
            }
            put(out, counted as u64);
            if counted > 0 {
                put(out, durations.sum_ns);
                put(out, durations.min_ns);
                put(out, durations.max_ns - durations.min_ns);
            }
        }
        // A column each: what is alike compresses well together.
        for (_, durations) in &functions {
            let mut next = 0;
            for (bucket, _) in &durations.counts {
                put(out, u64::from(bucket - next));
                next = bucket + 1;
            }
        }
        for (_, durations) in &functions {
            durations.counts.iter().for_each(|(_, count)| put(out, (*count).into()));
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.count()?;
        let mut functions: Vec<(FunctionId, CallDurations, usize)> = Vec::with_capacity(count);
        let mut next = 0_u64;
        for _ in 0..count {
            let id = next.checked_add(reader.number()?).and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or(Corrupt("a function id is too large"))?;
            next = u64::from(id) + 1;
            let mut durations = CallDurations {
                calls: reader.number()?,
                not_returned: reader.number()?,
                unknown: reader.number()?,
                ..CallDurations::default()
            };
            let counted = reader.count()?;
            if counted > BUCKETS {
                return Err(Corrupt("a function has too many durations"));
            }
            if counted > 0 {
                durations.sum_ns = reader.number()?;
                durations.min_ns = reader.number()?;
                let max_ns = durations.min_ns.checked_add(reader.number()?);
                durations.max_ns = max_ns.ok_or(Corrupt("a duration is too long"))?;
            }
            functions.push((FunctionId(id), durations, counted));
        }
        for (_, durations, counted) in &mut functions {
            let mut next = 0;
            for _ in 0..*counted {
                let bucket =
                    next + usize::try_from(reader.number()?).unwrap_or(BUCKETS).min(BUCKETS);
                if bucket >= BUCKETS {
                    return Err(Corrupt("a duration is too long"));
                }
                durations.counts.push((bucket as u16, 0));
                next = bucket + 1;
            }
        }
        for count in functions.iter_mut().flat_map(|(_, durations, _)| &mut durations.counts) {
            count.1 = reader.u32()?;
        }
        reader.end()?;
        let functions: Vec<_> =
            functions.into_iter().map(|(id, durations, _)| (id, durations)).collect();
        let index = (0..).zip(&functions).map(|(at, (id, _))| (*id, at)).collect();
        Ok(Self { functions, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(highest_of(BUCKETS - 1), u64::MAX);
        for bucket in 0..BUCKETS - 1 {
            let highest = highest_of(bucket);
            assert_eq!((bucket_of(highest), bucket_of(highest + 1)), (bucket, bucket + 1));
            let lowest = bucket.checked_sub(1).map_or(0, |before| highest_of(before) + 1);
            assert!((highest - lowest) as f64 <= lowest as f64 / 16.0);
        }
    }
}
