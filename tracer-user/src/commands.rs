//! One module a command, and what all of them share: how the program ends.
//!
//! Status 0: done. Status 1: failed, with one sentence on standard error. Status 2: wrong usage
//! (clap says so). A reader that goes away (a broken pipe) is no failure: Rust ignores SIGPIPE, the
//! write fails, and that failure is taken for success here. Signals stay as they are, so that a
//! recording whose status line nobody reads goes on.

pub mod at;
pub mod bookmark;
mod bookmarks;
pub mod code;
pub mod completions;
pub mod diff;
pub mod doctor;
pub mod dump;
mod edges;
pub mod export;
pub mod find;
pub mod floor;
pub mod graph;
pub mod info;
pub mod list;
mod nodes;
pub mod pack;
#[cfg(feature = "sql")]
pub mod query;
#[cfg(not(feature = "sql"))]
#[path = "commands/no_query.rs"]
pub mod query;
mod reading;
pub mod replay;
pub mod report;
pub mod source;
pub mod step;
pub mod top;
pub mod trace;
pub mod verify;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::output;

/// Reads the command line, does what it says, and reports failure.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    output::set_color(cli.color);
    output::show_warnings();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Trace(args) => trace::run(args),
        Command::Replay(args) => replay::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::At(args) => at::run(&args),
        Command::Step(args) => step::run(&args),
        Command::Find(args) => find::run(&args),
        Command::Bookmark(args) => bookmark::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::Code(args) => code::run(&args),
        Command::Source(args) => source::run(&args),
        Command::List(args) => list::run(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::Completions(args) => completions::run(&args),
        Command::Floor(args) => floor::run(&args),
        Command::Guard => crate::guard::process::run().map(|()| ExitCode::SUCCESS),
        Command::Man(args) => completions::man(&args),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let kind = if let Some(error) = cause.downcast_ref::<io::Error>() {
            Some(error.kind())
        } else {
            cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind)
        };
        kind == Some(io::ErrorKind::BrokenPipe)
    })
}
