//! The line table of one unit.
//!
//! Rows at one address are one row, the last: so do other readers, and it is the first instruction
//! of the last that runs. Rows that say what the row before said are left out.

use std::collections::HashMap;

use gimli::ColumnType;

use super::budget::Purse;
use super::facts::{Code, FileFact, LineFact, Sequence};
use crate::code::rows::{IS_STATEMENT, NONE};
use crate::dwarf::{Dwarf, Slice, Unit};
use crate::lines::normal;

/// The files that a unit's entries and lines name, each once.
pub(super) struct FileTable<'u, 'a> {
    dwarf: &'u Dwarf<'a>,
    unit: &'u Unit<'a>,
    known: HashMap<u64, u32>,
    pub(super) files: Vec<FileFact>,
}

impl<'u, 'a> FileTable<'u, 'a> {
    /// `unit` has the line program whose header lists the files; its texts are in `dwarf`.
    /// `files` may hold those of another table.
    pub(super) fn new(dwarf: &'u Dwarf<'a>, unit: &'u Unit<'a>, files: Vec<FileFact>) -> Self {
        Self { dwarf, unit, known: HashMap::new(), files }
    }

    /// The place in `files` of a file by its number in the line program.
    pub(super) fn get(&mut self, number: u64) -> u32 {
        if let Some(known) = self.known.get(&number) {
            return *known;
        }
        let place = match file(self.dwarf, self.unit, number) {
            Some(file) => {
                self.files.push(file);
                u32::try_from(self.files.len() - 1).unwrap_or(NONE)
            }
            None => NONE,
        };
        self.known.insert(number, place);
        place
    }
}

fn file<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, number: u64) -> Option<FileFact> {
    let header = unit.line_program.as_ref()?.header();
    // Before DWARF 5 the number 0 is the unit's own name.
    let file = header.file(number)?;
    let text =
        |value| dwarf.attr_string(unit, value).ok().map(|text: Slice<'a>| text.to_string_lossy());
    let name = text(file.path_name())?;
    let folder = file.directory(header).and_then(text).unwrap_or_default();
    let compiled_in = unit.comp_dir.map(|folder| folder.to_string_lossy()).unwrap_or_default();
    Some(FileFact {
        path: normal(&[&compiled_in, &folder, &name]),
        compiled_in: compiled_in.into_owned(),
        md5: (header.file_has_md5() && *file.md5() != [0; 16]).then(|| *file.md5()),
    })
}

/// Runs the unit's line program. Damage ends it; what came before stays.
pub(super) fn sequences(
    unit: &Unit<'_>,
    code: &Code,
    files: &mut FileTable<'_, '_>,
    purse: &mut Purse<'_>,
) -> Vec<Sequence> {
    let mut sequences = Vec::new();
    let Some(program) = unit.line_program.clone() else { return sequences };
    let mut rows = program.rows();
    let mut current: Vec<LineFact> = Vec::new();
    // The number of the last file, and its place: neighbours share it.
    let mut last_file = (u64::MAX, NONE);
    // Address of the previous row, and whether it may still be replaced.
    let mut end = None;
    while let Ok(Some((_, row))) = rows.next_row() {
        let address = row.address();
        if row.end_sequence() {
            if let Some(start) = current.first().map(|row| row.address)
                && let Some((_, end)) = code.clip(code.base + u64::from(start), address)
            {
                current.shrink_to_fit();
                let rows = std::mem::take(&mut current);
                sequences.push(Sequence { end, rows });
            }
            current.clear();
            end = None;
            continue;
        }
        let Some((address, _)) = code.clip(address, address.saturating_add(1)) else { continue };
        // A table that runs backwards is damaged; its rows up to there are good.
        if end.is_some_and(|end| address < end) || !purse.take() {
            continue;
        }
        end = Some(address);
        if row.file_index() != last_file.0 {
            last_file = (row.file_index(), files.get(row.file_index()));
        }
        let line = row.line().map_or(0, |line| u32::try_from(line.get()).unwrap_or(0));
        let statement = if row.is_stmt() { IS_STATEMENT } else { 0 };
        let column = match row.column() {
            ColumnType::LeftEdge => 0,
            ColumnType::Column(column) => u16::try_from(column.get()).unwrap_or(0),
        };
        let line = (line & !IS_STATEMENT) | statement;
        let fact = LineFact { address, file: last_file.1, line, column };
        match current.last_mut() {
            Some(last) if last.address == address => *last = fact,
            Some(last) if LineFact { address, ..*last } == fact => {}
            _ => current.push(fact),
        }
    }
    sequences
}
