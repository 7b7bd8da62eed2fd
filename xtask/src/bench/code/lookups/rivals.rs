//! Commands that look up addresses.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Answers, answers};
use crate::bench::sample::timed;
use crate::project::shown;

/// A command that takes addresses on its standard input.
#[derive(Debug)]
pub struct Rival {
    /// As it is in the names of numbers.
    pub name: &'static str,
    pub program: &'static str,
    /// The binary's name follows them.
    arguments: &'static [&'static str],
    /// Reads the answers for so many addresses.
    pub read: fn(&str, usize) -> Result<Answers>,
}

pub const RIVALS: [Rival; 2] = [
    Rival {
        name: "addr2line",
        program: "addr2line",
        arguments: &["-a", "-f", "-i", "-e"],
        read: answers::read_addr2line,
    },
    Rival {
        name: "llvm_symbolizer",
        program: "llvm-symbolizer",
        arguments: &["--no-demangle", "--inlines", "--functions=linkage", "-e"],
        read: answers::read,
    },
];

impl Rival {
    /// Answers for the addresses in a file; the time from the command's start to its end, with all
    /// that it prints read.
    pub fn ask(&self, binary: &Path, addresses: &Path) -> Result<(String, Duration)> {
        let input = File::open(addresses).context("the addresses are gone")?;
        let mut command = Command::new(self.program);
        command.args(self.arguments).arg(binary).stdin(input).stderr(Stdio::null());
        let (output, passed) = timed(|| command.output());
        let output = output.with_context(|| format!("cannot run {}", shown(&command)))?;
        ensure!(output.status.success(), "{} failed ({})", shown(&command), output.status);
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), passed))
    }
}
