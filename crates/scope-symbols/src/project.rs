//! Which source files belong to the project that a binary was built from.
//!
//! A user who traces a program wants the functions that its authors wrote, not the standard
//! library's and the dependencies'. Paths tell: toolchains, package registries, vendored folders
//! and system folders are foreign. Sometimes the program itself was built below such a folder (a
//! crate unpacked in the registry, `/usr/src/app` in a container); then the folder that holds the
//! file of `main` is the project, and what is foreign is judged below it.

/// Folders whose files belong to others, wherever they stand in a path.
const FOREIGN: [&str; 13] = [
    "/.cargo/registry/",
    "/.cargo/git/",
    "/cargo/registry/",
    "/cargo/git/",
    "/registry/src/",
    "/rustlib/src/",
    "/toolchains/",
    "/vendor/",
    "/node_modules/",
    "/third_party/",
    "/lib/gcc/",
    "/lib/clang/",
    "/lib/llvm",
];

/// Folders whose files belong to others, at the start of a path.
const FOREIGN_ROOTS: [&str; 7] = [
    "/rustc/",
    "/rust/deps/",
    "/usr/include/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/src/",
    "/usr/local/include/",
];

/// What is known of a project's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Project {
    /// Folder of the project, where `main` alone shows it; ends with `/`.
    root: Option<String>,
}

impl Project {
    /// From the file that holds `main`, and the folder its compiler ran in.
    pub(crate) fn of_main(file: &str, compiled_in: Option<&str>) -> Self {
        let Some(marker_end) = foreign(file) else { return Self::default() };
        let folder = file.rfind('/').map_or("", |at| &file[..=at]);
        let common = compiled_in.map(|other| common_folder(folder, other)).unwrap_or_default();
        // The two may have no more in common than the foreign folder itself.
        let root = if common.len() > marker_end { common } else { folder };
        Self { root: (root.len() >= marker_end).then(|| root.to_owned()) }
    }

    /// Whether a source file belongs to the project.
    pub(crate) fn contains(&self, file: &str) -> bool {
        match self.root.as_deref().and_then(|root| file.strip_prefix(root)) {
            // The slash before the rest is part of the root.
            Some(rest) => !FOREIGN
                .iter()
                .any(|folder| rest.contains(folder) || rest.starts_with(&folder[1..])),
            None => foreign(file).is_none() && !is_made_up(file),
        }
    }
}

/// Where the folder that makes a file foreign ends in its path.
fn foreign(file: &str) -> Option<usize> {
    let root = FOREIGN_ROOTS.iter().filter(|root| file.starts_with(**root)).map(|root| root.len());
    let inside = FOREIGN.iter().filter_map(|folder| Some(file.find(folder)? + folder.len()));
    root.chain(inside).max()
}

/// Compilers name what no file holds `<built-in>` or the like.
fn is_made_up(file: &str) -> bool {
    file.rsplit('/').next().is_none_or(|name| name.starts_with('<') || name.is_empty())
}

/// The longest folder that both lie in, with its final `/`.
fn common_folder<'a>(folder: &'a str, other: &str) -> &'a str {
    let other = format!("{}/", other.trim_end_matches('/'));
    let same = folder.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    folder.get(..same).and_then(|text| text.rfind('/').map(|at| &text[..=at])).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_registries_and_system_folders_are_foreign() {
        let project = Project::of_main("/home/me/app/src/main.rs", Some("/home/me/app"));
        for (file, ours) in [
            ("/home/me/app/src/main.rs", true),
            ("/home/me/lib/src/lib.rs", true),
            ("src/main.c", true),
            ("/rustc/59807616e/library/core/src/fmt/mod.rs", false),
            (
                "/home/me/.rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/rt.rs",
                false,
            ),
            ("/home/me/.cargo/registry/src/index.crates.io-1949/regex-1.0/src/lib.rs", false),
            // What the standard library itself depends on.
            ("/rust/deps/gimli-0.32.3/src/read/unit.rs", false),
            ("/usr/local/cargo/registry/src/x/regex-1.0/src/lib.rs", false),
            ("/usr/include/c++/12/bits/stl_vector.h", false),
            ("/home/me/app/vendor/zlib/inflate.c", false),
            ("<built-in>", false),
        ] {
            assert_eq!(project.contains(file), ours, "{file}");
        }
    }

    #[test]
    fn a_crate_built_in_the_registry_is_its_own_project() {
        let registry = "/home/me/.cargo/registry/src/index.crates.io-1949";
        let main = format!("{registry}/ripgrep-14.1.1/crates/core/main.rs");
        let project = Project::of_main(&main, Some(&format!("{registry}/ripgrep-14.1.1")));
        assert!(project.contains(&format!("{registry}/ripgrep-14.1.1/crates/core/flags/mod.rs")));
        assert!(!project.contains(&format!("{registry}/regex-1.10.0/src/lib.rs")));
    }

    #[test]
    fn a_program_built_below_usr_src_is_its_own_project() {
        let project = Project::of_main("/usr/src/app/src/main.c", Some("/usr/src/app/build"));
        assert!(project.contains("/usr/src/app/lib/list.c"));
        assert!(!project.contains("/usr/src/app/vendor/zlib/inflate.c"));
        assert!(!project.contains("/usr/src/glibc/malloc.c"));
    }
}
