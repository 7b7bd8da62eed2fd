//! The plain way: one record of 32 bytes an event, all of them through zstd into one file. Whoever
//! wants the state at a time replays from the start.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, State, ThreadName, Tid};

use crate::bench::store::generator::PID;

const RECORD_BYTES: usize = 32;
/// Records decoded at once.
const RECORDS: usize = 4096;

/// Writes the events.
pub fn write(events: &[Event], path: &Path, level: i32) -> Result<()> {
    let mut encoder = zstd::Encoder::new(BufWriter::new(File::create(path)?), level)?;
    let mut buffer = Vec::with_capacity(RECORDS * RECORD_BYTES);
    for some in events.chunks(RECORDS) {
        buffer.clear();
        for event in some {
            buffer.extend_from_slice(&encode(event));
        }
        encoder.write_all(&buffer)?;
    }
    encoder.finish()?.into_inner().context("cannot write the last of it")?.sync_all()?;
    Ok(())
}

/// Decodes events until there are none, or `take` says that it has enough; how many it was given.
pub fn read(path: &Path, mut take: impl FnMut(&Event) -> bool) -> Result<u64> {
    let mut decoder =
        BufReader::with_capacity(RECORDS * RECORD_BYTES, zstd::Decoder::new(File::open(path)?)?);
    let mut record = [0; RECORD_BYTES];
    let mut count = 0;
    while let Ok(()) = decoder.read_exact(&mut record) {
        count += 1;
        if !take(&decode(&record)?) {
            break;
        }
    }
    Ok(count)
}

/// The state at a time.
pub fn state_at(path: &Path, time_ns: u64) -> Result<State> {
    let mut state = State::new();
    let mut number = 0;
    read(path, |event| {
        let happened = event.time_ns <= time_ns;
        if happened {
            state.apply(number, event);
            number += 1;
        }
        happened
    })?;
    Ok(state)
}

/// Time, two words of the kind's own, a number of its own, kind with flags, thread (as many bits as
/// Linux has for one). The process is left out: all events are of one.
fn encode(event: &Event) -> [u8; RECORD_BYTES] {
    let name_words = |name: &ThreadName| {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b));
        (word(&name.0[..8]), word(&name.0[8..]))
    };
    let (kind, flags, number, (a, b)): (u8, u8, u32, (u64, u64)) = match event.kind {
        EventKind::Enter { function, return_address, stack_pointer, inherited } => {
            (0, inherited.into(), function.0, (return_address, stack_pointer))
        }
        EventKind::Leave { function, end, return_value, crosses_gap } => {
            (1, u8::from(crosses_gap) | (end as u8) << 1, function.0, (return_value, 0))
        }
        EventKind::SwitchIn { cpu } => (2, 0, cpu.into(), (0, 0)),
        EventKind::SwitchOut { cpu, state } => (3, 0, cpu.into(), (state.into(), 0)),
        EventKind::Waking { waker, waker_pid } => (4, 0, waker.0, (waker_pid.0.into(), 0)),
        EventKind::ThreadStart { parent, name } => (5, 0, parent.0, name_words(&name)),
        EventKind::ThreadExit { code, last } => (6, last.into(), code, (0, 0)),
        EventKind::Rename { name } => (7, 0, 0, name_words(&name)),
        EventKind::Exec { name } => (8, 0, 0, name_words(&name)),
        EventKind::SyscallEnter { number } => (9, 0, number, (0, 0)),
        EventKind::SyscallExit { number, result } => (10, 0, number, (result as u64, 0)),
        EventKind::Gap { until_ns, entries, exits, others } => {
            (11, 0, entries, (until_ns, u64::from(exits) << 32 | u64::from(others)))
        }
    };
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&event.time_ns.to_le_bytes());
    record[8..16].copy_from_slice(&a.to_le_bytes());
    record[16..24].copy_from_slice(&b.to_le_bytes());
    record[24..28].copy_from_slice(&number.to_le_bytes());
    let kind = u32::from(kind | flags << 4);
    record[28..].copy_from_slice(&(event.tid.0 << 8 | kind).to_le_bytes());
    record
}

fn decode(record: &[u8; RECORD_BYTES]) -> Result<Event> {
    let word = |at: usize| {
        record[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (time_ns, a, b, last) = (word(0), word(8), word(16), word(24));
    let number = last as u32;
    let flags = (last >> 36) as u8 & 15;
    let name = || {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&a.to_le_bytes());
        name[8..].copy_from_slice(&b.to_le_bytes());
        ThreadName(name)
    };
    let kind = match (last >> 32) & 15 {
        0 => EventKind::Enter {
            function: FunctionId(number),
            return_address: a,
            stack_pointer: b,
            inherited: flags != 0,
        },
        1 => EventKind::Leave {
            function: FunctionId(number),
            end: CallEnd::from_number(flags >> 1).context("a call ended in no known way")?,
            return_value: a,
            crosses_gap: flags & 1 != 0,
        },
        2 => EventKind::SwitchIn { cpu: number as u16 },
        3 => EventKind::SwitchOut { cpu: number as u16, state: a as u32 },
        4 => EventKind::Waking { waker: Tid(number), waker_pid: Pid(a as u32) },
        5 => EventKind::ThreadStart { parent: Tid(number), name: name() },
        6 => EventKind::ThreadExit { code: number, last: flags != 0 },
        7 => EventKind::Rename { name: name() },
        8 => EventKind::Exec { name: name() },
        9 => EventKind::SyscallEnter { number },
        10 => EventKind::SyscallExit { number, result: a as i64 },
        11 => EventKind::Gap {
            until_ns: a,
            entries: number,
            exits: (b >> 32) as u32,
            others: b as u32,
        },
        other => bail!("there is no kind {other}"),
    };
    Ok(Event { time_ns, pid: PID, tid: Tid((last >> 40) as u32), kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::store::synthetic::Synthetic;

    #[test]
    fn events_come_back() {
        let mut events = Synthetic::make(&[20_000]).events;
        let name = ThreadName::new("fifteen letters");
        let kinds = [
            EventKind::Leave {
                function: FunctionId(7),
                end: CallEnd::Unobserved,
                return_value: 0,
                crosses_gap: true,
            },
            EventKind::ThreadExit { code: 256, last: true },
            EventKind::Rename { name },
            EventKind::Exec { name },
            EventKind::SyscallEnter { number: 232 },
            EventKind::SyscallExit { number: 232, result: -4 },
            EventKind::Gap { until_ns: 9, entries: 1, exits: u32::MAX, others: 3 },
        ];
        events.extend(kinds.map(|kind| Event { time_ns: 8, pid: PID, tid: Tid(4_194_303), kind }));
        for event in events {
            assert_eq!(decode(&encode(&event)).unwrap(), event);
        }
    }
}
