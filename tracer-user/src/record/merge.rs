//! Rings into one stream in time order.
//!
//! A record is passed on when every ring is complete up to its time: the kernel half reserves a
//! place before it reads the clock, so a ring seen empty at T can only get records younger than T. No
//! guessed window, no record reordered within a thread. A record that comes late all the same (clocks of
//! CPUs that differ) is counted, passed on at once, with its time raised to that of the stream.

use tracer_common::Record;

use super::drain::Batch;

/// The kernel's clock for probes may differ from the one read here by this much, ns.
const CLOCK_SLACK_NS: u64 = 20_000;

/// The merge of a recording's rings.
#[derive(Debug)]
pub struct Merge {
    rings: Vec<Waiting>,
    /// Times up to here have been passed on, ns.
    passed_ns: u64,
    late: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<Record>,
    complete_until_ns: u64,
    ended: bool,
}

impl Merge {
    /// Of so many rings.
    #[must_use]
    pub fn new(rings: usize) -> Self {
        Self { rings: (0..rings).map(|_| Waiting::default()).collect(), passed_ns: 0, late: 0 }
    }

    /// Takes what one pass over a ring gave.
    pub fn add(&mut self, batch: Batch) {
        let Some(ring) = self.rings.get_mut(batch.ring) else { return };
        ring.records.extend(batch.records);
        ring.complete_until_ns = ring.complete_until_ns.max(batch.complete_until_ns);
        ring.ended |= batch.last;
    }

    /// Every ring has given its last batch.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.rings.iter().all(|ring| ring.ended)
    }

    /// Time up to which all records are here, ns; the end of time once all rings have ended.
    #[must_use]
    pub fn complete_until_ns(&self) -> u64 {
        if self.has_ended() {
            return u64::MAX;
        }
        self.rings
            .iter()
            .filter(|ring| !ring.ended)
            .map(|ring| ring.complete_until_ns.saturating_sub(CLOCK_SLACK_NS))
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Records that have not been passed on.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rings.iter().map(|ring| ring.records.len()).sum()
    }

    /// Moves all records up to `until_ns` to `out`, in time order.
    pub fn take_until(&mut self, until_ns: u64, out: &mut Vec<Record>) {
        let begin = out.len();
        for ring in &mut self.rings {
            // Nearly in order already: a thread that was preempted between taking its place and
            // reading the clock stands too early.
            ring.records.sort_by_key(|record| record.time_ns);
            let ready = ring.records.partition_point(|record| record.time_ns <= until_ns);
            out.extend(ring.records.drain(..ready));
        }
        let taken = &mut out[begin..];
        taken.sort_by_key(|record| record.time_ns);
        for record in taken.iter_mut().take_while(|record| record.time_ns < self.passed_ns) {
            record.time_ns = self.passed_ns;
            self.late += 1;
        }
        if let Some(last) = taken.last() {
            self.passed_ns = self.passed_ns.max(last.time_ns);
        }
    }

    /// Records that came after younger ones had been passed on.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(time_ns: u64, tid: u32) -> Record {
        Record { time_ns, tid, ..Record::default() }
    }

    fn batch(ring: usize, times: &[u64], complete_until_ns: u64, last: bool) -> Batch {
        let records = times.iter().map(|time| record(*time, ring as u32)).collect();
        Batch { ring, records, complete_until_ns, last }
    }

    fn times(merge: &mut Merge) -> Vec<u64> {
        let mut out = Vec::new();
        merge.take_until(merge.complete_until_ns(), &mut out);
        out.iter().map(|record| record.time_ns).collect()
    }

    const S: u64 = CLOCK_SLACK_NS;

    #[test]
    fn a_ring_that_was_not_drained_holds_back_the_others() {
        let mut merge = Merge::new(2);
        merge.add(batch(0, &[S, 2 * S], 10 * S, false));
        assert!(times(&mut merge).is_empty());
        merge.add(batch(1, &[S + 5], 3 * S, false));
        assert_eq!(times(&mut merge), [S, S + 5, 2 * S]);
    }

    #[test]
    fn places_taken_out_of_time_order_are_sorted() {
        let mut merge = Merge::new(1);
        merge.add(batch(0, &[3 * S, S, 2 * S], 100 * S, false));
        assert_eq!(times(&mut merge), [S, 2 * S, 3 * S]);
        assert_eq!(merge.late(), 0);
    }

    #[test]
    fn a_late_record_is_counted_and_kept() {
        let mut merge = Merge::new(1);
        merge.add(batch(0, &[5 * S], 10 * S, false));
        assert_eq!(times(&mut merge), [5 * S]);
        merge.add(batch(0, &[4 * S, 6 * S], 20 * S, false));
        assert_eq!(times(&mut merge), [5 * S, 6 * S]);
        assert_eq!(merge.late(), 1);
    }

    #[test]
    fn the_end_of_all_rings_lets_everything_go() {
        let mut merge = Merge::new(2);
        merge.add(batch(0, &[7], 1, true));
        merge.add(batch(1, &[9], 1, false));
        assert!(times(&mut merge).is_empty());
        merge.add(batch(1, &[], 1, true));
        assert_eq!(times(&mut merge), [7, 9]);
        assert!(merge.has_ended());
    }
}
