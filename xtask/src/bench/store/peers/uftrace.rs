//! The calls and returns as a recording of `uftrace`: a folder with a file of 16-byte records for each
//! thread, as its `record` command writes it (libmcount/record.c and doc/uftrace-record in its
//! sources, version 4 of the format). Call sites, stack pointers, return values and scheduling have
//! no place in those records and are left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use scope_model::{Event, EventKind, FunctionId, Tid};

use crate::bench::store::synthetic::{SHAPE, function_address, function_name};

/// Where the made-up program is mapped, and its name.
const BASE: u64 = 0x40_0000;
const PROGRAM: &str = "program";
const SESSION: &str = "00000000000005c0";

/// Writes a recording into a folder; how many records it has.
pub fn write(events: &[Event], folder: &Path) -> Result<u64> {
    fs::create_dir(folder)?;
    fs::write(folder.join("info"), info(events))?;
    fs::write(folder.join("task.txt"), tasks(events)?)?;
    fs::write(folder.join("default.opts"), "")?;
    let size = function_address(FunctionId(SHAPE.functions)).0;
    let map = format!("{BASE:x}-{:x} r-xp 00000000 00:00 0 /bin/{PROGRAM}\n", BASE + size)
        + "7ffdff740000-7ffdff761000 rw-p 00000000 00:00 0 [stack]\n";
    fs::write(folder.join(format!("sid-{SESSION}.map")), map)?;
    fs::write(folder.join(format!("{PROGRAM}.sym")), symbols()?)?;

    // Each thread's file, and its depth.
    let mut threads: BTreeMap<Tid, (BufWriter<File>, u64)> = BTreeMap::new();
    let mut count = 0;
    for event in events {
        let (returns, function) = match event.kind {
            EventKind::Enter { function, .. } => (false, function),
            EventKind::Leave { function, .. } => (true, function),
            _ => continue,
        };
        let (file, depth) = match threads.get_mut(&event.tid) {
            Some(thread) => thread,
            None => {
                let file = File::create(folder.join(format!("{}.dat", event.tid)))?;
                threads.entry(event.tid).or_insert((BufWriter::new(file), 0))
            }
        };
        *depth -= u64::from(returns);
        // type:2, more:1, magic:3, depth:10, address:48, from the lowest bit on.
        let address = BASE + function_address(function).0;
        let word = u64::from(returns) | 5 << 3 | (*depth & 0x3ff) << 6 | address << 16;
        *depth += u64::from(!returns);
        file.write_all(&event.time_ns.to_le_bytes())?;
        file.write_all(&word.to_le_bytes())?;
        count += 1;
    }
    for (_, (file, _)) in threads {
        file.into_inner().context("cannot write the last of it")?.sync_all()?;
    }
    Ok(count)
}

/// The header, and the name of the program: features are a task file, symbols relative to the
/// file, and a largest depth.
fn info(events: &[Event]) -> Vec<u8> {
    let mut bytes = b"Ftrace!\0".to_vec();
    bytes.extend(4_u32.to_le_bytes());
    bytes.extend(40_u16.to_le_bytes());
    // Little-endian, 64 bits.
    bytes.extend([1, 2]);
    const TASK_SESSION: u64 = 1 << 1;
    const SYMBOLS_RELATIVE: u64 = 1 << 5;
    const MAX_STACK: u64 = 1 << 6;
    bytes.extend((TASK_SESSION | MAX_STACK | SYMBOLS_RELATIVE).to_le_bytes());
    const EXE_NAME: u64 = 1 << 0;
    const TASK_INFO: u64 = 1 << 7;
    bytes.extend((EXE_NAME | TASK_INFO).to_le_bytes());
    bytes.extend(1024_u16.to_le_bytes());
    bytes.extend([0; 6]);
    let tids: Vec<String> = thread_ids(events).iter().map(ToString::to_string).collect();
    bytes.extend(
        format!(
            "exename:/bin/{PROGRAM}\ntaskinfo:lines=2\ntaskinfo:nr_tid={}\ntaskinfo:tids={}\n",
            tids.len(),
            tids.join(",")
        )
        .bytes(),
    );
    bytes
}

fn tasks(events: &[Event]) -> Result<String> {
    let first = events.first().context("there are no events")?;
    let pid = first.pid.0;
    let at = |ns: u64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let began = at(first.time_ns);
    let mut text = format!(
        "SESS timestamp={began} pid={pid} sid={SESSION} exename=\"/bin/{PROGRAM}\"\n\
         TASK timestamp={began} tid={pid} pid={pid}\n"
    );
    for tid in thread_ids(events) {
        if tid.0 != pid {
            writeln!(text, "TASK timestamp={began} tid={tid} pid={pid}")?;
        }
    }
    Ok(text)
}

fn thread_ids(events: &[Event]) -> Vec<Tid> {
    let starts = events.iter().take_while(|e| matches!(e.kind, EventKind::ThreadStart { .. }));
    starts.map(|event| event.tid).collect()
}

fn symbols() -> Result<String> {
    let mut text = format!("# symbols: {}\n# path name: /bin/{PROGRAM}\n", SHAPE.functions + 1);
    for id in 0..SHAPE.functions {
        let id = FunctionId(id);
        writeln!(text, "{:016x} T {}", function_address(id).0, function_name(id))?;
    }
    let end = function_address(FunctionId(SHAPE.functions)).0;
    writeln!(text, "{end:016x} ? __sym_end")?;
    Ok(text)
}
