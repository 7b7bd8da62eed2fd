//! Commands that answer questions about a recording, timed as a person waits for them: from the
//! start of the program to its end, with all it prints read.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bench::sample::timed;
use crate::project::shown;

/// A command that ended well.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub passed: Duration,
    /// Lines that it printed.
    pub lines: u64,
}

/// Runs a command to its end.
pub fn ask(command: &mut Command) -> Result<Answered> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (lines, passed) = timed(|| -> Result<u64> {
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}", shown(command)))?;
        let mut printed = child.stdout.take().context("a piped child has an output")?;
        let mut buffer = vec![0; 1 << 16];
        let mut lines = 0;
        loop {
            let got = printed.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            lines += buffer[..got].iter().filter(|byte| **byte == b'\n').count() as u64;
        }
        let status = child.wait()?;
        ensure!(status.success(), "{} failed ({status})", shown(command));
        Ok(lines)
    });
    Ok(Answered { passed, lines: lines? })
}

/// `scope` with a subcommand, of a trace.
pub fn scope(scope: &Path, subcommand: &str, trace: &Path) -> Command {
    let mut command = Command::new(scope);
    command.arg(subcommand).arg(trace);
    command
}

/// `uftrace` with a subcommand, of a recording.
pub fn uftrace(subcommand: &str, recording: &Path) -> Command {
    let mut command = Command::new("uftrace");
    command.args([subcommand, "--no-pager", "--color=no", "--data"]).arg(recording);
    command
}
