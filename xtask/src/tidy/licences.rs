//! Everything that is linked in may be given away under this project's own licences' terms.

use anyhow::Result;
use serde_json::Value;

use super::Problem;
use super::dependencies::metadata;
use super::tree::Tree;

const ALLOWED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates under another licence, each with the reason it may be used.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("inferno", "CDDL-1.0: linked in unchanged, and its source is public"),
    ("nucleo-matcher", "MPL-2.0, whose terms end at its own files: it is used as it is published"),
];

pub(super) fn check(_: &Tree) -> Result<Vec<Problem>> {
    let metadata = metadata()?;
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or("?");
        let licence = package["license"].as_str().unwrap_or("");
        if !allowed(licence) && !EXCEPTIONS.iter().any(|(other, _)| *other == name) {
            let licence = if licence.is_empty() { "no licence named" } else { licence };
            problems.push(Problem::of(name, format!("{licence}; see xtask/src/tidy/licences.rs")));
        }
        if name.starts_with("scope-") && package["license"] == Value::Null {
            problems.push(Problem::of(name, "write `license.workspace = true`"));
        }
    }
    Ok(problems)
}

/// Whether an SPDX expression can be met with the allowed licences. Old manifests write `/` for
/// `OR`; `AND` binds tighter than `OR`.
fn allowed(expression: &str) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest) && rest.is_empty()
}

fn any(words: &mut &[&str]) -> bool {
    let mut met = all(words);
    while let ["OR", after @ ..] = words {
        *words = after;
        met |= all(words);
    }
    met
}

fn all(words: &mut &[&str]) -> bool {
    let mut met = one(words);
    while let ["AND", after @ ..] = words {
        *words = after;
        met &= one(words);
    }
    met
}

fn one(words: &mut &[&str]) -> bool {
    match *words {
        ["(", after @ ..] => {
            *words = after;
            let met = any(words);
            match words {
                [")", after @ ..] => *words = after,
                _ => return false,
            }
            met
        }
        // An exception only gives more rights.
        [name, "WITH", _, after @ ..] | [name, after @ ..] => {
            *words = after;
            ALLOWED.contains(name)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_are_understood() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT OR Apache-2.0 OR LGPL-2.1-or-later", true),
            ("LGPL-2.1-or-later", false),
            ("(MIT", false),
            ("", false),
        ] {
            assert_eq!(allowed(expression), expected, "{expression}");
        }
    }
}
