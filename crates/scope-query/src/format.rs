//! Answers as other programs read them.

use std::io::Write;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::{Answer, QueryError};

/// A format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON array of objects.
    Json,
    /// An object a line.
    JsonLines,
    /// Comma-separated values, with the names of the columns first.
    Csv,
    /// Apache Parquet, compressed.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

impl Answer {
    /// Writes all rows, as they come. Returns how many there were.
    ///
    /// # Errors
    ///
    /// Those of [`Answer::next_batch`]; [`QueryError::Write`].
    pub fn write(
        mut self,
        format: Format,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, QueryError> {
        let schema = Arc::clone(self.schema());
        let mut sink = Sink::new(format, &schema, out)?;
        let mut rows = 0;
        while let Some(batch) = self.next_batch()? {
            rows += batch.rows() as u64;
            sink.write(&batch.0)?;
        }
        sink.finish()?;
        Ok(rows)
    }
}

type Out<'a> = &'a mut (dyn Write + Send);

enum Sink<'a> {
    Json(datafusion::arrow::json::Writer<Out<'a>, JsonArray>),
    JsonLines(datafusion::arrow::json::Writer<Out<'a>, LineDelimited>),
    Csv(Box<csv::Writer<Out<'a>>>),
    Parquet(Box<ArrowWriter<Out<'a>>>),
    Arrow(Box<StreamWriter<Out<'a>>>),
}

impl<'a> Sink<'a> {
    fn new(format: Format, schema: &SchemaRef, out: Out<'a>) -> Result<Self, QueryError> {
        let json = WriterBuilder::new().with_explicit_nulls(true);
        Ok(match format {
            Format::Json => Self::Json(json.build(out)),
            Format::JsonLines => Self::JsonLines(json.build(out)),
            Format::Csv => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
                // An answer without rows has columns all the same.
                writer.write(&RecordBatch::new_empty(Arc::clone(schema)))?;
                Self::Csv(Box::new(writer))
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties));
                Self::Parquet(Box::new(writer.map_err(of_parquet)?))
            }
            Format::Arrow => Self::Arrow(Box::new(StreamWriter::try_new(out, schema)?)),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        match self {
            Self::Json(writer) => writer.write(batch)?,
            Self::JsonLines(writer) => writer.write(batch)?,
            Self::Csv(writer) => writer.write(batch)?,
            Self::Parquet(writer) => writer.write(batch).map_err(of_parquet)?,
            Self::Arrow(writer) => writer.write(batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), QueryError> {
        match self {
            Self::Json(mut writer) => {
                writer.finish()?;
                writer.into_inner().write_all(b"\n")?;
            }
            Self::JsonLines(mut writer) => writer.finish()?,
            Self::Csv(_) => {}
            Self::Parquet(writer) => {
                writer.close().map_err(of_parquet)?;
            }
            Self::Arrow(mut writer) => writer.finish()?,
        }
        Ok(())
    }
}

fn of_parquet(error: ParquetError) -> QueryError {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => QueryError::Write(*error),
            Err(other) => QueryError::Engine(other.to_string()),
        },
        other => QueryError::Engine(other.to_string()),
    }
}
