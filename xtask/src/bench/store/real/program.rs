//! The program that is recorded: the library of zstd, which this workspace links anyway so that its
//! sources are at hand, with a `main` of the bench's own. Each function has five bytes of `nop` at
//! its beginning, where uftrace can patch it; scope and perf find it like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::{cargo, output, root, run};

/// How often it goes over its input: some 2 M calls and returns each time.
const PASSES: &str = "2";

/// The built program and what it is given.
#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Program {
    /// Builds it in a folder.
    pub fn build(folder: &Path) -> Result<Self> {
        let library = sources()?;
        let path = folder.join("real");
        let mut compile = Command::new("cc");
        compile
            .args(["-O2", "-g", "-no-pie", "-pthread", "-fpatchable-function-entry=5"])
            .args(["-DZSTD_DISABLE_ASM", "-DXXH_NAMESPACE=ZSTD_", "-I"])
            .arg(&library)
            .arg("-o")
            .arg(&path)
            .arg(root().join("xtask/src/bench/store/real/work.c"));
        let mut arguments = Vec::new();
        for part in ["common", "compress", "decompress"] {
            let files = c_files(&library.join(part))?;
            compile.args(&files);
            arguments.extend(files);
        }
        run(&mut compile)?;
        Ok(Self { path, arguments })
    }

    /// Adds the program and its arguments to a command that starts it.
    pub fn add_to(&self, command: &mut Command) {
        command.arg(&self.path).arg(PASSES).args(&self.arguments);
    }
}

/// The folder `lib` of zstd's sources.
fn sources() -> Result<PathBuf> {
    let text = output(cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata prints JSON")?;
    let packages = metadata["packages"].as_array().context("there are packages")?;
    let package = packages.iter().find(|package| package["name"] == "zstd-sys");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.context("the workspace does not use zstd-sys")?);
    Ok(manifest.parent().context("a manifest is in a folder")?.join("zstd/lib"))
}

fn c_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
