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
            buffer.extend_from_slice(&encode(event)?);
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

/// Time, two words of the kind's own, a number of its own, kind, thread (as many bits as Linux has
/// for one). All events are of one process.
fn encode(event: &Event) -> Result<[u8; RECORD_BYTES]> {
    let words = |name: &ThreadName| {
        let (a, b) = name.0.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, b| sum << 8 | u64::from(*b));
        (word(a), word(b))
    };
    let (kind, number, a, b): (u8, u32, u64, u64) = match event.kind {
        EventKind::Enter { function, return_address, stack_pointer, .. } => {
            (0, function.0, return_address, stack_pointer)
        }
        EventKind::Leave { function, return_value, .. } => (1, function.0, return_value, 0),
        EventKind::SwitchIn { cpu } => (2, cpu.into(), 0, 0),
        EventKind::SwitchOut { cpu, state } => (3, cpu.into(), state.into(), 0),
        EventKind::Waking { waker, waker_pid } => (4, waker.0, waker_pid.0.into(), 0),
        EventKind::ThreadStart { parent, name } => {
            let (a, b) = words(&name);
            (5, parent.0, a, b)
        }
        _ => bail!("the made-up program has no `{}`", event.kind.name()),
    };
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&event.time_ns.to_le_bytes());
    record[8..16].copy_from_slice(&a.to_le_bytes());
    record[16..24].copy_from_slice(&b.to_le_bytes());
    record[24..28].copy_from_slice(&number.to_le_bytes());
    record[28..].copy_from_slice(&(event.tid.0 << 8 | u32::from(kind)).to_le_bytes());
    Ok(record)
}

fn decode(record: &[u8; RECORD_BYTES]) -> Result<Event> {
    let word = |at: usize| {
        record[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (time_ns, a, b, last) = (word(0), word(8), word(16), word(24));
    let number = last as u32;
    let kind = match (last >> 32) as u8 {
        0 => EventKind::Enter {
            function: FunctionId(number),
            return_address: a,
            stack_pointer: b,
            inherited: false,
        },
        1 => EventKind::Leave {
            function: FunctionId(number),
            end: CallEnd::Returned,
            return_value: a,
            crosses_gap: false,
        },
        2 => EventKind::SwitchIn { cpu: number as u16 },
        3 => EventKind::SwitchOut { cpu: number as u16, state: a as u32 },
        4 => EventKind::Waking { waker: Tid(number), waker_pid: Pid(a as u32) },
        5 => {
            let mut name = [0; 16];
            name[..8].copy_from_slice(&a.to_le_bytes());
            name[8..].copy_from_slice(&b.to_le_bytes());
            EventKind::ThreadStart { parent: Tid(number), name: ThreadName(name) }
        }
        other => bail!("there is no kind {other}"),
    };
    Ok(Event { time_ns, pid: PID, tid: Tid((last >> 40) as u32), kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::store::synthetic::Synthetic;

    #[test]
    fn all_events_of_the_made_up_program_come_back() {
        let made = Synthetic::make(&[20_000]);
        for event in &made.events {
            let back = encode(event).and_then(|record| decode(&record)).unwrap();
            assert_eq!(back, *event);
        }
    }
}
