//! Asking traces: the engine, the tables it knows, and statements.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::optimizer::Analyzer;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use scope_store::Trace;
use tokio::runtime::Builder;

use crate::answer::{Answer, Limits};
use crate::literals::TimeLiterals;
use crate::notes::Notes;
use crate::provider::{Provider, Table};
use crate::rows::Column;
use crate::run::{JoinsGiveWay, Run, Stop, Threads};
use crate::source::{Bookmark, Source};
use crate::{QueryError, functions, suggest, tables};

/// Stack of the engine's threads: it plans by recursion over the statement.
const STACK_BYTES: usize = 16 << 20;

/// How bookmarks of a trace are found, which are no part of it.
pub type FindBookmarks = dyn Fn(&Trace) -> Vec<Bookmark> + Send + Sync;

/// A trace to ask.
#[derive(Clone)]
pub struct Input {
    /// The name it goes by where several are asked.
    pub name: String,
    /// Its folder, or its packed file.
    pub path: PathBuf,
    /// Where its bookmarks are.
    pub bookmarks: Arc<FindBookmarks>,
}

impl Input {
    /// A trace without bookmarks.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), bookmarks: Arc::new(|_| Vec::new()) }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("path", &self.path).finish()
    }
}

/// How traces are asked.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that work on a query.
    pub threads: usize,
    /// Bytes that sorting, joining and grouping may take; what needs more is put on disk where that
    /// can be, and fails elsewhere.
    pub memory_bytes: usize,
    /// Let tables answer conditions and choose what they read. Without it everything is read: the same
    /// answers, later.
    pub pushdown: bool,
}

impl Default for Options {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, memory_bytes: 384 << 20, pushdown: true }
    }
}

/// A table, for lists and completion.
#[derive(Clone, Copy, Debug)]
pub struct TableInfo {
    /// Its name.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// A function that traces have beyond those of SQL.
#[derive(Clone, Copy, Debug)]
pub struct FunctionInfo {
    /// Its name.
    pub name: &'static str,
    /// Its arguments and what it gives, as in `stack_at(time) -> rows`.
    pub usage: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Traces that are asked.
pub struct Session {
    inputs: Vec<Input>,
    sources: Arc<[Arc<Source>]>,
    tables: Vec<Arc<dyn Table>>,
    context: SessionContext,
    runtime: Arc<Threads>,
    options: Options,
    stop: Stop,
    notes: Notes,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens traces to ask them.
    ///
    /// # Errors
    ///
    /// What opening a trace gives; [`QueryError::Start`].
    pub fn open(inputs: Vec<Input>, options: Options) -> Result<Self, QueryError> {
        let notes = Notes::default();
        let sources =
            inputs.iter().map(|input| open(input, &notes)).collect::<Result<Vec<_>, _>>()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(QueryError::Start)?;
        let session = Self {
            inputs,
            sources: sources.into(),
            tables: tables::all(),
            context: context(options)?,
            runtime: Arc::new(Threads::new(runtime)),
            options,
            stop: Stop::default(),
            notes,
        };
        session.register()?;
        Ok(session)
    }

    /// Runs a statement. Traces that were still recorded are looked at anew: the answer is of the moment at
    /// which this is called.
    ///
    /// # Errors
    ///
    /// [`QueryError::Statement`] for what is no statement or asks for what is not there;
    /// [`QueryError::Stopped`]; what opening a trace again gives.
    pub fn run(&mut self, sql: &str, limits: Limits) -> Result<Answer, QueryError> {
        self.refresh()?;
        if self.stop.take() {
            return Err(QueryError::Stopped);
        }
        let run = Arc::new(Run::new(self.stop.clone(), limits.timeout));
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let answer = self.runtime.block_on(async {
            let frame = self.context.sql_with_options(sql, options).await?;
            let schema = Arc::clone(frame.schema().inner());
            let tasks = frame.task_ctx();
            let config = tasks.session_config().clone().with_extension(Arc::clone(&run));
            let tasks = Arc::new(tasks.with_session_config(config));
            Ok((execute_stream(frame.create_physical_plan().await?, tasks)?, schema))
        });
        let (stream, schema) = answer.map_err(|error| suggest::explain(error, &self.tables))?;
        let ends = (self.stop.clone(), run);
        Ok(Answer::new(Arc::clone(&self.runtime), stream, schema, limits.rows, ends))
    }

    /// What stops a statement from another thread.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// What was left out of answers since the last time this was asked, and why: for a person, each
    /// once. Complete when an answer is.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.take()
    }

    /// The tables.
    #[must_use]
    pub fn tables(&self) -> Vec<TableInfo> {
        self.tables.iter().map(|table| table.info()).collect()
    }

    /// The functions beyond those of SQL.
    #[must_use]
    pub fn functions(&self) -> &'static [FunctionInfo] {
        functions::LIST
    }

    /// Takes new snapshots of the traces that were not complete.
    fn refresh(&mut self) -> Result<(), QueryError> {
        if self.sources.iter().all(|source| source.trace.is_complete()) {
            return Ok(());
        }
        let known = self.sources.iter().zip(&self.inputs);
        let anew = |(source, input): (&Arc<Source>, &Input)| match source.trace.is_complete() {
            true => Ok(Arc::clone(source)),
            false => open(input, &self.notes),
        };
        self.sources = known.map(anew).collect::<Result<Vec<_>, QueryError>>()?.into();
        self.register()
    }

    /// Makes the tables those of the present snapshots.
    fn register(&self) -> Result<(), QueryError> {
        for table in &self.tables {
            let provider = self.provider(Arc::clone(table));
            let name = table.info().name;
            self.context.deregister_table(name)?;
            self.context.register_table(name, Arc::new(provider))?;
        }
        functions::register(&self.context, &self.sources, self.options.pushdown);
        Ok(())
    }

    fn provider(&self, table: Arc<dyn Table>) -> Provider {
        Provider::new(table, Arc::clone(&self.sources), self.options.pushdown)
    }
}

fn open(input: &Input, notes: &Notes) -> Result<Arc<Source>, QueryError> {
    let trace = Trace::open(&input.path)?;
    let bookmarks = (input.bookmarks)(&trace);
    Ok(Arc::new(Source::new(input.name.as_str().into(), trace, bookmarks, notes.clone())))
}

fn context(options: Options) -> Result<SessionContext, QueryError> {
    let config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_information_schema(true);
    let environment =
        RuntimeEnvBuilder::new().with_memory_limit(options.memory_bytes, 1.0).build_arc()?;
    let mut rules = Analyzer::new().rules;
    // Before types are made to fit, which would take a time for a number.
    rules.insert(0, Arc::new(TimeLiterals));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(environment)
        .with_default_features()
        .with_analyzer_rules(rules)
        .with_physical_optimizer_rule(Arc::new(JoinsGiveWay))
        .build();
    Ok(SessionContext::new_with_state(state))
}
