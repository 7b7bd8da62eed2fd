//! The answer to a statement, batch by batch, for as long as nobody stops it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::QueryError;
use crate::provider::type_name;
use crate::run::{Run, Stop, Threads};

/// Time between two looks at whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// How far an answer goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Stop after this time.
    pub timeout: Option<Duration>,
    /// Give no more rows than so many.
    pub rows: Option<u64>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// Its type in a word: integer, number, text, flag or other.
    pub holds: &'static str,
}

/// The answer to a statement. Rows are worked out as they are asked for; an answer that is dropped goes
/// no further.
pub struct Answer {
    runtime: Arc<Threads>,
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    left: u64,
    stop: Stop,
    run: Arc<Run>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.run.end();
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("columns", &self.columns()).finish_non_exhaustive()
    }
}

impl Answer {
    pub(crate) fn new(
        runtime: Arc<Threads>,
        stream: SendableRecordBatchStream,
        schema: SchemaRef,
        rows: Option<u64>,
        (stop, run): (Stop, Arc<Run>),
    ) -> Self {
        Self { runtime, stream, schema, left: rows.unwrap_or(u64::MAX), stop, run }
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<ResultColumn> {
        let column = |field: &Arc<datafusion::arrow::datatypes::Field>| ResultColumn {
            name: field.name().clone(),
            holds: type_name(field.data_type()),
        };
        self.schema.fields().iter().map(column).collect()
    }

    /// Some of the rows that come next; `None` at the end.
    ///
    /// # Errors
    ///
    /// What reading a trace gives; [`QueryError::TimedOut`], [`QueryError::Stopped`],
    /// [`QueryError::Engine`]. Nothing comes after an error.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, QueryError> {
        if self.left == 0 {
            return Ok(None);
        }
        let (stream, run) = (&mut self.stream, &self.run);
        let next = self.runtime.block_on(async {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    biased;
                    _ = tick.tick() => run.check()?,
                    next = stream.next() => return next.transpose().map_err(QueryError::from),
                }
            }
        });
        let next = match next {
            Ok(Some(batch)) => batch,
            Ok(None) => {
                self.left = 0;
                return Ok(None);
            }
            Err(error) => {
                self.left = 0;
                // Found by several tasks at once it comes wrapped.
                let error = self.run.check().err().unwrap_or(error);
                self.run.end();
                if matches!(error, QueryError::Stopped) {
                    // What comes next runs again.
                    self.stop.take();
                }
                return Err(error);
            }
        };
        let rows = usize::try_from(self.left).unwrap_or(usize::MAX).min(next.num_rows());
        self.left -= rows as u64;
        Ok(Some(Batch(next.slice(0, rows))))
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// Some rows of an answer.
#[derive(Clone, Debug)]
pub struct Batch(pub(crate) RecordBatch);

impl Batch {
    /// How many.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// The values as text, row by row; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`QueryError::Engine`] for a value that cannot be text.
    pub fn text(&self) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        let options = FormatOptions::default();
        let columns: Vec<(&dyn Array, ArrayFormatter<'_>)> = self
            .0
            .columns()
            .iter()
            .map(|array| Ok((array.as_ref(), ArrayFormatter::try_new(array.as_ref(), &options)?)))
            .collect::<Result<_, QueryError>>()?;
        let row = |row: usize| {
            let value = |(array, formatter): &(&dyn Array, ArrayFormatter<'_>)| {
                if array.is_null(row) || *array.data_type() == DataType::Null {
                    return Ok(None);
                }
                Ok(Some(formatter.value(row).try_to_string()?))
            };
            columns.iter().map(value).collect()
        };
        (0..self.rows()).map(row).collect()
    }
}
