//! A scan in a plan: what the engine runs, what it is told of its size to plan by, and what `explain` says
//! of it, which is how much of each trace is read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as EngineResult, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::QueryError;
use crate::provider::Partition;
use crate::source::Source;

/// A scan of a table.
#[derive(Debug)]
pub(crate) struct Scan {
    table: &'static str,
    parts: Vec<Part>,
    inner: Arc<StreamingTableExec>,
}

/// A partition, and the trace it is of.
pub(crate) struct Part {
    pub(crate) source: Arc<Source>,
    pub(crate) partition: Arc<dyn Partition>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("source", &self.source.name).finish_non_exhaustive()
    }
}

/// How much of a trace is read, and how much there is.
#[derive(Debug, Default)]
struct Share {
    segments: (usize, usize),
    blocks: (usize, usize),
    events: (u64, u64),
}

impl Scan {
    pub(crate) fn new(
        table: &'static str,
        parts: Vec<Part>,
        inner: StreamingTableExec,
    ) -> Arc<Self> {
        Arc::new(Self { table, parts, inner: Arc::new(inner) })
    }

    /// About how many rows it gives, of one partition or of all: as many as events are read, and of what
    /// is not made of events, as many as there are functions. Of two tables that are joined, the engine
    /// keeps the smaller one in memory.
    fn rows(&self, partition: Option<usize>) -> EngineResult<usize> {
        let parts = match partition {
            Some(index) => self.parts.get(index..=index).unwrap_or_default(),
            None => &self.parts,
        };
        let mut rows = 0_usize;
        for part in parts {
            let trace = &part.source.trace;
            let Some(blocks) = part.partition.blocks() else {
                rows = rows.saturating_add(trace.functions().len().max(1));
                continue;
            };
            for block in blocks {
                let info = trace.block_info(*block).map_err(QueryError::from)?;
                rows = rows.saturating_add(info.events as usize);
            }
        }
        Ok(rows)
    }

    /// For a person.
    fn told(&self) -> String {
        let count = self.parts.len();
        let plural = if count == 1 { "" } else { "s" };
        let mut told = format!("{} in {count} part{plural}", self.table);
        let mut at = 0;
        while let Some(first) = self.parts.get(at) {
            let same = |part: &&Part| Arc::ptr_eq(&part.source, &first.source);
            let parts: Vec<&Part> = self.parts[at..].iter().take_while(same).collect();
            at += parts.len();
            let name = &first.source.name;
            match share(&first.source, &parts) {
                Ok(Some(Share { segments, blocks, events })) => {
                    told += &format!(
                        "; reads of {name}: {} of {} segments, {} of {} blocks, {} of {} events",
                        segments.0, segments.1, blocks.0, blocks.1, events.0, events.1
                    );
                }
                Ok(None) => told += &format!("; of {name}: no events"),
                Err(error) => told += &format!("; of {name}: {error}"),
            }
        }
        told
    }
}

/// `None` where a table is not made of events.
fn share(source: &Source, parts: &[&Part]) -> Result<Option<Share>, QueryError> {
    let trace = &source.trace;
    let Some(lists) = parts.iter().map(|part| part.partition.blocks()).collect::<Option<Vec<_>>>()
    else {
        return Ok(None);
    };
    let all = &trace.manifest().segments;
    let mut share = Share {
        segments: (0, all.len()),
        blocks: (0, trace.block_count()?),
        events: (0, trace.end_event()?.saturating_sub(trace.first_event())),
    };
    let mut segments = BTreeSet::new();
    for block in lists.into_iter().flatten() {
        let info = trace.block_info(*block)?;
        share.blocks.0 += 1;
        share.events.0 += u64::from(info.events);
        segments.insert(all.partition_point(|segment| segment.first_event <= info.first_event));
    }
    share.segments.0 = segments.len();
    Ok(Some(share))
}

impl DisplayAs for Scan {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.told()),
            _ => {
                write!(f, "Scan: {}; ", self.told())?;
                self.inner.fmt_as(format, f)
            }
        }
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "Scan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> EngineResult<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        let rows = self.rows(args.partition())?;
        statistics.num_rows = Precision::Inexact(self.fetch().map_or(rows, |most| most.min(rows)));
        Ok(Arc::new(statistics))
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }
}
