//! `scope code` and `scope source`, on a program compiled here and on traces without code.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Sample, command, everything, fail, succeed};

const SOURCE: &str = r"
#include <stdlib.h>

int depth;

int half(int n) {
    if (n < 2)
        return 0;
    depth++;
    return 1 + half(n / 2);
}

int main(int argc, char **argv) {
    (void)argv;
    int total = 0;
    for (int i = 0; i < argc; i++)
        total += half(i);
    return total;
}
";

fn program() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("program.c"), SOURCE).expect("a source");
    let status = Command::new("cc")
        .args(["-g", "-O0", "-o", "program", "program.c"])
        .current_dir(folder.path())
        .status()
        .expect("cc runs");
    assert!(status.success());
    folder
}

fn text(folder: &TempDir, arguments: &[&str]) -> String {
    let mut command = command(folder.path(), &[&["code", "program"], arguments].concat());
    command.env("XDG_CACHE_HOME", folder.path());
    succeed(command)
}

fn json(folder: &TempDir, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(folder, &[arguments, &["--json"]].concat())).expect("JSON")
}

#[test]
fn a_function_of_a_binary_has_node_signature_and_metrics() {
    let folder = program();
    let found = &json(&folder, &["half"])[0];
    assert_eq!(found["line"], 6);
    assert_eq!(found["node_path"], "program.c::half");
    assert_eq!(found["how"], "exact");
    assert_eq!(found["reason"], Value::Null);
    assert_eq!(found["parameters"][0]["name"], "n");
    assert_eq!(found["parameters"][0]["type"], "int");
    assert_eq!(found["returns"], "int");
    assert_eq!(found["metrics"]["cyclomatic"], 2);
    assert_eq!(found["node_id"].as_str().map(str::len), Some(32));
}

#[test]
fn graphs_are_text_and_dot_and_json() {
    let folder = program();
    insta::assert_snapshot!(text(&folder, &["half", "--cfg"]), @r"
    0 entry -> 2
    1 exit
    2 cond n < 2 -> 3 true, 4 false
    3 return return 0; -> 1 return
    4 stmt depth++; -> 5
    5 return return 1 + half(n / 2); -> 1 return
    ");
    insta::assert_snapshot!(text(&folder, &["main", "--dfg"]), @r"
    14:11 argv <- argv#0 13:27
    16:21 i <- i#0 16:14, i#1 16:31
    16:25 argc <- argc#0 13:14
    17:9 total <- total#0 15:9, total#1 17:9
    17:23 i <- i#0 16:14, i#1 16:31
    16:31 i <- i#0 16:14, i#1 16:31
    18:12 total <- total#0 15:9, total#1 17:9
    ");
    insta::assert_snapshot!(text(&folder, &["main", "--callees"]), @r"
    callees of main
    calls  total  known   call          function
        -      -  source  program.c:17  half
    ");
    insta::assert_snapshot!(text(&folder, &["half", "--callers"]), @r"
    callers of half
    calls  total  known   call          function
        -      -  source  program.c:10  half
        -      -  source  program.c:17  main
    ");
    for view in ["--cfg", "--dfg", "--cpg", "--ast", "--callers", "--callees"] {
        let dot = text(&folder, &["half", view, "--format", "dot"]);
        assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}'), "{view}: {dot}");
        let documents = json(&folder, &["half", view]);
        assert_eq!(documents.as_array().map(Vec::len), Some(1), "{view}");
    }
    let all = &json(&folder, &["half", "--cpg"])[0];
    for kind in ["syntax", "control", "data", "call"] {
        let edges = all["edges"].as_array().expect("edges");
        assert!(edges.iter().any(|edge| edge["kind"] == kind), "{kind}");
    }
}

#[test]
fn metrics_and_patterns_are_of_the_program_s_own_functions() {
    let folder = program();
    insta::assert_snapshot!(text(&folder, &["--metrics"]), @r"
    cyclomatic  cognitive  nesting  loops  lines  calls  fan-in  fan-out  where         function
             2          2        1      0      6      1       2        1  program.c:6   half
             2          1        1      1      7      1       0        1  program.c:13  main
    ");
    let findings = json(&folder, &["--patterns"]);
    let recursion = findings["findings"].as_array().expect("findings").iter().find(|finding| {
        finding["pattern"].as_str().is_some_and(|pattern| pattern.contains("recursion"))
    });
    assert_eq!(recursion.expect("half calls itself")["function"], "half");
}

#[test]
fn patterns_of_the_user_s_own_are_looked_for() {
    let folder = program();
    let patterns = folder.path().join("patterns/c");
    std::fs::create_dir_all(&patterns).expect("a folder");
    let counter = "; id: c-counter\n; title: a counter\n; why: it is one\n\
                   (update_expression) @match\n";
    std::fs::write(patterns.join("counter.scm"), counter).expect("a pattern");
    let found = text(&folder, &["--patterns", "--pattern-dir", "patterns"]);
    assert!(found.contains("a counter in half"), "{found}");
    std::fs::write(patterns.join("counter.scm"), "; id: c-counter\n(nonsense) @match\n")
        .expect("one");
    let arguments = ["code", "program", "--patterns", "--pattern-dir", "patterns"];
    let (status, message) = fail(command(folder.path(), &arguments));
    assert_eq!(status, Some(1));
    assert!(message.contains("counter.scm:"), "{message}");
}

#[test]
fn what_is_not_there_is_said_in_one_sentence() {
    let folder = program();
    let sample = Sample::new(&everything());
    let failed = |mut command: Command| {
        command.env("XDG_CACHE_HOME", folder.path());
        let (status, message) = fail(command);
        assert_eq!(status, Some(1), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    };
    let of_program = |arguments: &[&str]| failed(command(folder.path(), arguments));
    let of_trace = |arguments: &[&str]| failed(sample.command(arguments));
    for (message, expected) in [
        (of_program(&["code", "program", "haf"]), "no function \"haf\" in program; perhaps half"),
        (
            of_program(&["source", "program", "half"]),
            "program is a program; scope source takes a trace",
        ),
        (of_program(&["code", "program", "--coverage"]), "--coverage is of a trace"),
        (of_program(&["code", "program.c"]), "program.c is not a scope trace: it is a file"),
        (
            of_program(&["code", "nothing"]),
            "nothing is not a scope trace: there is nothing of that name",
        ),
        (
            of_trace(&["source", "sample.scope", "server::wait"]),
            "server::wait has no syntax tree: the trace has no tables of the module",
        ),
        (of_trace(&["code", "sample.scope", "main", "--cfg"]), "main has no syntax tree"),
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_trace_without_code_says_so() {
    let sample = Sample::new(&everything());
    let overview = sample.json(&["code", "sample.scope", "--json"]);
    assert_eq!(overview["modules"][0]["tables"], Value::Null);
    assert_eq!(overview["functions_with_node"], 0);
    assert_eq!(overview["functions_without"]["no_tables"], overview["functions"]);
    let text = sample.text(&["code", "sample.scope"]);
    assert!(text.contains("no tables: the recording ended before its code was read"), "{text}");
    let coverage = sample.json(&["code", "sample.scope", "--coverage", "--json"]);
    assert_eq!(coverage["with_call_node"], 0);
    assert_eq!(coverage["without_call_node"]["not_located"], coverage["calls"]);
}
