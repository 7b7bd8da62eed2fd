//! Rows on their way into Arrow: what a table has, which of it was asked for, and the batches made
//! of it.
//!
//! A table says what is in a cell; nobody asks for the cells of columns that no query looks at, nor
//! for those of rows that a filter drops.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, Int64Builder, PrimitiveBuilder, RecordBatch,
    RecordBatchOptions, StringBuilder, StringDictionaryBuilder, UInt32Builder, UInt64Builder,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;

use crate::filter::Filter;

/// Rows of a batch, about: what the engine works best with.
pub(crate) const BATCH: usize = 8192;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A time, a duration, a count or the number of an event; times are ns.
    Int,
    /// The id of a thread, a process, a function or a module.
    Id,
    /// An address or the content of a register.
    Bits,
    /// True or false.
    Flag,
    /// Text that differs from row to row.
    Text,
    /// Text of which there are few.
    Word,
}

impl Type {
    pub(crate) fn arrow(self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::Id => DataType::UInt32,
            Self::Bits => DataType::UInt64,
            Self::Flag => DataType::Boolean,
            Self::Text => DataType::Utf8,
            Self::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds. Any column may be null.
    pub holds: Type,
    /// What it says, as a clause for a person.
    pub about: &'static str,
}

/// A column, in one line of a table's list.
pub(crate) const fn column(name: &'static str, holds: Type, about: &'static str) -> Column {
    Column { name, holds, about }
}

/// The schema of columns.
pub(crate) fn schema(columns: &[Column]) -> Schema {
    let field = |column: &Column| Field::new(column.name, column.holds.arrow(), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

/// What is in one place of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Id(u32),
    Bits(u64),
    Flag(bool),
    Text(&'a str),
}

impl Cell<'_> {
    /// A count or the number of an event.
    pub(crate) fn count(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Such a number that may not be known.
    pub(crate) fn count_if(value: Option<u64>) -> Self {
        value.map_or(Self::Null, Self::count)
    }

    /// An id that may not be known.
    pub(crate) fn id_if(value: Option<u32>) -> Self {
        value.map_or(Self::Null, Self::Id)
    }
}

impl<'a> Cell<'a> {
    /// Text that may not be there.
    pub(crate) fn text_if(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

/// Which columns of a table are wanted, in which order, and of which rows.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) columns: &'static [Column],
    /// Indexes into `columns`; `None` stands for the name of the trace.
    pub(crate) projection: Vec<Option<usize>>,
    pub(crate) filter: Filter,
    /// More rows than so many are of no use.
    pub(crate) limit: usize,
    pub(crate) schema: SchemaRef,
}

impl Wanted {
    /// Whether a column is asked for, to be shown or to filter by.
    pub(crate) fn asks_for(&self, names: &[&str]) -> bool {
        let is_named = |index: usize| names.contains(&self.columns[index].name);
        self.projection.iter().flatten().any(|index| is_named(*index))
            || self.filter.columns().any(is_named)
    }
}

/// Collects rows of one trace.
pub(crate) struct Rows {
    wanted: Arc<Wanted>,
    trace: Arc<str>,
    builders: Vec<Builder>,
    rows: usize,
    /// Rows that may still come.
    left: usize,
}

enum Builder {
    Int(Int64Builder),
    Id(UInt32Builder),
    Bits(UInt64Builder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    Word(StringDictionaryBuilder<Int32Type>),
}

impl Rows {
    pub(crate) fn new(wanted: Arc<Wanted>, trace: Arc<str>) -> Self {
        let builders = wanted
            .projection
            .iter()
            .map(|index| {
                Builder::new(index.map_or(Type::Word, |index| wanted.columns[index].holds))
            })
            .collect();
        let left = wanted.limit;
        Self { wanted, trace, builders, rows: 0, left }
    }

    /// Takes a row, unless the filter drops it. `cell` is told the index of a column.
    pub(crate) fn push<'a>(&mut self, cell: impl Fn(usize) -> Cell<'a>) {
        if self.left == 0 || !self.wanted.filter.takes(&cell) {
            return;
        }
        self.left -= 1;
        self.rows += 1;
        for (index, builder) in self.wanted.projection.iter().zip(&mut self.builders) {
            match index {
                Some(index) => builder.push(cell(*index)),
                None => builder.push(Cell::Text(&self.trace)),
            }
        }
    }

    /// The same for many rows, column by column. `cell` is told the index of a row, the row, and the
    /// index of a column.
    pub(crate) fn push_all<T>(&mut self, of: &[T], cell: impl Fn(usize, &T, usize) -> Cell<'_>) {
        if !self.wanted.filter.is_empty() || of.len() > self.left {
            for (index, row) in of.iter().enumerate() {
                self.push(|column| cell(index, row, column));
            }
            return;
        }
        self.left -= of.len();
        self.rows += of.len();
        for (column, builder) in self.wanted.projection.iter().zip(&mut self.builders) {
            let rows = of.iter().enumerate();
            match column {
                Some(column) => {
                    builder.push_all(rows.map(|(index, row)| cell(index, row, *column)));
                }
                None => rows.for_each(|_| builder.push(Cell::Text(&self.trace))),
            }
        }
    }

    /// Whether a column is asked for, to be shown or to filter by.
    pub(crate) fn asks_for(&self, names: &[&str]) -> bool {
        self.wanted.asks_for(names)
    }

    /// Whether a batch is full.
    pub(crate) fn are_enough(&self) -> bool {
        self.rows >= BATCH || self.is_done()
    }

    /// Whether no more rows are of use.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// What was collected since the last time; `None` when nothing was.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.wanted.schema), arrays, &options)
            .map(Some)
    }
}

impl Builder {
    fn new(holds: Type) -> Self {
        match holds {
            Type::Int => Self::Int(Int64Builder::new()),
            Type::Id => Self::Id(UInt32Builder::new()),
            Type::Bits => Self::Bits(UInt64Builder::new()),
            Type::Flag => Self::Flag(BooleanBuilder::new()),
            Type::Text => Self::Text(StringBuilder::new()),
            Type::Word => Self::Word(StringDictionaryBuilder::new()),
        }
    }

    /// A cell of another type than the column's is none: null.
    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Int(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Id(builder), Cell::Id(value)) => builder.append_value(value),
            (Self::Bits(builder), Cell::Bits(value)) => builder.append_value(value),
            (Self::Flag(builder), Cell::Flag(value)) => builder.append_value(value),
            (Self::Text(builder), Cell::Text(value)) => builder.append_value(value),
            (Self::Word(builder), Cell::Text(value)) => builder.append_value(value),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Id(builder), _) => builder.append_null(),
            (Self::Bits(builder), _) => builder.append_null(),
            (Self::Flag(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Word(builder), _) => builder.append_null(),
        }
    }

    fn push_all<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) {
        match self {
            Self::Int(builder) => push_numbers(builder, cells, |cell| match cell {
                Cell::Int(value) => Some(value),
                _ => None,
            }),
            Self::Id(builder) => push_numbers(builder, cells, |cell| match cell {
                Cell::Id(value) => Some(value),
                _ => None,
            }),
            builder => cells.for_each(|cell| builder.push(cell)),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Id(builder) => Arc::new(builder.finish()),
            Self::Bits(builder) => Arc::new(builder.finish()),
            Self::Flag(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Word(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Takes numbers many at a time, for as long as nothing else comes in between.
#[inline]
fn push_numbers<'a, T: ArrowPrimitiveType>(
    builder: &mut PrimitiveBuilder<T>,
    cells: impl Iterator<Item = Cell<'a>>,
    number: impl Fn(Cell<'a>) -> Option<T::Native>,
) {
    let mut held = [T::Native::default(); 64];
    let mut count = 0;
    for cell in cells {
        let number = number(cell);
        if let Some(number) = number {
            held[count] = number;
            count += 1;
        }
        if number.is_none() || count == held.len() {
            builder.append_slice(&held[..count]);
            count = 0;
        }
        if number.is_none() {
            builder.append_null();
        }
    }
    builder.append_slice(&held[..count]);
}
