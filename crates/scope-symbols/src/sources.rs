//! Where the sources of a binary are on this machine, and whether they are still what was compiled.
//!
//! Paths in a binary are those of the machine that built it. [`SourceMap`] rewrites them, without
//! I/O; [`presence`] judges what was found there, also without; [`find_source`] is the driver.
//! A file that was changed since is [`Presence::Stale`], never silently taken for the real one.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use md5::{Digest as _, Md5};

use crate::code::SourceFile;
use crate::lines::normal;
use crate::rust_library::Toolchain;

/// Largest source file that is read.
const MAX_SIZE: u64 = 64 << 20;

/// Rewrites the paths that a binary names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    rules: Vec<(String, String)>,
    toolchains: Vec<Toolchain>,
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule:?} is no source map; write FROM=TO, two paths")]
pub struct SourceMapError {
    /// As given.
    pub rule: String,
}

impl SourceMap {
    /// Adds a rule `FROM=TO`: paths below `FROM` are looked for below `TO`. Of several rules that fit
    /// the longest `FROM` counts, and of equal ones the last.
    ///
    /// # Errors
    ///
    /// When there is no `=`, or nothing before it.
    pub fn add(&mut self, rule: &str) -> Result<(), SourceMapError> {
        let error = || SourceMapError { rule: rule.to_owned() };
        let (from, to) = rule.split_once('=').ok_or_else(error)?;
        let from = if from == "/" { "/" } else { from.trim_end_matches('/') };
        if from.is_empty() {
            return Err(error());
        }
        self.rules.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// Looks for Rust's own library (`/rustc/COMMIT/…`) in these toolchains.
    #[must_use]
    pub fn with_toolchains(mut self, toolchains: Vec<Toolchain>) -> Self {
        self.toolchains = toolchains;
        self
    }

    /// The path on this machine. The user's rules come before that for Rust's library; a path that
    /// no rule fits stays as it is.
    #[must_use]
    pub fn apply(&self, path: &str) -> PathBuf {
        let fits = self.rules.iter().filter_map(|(from, to)| Some((from, to, below(path, from)?)));
        // Of equally long ones `max_by_key` takes the last.
        if let Some((_, to, rest)) = fits.max_by_key(|(from, ..)| from.len()) {
            return joined(to, rest);
        }
        let of_rust = self.toolchains.iter().find_map(|toolchain| toolchain.find(path));
        of_rust.unwrap_or_else(|| PathBuf::from(path))
    }
}

/// What is below a folder, without a leading slash.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() || folder.ends_with('/') {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

fn joined(folder: &str, rest: &str) -> PathBuf {
    if rest.is_empty() { PathBuf::from(folder) } else { Path::new(folder).join(rest) }
}

/// A file that may be the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// When it was changed last.
    pub modified: Option<SystemTime>,
    /// MD5 of its contents.
    pub md5: Option<[u8; 16]>,
}

/// Whether a source is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// As far as can be told it is what was compiled.
    Present,
    /// It is not, or may not be, what was compiled.
    Stale(Staleness),
    /// It is not there.
    Missing,
}

/// How it is known that a source changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// The contents are not those that were compiled.
    Checksum,
    /// It was changed after the binary was made, and there is no checksum to compare.
    NewerThanBinary,
}

/// Judges a file. Where checksums can be compared they decide: a file that was only touched is
/// present, an old one with other contents stale. Else a file newer than the binary is stale.
#[must_use]
pub fn presence(
    recorded: Option<[u8; 16]>,
    binary_modified: Option<SystemTime>,
    candidate: Option<Candidate>,
) -> Presence {
    let Some(candidate) = candidate else { return Presence::Missing };
    if let (Some(recorded), Some(found)) = (recorded, candidate.md5) {
        return match recorded == found {
            true => Presence::Present,
            false => Presence::Stale(Staleness::Checksum),
        };
    }
    match (candidate.modified, binary_modified) {
        (Some(source), Some(binary)) if source > binary => {
            Presence::Stale(Staleness::NewerThanBinary)
        }
        _ => Presence::Present,
    }
}

/// A source as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSource {
    /// Where it was looked for.
    pub path: PathBuf,
    /// Whether it is there, and the right one.
    pub presence: Presence,
    /// Its contents; `None` where it is missing.
    pub contents: Option<Vec<u8>>,
}

/// Looks for a source file, and reads it. A relative path is below the folder it was compiled in,
/// where that is known. What is no plain file, larger than 64 MiB, or has no absolute path is
/// missing.
#[must_use]
pub fn find_source(
    map: &SourceMap,
    file: &SourceFile<'_>,
    binary_modified: Option<SystemTime>,
) -> FoundSource {
    let path = map.apply(&recorded_path(file));
    let read = read(&path);
    let candidate = read.as_ref().map(|(modified, contents)| Candidate {
        modified: *modified,
        md5: file.md5.map(|_| Md5::digest(contents).into()),
    });
    let presence = presence(file.md5, binary_modified, candidate);
    FoundSource { path, presence, contents: read.map(|(_, contents)| contents) }
}

/// The path on the machine that compiled, `.` and `..` resolved.
fn recorded_path(file: &SourceFile<'_>) -> String {
    // Tables have their paths joined already; joined with a relative folder once more they break.
    match file.compiled_in.starts_with('/') {
        true => normal(&[file.compiled_in, file.path]),
        false => normal(&[file.path]),
    }
}

fn read(path: &Path) -> Option<(Option<SystemTime>, Vec<u8>)> {
    let metadata = fs::metadata(path).ok()?;
    if !path.is_absolute() || !metadata.is_file() || metadata.len() > MAX_SIZE {
        return None;
    }
    let mut contents = Vec::new();
    // It may have grown since.
    File::open(path).ok()?.take(MAX_SIZE).read_to_end(&mut contents).ok()?;
    Some((metadata.modified().ok(), contents))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn map(rules: &[&str]) -> SourceMap {
        let mut map = SourceMap::default();
        rules.iter().for_each(|rule| map.add(rule).unwrap());
        let commit = "59807616e".to_owned();
        map.with_toolchains(vec![Toolchain { commit, sources: PathBuf::from("/toolchain") }])
    }

    #[test]
    fn paths_are_rewritten() {
        let map = map(&["/build=/home/me", "/build/deep/=/other", "/one=/two", "/one=/three"]);
        for (path, expected) in [
            ("/build/src/main.c", "/home/me/src/main.c"),
            ("/build/deep/a.c", "/other/a.c"),
            ("/builder/a.c", "/builder/a.c"),
            ("/build", "/home/me"),
            ("/one/a.c", "/three/a.c"),
            ("relative.c", "relative.c"),
            (
                "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/lib.rs",
                "/toolchain/library/core/src/lib.rs",
            ),
            ("/rustc/1.96.0/library/a.rs", "/rustc/1.96.0/library/a.rs"),
            ("/rustc/mine/library/a.rs", "/rustc/mine/library/a.rs"),
        ] {
            assert_eq!(map.apply(path), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_rule_of_the_user_goes_before_that_for_rust() {
        let map = map(&["/rustc=/mine", "/=/all"]);
        assert_eq!(map.apply("/rustc/1.96.0/a.rs"), Path::new("/mine/1.96.0/a.rs"));
        assert_eq!(map.apply("/a.c"), Path::new("/all/a.c"));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in ["", "/build", "=/home"] {
            let error = SourceMap::default().add(rule).unwrap_err();
            assert!(error.to_string().contains("write FROM=TO"), "{error}");
        }
    }

    #[test]
    fn a_changed_source_is_stale() {
        let early = SystemTime::UNIX_EPOCH;
        let late = early + Duration::from_secs(1);
        let at = |modified, md5| Some(Candidate { modified: Some(modified), md5 });
        let (one, two) = (Some([1; 16]), Some([2; 16]));
        let newer = Presence::Stale(Staleness::NewerThanBinary);
        let other = Presence::Stale(Staleness::Checksum);
        for (recorded, binary, candidate, expected) in [
            (None, Some(late), None, Presence::Missing),
            (None, Some(late), at(early, None), Presence::Present),
            (None, Some(early), at(late, None), newer),
            (one, Some(early), at(late, one), Presence::Present),
            (one, Some(late), at(early, two), other),
            (None, None, at(late, None), Presence::Present),
            // Equal times: clocks of file systems are coarse.
            (None, Some(late), at(late, None), Presence::Present),
            // Where only one side has a checksum, times decide.
            (one, Some(early), at(late, None), newer),
            (None, Some(early), at(late, one), newer),
        ] {
            assert_eq!(presence(recorded, binary, candidate), expected);
        }
    }

    #[test]
    fn a_source_is_read_and_judged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.c");
        fs::write(&path, "int a;\n").unwrap();
        let md5 = |text: &str| Some(Md5::digest(text).into());
        let find = |path: &str, md5| {
            let file = SourceFile { path, compiled_in: "", md5 };
            find_source(&SourceMap::default(), &file, None)
        };
        let path = path.to_str().unwrap();
        let found = find(path, md5("int a;\n"));
        assert_eq!(found.presence, Presence::Present);
        assert_eq!(found.contents.as_deref(), Some(&b"int a;\n"[..]));
        assert_eq!(find(path, md5("int b;\n")).presence, Presence::Stale(Staleness::Checksum));
        assert_eq!(find("a.c", None).presence, Presence::Missing);
        assert_eq!(find(folder.path().to_str().unwrap(), None).presence, Presence::Missing);
    }

    #[test]
    fn a_recorded_checksum_is_that_of_rfc_1321() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        // RFC 1321, A.5.
        let recorded = 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72_u128.to_be_bytes();
        let file =
            SourceFile { path: path.to_str().unwrap(), compiled_in: "", md5: Some(recorded) };
        let found = find_source(&SourceMap::default(), &file, Some(SystemTime::UNIX_EPOCH));
        assert_eq!(found.presence, Presence::Present);
    }

    #[test]
    fn a_relative_path_is_below_the_folder_it_was_compiled_in() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/a.c"), "int a;\n").unwrap();
        let here = folder.path().to_str().unwrap();
        let find = |path: &str, compiled_in: &str, rules: &[&str]| {
            let file = SourceFile { path, compiled_in, md5: None };
            find_source(&map(rules), &file, None)
        };
        assert_eq!(find("lib/a.c", here, &[]).presence, Presence::Present);
        assert_eq!(find("../lib/./a.c", &format!("{here}/app"), &[]).presence, Presence::Present);
        assert_eq!(find("lib/a.c", "", &[]).presence, Presence::Missing);
        // The rules are for what the path was on the machine that compiled.
        let rule = format!("/build={here}");
        assert_eq!(find("lib/a.c", "/build", &[&rule]).presence, Presence::Present);
        assert_eq!(find("../lib/a.c", "/build/app", &[&rule]).path, folder.path().join("lib/a.c"));
        assert_eq!(find("/else/a.c", "/build", &[]).path, Path::new("/else/a.c"));
        // A table has the folder in its path already.
        let rule = format!("build={here}");
        assert_eq!(find("build/lib/a.c", "build", &[&rule]).presence, Presence::Present);
    }
}
