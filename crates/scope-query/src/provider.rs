//! A table as the engine sees it: which columns, which conditions it answers itself, and streams of
//! batches, one a partition.
//!
//! A partition is read where the engine asks for it, on one of its threads; nothing is read ahead. Between
//! batches, and every few blocks where no row is found, it lets others run, which is when a query
//! that was stopped ends.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::QueryError;
use crate::filter::Filter;
use crate::rows::{Column, Rows, Type, Wanted, schema};
use crate::run::Run;
use crate::scan::{Part, Scan};
use crate::session::TableInfo;
use crate::source::Source;

/// Name of the column that says which trace a row is of, where several are asked.
pub(crate) const TRACE: &str = "trace";

/// A table or what a table function gives, for any number of traces.
pub(crate) trait Table: fmt::Debug + Send + Sync + 'static {
    /// Its name in SQL, what a row is, and its columns.
    fn info(&self) -> TableInfo;

    /// The partitions of a scan of one trace, at most about `parts`. Called again for each scan.
    fn scan(&self, source: &Arc<Source>, wanted: &Wanted, parts: usize) -> ScanResult;
}

/// What [`Table::scan`] gives.
pub(crate) type ScanResult = Result<Vec<Box<dyn Partition>>, QueryError>;

/// A part of a table that can be read, more than once if need be.
pub(crate) trait Partition: Send + Sync {
    /// Begins to read it.
    fn read(&self) -> Result<Box<dyn Reading>, QueryError>;

    /// The blocks whose rows these are; what of others is read on the way is a matter of where rows end.
    /// `None`: it is not made of events.
    fn blocks(&self) -> Option<&[usize]> {
        None
    }
}

/// A part of a table that is being read.
pub(crate) trait Reading: Send {
    /// Adds rows, as many as cost little: those of some blocks. Returns whether there may be more.
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError>;
}

/// A table that is small, or made in one go: all its rows at once.
pub(crate) trait Small: fmt::Debug + Clone + Send + Sync + 'static {
    /// As [`TableInfo::name`].
    const NAME: &'static str;
    /// As [`TableInfo::about`].
    const ABOUT: &'static str;
    /// As [`TableInfo::columns`].
    const COLUMNS: &'static [Column];

    /// Adds all rows of a trace.
    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError>;
}

impl<T: Small> Table for T {
    fn info(&self) -> TableInfo {
        TableInfo { name: T::NAME, about: T::ABOUT, columns: T::COLUMNS }
    }

    fn scan(&self, source: &Arc<Source>, _: &Wanted, _: usize) -> ScanResult {
        Ok(vec![Box::new(Whole { table: self.clone(), source: Arc::clone(source) })])
    }
}

/// All of a small table.
#[derive(Clone, Debug)]
struct Whole<T> {
    table: T,
    source: Arc<Source>,
}

impl<T: Small> Partition for Whole<T> {
    fn read(&self) -> Result<Box<dyn Reading>, QueryError> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Small> Reading for Whole<T> {
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError> {
        self.table.fill(&self.source, rows)?;
        Ok(false)
    }
}

/// A table over the traces of a query.
#[derive(Debug)]
pub(crate) struct Provider {
    table: Arc<dyn Table>,
    sources: Arc<[Arc<Source>]>,
    schema: SchemaRef,
    /// Answer conditions and choose blocks, or leave all that to the engine: the tests compare.
    pushdown: bool,
}

impl Provider {
    pub(crate) fn new(table: Arc<dyn Table>, sources: Arc<[Arc<Source>]>, pushdown: bool) -> Self {
        let own = schema(table.info().columns);
        let schema = if sources.len() > 1 {
            let trace = Field::new(TRACE, Type::Word.arrow(), false);
            let fields = own.fields().iter().map(|field| field.as_ref().clone());
            Schema::new(std::iter::once(trace).chain(fields).collect::<Vec<_>>())
        } else {
            own
        };
        Self { table, sources, schema: Arc::new(schema), pushdown }
    }

    /// How many columns are not the table's own.
    fn foreign(&self) -> usize {
        self.schema.fields().len() - self.table.info().columns.len()
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        let answer = |filter: &&Expr| match Filter::answers(filter, self.table.info().columns) {
            true if self.pushdown => TableProviderFilterPushDown::Exact,
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let TableInfo { name, columns, .. } = self.table.info();
        let foreign = self.foreign();
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let schema = Arc::new(self.schema.project(projection)?);
        let wanted = Arc::new(Wanted {
            columns,
            projection: projection.iter().map(|index| index.checked_sub(foreign)).collect(),
            filter: Filter::of(filters, columns),
            limit: limit.unwrap_or(usize::MAX),
            schema: Arc::clone(&schema),
        });
        let parts = if limit.is_some() { 1 } else { state.config().target_partitions() };
        let mut streams: Vec<Arc<dyn PartitionStream>> = Vec::new();
        let mut read = Vec::new();
        for source in self.sources.iter() {
            for partition in self.table.scan(source, &wanted, parts)? {
                let partition: Arc<dyn Partition> = Arc::from(partition);
                read.push(Part { source: Arc::clone(source), partition: Arc::clone(&partition) });
                streams.push(Arc::new(Stream {
                    table: name,
                    partition,
                    source: Arc::clone(source),
                    wanted: Arc::clone(&wanted),
                }));
            }
        }
        if streams.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let inner = StreamingTableExec::try_new(schema, streams, None, [], false, limit)?;
        Ok(Scan::new(name, read, inner))
    }
}

/// A partition of a scan.
struct Stream {
    table: &'static str,
    partition: Arc<dyn Partition>,
    source: Arc<Source>,
    wanted: Arc<Wanted>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.table, self.source.name)
    }
}

impl PartitionStream for Stream {
    fn schema(&self) -> &SchemaRef {
        &self.wanted.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let run = context.session_config().get_extension::<Run>();
        let rows = Rows::new(Arc::clone(&self.wanted), Arc::clone(&self.source.name));
        let begun = State::New(Arc::clone(&self.partition), rows);
        let stream = futures::stream::try_unfold((begun, run), |(state, run)| async move {
            let (mut reading, mut rows) = match state {
                State::New(partition, rows) => (partition.read()?, rows),
                State::Reading(reading, rows) => (reading, rows),
                State::End => return Ok(None),
            };
            loop {
                run.as_deref().map_or(Ok(()), Run::check)?;
                let more = reading.more(&mut rows)? && !rows.is_done();
                if more && !rows.are_enough() {
                    tokio::task::yield_now().await;
                    continue;
                }
                let Some(batch) = rows.take()? else { return Ok(None) };
                let next = if more { State::Reading(reading, rows) } else { State::End };
                return EngineResult::Ok(Some((batch, (next, run))));
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.wanted.schema), stream))
    }
}

enum State {
    New(Arc<dyn Partition>, Rows),
    Reading(Box<dyn Reading>, Rows),
    End,
}

/// The type of a column, in a word.
pub(crate) fn type_name(holds: &DataType) -> &'static str {
    match holds {
        DataType::Boolean => "flag",
        holds if holds.is_integer() => "integer",
        holds if holds.is_floating() => "number",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            "text"
        }
        _ => "other",
    }
}
