//! The events as Chrome's JSON (the "Trace Event Format": `B` and `E` with microseconds), which
//! many viewers read from the start to the end. Scheduling has no place in it and is left out.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use scope_model::{Event, EventKind};
use serde_json::Value;

use crate::bench::store::generator::START_NS;
use crate::bench::store::synthetic::function_name;

/// Writes the calls and returns; how many they are.
pub fn write(events: &[Event], path: &Path) -> Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut count = 0;
    write!(file, "[")?;
    for event in events {
        let (phase, function) = match event.kind {
            EventKind::Enter { function, .. } => ('B', function),
            EventKind::Leave { function, .. } => ('E', function),
            _ => continue,
        };
        let since_ns = event.time_ns - START_NS;
        let comma = if count == 0 { "" } else { "," };
        write!(
            file,
            "{comma}\n{{\"name\":\"{}\",\"ph\":\"{phase}\",\"ts\":{}.{:03},\"pid\":{},\"tid\":{}}}",
            function_name(function),
            since_ns / 1000,
            since_ns % 1000,
            event.pid.0,
            event.tid.0,
        )?;
        count += 1;
    }
    writeln!(file, "\n]")?;
    file.into_inner().context("cannot write the last of it")?.sync_all()?;
    Ok(count)
}

/// Parses events up to a time, ns since the start; how many they are. One a line, as it was
/// written: a reader that cannot count on that has more to do.
pub fn parse_until(path: &Path, since_ns: u64) -> Result<u64> {
    let mut count = 0;
    for line in BufReader::with_capacity(1 << 20, File::open(path)?).lines().skip(1) {
        let line = line?;
        let text = line.trim_end_matches(',');
        if text == "]" {
            break;
        }
        let event: Value = serde_json::from_str(text).context("that is not JSON")?;
        let micros = event["ts"].as_f64().context("an event has a time")?;
        if micros * 1e3 > since_ns as f64 {
            break;
        }
        count += 1;
    }
    Ok(count)
}
