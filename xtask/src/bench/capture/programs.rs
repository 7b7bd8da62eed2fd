//! The programs of the bench: scope itself, and the targets, compiled into a folder of their own.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::{cargo, root, run, target_dir};

/// Functions of the program that is attached to.
pub const MANY: usize = 3_000;

/// Paths of the built programs.
#[derive(Debug)]
pub struct Programs {
    /// The release build of `scope`.
    pub scope: PathBuf,
    /// `tests/workloads/bench_calls.c`.
    pub calls: PathBuf,
    /// `tests/workloads/paced.c`.
    pub paced: PathBuf,
    /// A program of [`MANY`] functions `f_0` … that waits for its input to end.
    pub many: PathBuf,
    /// For traces and recordings; emptied at each run.
    pub folder: PathBuf,
}

impl Programs {
    /// Builds everything.
    pub fn build() -> Result<Self> {
        run(cargo().args(["build", "--release", "--package", "tracer-user"]))?;
        let folder = target_dir().join("bench-capture");
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot empty the folder of the last bench")?;
        }
        fs::create_dir_all(&folder).context("cannot make the bench's folder")?;
        let workloads = root().join("tests/workloads");
        let generated = folder.join("many.c");
        fs::write(&generated, many_functions()).context("cannot write a program")?;
        Ok(Self {
            scope: target_dir().join("release/scope"),
            calls: compile(&workloads.join("bench_calls.c"), "-O2", &folder)?,
            // Not optimized, so that its function begins with `push` and is not single-stepped.
            paced: compile(&workloads.join("paced.c"), "-O0", &folder)?,
            many: compile(&generated, "-O2", &folder)?,
            folder,
        })
    }
}

/// Compiles `FOLDER/NAME.c` to `into/NAME`, at a fixed address: rivals find functions by offset.
fn compile(source: &Path, optimized: &str, into: &Path) -> Result<PathBuf> {
    let name = source.file_stem().context("a source has a name")?;
    let program = into.join(name);
    run(Command::new("cc")
        .args([optimized, "-g", "-no-pie", "-pthread", "-o"])
        .arg(&program)
        .arg(source))?;
    Ok(program)
}

/// A program whose functions save a register, as larger ones do, so that each begins with `push`.
fn many_functions() -> String {
    let mut text = String::from(
        "#include <stdio.h>\n#include <unistd.h>\nvolatile long sink;\n\
         #define F(n) __attribute__((noinline)) void f_##n(void) { \\\n\
         __asm__ volatile(\"\" ::: \"rbx\", \"memory\"); sink += n; }\n",
    );
    for number in 0..MANY {
        let _ = writeln!(text, "F({number})");
    }
    text.push_str("int main(void) {\n  char byte;\n  puts(\"ready\");\n  fflush(stdout);\n");
    text.push_str("  while (read(0, &byte, 1) > 0) {}\n");
    for number in 0..MANY {
        let _ = writeln!(text, "  f_{number}();");
    }
    text.push_str("  return 0;\n}\n");
    text
}
