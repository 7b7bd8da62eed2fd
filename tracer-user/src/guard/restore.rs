//! Writing return addresses back, and the probes' in again.

use std::collections::HashMap;
use std::io;

use tracer_common::RETURN_SLOTS;

use crate::probe::memory::{Word, read_words, write_words};

/// One thread's request, see [`tracer_common::RestoreRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the thread waits for.
    pub ticket: u64,
    /// The thread.
    pub tid: u32,
    /// Its process.
    pub pid: u32,
    /// Put the probes' addresses in again.
    pub rearm: bool,
    /// Stack addresses and the callers' return addresses.
    pub slots: Vec<Word>,
}

impl Request {
    /// From the bytes of the ring; `None` when they are too few.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let int = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let count = (int(20)? as usize).min(RETURN_SLOTS);
        let stack_pointer = long(24)?;
        let mut slots = (0..count)
            .map(|slot| Some(Word { address: long(32 + slot * 16)?, value: long(40 + slot * 16)? }))
            .collect::<Option<Vec<_>>>()?;
        slots.retain(|slot| slot.address >= stack_pointer);
        Some(Self { ticket: long(0)?, tid: int(8)?, pid: int(12)?, rearm: int(16)? != 0, slots })
    }
}

/// Remembers the address of each process' return probe.
#[derive(Debug, Default)]
pub struct Restorer {
    trampolines: HashMap<u32, u64>,
}

impl Restorer {
    /// Does what a request asks; the thread is waiting, its stack stands still.
    ///
    /// # Errors
    ///
    /// When the stack cannot be read or written.
    pub fn answer(&mut self, request: &Request) -> io::Result<()> {
        let mut found = request.slots.clone();
        read_words(request.pid, &mut found)?;
        let mut change = Vec::with_capacity(found.len());
        for (found, original) in found.iter().zip(&request.slots) {
            if request.rearm {
                if found.value == original.value
                    && let Some(trampoline) = self.trampoline(request.pid)
                {
                    change.push(Word { address: found.address, value: trampoline });
                }
            } else if found.value != original.value
                && self.trampoline(request.pid) == Some(found.value)
            {
                change.push(*original);
            }
        }
        if change.is_empty() { Ok(()) } else { write_words(request.pid, &mut change) }
    }

    /// Where return probes of a process lead: the start of its `[uprobes]` mapping.
    pub fn trampoline(&mut self, pid: u32) -> Option<u64> {
        if let Some(address) = self.trampolines.get(&pid) {
            return Some(*address);
        }
        let address = trampoline(pid)?;
        self.trampolines.insert(pid, address);
        Some(address)
    }
}

/// Start of the `[uprobes]` mapping of a process.
#[must_use]
pub fn trampoline(pid: u32) -> Option<u64> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let line = maps.lines().find(|line| line.ends_with("[uprobes]"))?;
    u64::from_str_radix(line.split('-').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_layout_of_the_kernel_half() {
        let mut slots = [[0; 2]; RETURN_SLOTS];
        slots[0] = [0x7000, 0x1234];
        slots[1] = [0x6ff8, 0x9999];
        slots[2] = [0x7010, 0x5678];
        let raw = tracer_common::RestoreRequest {
            ticket: 9,
            tid: 5,
            pid: 4,
            rearm: 1,
            count: 3,
            stack_pointer: 0x7000,
            slots,
        };
        let mut bytes = Vec::new();
        bytes.extend(raw.ticket.to_ne_bytes());
        for field in [raw.tid, raw.pid, raw.rearm, raw.count] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(raw.stack_pointer.to_ne_bytes());
        bytes.extend(raw.slots.iter().flatten().flat_map(|word| word.to_ne_bytes()));
        assert_eq!(bytes.len(), size_of_val(&raw));
        let request = Request::parse(&bytes).expect("whole");
        assert_eq!((request.ticket, request.tid, request.pid, request.rearm), (9, 5, 4, true));
        // The middle one lies below the stack pointer.
        assert_eq!(request.slots.len(), 2);
        assert_eq!(request.slots[1], Word { address: 0x7010, value: 0x5678 });
        assert_eq!(Request::parse(&bytes[..30]), None);
    }
}
