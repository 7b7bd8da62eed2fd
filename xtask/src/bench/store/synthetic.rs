//! The made-up trace: its events, and how fast they are written and sealed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use scope_model::{Event, EventKind, Function, FunctionId, Module, ModuleId, SiteClass};
use scope_store::{Manifest, RecorderStats, TraceWriter, WriterOptions};

use super::generator::{self, Generator, Shape};

/// The made-up program.
pub const SHAPE: Shape = Shape { threads: 64, functions: 2_000, cpus: 8 };
/// Events handed over at once, as a drain pass would.
const BATCH: usize = 2_000;

/// The events of a made-up recording.
#[derive(Debug)]
pub struct Synthetic {
    /// All of them.
    pub events: Vec<Event>,
    /// Events of a shorter recording, and the chance that went into it, in bytes an event.
    pub entropy: Vec<(usize, f64)>,
}

impl Synthetic {
    /// Makes up the longest of some recordings, given by their events, ascending. The others are
    /// its beginnings.
    pub fn make(sizes: &[usize]) -> Self {
        let mut generator = Generator::new(SHAPE, 1);
        let mut made = Self {
            events: Vec::with_capacity(sizes.last().copied().unwrap_or(0)),
            entropy: vec![],
        };
        for &size in sizes {
            while made.events.len() < size {
                made.events.push(generator.event());
            }
            made.entropy.push((size, generator.entropy_bits() / 8.0 / size as f64));
        }
        made
    }

    /// Gives back the memory of all events but the first ones.
    pub fn shorten(&mut self, events: usize) {
        self.events.truncate(events);
        self.events.shrink_to_fit();
    }
}

/// A trace that was written.
#[derive(Debug)]
pub struct Written {
    pub path: PathBuf,
    pub events: usize,
    /// Until the last event was handed over.
    pub appended: Duration,
    /// Until all was sealed and flushed.
    pub finished: Duration,
    /// Of all its files.
    pub bytes: u64,
    /// How often the writer waited for the sealer.
    pub waits: u64,
    /// Functions called least, but called; and how often.
    pub rare: Vec<(FunctionId, u64)>,
}

impl Written {
    pub fn events_per_s(&self) -> f64 {
        self.events as f64 / self.finished.as_secs_f64()
    }

    pub fn bytes_per_event(&self) -> f64 {
        self.bytes as f64 / self.events as f64
    }
}

/// Makes up a recording of so many events and writes it at a path where nothing is, without keeping
/// it in memory. Returns the path.
pub fn stream(path: &Path, events: u64) -> Result<PathBuf> {
    let mut generator = Generator::new(SHAPE, 1);
    let mut writer = create(path)?;
    let (mut left, mut end_ns) = (events, 0);
    while left > 0 {
        let batch = left.min(BATCH as u64);
        let batch: Vec<Event> = (0..batch).map(|_| generator.event()).collect();
        writer.append(&batch)?;
        writer.commit()?;
        left -= batch.len() as u64;
        end_ns = batch.last().map_or(end_ns, |event| event.time_ns);
    }
    writer.finish(end_ns, "the end", RecorderStats::default())?;
    Ok(path.to_owned())
}

fn create(path: &Path) -> Result<TraceWriter> {
    let manifest = Manifest {
        start_ns: generator::START_NS,
        modules: vec![Module { id: ModuleId(0), path: "/bin/program".to_owned(), build_id: None }],
        ..Manifest::default()
    };
    let functions: Vec<Function> = (0..SHAPE.functions).map(function).collect();
    Ok(TraceWriter::create(path, manifest, &functions, &[], WriterOptions::default())?)
}

/// Writes events as a trace at a path where nothing is.
pub fn write(path: &Path, events: &[Event]) -> Result<Written> {
    let mut writer = create(path)?;
    let begun = Instant::now();
    for batch in events.chunks(BATCH) {
        writer.append(batch)?;
        writer.commit()?;
    }
    let appended = begun.elapsed();
    let waits = writer.status().waits;
    let end_ns = events.last().map_or(0, |event| event.time_ns);
    writer.finish(end_ns, "the end", RecorderStats::default())?;
    let finished = begun.elapsed();
    Ok(Written {
        path: path.to_owned(),
        events: events.len(),
        appended,
        finished,
        bytes: bytes_of(path)?,
        waits,
        rare: rarest(events),
    })
}

/// The five functions that are called least often, but are called.
fn rarest(events: &[Event]) -> Vec<(FunctionId, u64)> {
    let mut calls: Vec<(FunctionId, u64)> =
        (0..SHAPE.functions).map(|id| (FunctionId(id), 0)).collect();
    for event in events {
        if let EventKind::Enter { function, .. } = event.kind {
            calls[function.index()].1 += 1;
        }
    }
    calls.retain(|(_, calls)| *calls > 0);
    calls.sort_by_key(|(_, calls)| *calls);
    calls.truncate(5);
    calls
}

/// Name of a made-up function.
pub fn function_name(id: FunctionId) -> String {
    format!("module::function_{}", id.0)
}

/// Address of a made-up function in its file, and its size.
pub fn function_address(id: FunctionId) -> (u64, u64) {
    (0x1000 + u64::from(id.0) * 512, 512)
}

fn function(id: u32) -> Function {
    let id = FunctionId(id);
    let (address, size) = function_address(id);
    Function {
        id,
        name: function_name(id),
        symbol: format!("_ZN6module12function_{}E", id.0),
        module: ModuleId(0),
        address,
        size,
        file: Some("/src/module.rs".to_owned()),
        line: Some(id.0 + 1),
        site: SiteClass::Emulated,
        inlined_copies: 0,
    }
}

/// Bytes of a file, or of all files in a folder.
pub fn bytes_of(path: &Path) -> Result<u64> {
    let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += bytes_of(&entry?.path())?;
    }
    Ok(bytes)
}
