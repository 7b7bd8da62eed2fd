//! SQL over recordings of real programs: the cookbook, and the code behind what was recorded.

use std::path::Path;
use std::process::{Command, Stdio};

use scope_tests::{require_root, scope_binary};
use serde_json::Value;

use super::code::demo;
use super::harness::{Recorder, scope, shared};

const QUERIES: &str = include_str!("../../docs/queries.md");

/// The rows of an answer.
fn ask(trace: &Path, sql: &str) -> Vec<Value> {
    let text = scope(&["query", trace.to_str().unwrap(), sql, "--json"]);
    serde_json::from_str(&text).expect("rows")
}

fn number(trace: &Path, sql: &str) -> u64 {
    let rows = ask(trace, sql);
    let row = rows.first().and_then(Value::as_object).expect("a row");
    row.values().next().and_then(Value::as_u64).unwrap_or_else(|| panic!("{sql}: {row:?}"))
}

#[test]
fn the_demo_answers_the_cookbook_and_its_calls_are_tied_to_its_code() {
    require_root!();
    let _turn = shared();
    let mut child = Command::new(demo()).stdout(Stdio::null()).spawn().unwrap();
    let recorder = Recorder::attach(child.id(), &["--duration", "500ms"]);
    let trace = recorder.finish_and(|| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let trace = trace.path();

    // What the other commands say.
    let report = scope(&["report", trace.to_str().unwrap(), "--json", "--limit", "0"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let called: u64 = report["functions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["calls"].as_u64())
        .sum();
    assert!(called > 0);
    assert_eq!(number(trace, "select count(*) from calls where not inherited"), called);
    assert_eq!(number(trace, "select sum(calls) from call_edges"), called);
    let coverage = scope(&["code", trace.to_str().unwrap(), "--coverage", "--json"]);
    let coverage: Value = serde_json::from_str(&coverage).unwrap();
    let placed = number(trace, "select count(call_node_id) from calls where not inherited");
    assert_eq!(Some(placed), coverage["with_call_node"].as_u64());
    let known = "select count(*) from calls c join functions f on f.id = c.function_id \
                 where not inherited and f.node_id is not null";
    assert_eq!(Some(number(trace, known)), coverage["with_function_node"].as_u64());
    // Both of one call: the sources have it, and it was made.
    let both = "select count(*) from call_edges where static and observed and callee like '%check'";
    assert!(number(trace, both) > 0);

    // The page writes 2 where a reader would write the id of a call of his own.
    let slow =
        number(trace, "select id from calls where duration > 0 order by duration desc limit 1");
    let slow = format!("({slow})");
    for block in QUERIES.split("```sql").skip(1) {
        let (kind, sql) = block.split_once("```").unwrap().0.split_once('\n').unwrap();
        let mut command = Command::new(scope_binary());
        command.arg("query");
        if !kind.trim().is_empty() {
            let after = trace.with_file_name("after.scope");
            let before = trace.with_file_name("before.scope");
            for name in [&before, &after] {
                let _ = std::os::unix::fs::symlink(trace, name);
            }
            command.arg(before);
            command.arg(after);
        } else {
            command.arg(trace);
        }
        let output = command.arg(sql.replace("(2)", &slow)).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {told}");
        assert!(told.lines().all(|line| line.starts_with("scope: warning: ")), "{sql}: {told}");
    }
}
