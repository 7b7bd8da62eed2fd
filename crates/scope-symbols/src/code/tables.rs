//! The tables of one module, over bytes that are mapped or owned.
//!
//! Opening reads the header and the checksum alone; every look-up reads its rows in place. Nothing
//! is resolved ahead, and a row that refers to what is not there has nothing there.

use std::ops::Range;
use std::sync::Arc;

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::format::{Directory, Section, TablesError};
use super::model::{
    Facts, FileNumber, Function, FunctionNumber, Generic, GenericArgument, GenericNumber, Inlined,
    InlinedNumber, Language, Location, Parameter, Place, SourceFile,
};
use super::pool;
use super::rows::{
    ArgumentRow, FileRow, FunctionRow, GenericRow, INLINED, InlinedRow, LocationRow, NONE,
    ParameterRow, RangeRow, UnitRow, file_flags, function_flags,
};
use crate::code::TypeNumber;
use crate::file::FileBytes;

/// Functions, inlined copies, lines, parameters and types of one module.
///
/// Cheap to clone. What it takes is the file that it lies in: mapped from a cache, memory is used
/// for what is read alone.
#[derive(Clone, Debug)]
pub struct CodeTables {
    bytes: Arc<FileBytes>,
    directory: Directory,
    facts: Arc<Facts>,
}

impl CodeTables {
    /// Opens tables that were written earlier ([`CodeTables::as_bytes`]).
    ///
    /// # Errors
    ///
    /// When the bytes are none, of another version, or changed.
    pub fn open(bytes: FileBytes) -> Result<Self, TablesError> {
        let directory = Directory::read(&bytes)?;
        let facts = serde_json::from_slice(directory.bytes(&bytes, Section::Facts))
            .map_err(|_| TablesError::Damaged { what: "its facts are no JSON" })?;
        Ok(Self { bytes: Arc::new(bytes), directory, facts: Arc::new(facts) })
    }

    /// The bytes, as [`CodeTables::open`] takes them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was read, and what was not.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Functions with code: numbers below this.
    #[must_use]
    pub fn functions_with_code(&self) -> usize {
        self.rows::<FunctionRow>(Section::Functions).partition_point(|row| row.ranges.get() > 0)
    }

    /// All functions: those with code by address, then those inlined everywhere.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> {
        let rows = self.rows::<FunctionRow>(Section::Functions);
        rows.iter().enumerate().map(|(at, row)| self.function_of(number(at), row))
    }

    /// A function by its number.
    #[must_use]
    pub fn function(&self, function: FunctionNumber) -> Option<Function<'_>> {
        Some(self.function_of(function.0, self.function_row(function)?))
    }

    /// The code of a function, its entry first; empty where it has none.
    pub fn ranges_of(&self, function: FunctionNumber) -> impl Iterator<Item = Range<u64>> {
        let row = self.function_row(function);
        let (first, count) = row.map_or((0, 0), |row| (row.first_range.get(), row.ranges.get()));
        self.ranges(first, count)
    }

    /// A generic function by its number.
    #[must_use]
    pub fn generic(&self, generic: GenericNumber) -> Option<Generic<'_>> {
        let row = self.row::<GenericRow>(Section::Generics, generic.0)?;
        Some(Generic {
            name: self.text(row.name.get()),
            declared: place(row.file.get(), row.line.get(), 0),
            instances: row.instances.get(),
        })
    }

    /// The generic arguments of a function.
    pub fn arguments_of(
        &self,
        function: FunctionNumber,
    ) -> impl ExactSizeIterator<Item = GenericArgument<'_>> {
        let (first, count) = self
            .function_row(function)
            .map_or((0, 0), |row| (row.first_argument.get(), row.arguments.get()));
        self.part::<ArgumentRow>(Section::Arguments, first, count).iter().map(|row| {
            GenericArgument {
                name: self.text(row.name.get()),
                argument: reference(row.value.get()).map(TypeNumber),
            }
        })
    }

    /// The parameters of a function with code, in order.
    pub fn parameters_of(
        &self,
        function: FunctionNumber,
    ) -> impl ExactSizeIterator<Item = Parameter<'_>> {
        let (first, count) = self
            .function_row(function)
            .map_or((0, 0), |row| (row.first_parameter.get(), row.parameters.get()));
        self.part::<ParameterRow>(Section::Parameters, first, count).iter().map(|row| Parameter {
            name: self.text(row.name.get()),
            value_type: reference(row.value.get()).map(TypeNumber),
            first_location: row.first_location.get(),
            locations: row.locations.get(),
        })
    }

    /// Where a parameter is, by address; none: nowhere.
    pub fn locations_of(
        &self,
        parameter: &Parameter<'_>,
    ) -> impl ExactSizeIterator<Item = Location<'_>> {
        let (first, count) = (parameter.first_location, parameter.locations);
        self.part::<LocationRow>(Section::Locations, first, count).iter().map(|row| Location {
            start: self.address(row.start.get()),
            end: self.address(row.end.get()),
            expression: self.blob(row.expression.get()),
        })
    }

    /// All inlined copies.
    pub fn inlined_copies(&self) -> impl ExactSizeIterator<Item = Inlined> {
        let rows = self.rows::<InlinedRow>(Section::Inlined);
        rows.iter().enumerate().map(|(at, row)| inlined_of(number(at), row))
    }

    /// An inlined copy by its number.
    #[must_use]
    pub fn inlined(&self, inlined: InlinedNumber) -> Option<Inlined> {
        let row = self.row::<InlinedRow>(Section::Inlined, inlined.0)?;
        Some(inlined_of(inlined.0, row))
    }

    /// The code of an inlined copy.
    pub fn inlined_ranges(&self, inlined: InlinedNumber) -> impl Iterator<Item = Range<u64>> {
        let row = self.row::<InlinedRow>(Section::Inlined, inlined.0);
        let (first, count) = row.map_or((0, 0), |row| (row.first_range.get(), row.ranges.get()));
        self.ranges(first, count)
    }

    /// All source files, in the order of their numbers.
    pub fn files(&self) -> impl ExactSizeIterator<Item = SourceFile<'_>> {
        self.rows::<FileRow>(Section::Files).iter().map(|row| self.file_of(row))
    }

    /// A source file by its number.
    #[must_use]
    pub fn file(&self, file: FileNumber) -> Option<SourceFile<'_>> {
        self.row::<FileRow>(Section::Files, file.0).map(|row| self.file_of(row))
    }

    /// The path of a place's file; empty where it has none.
    #[must_use]
    pub fn path(&self, place: &Place) -> &str {
        place.file.and_then(|file| self.file(file)).map_or("", |file| file.path)
    }

    fn file_of(&self, row: &FileRow) -> SourceFile<'_> {
        let known = row.flags.get() & (file_flags::MD5 | file_flags::AMBIGUOUS) == file_flags::MD5;
        SourceFile {
            path: self.text(row.path.get()),
            compiled_in: self.text(row.compiled_in.get()),
            md5: known.then_some(row.md5),
        }
    }

    fn function_of(&self, number: u32, row: &FunctionRow) -> Function<'_> {
        let flags = row.flags.get();
        let unit = self.row::<UnitRow>(Section::Units, row.unit.get());
        Function {
            number: FunctionNumber(number),
            symbol: self.text(row.symbol.get()),
            name: self.text(row.name.get()),
            address: self
                .part::<RangeRow>(Section::Ranges, row.first_range.get(), row.ranges.get())
                .first()
                .map(|range| self.address(range.start.get())),
            declared: place(row.file.get(), row.line.get(), row.column.get()),
            is_external: flags & function_flags::EXTERNAL != 0,
            is_artificial: flags & function_flags::ARTIFICIAL != 0,
            does_not_return: flags & function_flags::DOES_NOT_RETURN != 0,
            from_dwarf: flags & function_flags::DWARF != 0,
            language: Language::of(unit.map_or(0, |unit| unit.language.get())),
            producer: unit.map_or("", |unit| self.text(unit.producer.get())),
            returns: reference(row.returns.get()).map(TypeNumber),
            generic: reference(row.generic.get()).map(GenericNumber),
            frame_base: self.blob(row.frame_base.get()),
        }
    }

    pub(super) fn function_row(&self, function: FunctionNumber) -> Option<&FunctionRow> {
        self.row(Section::Functions, function.0)
    }

    fn ranges(&self, first: u32, count: u32) -> impl Iterator<Item = Range<u64>> {
        self.part::<RangeRow>(Section::Ranges, first, count)
            .iter()
            .map(|row| self.address(row.start.get())..self.address(row.end.get()))
    }

    pub(super) fn address(&self, offset: u32) -> u64 {
        self.directory.base.wrapping_add(u64::from(offset))
    }

    /// The distance from the base; `None`: outside the module.
    pub(super) fn offset(&self, address: u64) -> Option<u32> {
        u32::try_from(address.checked_sub(self.directory.base)?).ok()
    }

    pub(super) fn text(&self, offset: u32) -> &str {
        pool::text_at(self.directory.bytes(&self.bytes, Section::Pool), offset)
    }

    fn blob(&self, offset: u32) -> &[u8] {
        pool::bytes_at(self.directory.bytes(&self.bytes, Section::Pool), offset)
    }

    pub(super) fn rows<T>(&self, section: Section) -> &[T]
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        self.directory.rows(&self.bytes, section)
    }

    pub(super) fn row<T>(&self, section: Section, number: u32) -> Option<&T>
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        self.rows::<T>(section).get(number as usize)
    }

    /// Rows from `first` on; none where there are not as many.
    pub(super) fn part<T>(&self, section: Section, first: u32, count: u32) -> &[T]
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        let first = first as usize;
        self.rows::<T>(section).get(first..first.saturating_add(count as usize)).unwrap_or(&[])
    }
}

pub(super) fn place(file: u32, line: u32, column: u16) -> Place {
    Place {
        file: reference(file).map(FileNumber),
        line: (line > 0).then_some(line),
        column: (column > 0).then_some(column),
    }
}

pub(super) fn reference(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

fn inlined_of(number: u32, row: &InlinedRow) -> Inlined {
    Inlined {
        number: InlinedNumber(number),
        function: FunctionNumber(row.function.get()),
        owner: FunctionNumber(row.owner.get()),
        caller: reference(row.caller.get()).map(InlinedNumber),
        call: place(row.file.get(), row.line.get(), row.column.get()),
        depth: row.depth.get(),
    }
}

fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE & !INLINED)
}
