//! A statement that runs, and how it ends before its time.
//!
//! An operator of the engine is left between two of its batches, and the engine sees to it that those
//! that read give way from time to time. One that makes much of little does not: a join goes through all
//! pairs of what it read before it reads more. So joins give way too, and whatever is read asks whether
//! anybody still waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datafusion::common::Result as EngineResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use tokio::runtime::Runtime;

use crate::QueryError;

/// The threads of the engine. When this is dropped nobody waits for them: an operator that does not give
/// way would have whoever leaves wait for it.
#[derive(Debug)]
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    /// Waits for a task, which this thread takes part in.
    pub(crate) fn block_on<T>(&self, task: impl Future<Output = T>) -> T {
        match &self.0 {
            Some(runtime) => runtime.block_on(task),
            None => unreachable!("the threads are there until this is dropped"),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Stops the statement that runs, or that is about to, from any thread; the one after it runs again.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops it. Whether it was told so before and did not heed it yet.
    pub fn stop(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether it was told to stop; not any more after this.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// One statement.
#[derive(Debug)]
pub(crate) struct Run {
    stop: Stop,
    begun: Instant,
    timeout: Option<Duration>,
    over: AtomicBool,
}

impl Run {
    pub(crate) fn new(stop: Stop, timeout: Option<Duration>) -> Self {
        Self { stop, begun: Instant::now(), timeout, over: AtomicBool::new(false) }
    }

    /// Nobody waits for it any more.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Why it must not go on, if so.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.over.load(Ordering::Relaxed) || self.stop.0.load(Ordering::Relaxed) {
            return Err(QueryError::Stopped);
        }
        match self.timeout {
            Some(timeout) if self.begun.elapsed() >= timeout => Err(QueryError::TimedOut(timeout)),
            _ => Ok(()),
        }
    }
}

/// Has joins give way.
#[derive(Debug)]
pub(crate) struct JoinsGiveWay;

impl PhysicalOptimizerRule for JoinsGiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(|node| {
            Ok(if node.children().len() > 1 {
                Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)
            } else {
                Transformed::no(node)
            })
        })?;
        Ok(plan.data)
    }

    fn name(&self) -> &'static str {
        "joins_give_way"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
