//! The units to read: of the file itself, of its `.dwo` files or package, of the supplementary
//! file.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::facts::{Key, OFFSET_BITS};
use crate::dwarf::{Dwarf, Unit};

/// Marks the number of a file whose entries are in `.debug_types`.
const TYPES: u32 = 1 << 23;

/// Number of the supplementary file.
const SUPPLEMENTARY: u32 = 1;

/// Number of the first split unit's file.
const FIRST_SPLIT: u32 = 2;

/// One unit, and what is needed to read it.
#[derive(Debug)]
pub(super) struct UnitInput<'d, 'a> {
    pub(super) dwarf: &'d Dwarf<'a>,
    pub(super) unit: Unit<'a>,
    /// The unit in the file itself that stands for a split one.
    pub(super) skeleton: Option<(&'d Dwarf<'a>, &'d Unit<'a>)>,
    /// Its line program is nobody else's.
    pub(super) owns_lines: bool,
    /// Number of its file and section.
    pub(super) file: u32,
    /// Number of the same file's `.debug_info`.
    pub(super) info_file: u32,
    /// Offset in the section.
    pub(super) start: u64,
    pub(super) signatures: &'d HashMap<u64, Key>,
}

impl UnitInput<'_, '_> {
    /// Keys of the unit's entries: from the first up to the second.
    pub(super) fn keys(&self) -> (Key, Key) {
        let file = u64::from(self.file) << OFFSET_BITS;
        let length = self.unit.header.length_including_self() as u64;
        let start = file.saturating_add(self.start);
        (start, start.saturating_add(length))
    }
}

/// A unit before it is known what refers to it.
pub(super) struct Found<'d, 'a> {
    dwarf: &'d Dwarf<'a>,
    unit: Unit<'a>,
    skeleton: Option<(&'d Dwarf<'a>, &'d Unit<'a>)>,
    file: u32,
}

/// All units of the file and of the supplementary one; apart, those that stand for split ones.
pub(super) fn of_file<'d, 'a>(dwarf: &'d Dwarf<'a>) -> (Vec<Found<'d, 'a>>, Vec<Unit<'a>>) {
    let mut found = Vec::new();
    let mut skeletons = Vec::new();
    for unit in units(dwarf) {
        match split_name(dwarf, &unit) {
            Some(_) => skeletons.push(unit),
            None => found.push(Found { dwarf, file: number(&unit, 0), unit, skeleton: None }),
        }
    }
    if let Some(other) = dwarf.sup() {
        found.extend(units(other).into_iter().map(|unit| Found {
            dwarf: other,
            file: number(&unit, SUPPLEMENTARY),
            unit,
            skeleton: None,
        }));
    }
    (found, skeletons)
}

/// A unit that stands for a split one which was not found: what it says itself.
pub(super) fn alone<'d, 'a>(dwarf: &'d Dwarf<'a>, skeleton: &Unit<'a>) -> Option<Found<'d, 'a>> {
    let unit = dwarf.unit(skeleton.header).ok()?;
    Some(Found { dwarf, file: number(&unit, 0), unit, skeleton: None })
}

/// The units of one split file. `index` counts the files.
pub(super) fn of_split<'d, 'a>(
    dwarf: &'d Dwarf<'a>,
    index: usize,
    skeleton: Option<(&'d Dwarf<'a>, &'d Unit<'a>)>,
) -> Vec<Found<'d, 'a>> {
    let file = u32::try_from(index).unwrap_or(TYPES).saturating_add(FIRST_SPLIT);
    if file >= TYPES {
        return Vec::new();
    }
    let fits = |unit: &Unit<'_>| match skeleton {
        Some((_, skeleton)) => unit.dwo_id.is_none() || unit.dwo_id == skeleton.dwo_id,
        None => true,
    };
    units(dwarf)
        .into_iter()
        .filter(fits)
        .map(|mut unit| {
            if let Some((_, skeleton)) = skeleton {
                unit.copy_relocated_attributes(skeleton);
                unit.comp_dir = unit.comp_dir.or(skeleton.comp_dir);
            }
            Found { dwarf, file: number(&unit, file), unit, skeleton }
        })
        .collect()
}

/// Where each type of a type unit is.
pub(super) fn signatures(found: &[Found<'_, '_>]) -> HashMap<u64, Key> {
    use gimli::UnitType::{SplitType, Type};
    found
        .iter()
        .filter_map(|found| match found.unit.header.type_() {
            Type { type_signature, type_offset } | SplitType { type_signature, type_offset } => {
                let file = u64::from(found.file) << OFFSET_BITS;
                let offset = start(&found.unit).saturating_add(type_offset.0 as u64);
                Some((type_signature.0, file.saturating_add(offset)))
            }
            _ => None,
        })
        .collect()
}

/// The units with all they need, ordered by their keys.
pub(super) fn inputs<'d, 'a>(
    found: Vec<Found<'d, 'a>>,
    signatures: &'d HashMap<u64, Key>,
) -> Vec<UnitInput<'d, 'a>> {
    let mut programs = HashSet::new();
    let mut inputs: Vec<UnitInput<'d, 'a>> = found
        .into_iter()
        .map(|found| {
            let (place, lined) = match found.skeleton {
                Some((_, skeleton)) => (0, skeleton),
                None => (found.file & !TYPES, &found.unit),
            };
            let program = lined.line_program.as_ref().map(|program| program.header().offset().0);
            // Partial units and type units may share the program of another unit.
            let owns_lines = program.is_some_and(|program| place == 0 && programs.insert(program));
            UnitInput {
                dwarf: found.dwarf,
                skeleton: found.skeleton,
                owns_lines,
                file: found.file,
                info_file: found.file & !TYPES,
                start: start(&found.unit),
                signatures,
                unit: found.unit,
            }
        })
        .collect();
    inputs.sort_by_key(UnitInput::keys);
    inputs
}

fn units<'a>(dwarf: &Dwarf<'a>) -> Vec<Unit<'a>> {
    let mut headers = Vec::new();
    let mut info = dwarf.units();
    while let Ok(Some(header)) = info.next() {
        headers.push(header);
    }
    let mut types = dwarf.type_units();
    while let Ok(Some(header)) = types.next() {
        headers.push(header);
    }
    headers.into_par_iter().filter_map(|header| dwarf.unit(header).ok()).collect()
}

/// The name of the `.dwo` file that holds a unit.
pub(super) fn split_name<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>) -> Option<String> {
    unit.dwo_id?;
    let value = unit.dwo_name().ok().flatten()?;
    Some(dwarf.attr_string(unit, value).ok()?.to_string_lossy().into_owned())
}

fn number(unit: &Unit<'_>, file: u32) -> u32 {
    if unit.header.debug_types_offset().is_some() { file | TYPES } else { file }
}

fn start(unit: &Unit<'_>) -> u64 {
    match unit.header.debug_info_offset() {
        Some(offset) => offset.0 as u64,
        None => unit.header.debug_types_offset().map_or(0, |offset| offset.0 as u64),
    }
}
