//! What the recorder itself drops: records that the rings gave while the trace could not take more,
//! since sealing or the disk was behind. They go into the trace as gaps, one a thread, as losses in
//! the rings do: counted exactly, and placed from the first to the last of them.

use std::collections::HashMap;

use scope_model::stack::Gap;
use scope_model::{RawEvent, RawKind, Tid};

/// Records dropped and not yet in the trace as gaps.
#[derive(Debug, Default)]
pub struct Dropped {
    gaps: HashMap<Tid, Gap>,
    /// Records dropped so far, those that are in the trace as gaps among them.
    records: u64,
}

impl Dropped {
    /// Drops a record. They come in the order of their times.
    pub fn record(&mut self, raw: &RawEvent) {
        let count = |is: bool| u64::from(is);
        let entry = matches!(raw.kind, RawKind::Entry { .. });
        let exit = matches!(raw.kind, RawKind::Exit { .. });
        self.records += 1;
        self.add(Gap {
            tid: raw.tid,
            pid: raw.pid,
            first_ns: raw.time_ns,
            until_ns: raw.time_ns,
            entries: count(entry),
            exits: count(exit),
            others: count(!entry && !exit),
        });
    }

    /// Takes in a loss of the rings that falls into the same time, so that what waits to be placed
    /// does not grow with time.
    pub fn add(&mut self, gap: Gap) {
        let known =
            self.gaps.entry(gap.tid).or_insert(Gap { entries: 0, exits: 0, others: 0, ..gap });
        known.first_ns = known.first_ns.min(gap.first_ns);
        known.until_ns = known.until_ns.max(gap.until_ns);
        known.entries += gap.entries;
        known.exits += gap.exits;
        known.others += gap.others;
    }

    /// The gaps to be placed, earliest first; they are taken.
    pub fn take(&mut self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.gaps.drain().map(|(_, gap)| gap).collect();
        gaps.sort_unstable_by_key(|gap| (gap.first_ns, gap.tid));
        gaps
    }

    /// Records dropped so far.
    pub const fn records(&self) -> u64 {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use scope_model::{FunctionId, Pid};

    use super::*;

    fn raw(time_ns: u64, tid: u32, kind: RawKind) -> RawEvent {
        RawEvent { time_ns, pid: Pid(1), tid: Tid(tid), kind }
    }

    fn entry() -> RawKind {
        RawKind::Entry {
            function: FunctionId(0),
            stack_pointer: 8,
            return_address: 0,
            watched: true,
            on_signal_stack: false,
        }
    }

    fn exit() -> RawKind {
        RawKind::Exit { function: FunctionId(0), stack_pointer: 8, return_value: 0 }
    }

    #[test]
    fn a_thread_has_one_gap_with_all_that_was_dropped_of_it() {
        let mut dropped = Dropped::default();
        dropped.record(&raw(10, 2, entry()));
        dropped.record(&raw(11, 1, entry()));
        dropped.record(&raw(12, 2, exit()));
        dropped.record(&raw(13, 2, RawKind::SwitchIn { cpu: 0 }));
        let gap = |tid, first_ns, until_ns, [entries, exits, others]: [u64; 3]| Gap {
            tid: Tid(tid),
            pid: Pid(1),
            first_ns,
            until_ns,
            entries,
            exits,
            others,
        };
        // The rings lost something before and after.
        dropped.add(gap(2, 9, 20, [5, 0, 0]));
        assert_eq!(dropped.records(), 4);
        assert_eq!(dropped.take(), [gap(2, 9, 20, [6, 1, 1]), gap(1, 11, 11, [1, 0, 0])]);
        assert!(dropped.take().is_empty());
        assert_eq!(dropped.records(), 4);
    }
}
