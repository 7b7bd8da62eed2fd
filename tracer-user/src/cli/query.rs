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
