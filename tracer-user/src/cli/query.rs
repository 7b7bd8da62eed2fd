//! Arguments of the commands that ask about calls: `graph`, `diff`, `top` and `query`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use super::values;

/// Arguments of `scope graph`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope graph 1234.scope 'server::parse'")]
pub struct GraphArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The function: its readable name, or a pattern that fits one function.
    #[arg(value_name = "FUNCTION")]
    pub function: String,
    /// Print at most this many callers, and as many callees; 0: all.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope diff`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A difference of durations is significant where a Kolmogorov-Smirnov test over all functions says so: it \
would be seen by chance in less than one comparison in a hundred.\n\n\
Example: scope diff before.scope after.scope --sort p99")]
pub struct DiffArgs {
    /// The trace to compare with.
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    pub before: PathBuf,
    /// The trace that is compared.
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    pub after: PathBuf,
    /// What to sort by: the largest difference first.
    #[arg(long, value_enum, default_value_t = DiffKey::SelfTime, value_name = "KEY")]
    pub sort: DiffKey,
    /// Compare caller and callee, not only functions.
    #[arg(long)]
    pub edges: bool,
    /// Only what differs significantly, or is in one trace alone.
    #[arg(long)]
    pub significant: bool,
    /// Print at most this many; 0: all.
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What differences are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffKey {
    /// Time in the function itself.
    #[value(name = "self")]
    SelfTime,
    /// Number of calls.
    Calls,
    /// Median duration of a call.
    P50,
    /// 99th percentile of the durations.
    P99,
}

/// Arguments of `scope top`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope top 1234.scope -f")]
pub struct TopArgs {
    /// The trace, also one that is being recorded.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Go on as the trace grows, until it is complete.
    #[arg(short, long)]
    pub follow: bool,
    /// The stretch of time that is looked at, up to the latest event; with -f also how often.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = values::duration)]
    pub interval: Duration,
    /// Print at most this many functions; 0: all.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Print JSON, one document a look.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope query`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Tables: calls, events, slices, syscalls, wakeups, threads, gaps, functions, modules, bookmarks; of the code nodes, \
cfg_edges, dfg_edges, call_edges, patterns, lines. Times are ns since the start of the trace; '1.5ms' beside a number \
is that time. Without a statement: a prompt, where \\d lists tables and \\? helps. docs/queries.md has statements for common questions.

Examples:
  scope query 1234.scope \"select name, count(*) from calls join functions f on f.id = function_id group by name\"
  scope query before.scope after.scope
  scope query 1234.scope \"select * from calls where duration > '5ms'\" --format parquet -o slow.parquet")]
#[command(override_usage = "\
scope query [OPTIONS] <TRACE>... <SQL>
       scope query [OPTIONS] <TRACE>...")]
pub struct QueryArgs {
    /// The traces, and then the statement: the last argument, if nothing on disk has that name.
    #[arg(required = true, value_name = "TRACE|SQL", value_hint = ValueHint::DirPath)]
    pub arguments: Vec<String>,
    /// How the answer is written.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<QueryFormat>,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// File to write the answer to; its name says the format where --format does not.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Give up after this time.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub timeout: Option<Duration>,
    /// Stop after this many rows; 0: all.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub limit: u64,
    /// Say on standard error, as a line of JSON, how long the statement took and how much memory.
    #[arg(long)]
    pub timing: bool,
}

/// How the answer to a query is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueryFormat {
    /// A table for people.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}
