//! Where a source file comes from, by its path: what node ids call it, and where it may be now.
//!
//! Compilers record paths of the machine that built. For ids a file needs a name that another
//! checkout, another user and another version of a package share; to be read, it needs a path
//! that exists here. Nothing here looks at files: candidates are for the caller to try.

/// The name of a file for node ids: relative to its crate, module or project.
///
/// | recorded | named |
/// |---|---|
/// | `…/registry/src/INDEX/tokio-1.54.1/src/task/mod.rs` | `tokio/src/task/mod.rs` |
/// | `…/git/checkouts/tokio-HASH/REVISION/src/lib.rs` | `tokio/src/lib.rs` |
/// | `/rustc/HASH/library/std/src/io/mod.rs` | `rust/library/std/src/io/mod.rs` |
/// | `…/pkg/mod/golang.org/x/net@v0.1.0/http2/frame.go` | `golang.org/x/net/http2/frame.go` |
/// | a path below `project` | the path relative to it |
/// | any other | the path without `.` and `..` |
///
/// `project` is the folder the program was built in (`DW_AT_comp_dir`); relative paths are
/// relative to it.
#[must_use]
pub fn project_path(path: &str, project: &str) -> String {
    let path = normal(path);
    let parts: Vec<&str> = path.split('/').collect();
    let window = |names: &[&str]| parts.windows(names.len()).position(|part| part == names);
    if let Some(at) = window(&["registry", "src"])
        && let [_, _, _, package, rest @ ..] = &parts[at..]
    {
        return join(without_version(package), rest);
    }
    if let Some(at) = window(&["git", "checkouts"])
        && let [_, _, package, _, rest @ ..] = &parts[at..]
    {
        let name = package.rsplit_once('-').map_or(*package, |(name, _)| name);
        return join(name, rest);
    }
    if let ["", "rustc", _, rest @ ..] = &parts[..] {
        return join("rust", rest);
    }
    if let Some(at) = window(&["pkg", "mod"]) {
        let rest = &parts[at + 2..];
        if let Some(versioned) = rest.iter().position(|part| part.contains('@')) {
            let name = rest[versioned].split('@').next().unwrap_or_default();
            let mut named = rest[..versioned].to_vec();
            named.push(name);
            named.extend(&rest[versioned + 1..]);
            return named.join("/");
        }
    }
    let project = normal(project);
    let below = path.strip_prefix(&project).and_then(|rest| rest.strip_prefix('/'));
    match below {
        Some(below) if !project.is_empty() => below.to_owned(),
        _ => path,
    }
}

fn join(first: &str, rest: &[&str]) -> String {
    let mut parts = vec![first];
    parts.extend(rest);
    parts.join("/")
}

/// `tokio` of `tokio-1.54.1+build`: the version is what follows the last dash before a digit.
fn without_version(package: &str) -> &str {
    let dashes = package.match_indices('-').map(|(at, _)| at);
    let digit = |at: &usize| package.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
    dashes.into_iter().find(|at| digit(at)).map_or(package, |at| &package[..at])
}

/// The path with `/`, without `.`, empty parts, and `..` where it has something to undo.
fn normal(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// Folders that have other names here than where the program was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathMap {
    rules: Vec<(String, String)>,
}

/// A rule is not of the form `FROM=TO`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no `FROM=TO`")]
pub struct NotARule(pub String);

impl PathMap {
    /// Adds a rule as the command line has it: `FROM=TO`, two folders.
    ///
    /// # Errors
    ///
    /// When there is no `=`, or nothing before it.
    pub fn add(&mut self, rule: &str) -> Result<(), NotARule> {
        match rule.split_once('=') {
            Some((from, to)) if !from.is_empty() => {
                self.rules.push((normal(from), normal(to)));
                Ok(())
            }
            _ => Err(NotARule(rule.to_owned())),
        }
    }

    /// Where a recorded file may be, best first: by each rule that fits, the last added first;
    /// as recorded; below `project`; and for Rust's own library below `rust_sources`
    /// (`SYSROOT/lib/rustlib/src/rust`).
    #[must_use]
    pub fn candidates(&self, path: &str, project: &str, rust_sources: Option<&str>) -> Vec<String> {
        let path = normal(path);
        let absolute = if path.starts_with('/') || project.is_empty() {
            path
        } else {
            normal(&format!("{project}/{path}"))
        };
        let mut candidates: Vec<String> = Vec::new();
        for (from, to) in self.rules.iter().rev() {
            let rest = absolute.strip_prefix(from.as_str());
            if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                candidates.push(format!("{to}{rest}"));
            }
        }
        let library = absolute.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/'));
        if let (Some((_, rest)), Some(sources)) = (library, rust_sources) {
            candidates.push(normal(&format!("{sources}/{rest}")));
        }
        candidates.push(absolute);
        candidates.dedup();
        candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_without_their_versions_and_places() {
        let named = |path: &str| project_path(path, "/build/app");
        let registry = "/h/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert_eq!(named(&format!("{registry}/tokio-1.54.1/src/lib.rs")), "tokio/src/lib.rs");
        assert_eq!(named(&format!("{registry}/zstd-sys-2.1.2+zstd.1.5.7/a.c")), "zstd-sys/a.c");
        assert_eq!(named("/h/.cargo/git/checkouts/aya-0a1b/77c/src/a.rs"), "aya/src/a.rs");
        assert_eq!(named("/rustc/0123abc/library/std/src/io.rs"), "rust/library/std/src/io.rs");
        assert_eq!(named("/h/go/pkg/mod/golang.org/x/net@v0.1/a/b.go"), "golang.org/x/net/a/b.go");
    }

    #[test]
    fn a_project_s_files_are_relative_to_it() {
        assert_eq!(project_path("/build/app/./src/../src/a.rs", "/build/app/"), "src/a.rs");
        assert_eq!(project_path("src/a.c", "/build/app"), "src/a.c");
        assert_eq!(project_path("../lib/a.c", "/build/app"), "../lib/a.c");
        assert_eq!(project_path("/build/apple/a.c", "/build/app"), "/build/apple/a.c");
        assert_eq!(project_path("a\\b.c", ""), "a/b.c");
    }

    #[test]
    fn rules_come_before_what_was_recorded() {
        let mut map = PathMap::default();
        map.add("/build=/here").unwrap();
        map.add("/build/app=/home/me/app").unwrap();
        assert_eq!(
            map.candidates("src/a.rs", "/build/app", None),
            ["/home/me/app/src/a.rs", "/here/app/src/a.rs", "/build/app/src/a.rs"]
        );
        assert_eq!(map.candidates("/builder/a.rs", "", None), ["/builder/a.rs"]);
        assert_eq!(map.add("nothing"), Err(NotARule("nothing".to_owned())));
        assert!(map.add("=x").is_err());
    }

    #[test]
    fn rust_s_library_is_looked_for_in_the_toolchain() {
        let map = PathMap::default();
        let path = "/rustc/0123abc/library/core/src/option.rs";
        assert_eq!(
            map.candidates(path, "/build", Some("/tool/lib/rustlib/src/rust")),
            ["/tool/lib/rustlib/src/rust/library/core/src/option.rs", path]
        );
    }
}
