//! How fast events are written and read: `cargo run --release -p scope-store --example throughput
//! [EVENTS] [FOLDER]`. Prints million events a second, of single runs: compare inside one run only.

use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs, process};

use scope_model::{CallEnd, Event, EventKind, Function, FunctionId, Module, ModuleId, Pid, Tid};
use scope_store::{Manifest, RecorderStats, StoreError, Trace, TraceWriter, WriterOptions};

/// Events handed over at once, as a drain pass would.
const BATCH: usize = 1000;

fn main() -> Result<(), StoreError> {
    let mut arguments = env::args().skip(1);
    let events: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(20_000_000);
    let folder = arguments.next().map_or_else(env::temp_dir, PathBuf::from);
    let path = folder.join(format!("throughput-{}.scope", process::id()));
    let result = measure(&path, events);
    let _ = fs::remove_dir_all(&path);
    result
}

fn measure(path: &std::path::Path, events: usize) -> Result<(), StoreError> {
    let manifest = Manifest {
        modules: vec![Module { id: ModuleId(0), path: "/bin/prog".to_owned(), build_id: None }],
        ..Manifest::default()
    };
    let function = Function {
        id: FunctionId(0),
        name: "f".to_owned(),
        symbol: "f".to_owned(),
        module: ModuleId(0),
        address: 0,
        size: 1,
        file: None,
        line: None,
        site: scope_model::SiteClass::Emulated,
        inlined_copies: 0,
    };
    let batch: Vec<Event> = (0..BATCH as u64).map(event).collect();

    let mut writer =
        TraceWriter::create(path, manifest, &[function], &[], WriterOptions::default())?;
    let begun = Instant::now();
    let mut slowest = 0.0_f64;
    for _ in 0..events / BATCH {
        let batch_begun = Instant::now();
        writer.append(&batch)?;
        writer.commit()?;
        slowest = slowest.max(batch_begun.elapsed().as_secs_f64());
    }
    let written = writer.events();
    report("append and commit", written, begun);
    println!("{:>20}  {:.1} ms", "slowest batch", slowest * 1e3);
    let begun = Instant::now();
    writer.finish(0, "the end", RecorderStats::default())?;
    println!("{:>20}  {:.1} ms", "finish", begun.elapsed().as_secs_f64() * 1e3);

    let begun = Instant::now();
    let trace = Trace::open(path)?;
    println!("{:>20}  {:.3} ms", "open", begun.elapsed().as_secs_f64() * 1e3);
    let begun = Instant::now();
    let mut sum = 0_u64;
    for event in trace.events() {
        sum = sum.wrapping_add(event?.time_ns);
    }
    report("read", written, begun);
    println!("{:>20}  {:.2}", "bytes per event", trace.bytes() as f64 / written as f64);
    println!("{:>20}  {sum:x}", "checksum");
    Ok(())
}

fn report(what: &str, events: u64, begun: Instant) {
    println!("{what:>20}  {:.1} M events/s", events as f64 / begun.elapsed().as_secs_f64() / 1e6);
}

fn event(number: u64) -> Event {
    let function = FunctionId(0);
    let kind = if number.is_multiple_of(2) {
        EventKind::Enter {
            function,
            return_address: number,
            stack_pointer: number,
            inherited: false,
        }
    } else {
        EventKind::Leave {
            function,
            end: CallEnd::Returned,
            return_value: number,
            crosses_gap: false,
        }
    };
    Event { time_ns: number, pid: Pid(1), tid: Tid(1), kind }
}
