//! House rules of the Rust sources that clippy has no lint for, or has it switched off in tests.
//!
//! Programs under test (`tests/workloads`) are free: they are written to be traced.

use anyhow::Result;

use super::Problem;
use super::tree::Tree;

/// Where `unsafe` may stand: the kernel half and its records, the two modules that map files, and
/// the probe modules of the recorder.
const UNSAFE: [&str; 6] = [
    "tracer-ebpf/src/",
    "tracer-common/src/",
    "tracer-user/src/probe/",
    "tracer-user/src/probe.rs",
    "crates/scope-store/src/mmap.rs",
    "crates/scope-symbols/src/file.rs",
];

/// Modules that turn values into text: they do no I/O of their own.
const RENDERING: [&str; 5] = [
    "tui/src/view/",
    "tracer-user/src/commands/at/",
    "tracer-user/src/commands/report/",
    "tracer-user/src/commands/dump/",
    "tracer-user/src/output/table.rs",
];
const IO: [&str; 7] =
    ["std::fs", "std::net", "std::process", "std::env", "File::", "fs::", "println!"];

/// A file may be longer when its head says why: the word is looked for there.
const LONGEST: usize = 1_000;
const REASON: &str = "long because";

/// What may not stand in code, and what to do instead.
const FORBIDDEN: [(&str, &str); 5] = [
    ("#[ignore", "a test that cannot run here calls `scope_tests::not_run`"),
    ("todo!", "finish it or leave it out"),
    ("unimplemented!", "finish it or leave it out"),
    ("#[allow(", "write `#[expect(lint, reason = \"…\")]`"),
    ("#![allow(", "write `#![expect(lint, reason = \"…\")]`"),
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    Ok(tree
        .texts(".rs")
        .filter(|(path, _)| !path.starts_with("tests/workloads/"))
        .flat_map(|(path, text)| check_file(path, text))
        .collect())
}

fn check_file(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let code = without_comments_and_strings(text);
    let may_be_unsafe = UNSAFE.iter().any(|place| path.starts_with(place));
    let renders = RENDERING.iter().any(|place| path.starts_with(place));
    for (index, line) in code.lines().enumerate() {
        if !may_be_unsafe && has_word(line, "unsafe") {
            let why = "`unsafe` may not stand here (see ARCHITECTURE.md, and tidy/code.rs)";
            problems.push(Problem::at(path, index + 1, why));
        }
        if renders && let Some(io) = IO.iter().find(|io| line.contains(**io)) {
            problems.push(Problem::at(path, index + 1, format!("`{io}`: rendering does no I/O")));
        }
        for (pattern, instead) in FORBIDDEN {
            if line.contains(pattern) {
                problems.push(Problem::at(path, index + 1, format!("`{pattern}`: {instead}")));
            }
        }
    }
    let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
    if text.lines().count() > LONGEST && !head.contains(REASON) {
        let why = format!("over {LONGEST} lines; split it, or say at its head \"{REASON} …\"");
        problems.push(Problem::of(path, why));
    }
    problems
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

/// The text with comments and the contents of strings blanked; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skip(rest);
        if skipped > 0 {
            let (away, after) = rest.split_at(skipped);
            code.extend(away.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Length of the comment, string or character literal that `rest` begins with; 0: none.
fn skip(rest: &str) -> usize {
    let up_to = |end: &str, from: usize| {
        rest.get(from..).and_then(|tail| tail.find(end)).map_or(rest.len(), |at| from + at)
    };
    if rest.starts_with("//") {
        return up_to("\n", 0);
    }
    if rest.starts_with("/*") {
        return (up_to("*/", 2) + 2).min(rest.len());
    }
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (up_to(&end, hashes + 2) + end.len()).min(rest.len());
        }
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    // A lifetime is no character: its quote is not closed after one character or escape.
    if let Some(tail) = rest.strip_prefix('\'') {
        let mut characters = tail.chars();
        match (characters.next(), characters.next()) {
            (Some('\\'), _) => return quoted(rest, '\''),
            (Some(one), Some('\'')) => return 2 + one.len_utf8(),
            _ => {}
        }
    }
    0
}

/// Length of a literal with escapes, quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check_file(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unsafe_outside_its_places_is_found() {
        let text = "fn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(problems("crates/scope-store/src/mmap.rs", text), [""; 0]);
        let found = problems("crates/scope-store/src/reader.rs", text);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/scope-store/src/reader.rs:2: `unsafe`"), "{found:?}");
    }

    #[test]
    fn words_in_comments_and_strings_do_not_count() {
        let text = "// unsafe\n/* todo!() */\nconst A: &str = \"unsafe \\\" todo!\";\n\
                    const B: &str = r#\"#[ignore\"#;\nconst C: char = '\"';\nfn f<'a>(x: &'a str) {}\n\
                    fn is_unsafe() {}\n";
        assert_eq!(problems("crates/a/src/lib.rs", text), [""; 0]);
    }

    #[test]
    fn what_follows_a_string_still_counts() {
        let found =
            problems("a.rs", "let c = '\\''; let s = \"x\"; todo!()\n#[allow(dead_code)]\n");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn rendering_that_reads_files_is_found() {
        let text = "let text = std::fs::read_to_string(path);\n";
        assert_eq!(problems("tracer-user/src/commands/report/text.rs", text).len(), 1);
        assert_eq!(problems("tracer-user/src/commands/report.rs", text).len(), 0);
    }

    #[test]
    fn a_long_file_says_why() {
        let body = "fn f() {}\n".repeat(LONGEST + 1);
        assert_eq!(problems("a.rs", &body).len(), 1);
        assert_eq!(problems("a.rs", &format!("//! It is long because.\n{body}")).len(), 0);
    }
}
