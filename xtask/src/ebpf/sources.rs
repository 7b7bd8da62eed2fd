//! What the committed object was built from.
//!
//! The list holds a hash of all sources, one of the object, and the tools used. A different tool
//! may build a different object from the same sources, so the object itself is not compared with
//! a rebuilt one: the kernel tests run on that instead.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::project::root;

/// The built kernel half, relative to the top folder.
pub const OBJECT: &str = "tracer-ebpf/scope.bpf.o";
/// What it was built from.
pub const LIST: &str = "tracer-ebpf/scope.bpf.sources";

/// Files and folders that go into the object.
const PARTS: [&str; 5] = [
    "tracer-ebpf/Cargo.toml",
    "tracer-ebpf/Cargo.lock",
    "tracer-ebpf/src",
    "tracer-common/Cargo.toml",
    "tracer-common/src",
];

/// Writes the list for the object that lies in the tree now.
pub fn write(built_with: &str) -> Result<()> {
    let text = format!(
        "# What scope.bpf.o was built from; written by `cargo xtask ebpf`.\n\
         sources {}\nobject {}\nbuilt with {built_with}\n",
        sources(&root())?,
        object(&root())?
    );
    fs::write(root().join(LIST), text).with_context(|| format!("cannot write {LIST}"))
}

/// An error when the committed object was not built from the sources that lie in the tree.
pub fn check() -> Result<()> {
    check_at(&root())
}

fn check_at(root: &Path) -> Result<()> {
    let list = fs::read_to_string(root.join(LIST))
        .with_context(|| format!("cannot read {LIST}; run `cargo xtask ebpf`"))?;
    let noted = |name: &str| list.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if noted("sources ") != Some(&sources(root)?) {
        bail!(
            "{OBJECT} was built from other sources than these; \
             run `cargo xtask ebpf` and commit what it writes"
        );
    }
    if noted("object ") != Some(&object(root)?) {
        bail!("{OBJECT} is not the one {LIST} tells of; commit both together");
    }
    Ok(())
}

fn object(root: &Path) -> Result<String> {
    let bytes = fs::read(root.join(OBJECT)).with_context(|| format!("cannot read {OBJECT}"))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// One hash over names and contents of all sources.
fn sources(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for part in PARTS {
        collect(&root.join(part), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy();
        // Lengths first, so that no two trees read the same.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hex(&hash.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let why = || format!("cannot read {}", path.display());
    if path.metadata().with_context(why)?.is_dir() {
        for entry in path.read_dir().with_context(why)? {
            collect(&entry.with_context(why)?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
