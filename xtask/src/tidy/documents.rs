//! Markdown: links lead somewhere, paths exist, and each invariant says what checks it.

use anyhow::Result;

use super::Problem;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for (file, text) in tree.texts(".md") {
        for (index, line) in prose(text) {
            for target in links(line) {
                if let Some(why) = broken(tree, file, text, target) {
                    problems.push(Problem::at(file, index + 1, why));
                }
            }
            for span in code_spans(line).filter(|span| names_a_path(tree, span)) {
                if !tree.has(span) {
                    problems.push(Problem::at(file, index + 1, format!("`{span}` does not exist")));
                }
            }
        }
    }
    Ok(problems)
}

const INVARIANT: &str = "**Architecture Invariant:**";
const CHECKED_BY: &str = "Checked by";

pub(super) fn check_invariants(tree: &Tree) -> Result<Vec<Problem>> {
    let Some((file, text)) = tree.texts("ARCHITECTURE.md").next() else {
        return Ok(vec![Problem::of("ARCHITECTURE.md", "is missing")]);
    };
    let paragraphs = text.split("\n\n").filter(|paragraph| paragraph.contains(INVARIANT));
    let mut problems = Vec::new();
    let mut count = 0;
    for paragraph in paragraphs {
        count += 1;
        let check = paragraph.split_once(CHECKED_BY).map(|(_, check)| check);
        if check.is_none_or(|check| code_spans_of(check).next().is_none()) {
            let first = paragraph.trim_start().lines().next().unwrap_or("");
            problems.push(Problem::of(file, format!("no \"{CHECKED_BY} `…`\" after \"{first}\"")));
        }
    }
    if count == 0 {
        problems.push(Problem::of(file, "names no invariant"));
    }
    Ok(problems)
}

/// Lines outside fenced code, with their index.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Targets of `[text](target)` and of `[name]: target`.
fn links(line: &str) -> Vec<&str> {
    let mut targets: Vec<&str> = line
        .match_indices("](")
        .filter_map(|(at, _)| line[at + 2..].split_once(')'))
        .map(|(target, _)| target.split_whitespace().next().unwrap_or(""))
        .collect();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        targets.push(target.trim());
    }
    targets
}

/// Why a link of `file` leads nowhere, if so. Addresses of other hosts are not followed.
fn broken(tree: &Tree, file: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let (full, document) = if path.is_empty() {
        (file.to_owned(), text)
    } else {
        let full = resolve(file, path);
        if !tree.has(&full) {
            return Some(format!("the link to {target} leads nowhere"));
        }
        let document = tree.texts(".md").find(|(name, _)| *name == full);
        (full, document.map_or("", |(_, text)| text))
    };
    if !anchor.is_empty() && full.ends_with(".md") && !anchors(document).any(|a| a == anchor) {
        return Some(format!("{full} has no heading #{anchor}"));
    }
    None
}

/// `path` as seen from the folder of `file`.
fn resolve(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Anchors of the headings, made as code hosts make them.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|(_, line)| line.starts_with('#')).map(|(_, line)| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn code_spans_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(code_spans)
}

/// Whether a code span is meant as a path of this project: it begins with a file or folder at
/// the top and has nothing in it that stands for something else.
fn names_a_path(tree: &Tree, span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let top = span.split('/').next().unwrap_or("");
    let document = !span.contains('/') && (span.ends_with(".md") || span.ends_with(".toml"));
    span.chars().all(plain) && ((span.contains('/') && tree.has_at_top(top)) || document)
}

#[cfg(test)]
mod tests {
    use super::super::tree::File;
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: Some((*text).to_owned()) })
            .collect();
        Tree { files }
    }

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        check(&tree(files)).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let files = [
            ("README.md", "[a](docs/a.md) [b](docs/b.md#no) [c](docs/a.md#a-heading-ok)"),
            ("docs/a.md", "# A heading, ok\n[up](../README.md) [self](#a-heading-ok)\n"),
            ("docs/b.md", "```\n[in code](x.md)\n# no\n```\n"),
        ];
        assert_eq!(problems(&files), ["README.md:1: docs/b.md has no heading #no"]);
        assert_eq!(problems(&files[..2])[0], "README.md:1: the link to docs/b.md#no leads nowhere");
    }

    #[test]
    fn a_path_that_is_gone_is_found() {
        let text = "`docs/x.rs` is gone, `docs/` and `docs/NAME.md…` and `a/b` are not meant.";
        let files = [("docs/a.md", text)];
        assert_eq!(problems(&files), ["docs/a.md:1: `docs/x.rs` does not exist"]);
    }

    #[test]
    fn an_invariant_names_its_check() {
        let text = "**Architecture Invariant:** a.\nChecked by `x`.\n\n\
                    **Architecture Invariant:** b.\n";
        let found = check_invariants(&tree(&[("ARCHITECTURE.md", text)])).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("b."), "{found:?}");
    }
}
