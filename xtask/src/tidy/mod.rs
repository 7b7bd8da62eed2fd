//! `cargo xtask tidy`: what the compiler does not check about the tree.
//!
//! A check is a function from the tree to its problems. Each runs as a `#[test]` too, so
//! `cargo xtask test` covers them; what a check finds is tested in its own module on small texts.

mod code;
mod commits;
mod dependencies;
mod documents;
mod licences;
mod paths;
mod shell;
mod tree;

use std::fmt;

use anyhow::{Result, bail};

use tree::Tree;

/// Something that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    /// `file:line`, `file` or the name of a crate.
    place: String,
    text: String,
}

impl Problem {
    fn at(file: &str, line: usize, text: impl Into<String>) -> Self {
        Self { place: format!("{file}:{line}"), text: text.into() }
    }

    fn of(place: &str, text: impl Into<String>) -> Self {
        Self { place: place.to_owned(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

type Check = fn(&Tree) -> Result<Vec<Problem>>;

/// All checks, by name.
const CHECKS: [(&str, Check); 9] = [
    ("code", code::check),
    ("commits", commits::check),
    ("dependencies", dependencies::check),
    ("documents", documents::check),
    ("licences", licences::check),
    ("object", object),
    ("paths", paths::check),
    ("invariants", documents::check_invariants),
    ("shell", shell::check),
];

/// Runs every check and prints what is wrong.
pub fn run() -> Result<()> {
    let tree = Tree::read()?;
    let mut count = 0;
    for (name, check) in CHECKS {
        let problems = check(&tree)
            .unwrap_or_else(|error| vec![Problem::of(name, format!("cannot check: {error:#}"))]);
        for problem in problems {
            println!("{problem} ({name})");
            count += 1;
        }
    }
    if count > 0 {
        bail!("{count} problems");
    }
    println!("tidy: {} checks, {} files, nothing to say", CHECKS.len(), tree.files.len());
    Ok(())
}

/// The committed kernel half was built from the sources beside it.
fn object(_: &Tree) -> Result<Vec<Problem>> {
    Ok(match crate::ebpf::sources::check() {
        Ok(()) => Vec::new(),
        Err(error) => vec![Problem::of(crate::ebpf::sources::OBJECT, format!("{error:#}"))],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn nothing_wrong(name: &str) {
        let (_, check) = CHECKS.iter().find(|(other, _)| *other == name).unwrap();
        let problems = check(&Tree::read().unwrap()).unwrap();
        let list: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        assert!(problems.is_empty(), "{name}:{list}");
    }

    #[test]
    fn code_keeps_the_house_rules() {
        nothing_wrong("code");
    }

    #[test]
    fn commits_name_no_machine() {
        nothing_wrong("commits");
    }

    #[test]
    fn crates_depend_one_way() {
        nothing_wrong("dependencies");
    }

    #[test]
    fn documents_point_to_what_exists() {
        nothing_wrong("documents");
    }

    #[test]
    fn every_invariant_names_its_check() {
        nothing_wrong("invariants");
    }

    #[test]
    fn dependencies_have_allowed_licences() {
        nothing_wrong("licences");
    }

    #[test]
    fn the_committed_object_is_built_from_these_sources() {
        nothing_wrong("object");
    }

    #[test]
    fn texts_name_no_machine() {
        nothing_wrong("paths");
    }

    #[test]
    fn documented_commands_exist() {
        nothing_wrong("shell");
    }
}
