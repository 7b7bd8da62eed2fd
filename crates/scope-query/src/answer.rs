//! The answer to a statement, batch by batch, for as long as nobody stops it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use tokio::runtime::Runtime;

use crate::QueryError;
use crate::provider::type_name;

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

/// Stops the statement that runs, or that is about to, from any thread; the one after it runs again.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop; not any more after this.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
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
    runtime: Arc<Runtime>,
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    begun: Instant,
    timeout: Option<Duration>,
    left: u64,
    stop: Stop,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("columns", &self.columns()).finish_non_exhaustive()
    }
}

impl Answer {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        stream: SendableRecordBatchStream,
        schema: SchemaRef,
        limits: Limits,
        stop: Stop,
    ) -> Self {
        Self {
            runtime,
            stream,
            schema,
            begun: Instant::now(),
            timeout: limits.timeout,
            left: limits.rows.unwrap_or(u64::MAX),
            stop,
        }
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
        let (stream, stop) = (&mut self.stream, &self.stop);
        let deadline = self.timeout.and_then(|timeout| self.begun.checked_add(timeout));
        let next = self.runtime.block_on(async {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tokio::select! {
                    biased;
                    _ = tick.tick() => {
                        if stop.take() {
                            return Err(QueryError::Stopped);
                        }
                        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                            return Err(QueryError::TimedOut(self.timeout.unwrap_or_default()));
                        }
                    }
                    next = stream.next() => return Ok(next),
                }
            }
        });
        let next = match next {
            Ok(Some(Ok(batch))) => batch,
            Ok(None) => {
                self.left = 0;
                return Ok(None);
            }
            Ok(Some(Err(error))) => {
                self.left = 0;
                return Err(error.into());
            }
            Err(error) => {
                self.left = 0;
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
