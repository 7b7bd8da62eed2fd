//! The command line as written: every command, its arguments and their help.
//!
//! Nothing is done here. What an argument means is checked by its value parser ([`values`]), so
//! that wrong usage is told apart from work that failed: it ends with status 2.

mod code;
mod export;
mod query;
pub mod values;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use scope_symbols::rust_library::Toolchain;
use scope_symbols::sources::SourceMap;
use scope_timeline::{Move, Place};

use crate::record::trigger::Condition;

pub use code::{CodeArgs, CodeFormat, CodeView, SourceArgs};
pub use export::{ExportArgs, ExportFormat, ExportTime, ExportTo};
#[cfg(feature = "sql")]
pub use query::QueryFormat;
pub use query::{DiffArgs, DiffKey, GraphArgs, QueryArgs, TopArgs};

/// Record every call of a running process and see where its time went.
#[derive(Debug, Parser)]
#[command(name = "scope", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Example: sudo scope trace 1234, then scope report 1234.scope")]
pub struct Cli {
    /// When to colour the output: auto, always or never.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    #[arg(hide_possible_values = true)]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always, also into a pipe.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record a running process or a command.
    Trace(TraceArgs),
    /// Look at a trace in the terminal, also while it is recorded.
    Replay(ReplayArgs),
    /// Say where the time went: calls and times of every function and thread.
    Report(ReportArgs),
    /// Show one function with those that called it and those it called.
    Graph(GraphArgs),
    /// Say what changed between two traces, by function or by caller and callee.
    Diff(DiffArgs),
    /// Show the functions that threads spend their time in right now, also while it is recorded.
    Top(TopArgs),
    /// Ask traces in SQL: one statement, or a prompt.
    Query(QueryArgs),
    /// Print the events of a trace, one a line.
    Dump(DumpArgs),
    /// Show what every thread was doing at a moment.
    At(AtArgs),
    /// Step from a moment to another, forward or backward.
    Step(StepArgs),
    /// Find the events that satisfy a condition, forward or backward.
    Find(FindArgs),
    /// Name a moment of a trace, to come back to it as @NAME; list and remove such names.
    Bookmark(BookmarkArgs),
    /// Write a trace in another tool's format: Perfetto, Chrome, Firefox, flame graphs, Parquet, OTLP.
    Export(ExportArgs),
    /// Say what a trace holds, what was lost and what was left out.
    Info(InfoArgs),
    /// Check a trace and explain what is there; fails when it is damaged. Can repair it.
    Verify(VerifyArgs),
    /// Make one file of a trace, to hand to somebody; every reading command takes it as it is.
    Pack(PackArgs),
    /// Show the code behind a trace or in a binary: functions, their graphs, metrics and patterns.
    Code(CodeArgs),
    /// Print the source of a function with what its calls cost beside the lines.
    Source(SourceArgs),
    /// Show the functions of a process or a file and what a probe on each costs.
    List(ListArgs),
    /// Check what this machine lets scope do, and how to get the rest.
    Doctor(DoctorArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Attach empty programs where `trace` would record: what probes cost at the least.
    #[command(hide = true, name = "__floor")]
    Floor(FloorArgs),
    /// Stand guard over a target's stacks; started by `scope trace`.
    #[command(hide = true)]
    Guard,
    /// Write the manual pages into a folder.
    #[command(hide = true)]
    Man(ManArgs),
}

/// Which functions: shared by everything that probes or lists.
#[derive(Clone, Debug, Default, Args)]
pub struct Selection {
    /// Functions whose readable name matches; may be repeated.
    #[arg(short = 'F', long = "function", value_name = "GLOB")]
    pub functions: Vec<String>,
    /// Functions to leave out; may be repeated, wins over every other choice.
    #[arg(short = 'x', long = "exclude", value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Functions declared in source files that match; may be repeated.
    #[arg(long = "file", value_name = "GLOB")]
    pub files: Vec<String>,
    /// Modules (main executable or shared libraries) to look in; may be repeated.
    #[arg(long = "module", value_name = "NAME|PATH")]
    pub modules: Vec<String>,
    /// Everything that can be probed, whatever it costs.
    #[arg(long)]
    pub all: bool,
}

/// Where sources are: shared by everything that reads them.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceOptions {
    /// Look for sources below TO where the debug information says FROM; may be repeated.
    #[arg(long, value_name = "FROM=TO", value_parser = values::source_rule)]
    pub source_map: Vec<String>,
}

impl SourceOptions {
    /// The rules.
    #[must_use]
    pub fn map(&self) -> SourceMap {
        let mut map = SourceMap::default().with_toolchains(Toolchain::installed());
        for rule in &self.source_map {
            // Checked by the value parser.
            let _ = map.add(rule);
        }
        map
    }
}

/// Arguments of `scope trace`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  scope trace 1234 --duration 10s
  scope trace -F 'parser::*' -o parse.scope -- ./server --port 80")]
#[command(override_usage = "\
scope trace [OPTIONS] <PID>
       scope trace [OPTIONS] -- <CMD> [ARGS]...")]
#[command(group = clap::ArgGroup::new("target").required(true).multiple(false))]
pub struct TraceArgs {
    /// Process to attach to.
    #[arg(group = "target", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// Command to start and trace from its first instruction.
    #[arg(group = "target", last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
    /// Which functions.
    #[command(flatten)]
    pub selection: Selection,
    /// Where sources are.
    #[command(flatten)]
    pub sources: SourceOptions,
    /// Probe at most this many functions.
    #[arg(long, value_name = "N")]
    pub max_functions: Option<usize>,
    /// Print which functions would be probed, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Trace child processes too.
    #[arg(long)]
    pub follow_forks: bool,
    /// Stop after this time, for example 2s or 500ms.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub duration: Option<Duration>,
    /// Folder to write the trace to.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Flight recorder: keep at most this much, for example 512M; the oldest part goes.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub max_size: Option<u64>,
    /// Flight recorder: keep at least this long before the end, for example 60s; what is older goes.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub keep: Option<Duration>,
    /// Stop when a probed function is called, or when a call of it took longer: 'db::commit>50ms'.
    #[arg(long, value_name = "FUNCTION[>TIME]", value_parser = values::trigger)]
    pub trigger: Option<Condition>,
    /// Size of the event ring of each CPU, for example 8M.
    #[arg(long, value_name = "SIZE", value_parser = values::size, default_value = "8M")]
    pub ring_size: u64,
    /// How the end of a call is seen.
    #[arg(long, value_enum, default_value_t = Returns::Auto)]
    pub returns: Returns,
    /// Do not record system calls: a call then costs less, but a wait does not say what it waits in.
    #[arg(long)]
    pub no_syscalls: bool,
    /// Size of the files that events are written to before they are sealed, for example 32M.
    #[arg(long, value_name = "SIZE", value_parser = values::segment_size, hide = true)]
    pub segment_size: Option<u32>,
    /// How many such files may wait to be sealed before events are dropped, the one in use included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..), hide = true)]
    pub hot_segments: Option<u32>,
    /// Seal each file later by this time: for tests of what happens when sealing is behind.
    #[arg(long, value_name = "TIME", value_parser = values::duration, hide = true)]
    pub seal_delay: Option<Duration>,
    /// No status line and no summary.
    #[arg(short, long)]
    pub quiet: bool,
    /// Record only, without the terminal UI.
    #[arg(long)]
    pub no_tui: bool,
    /// Go on recording when the terminal is closed.
    #[arg(long)]
    pub ignore_hangup: bool,
    /// With --dry-run: print the plan as JSON.
    #[arg(long, requires = "dry_run")]
    pub json: bool,
}

/// Arguments of the hidden `scope __floor`.
#[derive(Clone, Debug, Args)]
pub struct FloorArgs {
    /// Process to attach to.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
    /// Which functions.
    #[command(flatten)]
    pub selection: Selection,
}

/// How the end of a call is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Returns {
    /// By the cheapest probe that is safe for the target.
    Auto,
    /// By a return probe always.
    Probe,
    /// Not at all: calls are counted, not timed.
    None,
}

/// Arguments of `scope replay`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope replay 1234.scope\n\nPress ? in it for its keys.")]
pub struct ReplayArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Where you were, breakpoints and layout are kept under this name; your user name unless said.
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
}

/// Arguments of `scope report`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope report 1234.scope --sort self --limit 10")]
pub struct ReportArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Order of the functions; ties are broken by name.
    #[arg(long, value_enum, default_value_t = SortKey::Total, value_name = "KEY")]
    pub sort: SortKey,
    /// Print at most this many functions; 0: all.
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub limit: usize,
    /// Split every function by thread.
    #[arg(long)]
    pub by_thread: bool,
    /// Only this thread.
    #[arg(long, value_name = "TID")]
    pub thread: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a report is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// Time from call to return, callees included.
    Total,
    /// Time in the function itself, callees that were probed not included.
    #[value(name = "self")]
    SelfTime,
    /// Number of calls.
    Calls,
    /// Time on a CPU, callees included.
    OnCpu,
    /// Time off the CPU, waiting for one included.
    OffCpu,
    /// Median duration of a call.
    P50,
    /// 99th percentile of the durations.
    P99,
    /// Longest call.
    Max,
    /// Readable name.
    Name,
}

/// Arguments of `scope dump`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example: scope dump 1234.scope --from 1.5s --function 'parser::*' --limit 100"
)]
pub struct DumpArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Only this thread.
    #[arg(long, value_name = "TID")]
    pub thread: Option<u32>,
    /// Only events at or after this time since the start of the trace, for example 1.5s.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub from: Option<Duration>,
    /// Only events before this time since the start of the trace.
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub to: Option<Duration>,
    /// Only calls and returns of functions whose readable name matches; may be repeated.
    #[arg(short = 'F', long = "function", value_name = "GLOB")]
    pub functions: Vec<String>,
    /// Stop after this many events; 0: all.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub limit: u64,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What a moment can be given as.
const MOMENTS: &str = "\
A moment is a time since the start of the trace (1.5s, 250ms), a share of it (37%), a call (call:ID: just \
after it began), an event (event:N: just after it), a bookmark (@NAME), start or end.";

/// Arguments of `scope at`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{MOMENTS}\n\nExamples:\n  scope at 1234.scope 1.5s --thread 1240\n  scope at 1234.scope --call 1200"))]
#[command(override_usage = "\
scope at [OPTIONS] <TRACE> <TIME>
       scope at [OPTIONS] <TRACE> --call <ID>")]
pub struct AtArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The moment.
    #[arg(value_name = "TIME", allow_hyphen_values = true, conflicts_with = "call")]
    pub time: Option<Place>,
    /// Show this call instead: who made it, how it ended, where its time went, what it called, and
    /// what it waited for.
    #[arg(long, value_name = "ID", value_parser = values::call)]
    pub call: Option<u64>,
    /// Only this thread.
    #[arg(long, value_name = "TID", conflicts_with = "call")]
    pub thread: Option<u32>,
    /// With --call: at most this many callees and waits; 0: all.
    #[arg(long, default_value_t = 40, value_name = "N", requires = "call")]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope step`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{MOMENTS}\n\nExample: scope step 1234.scope --at 1.5s --thread 1240 over -n 3"))]
pub struct StepArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The step.
    #[arg(value_enum)]
    pub step: Step,
    /// The moment to step from.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Place,
    /// The thread that steps; without it next, previous, into and back-into look at all threads.
    #[arg(long, value_name = "TID")]
    pub thread: Option<u32>,
    /// How many steps.
    #[arg(short = 'n', default_value_t = 1, value_name = "N")]
    pub count: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Steps from moment to moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// To after the next event.
    Next,
    /// To before the last event.
    Previous,
    /// To the next begin or end of a call.
    Into,
    /// Over the next call, or out of this one when it calls nothing more.
    Over,
    /// To the caller, after this call.
    Out,
    /// To the previous begin or end of a call.
    BackInto,
    /// Back over the call that ended here, or to before this one.
    BackOver,
    /// To the caller, before this call.
    BackOut,
}

impl Step {
    /// The step as the timeline knows it.
    pub const fn as_move(self) -> Move {
        match self {
            Self::Next => Move::Next,
            Self::Previous => Move::Previous,
            Self::Into => Move::Into,
            Self::Over => Move::Over,
            Self::Out => Move::Out,
            Self::BackInto => Move::BackInto,
            Self::BackOver => Move::BackOver,
            Self::BackOut => Move::BackOut,
        }
    }
}

/// Arguments of `scope find`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("\
A condition joins tests with and, or, not and parentheses: function=GLOB, file=GLOB, within=GLOB, \
node=KIND, pattern=GLOB, thread=TID|GLOB, process=PID, depth<N, duration>TIME, end=returned|unwound|thread_ended|exec|lost|unobserved|never, \
state=running|runnable|blocked|ended|unknown, syscall=NAME|N, kind=KIND; all take = and !=, numbers also <, <=, > \
and >=. A call is found where it begins, or where it ends if its duration, end or kind is asked about. node= and \
pattern= ask about the call expression and what it stands in, up to its function: node=for_expression, \
pattern=*lock-across-call.\n\n\
{MOMENTS}\n\n\
Example: scope find 1234.scope 'function=parser::* and duration>5ms' -n 10"))]
pub struct FindArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The condition; several arguments are read as one.
    #[arg(required = true, value_name = "CONDITION")]
    pub condition: Vec<String>,
    /// Search backward.
    #[arg(long)]
    pub back: bool,
    /// The moment to search from; the start, or backward the end.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Place>,
    /// The moment to search to.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<Place>,
    /// Stop after this many; 0: all.
    #[arg(short = 'n', long = "limit", default_value_t = 0, value_name = "N")]
    pub limit: u64,
    /// Print one JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope bookmark`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{MOMENTS}\n\nExample: scope bookmark 1234.scope slow call:1200 --note 'waits for the lock', then scope at 1234.scope @slow"))]
#[command(override_usage = "\
scope bookmark [OPTIONS] <TRACE> <NAME> <TIME>
       scope bookmark [OPTIONS] <TRACE> --remove <NAME>
       scope bookmark [OPTIONS] <TRACE>")]
pub struct BookmarkArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The name; one that is there already moves.
    pub name: Option<String>,
    /// The moment.
    #[arg(value_name = "TIME", allow_hyphen_values = true)]
    pub time: Option<Place>,
    /// What to remember about it.
    #[arg(long, value_name = "TEXT", requires = "time")]
    pub note: Option<String>,
    /// List the bookmarks, as without a name.
    #[arg(long, conflicts_with_all = ["name", "remove"])]
    pub list: bool,
    /// Remove the bookmark of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub remove: Option<String>,
    /// List them as JSON, one object a line.
    #[arg(long, conflicts_with_all = ["name", "remove"])]
    pub json: bool,
}

/// Arguments of `scope info`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope info 1234.scope")]
pub struct InfoArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope pack`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope pack 1234.scope slow.pack && scope report slow.pack")]
pub struct PackArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The file to write; it must not exist yet.
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Arguments of `scope verify`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope verify 1234.scope && echo sound")]
pub struct VerifyArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Drop what is damaged, and close a trace whose recorder was killed; then check what is left.
    #[arg(long)]
    pub repair: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope list`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope list ./server -F 'parser::*'")]
pub struct ListArgs {
    /// A process id, or the path of an executable or shared library. A file whose name is a
    /// number: write ./NUMBER.
    #[arg(value_name = "PID|BINARY", value_hint = ValueHint::FilePath)]
    pub target: PathBuf,
    /// Which functions.
    #[command(flatten)]
    pub selection: Selection,
    /// Where sources are, for the nodes that --json names.
    #[command(flatten)]
    pub sources: SourceOptions,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope doctor`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: sudo scope doctor")]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `scope completions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope completions bash > /etc/bash_completion.d/scope")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `scope man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Folder to write into.
    #[arg(value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

/// Ends the program for wrong usage that only the command itself can see.
pub fn wrong_usage(command: &str, kind: ErrorKind, message: &str) -> ! {
    let mut cli = Cli::command();
    cli.build();
    match cli.find_subcommand_mut(command) {
        Some(command) => command.error(kind, message).exit(),
        None => cli.error(kind, message).exit(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
