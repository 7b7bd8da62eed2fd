//! What the kernel half could not send.

use std::collections::HashMap;

use aya::maps::{Array, HashMap as BpfHashMap, MapData, MapError, PerCpuArray};
use scope_model::stack::Gap;
use scope_model::{Pid, Tid};
use tracer_common::{Control, Loss, LostTotals};

use super::object::{Object, ObjectError, Value};

/// The kernel half's loss counters, read as differences.
pub struct Losses {
    by_thread: BpfHashMap<MapData, u32, Value<Loss>>,
    by_cpu: PerCpuArray<MapData, Value<LostTotals>>,
    control: Array<MapData, Value<Control>>,
    epoch: u32,
    seen: HashMap<u32, [u64; 3]>,
    total: u64,
    unattributed: [u64; 3],
}

impl std::fmt::Debug for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Losses").field("total", &self.total).finish_non_exhaustive()
    }
}

impl Losses {
    /// Takes the counters' maps out of the object.
    ///
    /// # Errors
    ///
    /// When the object lacks them.
    pub fn new(object: &mut Object) -> Result<Self, ObjectError> {
        let wrong = |error: MapError| ObjectError::Malformed(error.to_string());
        Ok(Self {
            by_thread: object.take_map("LOSSES")?.try_into().map_err(wrong)?,
            by_cpu: object.take_map("LOST")?.try_into().map_err(wrong)?,
            control: object.take_map("CONTROL")?.try_into().map_err(wrong)?,
            epoch: 0,
            seen: HashMap::new(),
            total: 0,
            unattributed: [0; 3],
        })
    }

    /// Losses since the last call, a gap for each thread; `now_ns` closes a gap whose thread is
    /// unknown.
    ///
    /// # Errors
    ///
    /// When a map cannot be read.
    pub fn since_last(&mut self, last_pass_ns: u64, now_ns: u64) -> Result<Vec<Gap>, MapError> {
        let (counts, unattributed) = self.totals()?;
        let total: u64 = counts.iter().chain(&unattributed).sum();
        if total == self.total {
            return Ok(Vec::new());
        }
        self.total = total;
        // From here on a thread's first loss notes its time anew.
        self.epoch = self.epoch.wrapping_add(1);
        self.control.set(0, Value(Control { epoch: self.epoch, reserved: 0 }), 0)?;
        let mut gaps = Vec::new();
        for entry in self.by_thread.iter() {
            let (tid, Value(loss)) = entry?;
            let seen = self.seen.entry(tid).or_default();
            let [entries, exits, others] =
                std::array::from_fn(|kind| loss.counts[kind].saturating_sub(seen[kind]));
            *seen = loss.counts;
            if entries + exits + others > 0 {
                gaps.push(Gap {
                    tid: Tid(tid),
                    pid: Pid(loss.pid),
                    first_ns: loss.first_ns,
                    until_ns: loss.last_ns.max(loss.first_ns),
                    entries,
                    exits,
                    others,
                });
            }
        }
        let [entries, exits, others] =
            std::array::from_fn(|kind| unattributed[kind].saturating_sub(self.unattributed[kind]));
        self.unattributed = unattributed;
        if entries + exits + others > 0 {
            let (tid, pid) = (Tid(0), Pid(0));
            gaps.push(Gap {
                tid,
                pid,
                first_ns: last_pass_ns,
                until_ns: now_ns,
                entries,
                exits,
                others,
            });
        }
        Ok(gaps)
    }

    /// All losses so far: counted by thread, and counted for no thread.
    fn totals(&self) -> Result<([u64; 3], [u64; 3]), MapError> {
        let mut counts = [0; 3];
        let mut unattributed = [0; 3];
        for Value(cpu) in self.by_cpu.get(&0, 0)?.iter() {
            for kind in 0..3 {
                counts[kind] += cpu.counts[kind];
                unattributed[kind] += cpu.unattributed[kind];
            }
        }
        Ok((counts, unattributed))
    }

    /// Losses counted for no thread, so far.
    #[must_use]
    pub fn unattributed(&self) -> u64 {
        self.unattributed.iter().sum()
    }
}
