//! Line tables: names of source files, and the places of given addresses.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{AttributeValue, constants as dw};

use crate::dwarf::{Dwarf, Slice, Unit};

/// File names of one unit, each put together once.
pub(crate) struct FileNames<'u, 'a> {
    dwarf: &'u Dwarf<'a>,
    unit: &'u Unit<'a>,
    known: HashMap<u64, Option<Arc<str>>>,
}

impl<'u, 'a> FileNames<'u, 'a> {
    pub(crate) fn new(dwarf: &'u Dwarf<'a>, unit: &'u Unit<'a>) -> Self {
        Self { dwarf, unit, known: HashMap::new() }
    }

    /// The path of a file by its number in the unit's line table.
    pub(crate) fn get(&mut self, number: u64) -> Option<Arc<str>> {
        let (dwarf, unit) = (self.dwarf, self.unit);
        self.known.entry(number).or_insert_with(|| path(dwarf, unit, number).map(Arc::from)).clone()
    }
}

fn path<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, number: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(number)?;
    let text =
        |value| dwarf.attr_string(unit, value).ok().map(|text: Slice<'a>| text.to_string_lossy());
    let name = text(file.path_name())?;
    let folder = file.directory(header).and_then(text).unwrap_or_default();
    let compiled_in = unit.comp_dir.map(|folder| folder.to_string_lossy()).unwrap_or_default();
    Some(normal(&[&compiled_in, &folder, &name]))
}

/// Joins paths, each taken relative to those before it, and resolves `.` and `..` by the text.
pub(crate) fn normal(parts: &[&str]) -> String {
    let absolute = parts.iter().rposition(|part| part.starts_with('/'));
    let mut names: Vec<&str> = Vec::new();
    for name in parts[absolute.unwrap_or(0)..].iter().flat_map(|part| part.split('/')) {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            // Nothing is above the root.
            ".." if absolute.is_some() => {}
            _ => names.push(name),
        }
    }
    let start = if absolute.is_some() { "/" } else { "" };
    format!("{start}{}", names.join("/"))
}

/// Where the code at an address comes from.
pub(crate) struct Place {
    pub(crate) address: u64,
    pub(crate) file: Arc<str>,
    pub(crate) line: Option<u32>,
}

/// The places of those of `wanted` (sorted) at which a row of the unit's line table begins.
pub(crate) fn places(dwarf: &Dwarf<'_>, unit: &Unit<'_>, wanted: &[u64]) -> Vec<Place> {
    let mut places = Vec::new();
    if !concerns(dwarf, unit, wanted) {
        return places;
    }
    let Some(program) = unit.line_program.clone() else { return places };
    let mut files = FileNames::new(dwarf, unit);
    let mut rows = program.rows();
    while let Ok(Some((_, row))) = rows.next_row() {
        if row.end_sequence() || wanted.binary_search(&row.address()).is_err() {
            continue;
        }
        if let Some(file) = files.get(row.file_index()) {
            let line = row.line().and_then(|line| u32::try_from(line.get()).ok());
            places.push(Place { address: row.address(), file, line });
        }
    }
    // Several rows may begin at one address: the first says where the function begins.
    places.sort_by_key(|place| place.address);
    places.dedup_by_key(|place| place.address);
    places
}

/// Whether any of the addresses lies in the unit's code. As `gimli::Dwarf::unit_ranges`, but for
/// sizes that overflow.
fn concerns(dwarf: &Dwarf<'_>, unit: &Unit<'_>, wanted: &[u64]) -> bool {
    let holds = |begin: u64, end: u64| {
        let from = wanted.partition_point(|address| *address < begin);
        wanted.get(from).is_some_and(|address| *address < end)
    };
    let mut cursor = unit.entries();
    let Ok(Some(root)) = cursor.next_dfs() else { return false };
    if let Some(ranges) = root.attr_value(dw::DW_AT_ranges) {
        let Ok(Some(mut ranges)) = dwarf.attr_ranges(unit, ranges) else { return false };
        while let Ok(Some(range)) = ranges.next() {
            if holds(range.begin, range.end) {
                return true;
            }
        }
        return false;
    }
    let address = |value| dwarf.attr_address(unit, value).ok().flatten();
    let low = root.attr_value(dw::DW_AT_low_pc).and_then(address);
    let (Some(low), Some(high)) = (low, root.attr_value(dw::DW_AT_high_pc)) else { return false };
    let end = match high {
        AttributeValue::Udata(size) => Some(low.saturating_add(size)),
        other => address(other),
    };
    end.is_some_and(|end| holds(low, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_and_their_dots_resolved() {
        assert_eq!(normal(&["/build", "src", "a.c"]), "/build/src/a.c");
        assert_eq!(normal(&["/build/x", "../src", "./a.c"]), "/build/src/a.c");
        assert_eq!(normal(&["/build", "/usr/include", "stdio.h"]), "/usr/include/stdio.h");
        assert_eq!(normal(&["", "..", "a.c"]), "../a.c");
        assert_eq!(normal(&["/", "../..", "a.c"]), "/a.c");
    }
}
