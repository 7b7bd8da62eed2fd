//! The tools that are compared with: their versions, and where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::project::{cargo, is_executable, output, run, which};

/// A tool.
pub struct Tool {
    /// The option of the comparison that takes it.
    pub option: &'static str,
    program: &'static str,
    package: &'static str,
    version: &'static str,
    install: fn(&Tool, &Path) -> Result<()>,
}

/// All of them.
pub const ALL: [Tool; 2] = [
    Tool {
        option: "--lizard",
        program: "lizard",
        package: "lizard",
        version: "1.24.3",
        install: with_pip,
    },
    Tool {
        option: "--rust-code-analysis",
        program: "rust-code-analysis-cli",
        package: "rust-code-analysis-cli",
        version: "0.0.25",
        install: with_cargo,
    },
];

impl Tool {
    pub fn name_and_version(&self) -> String {
        format!("{} {}", self.package, self.version)
    }

    /// The program of the right version: below `folder`, or in the path.
    pub fn find(&self, folder: &Path, install: bool) -> Result<Option<PathBuf>> {
        let home = folder.join(self.name_and_version().replace(' ', "-"));
        let own = home.join("bin").join(self.program);
        if !is_executable(&own)
            && let Some(program) = which(self.program)
            && output(Command::new(&program).arg("--version"))
                .is_ok_and(|version| version.split_whitespace().any(|part| part == self.version))
        {
            return Ok(Some(program));
        }
        if !is_executable(&own) && install {
            fs::create_dir_all(&home)?;
            (self.install)(self, &home)?;
        }
        Ok(Some(own).filter(|own| is_executable(own)))
    }
}

fn with_pip(tool: &Tool, home: &Path) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(home))?;
    let package = format!("{}=={}", tool.package, tool.version);
    run(Command::new(home.join("bin/pip")).args(["install", "--quiet", &package]))
}

fn with_cargo(tool: &Tool, home: &Path) -> Result<()> {
    run(cargo()
        .args(["install", "--quiet", "--locked", tool.package, "--version", tool.version, "--root"])
        .arg(home))
}
