//! From the files of a module to its tables.
//!
//! The units are read in parallel, each by itself ([`scan`]); then references are resolved across
//! them ([`link`]), types that several units describe become one ([`dedupe`]), and the code is cut
//! into spans by its innermost owner ([`spans`]). What stays in memory meanwhile is about twice the
//! tables; names stay slices of the files. [`budget`] bounds what a hostile file can ask for.

mod attributes;
mod budget;
mod dedupe;
mod facts;
mod functions;
mod go_table;
mod inputs;
mod lines;
mod link;
mod scan;
mod scan_functions;
mod scan_types;
mod spans;
mod units;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};

use gimli::Section as _;
use rayon::prelude::*;

use self::budget::Budget;
use self::facts::{Code, UnitFacts};
use self::inputs::Files;
use super::format::TablesError;
use super::model::Facts;
use super::request::FileRequest;
use super::tables::CodeTables;
use crate::cfi;
use crate::elf::{DebugObject, Elf};
use crate::file::FileBytes;
use crate::functions::Starts;
use crate::image::SymbolError;

/// How far building has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units read.
    pub done: u64,
    /// Units that there are.
    pub total: u64,
}

/// Why tables cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The file is of no use.
    #[error(transparent)]
    Symbols(#[from] SymbolError),
    /// The tables do not fit their format.
    #[error(transparent)]
    Tables(#[from] TablesError),
}

impl CodeTables {
    /// Reads a binary and what belongs to it. `path` names it in errors and facts; `files` is asked
    /// for other files that would add something; `progress` is told after each unit, by any thread.
    ///
    /// Damage beyond the file header is not an error: what cannot be read is left out and counted.
    ///
    /// # Errors
    ///
    /// When the bytes are no x86-64 program or shared library.
    pub fn build(
        path: &str,
        bytes: &[u8],
        files: &mut dyn FnMut(&FileRequest) -> Option<FileBytes>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, BuildError> {
        let elf = Elf::parse(path, bytes)?;
        let mut files = Files { find: files, missing: Vec::new() };
        let fetched = debug_file(&elf, &mut files);
        let extra = fetched.as_ref().and_then(|bytes| Elf::parse(path, bytes).ok());
        let code = Code::new(
            elf.segments()
                .iter()
                .filter(|segment| segment.executable)
                .map(|segment| (segment.address, segment.file_size)),
        );
        let mut facts =
            Facts { path: path.to_owned(), build_id: elf.build_id(), ..Facts::default() };
        let whole = elf.has_symbol_table() || extra.as_ref().is_some_and(Elf::has_symbol_table);
        let frames = if whole { Vec::new() } else { cfi::read(&elf) };
        let symbols = Starts::collect(&elf, extra.as_ref(), &frames).plain(&elf, &frames);
        let known = functions::known(&symbols, &code);
        let source = [Some(&elf), extra.as_ref()].into_iter().flatten().find(|elf| elf.has_dwarf());
        let bytes = match source {
            Some(source) => {
                facts.has_dwarf = true;
                from_dwarf(source, &code, &known, &mut files, facts, progress)
            }
            None => {
                facts.missing = files.missing;
                let go = go_table::find(&elf).map(|table| go_table::read(&table, &code, &known));
                let (known, units) = go.map_or((known, Vec::new()), |go| {
                    facts.from_go_table = true;
                    (go.functions, vec![go.unit])
                });
                let keys = vec![(facts::NO_KEY, facts::NO_KEY); units.len()];
                write::tables(&code, &units, keys, &known, facts)
            }
        };
        Ok(Self::open(bytes.into())?)
    }
}

/// Reads any bytes as Go's own table, for fuzzers.
pub(crate) fn read_go_table(bytes: &[u8]) {
    let code = Code::new(std::iter::once((0x40_1000, 1 << 20)));
    drop(go_table::read(&go_table::Table::new(bytes, 0x40_1000), &code, &[]));
}

/// The separate debug file, where it would add names or lines.
fn debug_file(elf: &Elf<'_>, files: &mut Files<'_>) -> Option<FileBytes> {
    if elf.has_dwarf() && elf.has_symbol_table() {
        return None;
    }
    let request = elf.debug_file_request()?;
    let linked = request.link.is_some();
    let request = FileRequest::Debug(request);
    let found = files.get(&request);
    if found.is_none() && linked {
        files.miss(&request);
    }
    found
}

fn from_dwarf(
    source: &Elf<'_>,
    code: &Code,
    known: &[functions::Known],
    files: &mut Files<'_>,
    mut facts: Facts,
    progress: &(dyn Fn(Progress) + Sync),
) -> Vec<u8> {
    let sections = inputs::sections(|name| source.section(name));
    let other = inputs::supplementary(source, files);
    let other = other.as_ref().and_then(|bytes| DebugObject::parse(bytes));
    let other = other.map(|object| inputs::sections(|name| object.section(name)));
    let mut dwarf = inputs::dwarf(&sections);
    if let Some(other) = &other {
        dwarf.set_sup(inputs::dwarf(other));
    }
    let (mut found, skeletons) = units::of_file(&dwarf);

    let split = inputs::split_files(&dwarf, &skeletons, files);
    let package = split.package.as_ref().and_then(|bytes| DebugObject::parse(bytes));
    let package = package.as_ref().and_then(inputs::package_sections);
    let package = package.as_ref().and_then(|sections| {
        sections.borrow(|data| inputs::slice(data), gimli::EndianSlice::default()).ok()
    });
    let objects: Vec<(usize, DebugObject<'_>)> = split
        .single
        .iter()
        .filter_map(|(at, bytes)| Some((*at, DebugObject::parse(bytes)?)))
        .collect();
    let parts: Vec<(usize, inputs::Sections<'_>)> =
        objects.iter().map(|(at, object)| (*at, inputs::split_sections(object))).collect();
    let mut splits = Vec::new();
    for (at, sections) in &parts {
        let mut part = inputs::dwarf(sections);
        part.make_dwo(&dwarf);
        splits.push((Some(*at), part));
    }
    if let Some(package) = &package {
        for (at, skeleton) in skeletons.iter().enumerate() {
            let part = skeleton.dwo_id.and_then(|id| package.find_cu(id, &dwarf).ok().flatten());
            splits.extend(part.map(|part| (Some(at), part)));
        }
        let types = 1..=package.tu_index.unit_count();
        splits.extend(types.filter_map(|row| Some((None, package.tu_sections(row, &dwarf).ok()?))));
    }
    let mut answered = vec![false; skeletons.len()];
    for (index, (at, part)) in splits.iter().enumerate() {
        let skeleton = at.map(|at| (&dwarf, &skeletons[at]));
        let units = units::of_split(part, index, skeleton);
        if let Some(at) = at {
            answered[*at] |= !units.is_empty();
        }
        found.extend(units);
    }
    let alone = skeletons.iter().zip(&answered).filter(|(_, answered)| !**answered);
    found.extend(alone.filter_map(|(skeleton, _)| units::alone(&dwarf, skeleton)));

    let signatures = units::signatures(&found);
    let inputs = units::inputs(found, &signatures);
    let all = [Some(&dwarf), dwarf.sup()].into_iter().flatten();
    let all = all.chain(splits.iter().map(|(_, part)| part));
    let size: usize = all
        .map(|part| {
            let info = part.debug_info.reader().len() + part.debug_types.reader().len();
            info + part.debug_line.reader().len()
        })
        .sum();
    let budget = Budget::new(size as u64);
    let total = inputs.len() as u64;
    let done = AtomicU64::new(0);
    progress(Progress { done: 0, total });
    let units: Vec<UnitFacts<'_>> = inputs
        .par_iter()
        .map(|input| {
            let facts = scan::scan(input, code, &budget);
            progress(Progress { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
            facts
        })
        .collect();
    let keys = inputs.iter().map(units::UnitInput::keys).collect();
    facts.missing = std::mem::take(&mut files.missing);
    write::tables(code, &units, keys, known, facts)
}
