//! `scope list`, on a program compiled here and on a running process.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{command, fail, succeed};

const SOURCE: &str = r"
#include <unistd.h>
static inline __attribute__((always_inline)) int tiny(int n) { return n * 3; }
__attribute__((noinline)) int parse_line(int n) { return tiny(n) + getpid(); }
__attribute__((noinline)) int parse_word(int n) { return tiny(n) - getppid(); }
int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) pause();
    return parse_line(argc) + parse_word(argc);
}
";

fn program() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("program.c");
    std::fs::write(&source, SOURCE).expect("a source");
    let status = Command::new("cc")
        .args(["-g", "-O2", "-o", "program", "program.c"])
        .current_dir(folder.path())
        .status()
        .expect("cc runs");
    assert!(status.success());
    folder
}

fn rows(folder: &TempDir, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["list", "--json"].iter().chain(arguments).copied().collect();
    let text = succeed(command(folder.path(), &all));
    let document: Value = serde_json::from_str(&text).expect("JSON");
    document["functions"].as_array().expect("functions").clone()
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn every_function_has_a_site_or_a_reason() {
    let folder = program();
    let rows = rows(&folder, &["./program"]);
    assert!(rows.iter().all(|row| row["site"].is_string() || row["reason"].is_string()));
    let parse = row(&rows, "parse_line");
    assert_eq!(parse["chosen"], true);
    assert_eq!(parse["line"], 4);
    assert!(parse["file"].as_str().is_some_and(|file| file.ends_with("program.c")));
    assert!(parse["size"].as_u64() > Some(0));
    let tiny = row(&rows, "tiny");
    assert_eq!(tiny["site"], Value::Null);
    assert_eq!(tiny["reason"], "inlined everywhere (2 copies)");
}

#[test]
fn text_has_a_line_a_function_and_sums() {
    let folder = program();
    let text =
        succeed(command(folder.path(), &["list", "./program", "-F", "parse*", "-F", "tiny"]));
    let functions: Vec<&str> = text.lines().filter(|line| line.contains("parse_")).collect();
    assert_eq!(functions.len(), 2, "{text}");
    assert!(text.contains("tiny: inlined everywhere (2 copies)"), "{text}");
    assert!(text.contains("3 functions (") && text.contains("2 chosen"), "{text}");
}

#[test]
fn patterns_choose_and_exclude() {
    let folder = program();
    let rows = rows(&folder, &["./program", "-F", "parse*", "-x", "parse_word"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(row(&rows, "parse_line")["chosen"], true);
    assert_eq!(row(&rows, "parse_word")["chosen"], false);
    assert_eq!(row(&rows, "parse_word")["reason"], "excluded");
}

#[test]
fn a_pattern_that_matches_nothing_names_the_nearest() {
    let folder = program();
    let (status, message) =
        fail(command(folder.path(), &["list", "./program", "-F", "parse_lime"]));
    assert_eq!(status, Some(1));
    assert!(message.starts_with("scope: no function matches parse_lime; "), "{message}");
    assert!(message.contains("parse_line"), "{message}");
}

#[test]
fn a_running_process_is_listed_like_its_file() {
    let folder = program();
    let mut child = Command::new(folder.path().join("program"))
        .arg("wait")
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    let pid = child.id().to_string();
    let of_process = rows(&folder, &[&pid, "-F", "parse*"]);
    let of_file = rows(&folder, &["./program", "-F", "parse*"]);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let facts = |rows: &[Value]| -> Vec<Value> {
        rows.iter()
            .map(|row| serde_json::json!([row["name"], row["address"], row["site"]]))
            .collect()
    };
    assert_eq!(facts(&of_process), facts(&of_file));
}

#[test]
fn what_cannot_be_listed_is_said() {
    let folder = program();
    for (target, what) in [
        ("./nothing", "No such file"),
        ("./program.c", "is not an ELF file"),
        ("999999999", "no process 999999999"),
    ] {
        let (status, message) = fail(command(folder.path(), &["list", target]));
        assert_eq!(status, Some(1), "{message}");
        assert!(message.contains(what), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
