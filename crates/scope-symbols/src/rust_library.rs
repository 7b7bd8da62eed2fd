//! The sources of Rust's own library, in the toolchains that are installed.
//!
//! A binary names them `/rustc/COMMIT/library/…`. A toolchain has them when its component `rust-src` is
//! installed, and says in its manifest which commit it was made from: only sources of that very commit are
//! taken. Nothing is run to find out.

use std::fs;
use std::path::{Path, PathBuf};

/// Digits of a commit that a toolchain's version shows.
const SHORT: usize = 9;

/// A toolchain with the library's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The beginning of the commit it was made from.
    pub commit: String,
    /// The folder that has `library/`.
    pub sources: PathBuf,
}

impl Toolchain {
    /// Those installed by rustup, for this user and the one who called `sudo`.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let mut homes: Vec<PathBuf> = variable("RUSTUP_HOME").into_iter().collect();
        homes.extend(variable("HOME").map(|home| home.join(".rustup")));
        homes.extend(
            variable("SUDO_USER").map(|user| Path::new("/home").join(user).join(".rustup")),
        );
        homes.dedup();
        homes.iter().flat_map(|home| Self::below(&home.join("toolchains"))).collect()
    }

    /// Those below a folder of toolchains.
    fn below(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::at(&entry.path())).collect()
    }

    fn at(sysroot: &Path) -> Option<Self> {
        let rustlib = sysroot.join("lib/rustlib");
        let sources = rustlib.join("src/rust");
        // Most have none: then there is nothing to read.
        if !sources.join("library").is_dir() {
            return None;
        }
        let manifest = fs::read_to_string(rustlib.join("multirust-channel-manifest.toml")).ok()?;
        Some(Self { commit: commit(&manifest)?.to_owned(), sources })
    }

    /// The path of a file that a binary names, if it is of this toolchain.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<PathBuf> {
        let (commit, rest) = path.strip_prefix("/rustc/")?.split_once('/')?;
        let is_own = self.commit.len() >= SHORT && commit.starts_with(&self.commit);
        is_own.then(|| self.sources.join(rest))
    }
}

/// The commit in the version of `rustc`: `version = "1.95.0 (59807616e 2026-04-14)"`.
fn commit(manifest: &str) -> Option<&str> {
    let (_, package) = manifest.split_once("\n[pkg.rustc]\n")?;
    let version = package.lines().next()?.strip_prefix("version = \"")?;
    let (commit, _) = version.split_once('(')?.1.split_once(' ')?;
    let is_one = commit.len() >= SHORT && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "manifest-version = \"2\"\n\n[pkg.cargo]\nversion = \"0.96.0 (f2d3ce0bd 2026-03-21)\"\n\n\
                            [pkg.rustc]\nversion = \"1.95.0 (59807616e 2026-04-14)\"\n";

    fn toolchain(folder: &Path, name: &str, with_sources: bool) {
        let rustlib = folder.join(name).join("lib/rustlib");
        fs::create_dir_all(&rustlib).unwrap();
        fs::write(rustlib.join("multirust-channel-manifest.toml"), MANIFEST).unwrap();
        if with_sources {
            fs::create_dir_all(rustlib.join("src/rust/library/core")).unwrap();
        }
    }

    #[test]
    fn sources_of_the_same_commit_are_found_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        toolchain(folder.path(), "bare", false);
        toolchain(folder.path(), "stable", true);
        let found = Toolchain::below(folder.path());
        let [stable] = found.as_slice() else { panic!("{found:?}") };
        let library = folder.path().join("stable/lib/rustlib/src/rust/library/core/src/lib.rs");
        let of = |commit: &str| stable.find(&format!("/rustc/{commit}/library/core/src/lib.rs"));
        assert_eq!(of("59807616e1fa2540724bfbac14d7976d7e4a3860"), Some(library));
        assert_eq!(of("69807616e1fa2540724bfbac14d7976d7e4a3860"), None);
        assert_eq!(of("1.95.0"), None);
        assert_eq!(stable.find("/home/me/src/lib.rs"), None);
    }

    #[test]
    fn a_manifest_without_a_commit_is_of_no_use() {
        assert_eq!(commit(MANIFEST), Some("59807616e"));
        for manifest in ["", "\n[pkg.rustc]\n", "\n[pkg.rustc]\nversion = \"1.95.0\"\n"] {
            assert_eq!(commit(manifest), None, "{manifest}");
        }
    }
}
