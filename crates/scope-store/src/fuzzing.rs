//! The decoders of the crate, for fuzzers: each takes any bytes, and must give a value or an error.
//! Checksums are left out where they can be, so that what is behind them is reached.
//!
//! Not part of the crate's interface.

use std::path::Path;

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

use crate::block::{BlockHeader, HEADER_SIZE};
use crate::document;
use crate::manifest::{self, Manifest};
use crate::sealed;

/// Any bytes as a manifest.
pub fn manifest(bytes: &[u8]) {
    let path = Path::new("manifest.json");
    let _ = document::parse::<Manifest>(bytes, path, manifest::FORMAT);
    // Behind the checksum.
    let _ = serde_json::from_slice::<Manifest>(bytes);
}

/// Any bytes as the headers of blocks, segments and sealed segments, and as trailers.
pub fn header(bytes: &[u8]) {
    if let Some(head) = bytes.first_chunk::<HEADER_SIZE>() {
        let mut head = *head;
        let _ = BlockHeader::decode(&head);
        let crc = crc32fast::hash(&head[..44]);
        head[44..].copy_from_slice(&crc.to_le_bytes());
        let _ = BlockHeader::decode(&head);
    }
    sealed::fuzzing::frames(bytes);
}

/// Any bytes as the payload of a sealed block, with a dictionary that has something to refer to.
pub fn block(bytes: &[u8]) {
    sealed::fuzzing::block(bytes, &program());
}

/// Any bytes as the content of each kind of section, and as a group of checkpoints. The first byte
/// says which.
pub fn footer(bytes: &[u8]) {
    sealed::fuzzing::sections(bytes, &program());
}

/// Bytes that are right, to begin with: name of the fuzzer, bytes.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = sealed::fuzzing::seeds(&program());
    let manifest = serde_json::to_vec(&Manifest::default());
    seeds.extend(manifest.ok().map(|bytes| ("manifest", bytes)));
    seeds
}

/// Every kind of event, on few threads.
fn program() -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..400_u64 {
        let function = FunctionId((number / 8 % 5) as u32);
        let kind = match number / 2 % 8 {
            0 | 1 => EventKind::Enter {
                function,
                return_address: 0x40_0000 + number % 7,
                stack_pointer: 0x7fff_0000 - number % 3 * 16,
                inherited: number % 40 == 0,
            },
            2 => EventKind::SwitchOut { cpu: 1, state: 1 },
            3 => EventKind::Waking { waker: Tid(9), waker_pid: Pid(7) },
            4 => EventKind::SwitchIn { cpu: (number % 3) as u16 },
            5 if number % 5 == 0 => EventKind::SyscallEnter { number: 3 },
            5 => EventKind::SyscallExit { number: 3, result: -4 },
            6 => EventKind::Leave {
                function,
                end: if number % 3 == 0 { CallEnd::Unwound } else { CallEnd::Returned },
                return_value: number % 11,
                crosses_gap: number % 9 == 0,
            },
            _ if number % 17 == 0 => {
                EventKind::Gap { until_ns: number * 50 + 9, entries: 1, exits: 2, others: 0 }
            }
            _ => EventKind::Rename { name: ThreadName::new("name") },
        };
        let tid = Tid(7 + (number % 3) as u32);
        events.push(Event { time_ns: 1_000 + number * 40, pid: Pid(7), tid, kind });
    }
    events
}
