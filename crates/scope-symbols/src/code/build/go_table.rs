//! Go's own table of functions, files and lines (`.gopclntab`), which stripped programs keep.
//!
//! Its layout changed with Go 1.16, 1.18 and 1.20; the magic number tells (Go's
//! `internal/abi/symtab.go` and `runtime/symtab.go`). Inlined calls are not read: a line inside one
//! is the line of the innermost function, as the table has it.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::facts::{Code, FileFact, LineFact, Sequence, UnitFacts};
use super::functions::Known;
use crate::code::rows::{IS_STATEMENT, NONE};
use crate::elf::Elf;

/// `DW_LANG_Go`.
const LANGUAGE: u16 = 0x16;

/// A table, and where the program's text begins for those that do not say.
pub(super) struct Table<'a> {
    bytes: Cow<'a, [u8]>,
    text: u64,
}

impl<'a> Table<'a> {
    pub(super) fn new(bytes: &'a [u8], text: u64) -> Self {
        Self { bytes: Cow::Borrowed(bytes), text }
    }
}

/// What the table says.
pub(super) struct Go<'a> {
    /// With the symbols that the table does not have.
    pub(super) functions: Vec<Known>,
    /// Files and lines.
    pub(super) unit: UnitFacts<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Go1_2,
    Go1_16,
    Go1_18,
    Go1_20,
}

/// The table of a file: by its section, or by its magic number where there are no sections.
pub(super) fn find<'a>(elf: &Elf<'a>) -> Option<Table<'a>> {
    let text = elf.section_range(".text").map_or(0, |(address, _)| address);
    let text = if text > 0 { text } else { elf.entry() & !0xfff };
    let named = [".gopclntab", ".data.rel.ro.gopclntab"].iter().find_map(|name| elf.section(name));
    if let Some(bytes) = named {
        return Some(Table { bytes, text });
    }
    let found =
        elf.segments().iter().filter(|segment| !segment.executable).find_map(|segment| {
            let bytes = elf.contents(segment);
            let starts = (0..bytes.len().saturating_sub(64)).step_by(8);
            let mut starts = starts.filter(|at| version(&bytes[*at..]).is_some());
            starts.next().map(|at| &bytes[at..])
        })?;
    Some(Table { bytes: Cow::Borrowed(found), text })
}

fn version(bytes: &[u8]) -> Option<Version> {
    let version = match bytes.get(..4)? {
        [0xfb, 0xff, 0xff, 0xff] => Version::Go1_2,
        [0xfa, 0xff, 0xff, 0xff] => Version::Go1_16,
        [0xf0, 0xff, 0xff, 0xff] => Version::Go1_18,
        [0xf1, 0xff, 0xff, 0xff] => Version::Go1_20,
        _ => return None,
    };
    // Two zeros, the size of an instruction, the size of a pointer: of x86-64.
    (bytes.get(4..8)? == [0, 0, 1, 8]).then_some(version)
}

/// Reads a table. `symbols` are kept where it has nothing. Damage ends it; what came before stays.
pub(super) fn read<'a>(table: &Table<'_>, code: &Code, symbols: &[Known]) -> Go<'a> {
    let mut reader = Reader::new(table, code);
    let functions = reader.as_mut().map_or_else(Vec::new, Reader::functions);
    let mut unit = UnitFacts { language: LANGUAGE, ..UnitFacts::default() };
    if let Some(reader) = reader {
        (unit.files, unit.sequences) = (reader.files, reader.sequences);
    }
    let is_known = |start: u32| {
        let after = functions.partition_point(|function: &Known| function.start <= start);
        after.checked_sub(1).is_some_and(|at| start < functions[at].end)
    };
    let others: Vec<Known> =
        symbols.iter().filter(|symbol| !is_known(symbol.start)).cloned().collect();
    // What the unwind table alone knows has no name of its own.
    let mut functions: Vec<Known> = functions.iter().cloned().chain(others).collect();
    functions.sort_by_key(|function| function.start);
    Go { functions, unit }
}

struct Reader<'t> {
    bytes: &'t [u8],
    code: &'t Code,
    version: Version,
    count: usize,
    text: u64,
    /// Where its parts begin.
    names: usize,
    units: usize,
    file_table: usize,
    values: usize,
    functions: usize,
    files: Vec<FileFact>,
    known_files: FxHashMap<usize, u32>,
    sequences: Vec<Sequence>,
    /// Steps of all tables of values that may still be read: they may overlap in a damaged file.
    steps: usize,
}

/// Where a function's record says what.
struct Record {
    name: usize,
    pc_file: usize,
    pc_line: usize,
    unit: usize,
    start_line: Option<u32>,
}

impl<'t> Reader<'t> {
    fn new(table: &'t Table<'_>, code: &'t Code) -> Option<Self> {
        let bytes = &*table.bytes;
        let version = version(bytes)?;
        let word = |index: usize| word(bytes, 8 + index * 8);
        let place = |index: usize| usize::try_from(word(index)?).ok();
        let count = place(0)?;
        let (text, parts) = match version {
            Version::Go1_2 => {
                // The functions follow at once, then the place of the list of files.
                let files = 16_usize.checked_add(count.checked_mul(16)?)?.checked_add(8)?;
                let files = number(bytes, files)? as usize;
                (0, [0, 0, files, 0, 16])
            }
            Version::Go1_16 => (0, [place(2)?, place(3)?, place(4)?, place(5)?, place(6)?]),
            Version::Go1_18 | Version::Go1_20 => {
                // In position-independent programs the loader fills it in.
                let text = Some(word(2)?).filter(|text| *text > 0).unwrap_or(table.text);
                (text, [place(3)?, place(4)?, place(5)?, place(6)?, place(7)?])
            }
        };
        let [names, units, file_table, values, functions] = parts;
        Some(Self {
            bytes,
            code,
            version,
            count,
            text,
            names,
            units,
            file_table,
            values,
            functions,
            files: Vec::new(),
            known_files: FxHashMap::default(),
            sequences: Vec::new(),
            steps: bytes.len().saturating_mul(4),
        })
    }

    fn functions(&mut self) -> Vec<Known> {
        let mut functions: Vec<Known> = Vec::new();
        for index in 0..self.count {
            let Some((start, end, record)) = self.entry(index) else { break };
            let Some((start, end)) = self.code.clip(start, end) else { continue };
            if functions.last().is_some_and(|last| last.start >= start) {
                continue;
            }
            let Some(record) = self.record(record) else { continue };
            let Some(name) = self.name(record.name) else { continue };
            let rows = self.lines(&record, start, end);
            functions.push(Known {
                start,
                end,
                names: vec![name],
                external: true,
                unit: 0,
                file: rows.first().map_or(NONE, |row| row.file),
                line: record
                    .start_line
                    .or_else(|| rows.first().map(|row| row.line & !IS_STATEMENT))
                    .unwrap_or(0),
            });
            self.sequences.push(Sequence { end, rows });
        }
        functions
    }

    /// First and last address of a function, and the place of its record.
    fn entry(&self, index: usize) -> Option<(u64, u64, usize)> {
        if self.version >= Version::Go1_18 {
            let at = self.functions.checked_add(index.checked_mul(8)?)?;
            let address = |at| Some(self.text.wrapping_add(u64::from(number(self.bytes, at)?)));
            let record = number(self.bytes, at.checked_add(4)?)? as usize;
            let record = self.functions.checked_add(record)?;
            return Some((address(at)?, address(at.checked_add(8)?)?, record));
        }
        let at = self.functions.checked_add(index.checked_mul(16)?)?;
        let record = usize::try_from(word(self.bytes, at.checked_add(8)?)?).ok()?;
        // In Go 1.2 records are counted from the start of the table.
        let base = if self.version == Version::Go1_2 { 0 } else { self.functions };
        let end = word(self.bytes, at.checked_add(16)?)?;
        Some((word(self.bytes, at)?, end, base.checked_add(record)?))
    }

    fn record(&self, at: usize) -> Option<Record> {
        let first = at.checked_add(if self.version >= Version::Go1_18 { 4 } else { 8 })?;
        let field = |index: usize| number(self.bytes, first.checked_add(index * 4)?);
        let part = |base: usize, index: usize| base.checked_add(field(index)? as usize);
        Some(Record {
            name: part(self.names, 0)?,
            // Between them stand arguments, `deferreturn` (the frame in Go 1.2) and stack sizes.
            pc_file: part(self.values, 4)?,
            pc_line: part(self.values, 5)?,
            unit: if self.version >= Version::Go1_16 { field(7)? as usize } else { 0 },
            start_line: if self.version >= Version::Go1_20 { field(8) } else { None },
        })
    }

    fn name(&self, at: usize) -> Option<String> {
        let rest = self.bytes.get(at..)?;
        let end = rest.iter().take(super::super::pool::LONGEST).position(|byte| *byte == 0)?;
        (end > 0).then(|| String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    /// The lines of a function: two tables of values, for the file and for the line, as one.
    fn lines(&mut self, record: &Record, start: u32, end: u32) -> Vec<LineFact> {
        let files = self.values_at(record.pc_file, start, end);
        let lines = self.values_at(record.pc_line, start, end);
        let mut rows: Vec<LineFact> = Vec::new();
        let mut files = files.into_iter().peekable();
        let mut file = NONE;
        let mut file_end = start;
        let mut address = start;
        for (line_end, line) in lines {
            while address < line_end {
                while file_end <= address {
                    let Some((next_end, value)) = files.next() else { return rows };
                    file_end = next_end;
                    file = self.file(record.unit, value);
                }
                let line = u32::try_from(line).unwrap_or(0) | IS_STATEMENT;
                let row = LineFact { address, file, line, column: 0 };
                if rows.last().is_none_or(|last| LineFact { address, ..*last } != row) {
                    rows.push(row);
                }
                address = line_end.min(file_end);
            }
        }
        rows
    }

    /// A table of values: each with the address where it ends, up to the function's end.
    fn values_at(&mut self, at: usize, start: u32, end: u32) -> Vec<(u32, i32)> {
        let mut values = Vec::new();
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        let (mut value, mut address) = (-1_i32, start);
        while address < end && self.steps > 0 {
            self.steps -= 1;
            let Some(change) = varint(&mut rest) else { break };
            // A zero ends the table, but for the first value.
            if change == 0 && !values.is_empty() {
                break;
            }
            let half = (change >> 1).cast_signed();
            value = value.wrapping_add(if change & 1 == 0 { half } else { !half });
            let Some(length) = varint(&mut rest) else { break };
            address = address.saturating_add(length).min(end);
            values.push((address, value));
        }
        values
    }

    /// A file by its number in its unit.
    fn file(&mut self, unit: usize, index: i32) -> u32 {
        let Some(place) = self.file_place(unit, index) else { return NONE };
        if let Some(known) = self.known_files.get(&place) {
            return *known;
        }
        let file = self.name(place).map_or(NONE, |path| {
            self.files.push(FileFact { path, compiled_in: String::new(), md5: None });
            u32::try_from(self.files.len() - 1).unwrap_or(NONE)
        });
        self.known_files.insert(place, file);
        file
    }

    fn file_place(&self, unit: usize, index: i32) -> Option<usize> {
        let index = usize::try_from(index).ok()?;
        if self.version == Version::Go1_2 {
            let at = self.file_table.checked_add(index.checked_mul(4)?)?;
            return number(self.bytes, at).map(|place| place as usize);
        }
        let at = self.units.checked_add(unit.checked_add(index)?.checked_mul(4)?)?;
        let place = number(self.bytes, at).filter(|place| *place != u32::MAX)?;
        self.file_table.checked_add(place as usize)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// An unsigned LEB128 of at most five bytes.
fn varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0x40_1000;

    /// A table of two functions of 16 bytes, as the linker of each version lays it out: `main.a` on
    /// the lines 3 and 5 of `/a.go`, `main.b` on line 9 of `/b.go`.
    fn table(version: Version) -> Vec<u8> {
        let magic = match version {
            Version::Go1_2 => 0xfffffffb_u32,
            Version::Go1_16 => 0xfffffffa,
            Version::Go1_18 => 0xfffffff0,
            Version::Go1_20 => 0xfffffff1,
        };
        let old = version == Version::Go1_2;
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend([0, 0, 1, 8]);
        // Parts at fixed places, with room between them.
        let (names, units, files, values, functions) =
            (0x100_u32, 0x140_u32, 0x180_u32, 0x200_u32, if old { 16 } else { 0x280 });
        let words: Vec<u64> = match version {
            Version::Go1_2 => vec![2],
            Version::Go1_16 => [2, 2, names, units, files, values, functions].map(u64::from).into(),
            _ => {
                let mut words: Vec<u64> = vec![2, 2, TEXT];
                words.extend([names, units, files, values, functions].map(u64::from));
                words
            }
        };
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.resize(0x400, 0);
        let mut put = |at: u32, part: &[u8]| {
            bytes[at as usize..at as usize + part.len()].copy_from_slice(part);
        };
        let number = |number: u32| number.to_le_bytes();
        put(names, b"main.a\0main.b\0");
        let file_names = if old { files + 0x20 } else { files };
        put(file_names, b"/a.go\0/b.go\0");
        if old {
            put(files, &[number(3), number(file_names), number(file_names + 6)].concat());
        } else {
            put(units, &[number(0), number(6)].concat());
        }
        // Values start at -1; a change is zigzag, then comes the length.
        let first_file: i32 = if old { 1 } else { 0 };
        let up = |by: i32| u8::try_from(by * 2).unwrap();
        put(values + 1, &[up(first_file + 1), 16, 0]);
        put(values + 5, &[up(first_file + 2), 16, 0]);
        put(values + 9, &[up(4), 6, up(2), 10, 0]);
        put(values + 15, &[up(10), 16, 0]);
        let base = |base: u32, at: u32| if old { base + at } else { at };
        let record = |entry: u64, name: u32, file: u32, line: u32, start: u32| {
            let mut record = match version {
                Version::Go1_18 | Version::Go1_20 => number((entry - TEXT) as u32).to_vec(),
                _ => entry.to_le_bytes().to_vec(),
            };
            let fields = [base(names, name), 0, 0, 0, base(values, file), base(values, line), 0, 0];
            fields.iter().for_each(|field| record.extend(number(*field)));
            record.extend(number(start));
            record
        };
        let records = [0x300_u32, 0x360];
        put(records[0], &record(TEXT, 0, 1, 9, 2));
        put(records[1], &record(TEXT + 16, 7, 5, 15, 8));
        for (index, record) in records.iter().enumerate() {
            let (index, start) = (index as u32, TEXT + 16 * index as u64);
            match version {
                Version::Go1_18 | Version::Go1_20 => {
                    let entry = [number((start - TEXT) as u32), number(record - functions)];
                    put(functions + index * 8, &entry.concat());
                }
                _ => {
                    let record = if old { *record } else { record - functions };
                    let entry = [start.to_le_bytes(), u64::from(record).to_le_bytes()];
                    put(functions + index * 16, &entry.concat());
                }
            }
        }
        match version {
            Version::Go1_18 | Version::Go1_20 => put(functions + 16, &number(32)),
            _ => put(functions + 32, &(TEXT + 32).to_le_bytes()),
        }
        if old {
            put(functions + 40, &number(files));
        }
        bytes
    }

    fn code() -> Code {
        Code::new(std::iter::once((TEXT, 0x1000)))
    }

    #[test]
    fn each_layout_is_read() {
        for version in [Version::Go1_2, Version::Go1_16, Version::Go1_18, Version::Go1_20] {
            let table = Table { bytes: Cow::Owned(table(version)), text: 0 };
            let go = read(&table, &code(), &[]);
            let names: Vec<_> = go
                .functions
                .iter()
                .map(|function| (function.names[0].as_str(), function.start, function.end))
                .collect();
            assert_eq!(names, [("main.a", 0, 16), ("main.b", 16, 32)], "{version:?}");
            let paths: Vec<_> = go.unit.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(paths, ["/a.go", "/b.go"], "{version:?}");
            let rows: Vec<_> = go
                .unit
                .sequences
                .iter()
                .flat_map(|sequence| &sequence.rows)
                .map(|row| (row.address, row.file, row.line & !IS_STATEMENT))
                .collect();
            assert_eq!(rows, [(0, 0, 3), (6, 0, 5), (16, 1, 9)], "{version:?}");
            let starts: Vec<_> = go.functions.iter().map(|function| function.line).collect();
            let expected = if version == Version::Go1_20 { [2, 8] } else { [3, 9] };
            assert_eq!(starts, expected, "{version:?}");
        }
    }

    #[test]
    fn damaged_tables_are_survived() {
        for version in [Version::Go1_2, Version::Go1_16, Version::Go1_18, Version::Go1_20] {
            let whole = table(version);
            for length in 0..whole.len() {
                let table = Table { bytes: Cow::Borrowed(&whole[..length]), text: TEXT };
                let _ = read(&table, &code(), &[]);
            }
            for at in 8..whole.len() {
                for value in [0x7f, 0x80, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] = value;
                    let _ = read(&Table { bytes: bytes.into(), text: TEXT }, &code(), &[]);
                }
            }
        }
    }
}
