//! Addresses of the program to functions and lines, with all inlined copies: scope's tables beside
//! `addr2line` and `llvm-symbolizer`, the same addresses for all, in interleaved rounds.
//!
//! All write their answers as text. A command's start, with the reading of its first answer, is
//! measured apart and taken off; of scope it is the loading of the tables (`index_20k_cached_s`).
//! What each says of every address is compared.

mod answers;
mod rivals;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use scope_symbols::CodeTables;

use super::Effort;
use crate::bench::results::Results;
use crate::bench::sample::{scatter, timed};
use crate::bench::table::Rows;
use crate::project::which;
use answers::{Agreement, Frame};
use rivals::{RIVALS, Rival};

/// Measures all.
pub fn measure(
    tables: &CodeTables,
    binary: &Path,
    folder: &Path,
    effort: Effort,
    rows: &mut Rows,
    results: &mut Results,
) -> Result<()> {
    let addresses = scattered(tables, effort.lookups);
    ensure!(addresses.len() > 1, "the program has no code");
    let (one, all) = (folder.join("address"), folder.join("addresses"));
    fs::write(&one, as_text(&addresses[..1])).context("cannot write an address")?;
    fs::write(&all, as_text(&addresses)).context("cannot write addresses")?;
    let present = |rival: &&Rival| which(rival.program).is_some();
    for rival in RIVALS.iter().filter(|rival| !present(rival)) {
        results.remark(format!("not run: {}, which is not installed", rival.program));
    }
    for round in 0..=effort.rounds {
        // The first round warms up, and compares.
        let measured = round > 0;
        if measured {
            super::progress(&format!("look-ups: round {round} of {}", effort.rounds));
        }
        let (text, passed) = timed(|| answers_of(tables, &addresses));
        let micros = passed.as_secs_f64() * 1e6 / addresses.len() as f64;
        if measured {
            rows.push("scope_lookup_us", micros, "us, answers as text");
            let (frames, passed) = timed(|| {
                addresses.iter().map(|address| tables.frames_at(*address).len()).sum::<usize>()
            });
            ensure!(frames >= addresses.len(), "addresses of functions have no frames");
            let micros = passed.as_secs_f64() * 1e6 / addresses.len() as f64;
            rows.push("scope_frames_at_us", micros, "us, frames alone");
        }
        let ours = answers::read(&text, addresses.len())?;
        for rival in RIVALS.iter().filter(present) {
            let (_, start) = rival.ask(binary, &one)?;
            let (text, passed) = rival.ask(binary, &all)?;
            let name = rival.name;
            if measured {
                let more = passed.saturating_sub(start).as_secs_f64() * 1e6;
                let more = more / (addresses.len() - 1) as f64;
                rows.push(&format!("{name}_lookup_us"), more, "us, less the start");
                rows.push(&format!("{name}_start_s"), start.as_secs_f64(), "s, one look-up");
                rows.push(&format!("{name}_over_scope"), more / micros, "");
            } else {
                let theirs = (rival.read)(&text, addresses.len())?;
                report(rival, &Agreement::of(&ours, &theirs), results);
            }
        }
    }
    describe(&addresses, tables, results);
    fs::remove_file(one).and_then(|()| fs::remove_file(all)).context("cannot remove addresses")
}

fn report(rival: &Rival, agreement: &Agreement, results: &mut Results) {
    let name = rival.name;
    let Agreement { all, innermost, places, examples } = agreement;
    results.single(&format!("{name}_agreement"), *all, "all frames: function, file and line");
    results.single(&format!("{name}_places_agreement"), *places, "all frames: file and line");
    let unit = "innermost frame: function, file and line";
    results.single(&format!("{name}_innermost_agreement"), *innermost, unit);
    for example in examples {
        eprintln!("{name} differs: {example}");
    }
}

fn describe(addresses: &[u64], tables: &CodeTables, results: &mut Results) {
    let frames: usize = addresses.iter().map(|address| tables.frames_at(*address).len()).sum();
    results.number("lookups", addresses.len() as f64);
    results.number("lookup_frames", frames as f64);
    results.remark(format!("look-ups: {} addresses, {frames} frames", addresses.len()));
}

/// Addresses all over the code of all functions, that look random and are the same in every run.
fn scattered(tables: &CodeTables, count: usize) -> Vec<u64> {
    let code: Vec<_> = tables
        .functions()
        .flat_map(|function| tables.ranges_of(function.number))
        .filter(|range| !range.is_empty())
        .collect();
    // Where each range begins if all code were in one piece.
    let mut starts = Vec::with_capacity(code.len());
    let mut total = 0;
    for range in &code {
        starts.push(total);
        total += range.end - range.start;
    }
    let address = |number: u64| {
        let at = scatter(number).checked_rem(total)?;
        let range = starts.partition_point(|start| *start <= at).checked_sub(1)?;
        Some(code.get(range)?.start + (at - starts.get(range)?))
    };
    (0..count as u64).filter_map(address).collect()
}

fn as_text(addresses: &[u64]) -> String {
    addresses.iter().fold(String::new(), |mut text, address| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{address:#x}");
        text
    })
}

/// What the tables say, innermost frame first, in the form of `llvm-symbolizer`: a line for the
/// function, one for the place, and an empty one after each address.
fn answers_of(tables: &CodeTables, addresses: &[u64]) -> String {
    let mut text = String::new();
    for address in addresses {
        for frame in tables.frames_at(*address).iter().rev() {
            let symbol = tables.function(frame.function).map_or("??", |function| function.symbol);
            let path = Some(tables.path(&frame.place)).filter(|path| !path.is_empty());
            let (line, column) = (frame.place.line.unwrap_or(0), frame.place.column.unwrap_or(0));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{symbol}\n{}:{line}:{column}", path.unwrap_or("??"));
        }
        text.push('\n');
    }
    text
}

/// Frames of each address, the innermost first.
type Answers = Vec<Vec<Frame>>;
