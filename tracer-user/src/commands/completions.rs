//! `scope completions` and `scope man`: both generated from the command line's definition.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// Prints the completions of a shell.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    // clap_complete panics when its writer fails: give it one that cannot.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "scope", &mut script);
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `scope.1` and one page a command into a folder.
pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("manual pages into {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
