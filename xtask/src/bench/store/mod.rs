//! `cargo xtask bench store`: how fast a trace is written and sealed, how small it gets, and how long
//! the questions take that people ask of it.
//!
//! The trace is of a made-up program (see [`generator`]); the chance that went into it is stated beside
//! its size. Not here yet: other tools on the same data, and a recorded real trace.

mod generator;
mod queries;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use scope_model::{Event, EventKind, Function, FunctionId, Module, ModuleId, SiteClass};
use scope_store::{Manifest, RecorderStats, TraceWriter, WriterOptions};

use super::results::Results;
use generator::{Generator, Shape};

/// The made-up program.
const SHAPE: Shape = Shape { threads: 64, functions: 2_000, cpus: 8 };
/// Events handed over at once, as a drain pass would.
const BATCH: usize = 2_000;

/// Options of `cargo xtask bench store`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Events of the trace. They are kept in memory while it is written, 48 bytes each.
    #[arg(long, default_value_t = 100_000_000, value_name = "N")]
    events: usize,
    /// Folder for the trace; it is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the bench.
pub fn run(options: &Options, rounds: u32) -> Result<Results> {
    ensure!(options.events >= 100_000, "a trace of fewer than 100000 events says nothing");
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let path = folder.join(format!("scope-bench-store-{}.scope", std::process::id()));
    let mut results = Results::default();
    let measured = measure(&path, options.events, rounds, &mut results);
    // Whatever happened, the space is given back.
    let removed = fs::remove_dir_all(&path);
    measured?;
    removed.context("cannot remove the trace")?;
    Ok(results)
}

fn measure(path: &Path, events: usize, rounds: u32, results: &mut Results) -> Result<()> {
    let rare = write(path, events, results)?;
    queries::run(path, rare, rounds, results)
}

/// Writes the trace; returns the function that is called least.
fn write(path: &Path, count: usize, results: &mut Results) -> Result<FunctionId> {
    let mut generator = Generator::new(SHAPE, 1);
    let mut calls = vec![0_u64; SHAPE.functions as usize];
    let events: Vec<Event> = (0..count)
        .map(|_| {
            let event = generator.event();
            if let EventKind::Enter { function, .. } = event.kind {
                calls[function.index()] += 1;
            }
            event
        })
        .collect();
    let entropy = generator.entropy_bits() / 8.0 / count as f64;

    let manifest = Manifest {
        start_ns: generator::START_NS,
        modules: vec![Module { id: ModuleId(0), path: "/bin/program".to_owned(), build_id: None }],
        ..Manifest::default()
    };
    let functions: Vec<Function> = (0..SHAPE.functions).map(function).collect();
    let mut writer =
        TraceWriter::create(path, manifest, &functions, &[], WriterOptions::default())?;
    let begun = Instant::now();
    for batch in events.chunks(BATCH) {
        writer.append(batch)?;
        writer.commit()?;
    }
    let appended = begun.elapsed();
    let waits = writer.status().waits;
    let end_ns = events.last().map_or(0, |event| event.time_ns);
    writer.finish(end_ns, "the end", RecorderStats::default())?;
    let seconds = begun.elapsed().as_secs_f64();

    let bytes = bytes_of(path)?;
    results.single("ingest_events_per_s", count as f64 / seconds, "/s");
    results.single("append_events_per_s", count as f64 / appended.as_secs_f64(), "/s");
    results.single("bytes_per_event", bytes as f64 / count as f64, "B");
    results.single("entropy_bytes_per_event", entropy, "B");
    if waits > 0 {
        results.remark(format!("the writer waited for the sealer {waits} times"));
    }
    let called = calls.iter().enumerate().filter(|(_, calls)| **calls > 0);
    let (rare, calls) = called.min_by_key(|(_, calls)| **calls).context("no calls were made")?;
    results.remark(format!("the rare function was called {calls} times"));
    Ok(FunctionId(u32::try_from(rare)?))
}

fn function(id: u32) -> Function {
    Function {
        id: FunctionId(id),
        name: format!("module::function_{id}"),
        symbol: format!("_ZN6module12function_{id}E"),
        module: ModuleId(0),
        address: 0x1000 + u64::from(id) * 512,
        size: 512,
        file: Some("/src/module.rs".to_owned()),
        line: Some(id + 1),
        site: SiteClass::Emulated,
        inlined_copies: 0,
    }
}

fn bytes_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_of(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
