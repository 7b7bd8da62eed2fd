//! `cargo xtask`: everything that is not `cargo build`.
//!
//! Each command is a module. Only `sudo` in [`project`] raises privileges, only [`install`]
//! changes the machine, and both say what they do before they do it.

mod bench;
mod check_metrics;
mod demo;
mod ebpf;
mod install;
mod project;
mod pty;
mod screens;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, tests and measures scope.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the kernel half and put the object where `cargo build` takes it from.
    Ebpf(ebpf::Options),
    /// Measure scope beside its rivals.
    Bench(bench::Options),
    /// Hold graphs and metrics of real sources against other tools.
    CheckMetrics(check_metrics::Options),
    /// Trace a small multi-threaded service for two seconds and show the report.
    Demo,
    /// Take the pictures of the documents from the program itself, on a fresh recording of the demo.
    Screens,
    /// Run all tests: those for any user, and as root those on the real kernel.
    Test(test::Options),
    /// Check what the compiler does not: dependencies, documents, house rules.
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Ebpf(options) => ebpf::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::CheckMetrics(options) => check_metrics::run(&options),
        Command::Demo => demo::demo(),
        Command::Screens => screens::run(),
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
