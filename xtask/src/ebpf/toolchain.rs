//! Finds a compiler that can build the kernel half: it needs the library sources (`core` is built
//! for BPF), which stable toolchains come without.
//!
//! A rustup nightly with `rust-src` is taken first, then Debian's `rustc-web` with
//! `rust-web-src`, whose library sources come as a package.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::install;
use crate::project::{output, which};

/// Oldest compiler that takes the sources (`rust-version` of `tracer-common`).
const OLDEST: (u32, u32) = (1, 95);

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];

/// A compiler with its library sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    pub rustc: PathBuf,
    pub cargo: PathBuf,
    pub sysroot: PathBuf,
    /// As in `rustc --version`: `1.96.0`.
    pub release: String,
    /// Major version of the LLVM inside.
    pub llvm: u32,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rustc {} (LLVM {})", self.release, self.llvm)
    }
}

/// The first toolchain that fits; installs Debian's, or `rust-src` by rustup, when there is none.
pub fn find_or_install() -> Result<Toolchain> {
    let mut reasons = Vec::new();
    if let Some(found) = find(&mut reasons) {
        return Ok(found);
    }
    if which("apt-get").is_some() {
        match install::packages(&DEBIAN_PACKAGES, "a compiler for the kernel half") {
            Ok(()) => {}
            Err(error) => reasons.push(format!("{error:#}")),
        }
        if let Some(found) = find(&mut Vec::new()) {
            return Ok(found);
        }
    }
    bail!(
        "no compiler can build the kernel half:\n{}install one of\n  \
         rustup toolchain install nightly --component rust-src\n  \
         apt-get install {}   (Debian)\n\
         `cargo build` does not need it: the built object is committed",
        reasons.iter().map(|reason| format!("  {reason}\n")).collect::<String>(),
        DEBIAN_PACKAGES.join(" "),
    )
}

/// The first toolchain that fits, and why the others do not.
fn find(reasons: &mut Vec<String>) -> Option<Toolchain> {
    let mut candidates = rustup_nightlies();
    if candidates.is_empty() {
        reasons.push("rustup has no nightly toolchain".to_owned());
    }
    candidates.push(("/usr/bin/rustc".into(), "/usr/bin/cargo".into()));
    for (rustc, cargo) in candidates {
        match examine(&rustc, &cargo) {
            Ok(found) => return Some(found),
            Err(error) => reasons.push(format!("{}: {error:#}", rustc.display())),
        }
    }
    None
}

/// `rustc` and `cargo` of every nightly that rustup has.
fn rustup_nightlies() -> Vec<(PathBuf, PathBuf)> {
    let Ok(list) = output(Command::new("rustup").args(["toolchain", "list", "--quiet"])) else {
        return Vec::new();
    };
    let of = |toolchain: &str, program: &str| -> Option<PathBuf> {
        let mut which = Command::new("rustup");
        which.args(["which", "--toolchain", toolchain, program]);
        Some(output(&mut which).ok()?.trim().into())
    };
    list.lines()
        .filter(|name| name.starts_with("nightly"))
        .filter_map(|name| name.split_whitespace().next())
        .filter_map(|name| Some((of(name, "rustc")?, of(name, "cargo")?)))
        .collect()
}

/// Whether this pair can build the kernel half.
fn examine(rustc: &Path, cargo: &Path) -> Result<Toolchain> {
    if !rustc.exists() || !cargo.exists() {
        bail!("not installed");
    }
    let (release, llvm) = versions(&output(Command::new(rustc).arg("-vV"))?)?;
    let number = |index: usize| release.split(['.', '-']).nth(index)?.parse::<u32>().ok();
    if (number(0), number(1)) < (Some(OLDEST.0), Some(OLDEST.1)) {
        bail!("Rust {release} is older than {}.{}", OLDEST.0, OLDEST.1);
    }
    let sysroot: PathBuf =
        output(Command::new(rustc).args(["--print", "sysroot"]))?.trim().to_owned().into();
    if !sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists() {
        bail!("comes without the library sources (rust-src)");
    }
    Ok(Toolchain { rustc: rustc.to_owned(), cargo: cargo.to_owned(), sysroot, release, llvm })
}

/// Release and LLVM major version, from `rustc -vV`.
fn versions(verbose: &str) -> Result<(String, u32)> {
    let field = |name: &str| {
        verbose
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
            .with_context(|| format!("`rustc -vV` says no `{name}`"))
    };
    let llvm = field("LLVM version:")?;
    let major = llvm.split('.').next().unwrap_or(llvm);
    let major = major.parse().with_context(|| format!("unknown LLVM version {llvm}"))?;
    Ok((field("release:")?.to_owned(), major))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A compiler that is a script: says its version and its sysroot.
    fn fake(name: &str, release: &str, with_sources: bool) -> (PathBuf, PathBuf) {
        let dir =
            std::env::temp_dir().join(format!("xtask-toolchain-{}-{name}", std::process::id()));
        let library = dir.join("lib/rustlib/src/rust/library/core/src");
        fs::create_dir_all(&library).unwrap();
        if with_sources {
            fs::write(library.join("lib.rs"), "").unwrap();
        }
        let (text, rustc) = (dir.join("rustc.sh"), dir.join("rustc"));
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = -vV ]; then\necho 'release: {release}'\n\
             echo 'LLVM version: 21.1.2'\nelse\necho '{}'\nfi\n",
            dir.display()
        );
        fs::write(&text, script).unwrap();
        // By another process: a file that this one has open for writing, if only in a child that another
        // test is just starting, cannot be run.
        let install = Command::new("install").args(["-m", "755"]).args([&text, &rustc]).status();
        assert!(install.unwrap().success());
        (rustc, dir)
    }

    fn examined(name: &str, release: &str, with_sources: bool) -> Result<Toolchain, String> {
        let (rustc, dir) = fake(name, release, with_sources);
        let result = examine(&rustc, &rustc).map_err(|error| error.to_string());
        fs::remove_dir_all(dir).unwrap();
        result
    }

    #[test]
    fn a_nightly_with_sources_fits() {
        let found = examined("fits", "1.97.0-nightly", true).unwrap();
        assert_eq!(found.to_string(), "rustc 1.97.0-nightly (LLVM 21)");
    }

    #[test]
    fn a_compiler_without_library_sources_does_not_fit() {
        let reason = examined("bare", "1.97.0-nightly", false).unwrap_err();
        assert_eq!(reason, "comes without the library sources (rust-src)");
    }

    #[test]
    fn an_old_compiler_does_not_fit() {
        let reason = examined("old", "1.63.0", true).unwrap_err();
        assert_eq!(reason, "Rust 1.63.0 is older than 1.95");
    }

    #[test]
    fn a_missing_compiler_does_not_fit() {
        let absent = Path::new("/nonexistent/rustc");
        assert_eq!(examine(absent, absent).unwrap_err().to_string(), "not installed");
    }
}
