//! `cargo xtask bench NAME`: measures scope beside its rivals.
//!
//! A bench runs all variants in interleaved rounds of one run, since the machine's mood changes from
//! minute to minute; it prints medians with their spread and writes one flat JSON object. It checks
//! that the work it timed was done. What cannot be measured on a machine is left out and named.

mod capture;
mod code;
mod goals;
mod query;
mod results;
mod sample;
mod series;
mod store;
mod table;
mod tui;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::project;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// What a traced call costs, beside perf, bpftrace and uftrace; attaching; a steady load.
    Capture(Common),
    /// How long the tables of a binary and the graphs of sources take, beside tree-sitter's parse,
    /// addr2line and llvm-symbolizer.
    Code {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        options: code::Options,
    },
    /// Part of `code`: loads tables, and prints the time and the memory that it takes.
    #[command(hide = true)]
    CodeIndex(code::index::Options),
    /// How fast SQL over a trace is, beside DuckDB and SQLite over the same calls.
    Query {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        options: query::Options,
    },
    /// What a trace costs to write and to keep, and how long questions to it take.
    Store {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        options: store::Options,
    },
    /// Part of `store`: prints the memory that the questions take, in KiB.
    #[command(hide = true)]
    StoreMemory(store::memory::Options),
    /// How long a frame of the UI takes, how soon it is there, its memory; beside uftrace's.
    Tui {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        options: tui::Options,
    },
}

/// What every bench takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// Write the numbers to this file, as one flat JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often each variant is measured.
    #[arg(long, default_value_t = 7, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Runs a bench.
pub fn run(options: &Options) -> Result<()> {
    // What these benches time runs in this process, and `cargo xtask` is not optimised.
    let optimised = matches!(
        options.bench,
        Bench::Store { .. } | Bench::Code { .. } | Bench::Query { .. } | Bench::Tui { .. }
    );
    if cfg!(debug_assertions) && optimised {
        return project::run(
            Command::new(env!("CARGO"))
                .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
                .args(std::env::args_os().skip(1)),
        );
    }
    let (results, common) = match &options.bench {
        Bench::Capture(common) => (capture::run(common.rounds)?, common),
        Bench::Store { common, options } => (store::run(options, common.rounds)?, common),
        Bench::Query { common, options } => (query::run(options, common.rounds)?, common),
        Bench::Code { common, options } => (code::run(options, common.rounds)?, common),
        Bench::Tui { common, options } => (tui::run(options, common.rounds)?, common),
        Bench::CodeIndex(options) => return code::index::run(options),
        Bench::StoreMemory(options) => return store::memory::run(options),
    };
    print!("{results}");
    match &common.json {
        Some(file) => results.write(file),
        None => Ok(()),
    }
}
