//! What node ids call a source file.
//!
//! Compilers record paths of the machine that built. For ids a file needs a name that another
//! checkout, another user and another version of a package share. Nothing here looks at files;
//! where a file is on this machine, and whether it is still the one that was compiled, is for
//! `scope_symbols::sources`.

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
}
