//! One table of a Parquet export: rows in, parts of row groups out.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::Type;

use crate::Error;

/// Rows of a row group: what waits in memory.
const GROUP: usize = 1 << 17;
/// Row groups of a part.
const GROUPS: usize = 64;

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Null,
    Int(i32),
    Long(i64),
    Bool(bool),
    Fixed(&'static str),
    Text(&'a str),
}

/// A column of the rows that wait.
#[derive(Debug)]
struct Column {
    values: Values,
    /// For each row, whether there is a value; only for optional columns.
    present: Option<Vec<i16>>,
}

#[derive(Debug)]
enum Values {
    Int(Vec<i32>),
    Long(Vec<i64>),
    Bool(Vec<bool>),
    Text(Vec<ByteArray>),
}

/// The table.
pub(super) struct Table {
    folder: PathBuf,
    schema: Arc<Type>,
    properties: Arc<WriterProperties>,
    columns: Vec<Column>,
    rows: usize,
    part: usize,
    groups: usize,
    writer: Option<SerializedFileWriter<File>>,
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error.to_string())
    }
}

impl Table {
    /// A table in a folder of its own, with these columns in Parquet's language.
    pub(super) fn new(folder: &Path, name: &str, columns: &str) -> Result<Self, Error> {
        let folder = folder.join(name);
        fs::create_dir(&folder).map_err(|source| Error::File {
            action: "make the folder",
            path: folder.clone(),
            source,
        })?;
        let schema = Arc::new(parse_message_type(&format!("message {name} {{ {columns} }}"))?);
        let columns = schema.get_fields().iter().map(|field| Column::of(field)).collect();
        let level = ZstdLevel::try_new(1)?;
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        Ok(Self {
            folder,
            schema,
            properties: Arc::new(properties),
            columns,
            rows: 0,
            part: 0,
            groups: 0,
            writer: None,
        })
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), Error> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(*cell);
        }
        self.rows += 1;
        if self.rows == GROUP { self.write_group() } else { Ok(()) }
    }

    /// Writes what waits. A table without rows has a part all the same, so that it can be read.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        if self.rows > 0 || self.part == 0 && self.writer.is_none() {
            self.write_group()?;
        }
        self.close()
    }

    fn close(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
            self.part += 1;
            self.groups = 0;
        }
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), Error> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let path = self.folder.join(format!("part-{:05}.parquet", self.part));
                let file = File::create(&path).map_err(|source| Error::File {
                    action: "create",
                    path,
                    source,
                })?;
                let (schema, properties) = (Arc::clone(&self.schema), Arc::clone(&self.properties));
                self.writer.insert(SerializedFileWriter::new(file, schema, properties)?)
            }
        };
        if self.rows > 0 {
            let mut group = writer.next_row_group()?;
            for column in &mut self.columns {
                column.write(&mut group)?;
            }
            group.close()?;
            self.rows = 0;
            self.groups += 1;
        }
        if self.groups == GROUPS { self.close() } else { Ok(()) }
    }
}

impl Column {
    fn of(field: &Type) -> Self {
        use parquet::basic::Type as Physical;
        let values = match field.get_physical_type() {
            Physical::INT32 => Values::Int(Vec::new()),
            Physical::BOOLEAN => Values::Bool(Vec::new()),
            Physical::BYTE_ARRAY => Values::Text(Vec::new()),
            _ => Values::Long(Vec::new()),
        };
        Self { values, present: field.is_optional().then(Vec::new) }
    }

    fn push(&mut self, cell: Cell<'_>) {
        let is_null = matches!(cell, Cell::Null);
        if let Some(present) = &mut self.present {
            present.push(i16::from(!is_null));
            if is_null {
                return;
            }
        }
        match (&mut self.values, cell) {
            (Values::Int(values), Cell::Int(value)) => values.push(value),
            (Values::Long(values), Cell::Long(value)) => values.push(value),
            (Values::Bool(values), Cell::Bool(value)) => values.push(value),
            (Values::Text(values), Cell::Text(text)) => values.push(ByteArray::from(text)),
            (Values::Text(values), Cell::Fixed(text)) => {
                values.push(ByteArray::from(text.as_bytes().to_vec()));
            }
            (values, cell) => debug_assert!(false, "{cell:?} is no value of {values:?}"),
        }
    }

    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, File>) -> Result<(), Error> {
        let present = self.present.as_deref();
        match &mut self.values {
            Values::Int(values) => write::<Int32Type>(group, values, present)?,
            Values::Long(values) => write::<Int64Type>(group, values, present)?,
            Values::Bool(values) => write::<BoolType>(group, values, present)?,
            Values::Text(values) => write::<ByteArrayType>(group, values, present)?,
        }
        if let Some(present) = &mut self.present {
            present.clear();
        }
        Ok(())
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &mut Vec<T::T>,
    present: Option<&[i16]>,
) -> Result<(), Error> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<T>().write_batch(values, present, None)?;
        column.close()?;
    }
    values.clear();
    Ok(())
}
