//! DWARF 4 and 5: where functions were declared, and how often each was inlined.
//!
//! One pass over all entries, the units in parallel; then names and places are resolved through
//! `DW_AT_specification` and `DW_AT_abstract_origin`, also across units. Names stay slices of the
//! sections until a function is known to be wanted. Functions without a declaration (assembly,
//! units with line tables alone) get their place from the line table ([`crate::lines`]).
//!
//! Not read: split DWARF (`.dwo`), the supplementary file (`.gnu_debugaltlink`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use gimli::{
    AbbreviationsCacheStrategy, AttributeValue, EndianSlice, LittleEndian, constants as dw,
};
use rayon::prelude::*;

use crate::elf::Elf;
use crate::lines::{self, FileNames};
use crate::project::Project;

pub(crate) type Slice<'a> = EndianSlice<'a, LittleEndian>;
pub(crate) type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;
pub(crate) type Unit<'a> = gimli::Unit<Slice<'a>>;

/// References followed from an entry to the one that names it.
const MAX_HOPS: usize = 8;

/// What DWARF says of a binary's functions.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Functions with code, by address.
    pub(crate) functions: Vec<SourceFunction>,
    /// Functions that exist as inlined copies alone.
    pub(crate) inlined_only: Vec<SourceFunction>,
    /// Some units keep their entries in `.dwo` files.
    pub(crate) has_split_units: bool,
    pub(crate) project: Project,
}

/// A function as DWARF knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceFunction {
    /// 0 where it has no code.
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// Linkage name, or the plain one where that is the same; `None` from line tables.
    pub(crate) symbol: Option<String>,
    pub(crate) file: Option<Arc<str>>,
    pub(crate) line: Option<u32>,
    pub(crate) inlined_copies: u32,
}

/// A `DW_TAG_subprogram`.
#[derive(Debug, Default)]
struct Entry<'a> {
    /// Offset in `.debug_info`.
    offset: usize,
    /// The entry that it completes.
    origin: Option<usize>,
    name: Option<&'a [u8]>,
    linkage: Option<&'a [u8]>,
    file: Option<Arc<str>>,
    line: Option<u32>,
    address: Option<u64>,
    size: u64,
    /// File of the first call that was inlined into it. With line tables alone there is no
    /// declaration, and the first row may stem from the inlined function.
    calls_from: Option<Arc<str>>,
    is_main: bool,
    unit: u32,
}

/// What one unit contributes.
#[derive(Default)]
struct UnitFacts<'a> {
    entries: Vec<Entry<'a>>,
    /// Origin of each inlined copy.
    inlined: Vec<usize>,
    split: bool,
}

/// What tells functions apart across units.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Linkage(&'a [u8]),
    Declared(&'a [u8], Option<Arc<str>>, Option<u32>),
}

/// Reads the DWARF of a file; `addresses` (sorted) are functions known from elsewhere, whose places
/// are looked up too. What is damaged is left out.
pub(crate) fn read(elf: &Elf<'_>, addresses: &[u64]) -> Sources {
    let sections = gimli::DwarfSections::load(|id| {
        Ok::<Cow<'_, [u8]>, gimli::Error>(elf.section(id.name()).unwrap_or_default())
    });
    let Ok(sections) = sections else { return Sources::default() };
    let mut dwarf = sections.borrow(|data| EndianSlice::new(data, LittleEndian));
    dwarf.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
    let mut headers = Vec::new();
    let mut iterator = dwarf.units();
    while let Ok(Some(header)) = iterator.next() {
        headers.push(header);
    }
    let units: Vec<Unit<'_>> =
        headers.into_par_iter().filter_map(|header| dwarf.unit(header).ok()).collect();
    let facts: Vec<UnitFacts<'_>> =
        units.par_iter().enumerate().map(|(index, unit)| scan(&dwarf, unit, index)).collect();

    let has_split_units = facts.iter().any(|unit| unit.split);
    let mut entries = Vec::with_capacity(facts.iter().map(|unit| unit.entries.len()).sum());
    let mut inlined = Vec::with_capacity(facts.iter().map(|unit| unit.inlined.len()).sum());
    for unit in facts {
        entries.extend(unit.entries);
        inlined.extend(unit.inlined);
    }
    // Units come in the order of the section, so the entries are sorted unless units overlap.
    entries.sort_by_key(|entry| entry.offset);
    inlined.par_sort_unstable();
    let table = Table(entries);
    let mut sources = table.functions(&inlined);
    sources.has_split_units = has_split_units;
    sources.project = table.project(&units);
    add_lines(&dwarf, &units, addresses, &mut sources.functions);
    sources
}

/// Places of functions that DWARF declares nowhere, from the line tables.
fn add_lines(
    dwarf: &Dwarf<'_>,
    units: &[Unit<'_>],
    addresses: &[u64],
    functions: &mut Vec<SourceFunction>,
) {
    let known =
        |address: u64| functions.binary_search_by_key(&address, |function| function.address).ok();
    let placed = |address: u64| known(address).is_some_and(|at| functions[at].file.is_some());
    let undeclared = functions.iter().filter(|function| function.file.is_none());
    let mut wanted: Vec<u64> =
        addresses.iter().copied().filter(|address| !placed(*address)).collect();
    wanted.extend(undeclared.map(|function| function.address));
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return;
    }
    let places: Vec<lines::Place> =
        units.par_iter().flat_map_iter(|unit| lines::places(dwarf, unit, &wanted)).collect();
    let mut added = Vec::new();
    for lines::Place { address, file, line } in places {
        match functions.binary_search_by_key(&address, |function| function.address) {
            Ok(at) => {
                let function = &mut functions[at];
                if function.file.is_none() {
                    function.file = Some(file);
                    function.line = function.line.or(line);
                }
            }
            Err(_) => added.push(SourceFunction {
                address,
                file: Some(file),
                line,
                ..SourceFunction::default()
            }),
        }
    }
    functions.append(&mut added);
    functions.sort_by_key(|function| function.address);
    functions.dedup_by_key(|function| function.address);
}

/// Reads the entries of one unit, up to the first damage.
fn scan<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, index: usize) -> UnitFacts<'a> {
    let split = unit.dwo_id.is_some() && unit.dwo_name().ok().flatten().is_some();
    let mut facts = UnitFacts { split, ..UnitFacts::default() };
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    // An error ends the unit; what was found before stays.
    let _ = scan_entries(dwarf, unit, index, &mut facts);
    facts
}

fn scan_entries<'a>(
    dwarf: &Dwarf<'a>,
    unit: &Unit<'a>,
    index: u32,
    facts: &mut UnitFacts<'a>,
) -> gimli::Result<()> {
    let mut files = FileNames::new(dwarf, unit);
    let mut raw = unit.entries_raw(None)?;
    let mut attributes = Vec::new();
    // Depth below the last subprogram.
    let mut below = 0;
    while !raw.is_empty() {
        let offset = raw.next_offset();
        let depth = raw.next_depth();
        let Some(abbreviation) = raw.read_abbreviation()? else { continue };
        match abbreviation.tag() {
            dw::DW_TAG_inlined_subroutine => {
                let caller = facts.entries.last_mut().filter(|entry| {
                    depth == below
                        && entry.file.is_none()
                        && entry.origin.is_none()
                        && entry.calls_from.is_none()
                });
                let wants_file = caller.is_some();
                let mut file = None;
                for specification in abbreviation.attributes() {
                    match specification.name() {
                        dw::DW_AT_abstract_origin => {
                            let value = raw.read_attribute(*specification)?.value();
                            facts.inlined.extend(reference(unit, &value));
                        }
                        dw::DW_AT_call_file if wants_file => {
                            file = raw.read_attribute(*specification)?.udata_value();
                        }
                        _ => raw.skip_attributes(std::slice::from_ref(specification))?,
                    }
                }
                if let (Some(caller), Some(file)) = (caller, file) {
                    caller.calls_from = files.get(file);
                }
            }
            dw::DW_TAG_subprogram => {
                raw.read_attributes(abbreviation.attributes(), &mut attributes)?;
                let Some(offset) = offset.to_debug_info_offset(&unit.header) else { continue };
                let mut entry = Entry { offset: offset.0, unit: index, ..Entry::default() };
                let mut high = None;
                let mut ranges = None;
                for attribute in &attributes {
                    let value = attribute.value();
                    match attribute.name() {
                        dw::DW_AT_name => entry.name = text(dwarf, unit, value),
                        dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => {
                            entry.linkage = text(dwarf, unit, value);
                        }
                        dw::DW_AT_specification | dw::DW_AT_abstract_origin => {
                            entry.origin = reference(unit, &value);
                        }
                        dw::DW_AT_decl_file => {
                            entry.file = attribute.udata_value().and_then(|file| files.get(file));
                        }
                        dw::DW_AT_decl_line => {
                            let line = attribute.udata_value();
                            entry.line = line.and_then(|line| u32::try_from(line).ok());
                        }
                        dw::DW_AT_low_pc => {
                            entry.address = dwarf.attr_address(unit, value).ok().flatten();
                        }
                        dw::DW_AT_high_pc => high = Some(value),
                        dw::DW_AT_ranges => ranges = Some(value),
                        dw::DW_AT_main_subprogram => {
                            entry.is_main = matches!(value, AttributeValue::Flag(true));
                        }
                        _ => {}
                    }
                }
                entry.extent(dwarf, unit, high, ranges);
                below = depth + 1;
                facts.entries.push(entry);
            }
            _ => raw.skip_attributes(abbreviation.attributes())?,
        }
    }
    Ok(())
}

impl<'a> Entry<'a> {
    fn extent(
        &mut self,
        dwarf: &Dwarf<'a>,
        unit: &Unit<'a>,
        high: Option<AttributeValue<Slice<'a>>>,
        ranges: Option<AttributeValue<Slice<'a>>>,
    ) {
        if let (Some(low), Some(high)) = (self.address, high) {
            self.size = match high {
                AttributeValue::Udata(size) => size,
                other => dwarf
                    .attr_address(unit, other)
                    .ok()
                    .flatten()
                    .map_or(0, |end| end.saturating_sub(low)),
            };
        } else if let Some(ranges) = ranges
            && let Ok(Some(mut ranges)) = dwarf.attr_ranges(unit, ranges)
            && let Ok(Some(first)) = ranges.next()
        {
            // The entry is in the first range; the others are parts that were split off.
            self.address = Some(first.begin);
            self.size = first.end.saturating_sub(first.begin);
        }
        // What the linker dropped has address 0 (or 1 in ranges), or all ones.
        if self.address.is_some_and(|address| address <= 1 || address >= u64::MAX - 1) {
            self.address = None;
        }
    }
}

fn reference(unit: &Unit<'_>, value: &AttributeValue<Slice<'_>>) -> Option<usize> {
    match value {
        AttributeValue::UnitRef(offset) => {
            offset.to_debug_info_offset(&unit.header).map(|offset| offset.0)
        }
        AttributeValue::DebugInfoRef(offset) => Some(offset.0),
        _ => None,
    }
}

fn text<'a>(
    dwarf: &Dwarf<'a>,
    unit: &Unit<'a>,
    value: AttributeValue<Slice<'a>>,
) -> Option<&'a [u8]> {
    dwarf.attr_string(unit, value).ok().map(|text| text.slice()).filter(|text| !text.is_empty())
}

/// All subprograms, by offset.
struct Table<'a>(Vec<Entry<'a>>);

/// An entry with all that its origins add.
#[derive(Default)]
struct Resolved<'a> {
    name: Option<&'a [u8]>,
    linkage: Option<&'a [u8]>,
    file: Option<Arc<str>>,
    line: Option<u32>,
}

#[derive(Default)]
struct Copies {
    inlined: u32,
    /// A function with code has this identity.
    out_of_line: bool,
    entry: usize,
}

impl<'a> Table<'a> {
    fn at(&self, offset: usize) -> Option<usize> {
        self.0.binary_search_by_key(&offset, |entry| entry.offset).ok()
    }

    fn resolve(&self, index: usize) -> Resolved<'a> {
        let mut resolved = Resolved::default();
        let mut next = Some(index);
        for _ in 0..MAX_HOPS {
            let Some(entry) = next.map(|index| &self.0[index]) else { break };
            resolved.name = resolved.name.or(entry.name);
            resolved.linkage = resolved.linkage.or(entry.linkage);
            if resolved.file.is_none() {
                // A line means nothing in another file's entry.
                resolved.file.clone_from(&entry.file);
                resolved.line = resolved.line.or(entry.line);
            } else if resolved.line.is_none() {
                resolved.line = entry.line;
            }
            next = entry.origin.and_then(|origin| self.at(origin));
        }
        resolved
    }

    fn functions(&self, inlined: &[usize]) -> Sources {
        let resolved: Vec<Resolved<'a>> =
            (0..self.0.len()).into_par_iter().map(|index| self.resolve(index)).collect();
        let mut copies: HashMap<Identity<'a>, Copies> = HashMap::new();
        for run in inlined.chunk_by(|a, b| a == b) {
            let Some(index) = self.at(run[0]) else { continue };
            let Some(identity) = resolved[index].identity() else { continue };
            let known = copies.entry(identity).or_default();
            known.inlined =
                known.inlined.saturating_add(u32::try_from(run.len()).unwrap_or(u32::MAX));
            known.entry = index;
        }
        let mut functions = Vec::new();
        for (entry, resolved) in self.0.iter().zip(&resolved) {
            let Some(address) = entry.address else { continue };
            let known = resolved.identity().and_then(|identity| copies.get_mut(&identity));
            let inlined_copies = known.map_or(0, |known| {
                known.out_of_line = true;
                known.inlined
            });
            let mut function = resolved.function();
            if function.file.is_none() {
                function.file.clone_from(&entry.calls_from);
            }
            functions.push(SourceFunction {
                address,
                size: entry.size,
                inlined_copies,
                ..function
            });
        }
        functions.sort_by_key(|function| function.address);
        functions.dedup_by_key(|function| function.address);
        let mut only: Vec<&Copies> = copies.values().filter(|known| !known.out_of_line).collect();
        only.sort_by_key(|known| known.entry);
        let inlined_only = only
            .into_iter()
            .map(|known| SourceFunction {
                inlined_copies: known.inlined,
                ..resolved[known.entry].function()
            })
            .filter(|function| function.symbol.is_some())
            .collect();
        Sources { functions, inlined_only, ..Sources::default() }
    }

    /// The project is where `main` is; the compiler may mark it, or its name tells.
    fn project(&self, units: &[Unit<'a>]) -> Project {
        let with_code = || {
            self.0.iter().enumerate().filter(|(_, entry)| entry.address.is_some() || entry.is_main)
        };
        let marked = with_code().find(|(index, entry)| {
            entry.is_main || self.origin_of(*index).is_some_and(|origin| origin.is_main)
        });
        let plain =
            || with_code().find(|(index, _)| self.resolve(*index).linkage_or_name() == b"main");
        let named = || with_code().find(|(index, _)| self.resolve(*index).name == Some(b"main"));
        let Some((index, entry)) = marked.or_else(plain).or_else(named) else {
            return Project::default();
        };
        let Some(file) = self.resolve(index).file else { return Project::default() };
        let unit = units.get(entry.unit as usize);
        let folder = unit.and_then(|unit| unit.comp_dir).map(|folder| folder.to_string_lossy());
        Project::of_main(&file, folder.as_deref())
    }

    fn origin_of(&self, index: usize) -> Option<&Entry<'a>> {
        self.0[index].origin.and_then(|origin| self.at(origin)).map(|index| &self.0[index])
    }
}

impl<'a> Resolved<'a> {
    fn identity(&self) -> Option<Identity<'a>> {
        match (self.linkage, self.name) {
            (Some(linkage), _) => Some(Identity::Linkage(linkage)),
            (None, Some(name)) => Some(Identity::Declared(name, self.file.clone(), self.line)),
            (None, None) => None,
        }
    }

    fn linkage_or_name(&self) -> &'a [u8] {
        self.linkage.or(self.name).unwrap_or_default()
    }

    fn function(&self) -> SourceFunction {
        let symbol = self.linkage.or(self.name);
        SourceFunction {
            symbol: symbol.map(|symbol| String::from_utf8_lossy(symbol).into_owned()),
            file: self.file.clone(),
            line: self.line,
            ..SourceFunction::default()
        }
    }
}
