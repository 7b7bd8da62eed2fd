//! The `scope` command: records a running process and reads its traces.

mod cli;
mod commands;
mod guard;
mod output;
mod probe;
mod record;

fn main() -> std::process::ExitCode {
    commands::main()
}
