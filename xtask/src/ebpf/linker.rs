//! Finds or installs `bpf-linker`, which reads the compiler's LLVM bitcode: its LLVM must not be
//! older than the compiler's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::toolchain::Toolchain;
use crate::install;
use crate::project::{cargo, is_executable, output, run, target_dir, which};

/// The version that is installed when there is none.
const VERSION: &str = "0.13.0";

/// A linker that fits the toolchain.
#[derive(Debug)]
pub struct Linker {
    pub path: PathBuf,
    /// As in `bpf-linker --version`: `bpf-linker 0.13.0`.
    pub version: String,
}

impl fmt::Display for Linker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)
    }
}

/// A linker from `PATH`, from cargo's folder or from an earlier run; else a new one, built in the
/// target folder so that nothing of the user's is replaced.
pub fn find_or_install(toolchain: &Toolchain) -> Result<Linker> {
    let own = target_dir().join(format!("tools/bpf-linker-llvm-{}", toolchain.llvm));
    let mut candidates: Vec<PathBuf> = which("bpf-linker").into_iter().collect();
    candidates.extend(super::cargo_home().map(|home| home.join("bin/bpf-linker")).ok());
    candidates.push(own.join("bin/bpf-linker"));
    for path in &candidates {
        if let Some(linker) = fitting(path, toolchain.llvm) {
            return Ok(linker);
        }
    }
    install(&own, toolchain.llvm)?;
    match fitting(&own.join("bin/bpf-linker"), toolchain.llvm) {
        Some(linker) => Ok(linker),
        None => bail!("the bpf-linker just installed in {} does not fit", own.display()),
    }
}

/// The linker at `path`, if it runs and its LLVM is new enough. One that was linked statically
/// does not tell its LLVM: it is given the benefit of the doubt, and says so itself if it cannot
/// read the compiler's output.
fn fitting(path: &Path, llvm: u32) -> Option<Linker> {
    if !is_executable(path) {
        return None;
    }
    let version = output(Command::new(path).arg("--version")).ok()?.trim().to_owned();
    let libraries = output(Command::new("ldd").arg(path)).unwrap_or_default();
    match shared_llvm(&libraries) {
        Some(own) if own < llvm => None,
        _ => Some(Linker { path: path.to_owned(), version }),
    }
}

/// The major version of the libLLVM in the output of `ldd`.
fn shared_llvm(libraries: &str) -> Option<u32> {
    let (_, rest) = libraries.split_once("libLLVM")?;
    let digits: String =
        rest.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn install(into: &Path, llvm: u32) -> Result<()> {
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    let config = prefix.join("bin/llvm-config");
    if !config.exists() {
        let package = format!("llvm-{llvm}-dev");
        install::packages(&[&package], &format!("LLVM {llvm}, which bpf-linker is built with,"))?;
    }
    let feature = format!("llvm-{llvm}");
    let mut install = cargo();
    install
        .args(["install", "bpf-linker", "--version", VERSION, "--locked"])
        .args(["--no-default-features", "--features", &feature, "--root"])
        .arg(into)
        .env("LLVM_PREFIX", &prefix)
        .env_remove("CARGO_TARGET_DIR");
    eprintln!("installing bpf-linker {VERSION} for LLVM {llvm} in {} (a minute)", into.display());
    run(&mut install)
}

#[cfg(test)]
mod tests {
    use super::shared_llvm;

    #[test]
    fn reads_llvm_from_ldd() {
        let debian = "\tlinux-vdso.so.1 (0x0)\n\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/x (0x0)\n";
        assert_eq!(shared_llvm(debian), Some(22));
        assert_eq!(shared_llvm("\tlibLLVM-21.so.1 => /usr/lib/x (0x0)"), Some(21));
        assert_eq!(shared_llvm("\tlibc.so.6 => /lib/libc.so.6 (0x0)"), None);
    }
}
