//! The `scope` command: records a running process and reads its traces.

mod cli;
mod commands;
mod output;

fn main() -> std::process::ExitCode {
    commands::main()
}
