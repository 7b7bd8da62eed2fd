//! Measures code tables: `code_tables BINARY` builds the tables of a binary, loads them again from a
//! cache, looks up a hundred thousand addresses, and does the same with `addr2line` where there is
//! one; it prints one JSON object. `code_tables BINARY FILE` prints what the hexadecimal addresses
//! in a file stand for, as `addr2line -afi` does, with columns.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use scope_symbols::DebugFiles;
use scope_symbols::code::{CodeCache, CodeTables, Loaded, load_code};

/// Addresses looked up.
const LOOKUPS: usize = 100_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let Some(binary) = arguments.next() else { return Err("which binary?".into()) };
    let binary = fs::canonicalize(binary)?;
    match arguments.next() {
        Some(addresses) => resolve(&binary, &fs::read_to_string(addresses)?),
        None => measure(&binary),
    }
}

fn load(binary: &Path, cache: Option<&CodeCache>) -> Result<Loaded, Failure> {
    let debug_files = DebugFiles::new("/", binary);
    let name = binary.display().to_string();
    Ok(load_code(&name, &File::open(binary)?, &debug_files, cache, &|_| {})?)
}

fn resolve(binary: &Path, addresses: &str) -> Result<(), Failure> {
    let tables = load(binary, None)?.tables;
    let mut text = String::new();
    for line in addresses.lines() {
        let address = u64::from_str_radix(line.trim_start_matches("0x"), 16)?;
        writeln!(text, "0x{address:016x}")?;
        for frame in tables.frames_at(address).iter().rev() {
            let symbol = tables.function(frame.function).map_or("??", |function| function.symbol);
            let path = Some(tables.path(&frame.place)).filter(|path| !path.is_empty());
            let (line, column) = (frame.place.line.unwrap_or(0), frame.place.column.unwrap_or(0));
            writeln!(text, "{symbol}\n{}:{line}:{column}", path.unwrap_or("??"))?;
        }
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn measure(binary: &Path) -> Result<(), Failure> {
    let folder = std::env::temp_dir().join(format!("scope-code-tables-{}", std::process::id()));
    let cache = CodeCache::new(&folder, u64::MAX);
    let start = Instant::now();
    let cold = load(binary, Some(&cache))?;
    let cold_s = start.elapsed().as_secs_f64();
    let size = cold.tables.as_bytes().len();
    let peak = peak_mib();
    drop(cold);
    let start = Instant::now();
    let Loaded { tables, from_cache } = load(binary, Some(&cache))?;
    let first = tables.frames_at(tables.functions().next().and_then(|f| f.address).unwrap_or(0));
    let cached_s = start.elapsed().as_secs_f64();
    let is_found = !first.is_empty();
    let addresses = spread(&tables);
    let start = Instant::now();
    let frames: usize = addresses.iter().map(|address| tables.frames_at(*address).len()).sum();
    let ours = start.elapsed().as_secs_f64();
    let theirs = addr2line(binary, &addresses);
    println!(
        "{{\"functions\": {}, \"all_functions\": {}, \"inlined\": {}, \"types\": {}, \
         \"index_cold_s\": {cold_s:.3}, \"index_cached_s\": {cached_s:.4}, \
         \"from_cache\": {from_cache}, \"first_found\": {is_found}, \"peak_rss_mib\": {peak}, \
         \"tables_mib\": {}, \"lookups_per_s\": {:.0}, \"frames\": {frames}, \
         \"addr2line_lookups_per_s\": {}}}",
        tables.functions_with_code(),
        tables.functions().len(),
        tables.inlined_copies().len(),
        tables.types().len(),
        size >> 20,
        addresses.len() as f64 / ours,
        theirs.map_or("null".to_owned(), |seconds| {
            format!("{:.0}", addresses.len() as f64 / seconds)
        }),
    );
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Addresses spread evenly over the code of all functions.
fn spread(tables: &CodeTables) -> Vec<u64> {
    let code: Vec<_> =
        tables.functions().flat_map(|function| tables.ranges_of(function.number)).collect();
    let bytes: u64 = code.iter().map(|range| range.end - range.start).sum();
    let step = (bytes / LOOKUPS as u64).max(1) as usize;
    code.into_iter().flatten().step_by(step).collect()
}

/// Seconds that `addr2line` takes, start included.
fn addr2line(binary: &Path, addresses: &[u64]) -> Option<f64> {
    let text: String = addresses.iter().fold(String::new(), |mut text, address| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{address:#x}");
        text
    });
    let start = Instant::now();
    let mut process = Command::new("addr2line")
        .args(["-afi", "-e"])
        .arg(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    process.stdin.take()?.write_all(text.as_bytes()).ok()?;
    process.wait().ok()?.success().then(|| start.elapsed().as_secs_f64())
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}
