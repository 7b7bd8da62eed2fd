//! `scope query`: SQL over traces.

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Sample, command, event, everything, fail, names, succeed};

const QUERIES: &str = include_str!("../../docs/queries.md");

#[test]
fn an_answer_is_a_table() {
    let sample = Sample::new(&everything());
    let sql = "select f.name, c.start, c.duration, c.ended from calls c join functions f on f.id = c.function_id \
        where c.tid = 100 order by c.id limit 4";
    insta::assert_snapshot!(sample.text(&["query", "sample.scope", sql]), @r"
    name                                    start  duration  ended
    main                                   100000
    server::parse<alloc::string::String>   200000    500000  returned
    server::parse<alloc::string::String>  1000000   1000000  returned
    server::parse<alloc::string::String>  1200000            unwound
    ");
}

#[test]
fn every_statement_of_the_cookbook_has_an_answer() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sample = Sample::new(&everything());
    for name in ["before.scope", "after.scope"] {
        std::os::unix::fs::symlink(sample.path(), folder.path().join(name)).expect("a link");
    }
    let statements: Vec<(&str, &str)> = QUERIES
        .split("```sql")
        .skip(1)
        .filter_map(|block| block.split_once("```")?.0.split_once('\n'))
        .collect();
    assert!(statements.len() > 10);
    for (kind, sql) in statements {
        let traces: &[&str] = if kind.trim().is_empty() {
            &["before.scope"]
        } else {
            &["before.scope", "after.scope"]
        };
        let arguments = [&["query"] as &[_], traces, &[sql]].concat();
        let output = command(folder.path(), &arguments).output().expect("scope runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !output.stdout.is_empty(), "{sql}: {told}");
        // This trace has no code: that alone may be told.
        let noted = |line: &str| line.starts_with("scope: warning: ");
        assert!(told.lines().all(noted), "{sql}: {told}");
    }
}

#[test]
fn the_page_has_every_table_and_column() {
    let sample = Sample::new(&everything());
    let sql = "select table_name, column_name from information_schema.columns where table_schema = 'public'";
    let columns = sample.json(&["query", "sample.scope", sql, "--json"]);
    let columns = columns.as_array().expect("rows");
    assert!(columns.len() > 80);
    for column in columns {
        let name = |key: &str| column[key].as_str().expect("a name").to_owned();
        let (table, column) = (name("table_name"), name("column_name"));
        let row = QUERIES.lines().find(|line| line.starts_with(&format!("| `{table}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/queries.md has no table {table}"));
        assert!(row.contains(&format!("`{column}`")), "docs/queries.md: {table} lacks {column}");
    }
}

#[test]
fn formats_are_chosen_by_name_and_by_option() {
    let sample = Sample::new(&everything());
    let sql = "select id, ended from calls order by id limit 2";
    let query =
        |more: &[&str]| sample.text(&[&["query", "sample.scope", sql] as &[_], more].concat());
    insta::assert_snapshot!(query(&["--format", "jsonl"]), @r#"
    {"id":2,"ended":null}
    {"id":3,"ended":"returned"}
    "#);
    insta::assert_snapshot!(query(&["--format", "csv"]), @r"
    id,ended
    2,
    3,returned
    ");
    assert_eq!(query(&["-o", "x.csv"]), "");
    assert_eq!(query(&["-o", "x.parquet"]), "");
    let read = |name: &str| std::fs::read(sample.path().with_file_name(name)).expect("a file");
    assert_eq!(read("x.csv"), query(&["--format", "csv"]).into_bytes());
    assert!(read("x.parquet").starts_with(b"PAR1"));
    assert_eq!(query(&["--limit", "1", "--format", "csv"]).lines().count(), 2);
}

#[test]
fn wrong_statements_say_what_is_wrong_with_status_1() {
    let sample = Sample::new(&everything());
    let error = |sql: &str| fail(sample.command(&["query", "sample.scope", sql]));
    insta::assert_snapshot!(error("select duraton from gaps").1, @"scope: there is no column `duraton`; did you mean `duration`? there are event, tid, start, duration, entries, exits, others");
    insta::assert_snapshot!(error("select * from cals").1, @"scope: there is no table `cals`; did you mean `calls`? there are calls, events, slices, syscalls, wakeups, threads, gaps, functions, modules, nodes, cfg_edges, dfg_edges, call_edges, patterns, lines, bookmarks");
    insta::assert_snapshot!(error("select from").1, @"scope: not SQL: Expected: identifier, found: EOF");
    insta::assert_snapshot!(error("drop table calls").1, @"scope: a statement can only read, and this is DropTable");
    assert_eq!(error("select * from cals").0, Some(1));
    let (code, text) = fail(sample.command(&["query", "none.scope", "select 1"]));
    assert_eq!(code, Some(1));
    assert!(text.contains("none.scope"), "{text}");
}

#[test]
fn a_query_that_takes_too_long_ends_and_leaves_no_file() {
    let sample = Sample::new(&everything());
    let sql = "select count(*) from generate_series(1, 1000000000000)";
    let arguments = ["query", "sample.scope", sql, "--timeout", "50ms", "-o", "x.csv"];
    let (code, text) = fail(sample.command(&arguments));
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(text, @"scope: the query was stopped after 50.0ms; a longer --timeout gives it more time");
    assert!(!sample.path().with_file_name("x.csv").exists());
}

#[test]
fn a_query_that_is_ended_half_way_leaves_no_file_of_that_name() {
    let sample = Sample::new(&everything());
    let sql = "select count(*) from generate_series(1, 1000000000000)";
    let file = sample.path().with_file_name("x.csv");
    let partial = sample.path().with_file_name("x.csv.partial");
    std::fs::write(&file, "what was there\n").expect("a file");
    for (signal, status) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let mut command = sample.command(&["query", "sample.scope", sql, "-o", "x.csv"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("scope runs");
        while !partial.exists() {
            assert!(child.try_wait().expect("it can be asked").is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).expect("it can be told to end");
        let output = child.wait_with_output().expect("scope ends");
        assert_eq!(output.status.code(), status);
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), "what was there\n");
        if signal == Signal::INT {
            assert!(!partial.exists());
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(told, "scope: the query was stopped\n");
        }
    }
}

#[test]
fn timing_is_a_line_of_json_after_the_answer() {
    let sample = Sample::new(&everything());
    let arguments = ["query", "sample.scope", "select 1 as a", "--timing", "--format", "csv"];
    let output = sample.command(&arguments).output().expect("scope runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n1\n");
    let timing: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    let fields = ["peak_anonymous_bytes", "peak_rss_bytes", "plan_ns", "rows", "run_ns"];
    assert_eq!(names(&timing), fields);
    assert_eq!(timing["rows"], 1);
    assert!(timing["plan_ns"].as_u64() > Some(0) && timing["peak_rss_bytes"].as_u64() > Some(0));
}

#[test]
fn explain_says_how_much_of_a_trace_is_read() {
    let sample = Sample::new(&everything());
    let explain = |sql: &str| {
        let text = sample.text(&["query", "sample.scope", &format!("explain {sql}"), "--json"]);
        let at = text.rfind("Scan: ").expect("a plan has a scan");
        let told = &text[at..];
        told[..told.find("; StreamingTableExec").expect("what runs it")].to_owned()
    };
    insta::assert_snapshot!(explain("select count(*) from calls"), @"Scan: calls in 1 part; reads of sample: 1 of 1 segments, 1 of 1 blocks, 28 of 28 events");
    insta::assert_snapshot!(explain("select count(*) from gaps"), @"Scan: gaps in 1 part; of sample: no events");
}

#[test]
fn what_is_missing_of_the_code_is_told_once_and_is_no_error() {
    let sample = Sample::new(&everything());
    let sql = "select count(*), count(node_id) from functions";
    let output = sample.command(&["query", "sample.scope", sql, "--format", "csv"]).output();
    let output = output.expect("scope runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n4,0\n"));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"scope: warning: sample: 4 of 4 functions have no node (the trace has no tables of the module: 4)");
    // Nothing else is looked for.
    sample.text(&["query", "sample.scope", "select count(*) from calls"]);
}

#[test]
fn statements_are_read_from_a_pipe() {
    let sample = Sample::new(&everything());
    let mut command: Command = sample.command(&["query", "sample.scope", "--format", "csv"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("scope runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"select 1 as a; -- first;\nselect ';' as b;\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("scope ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n1\nb\n;\n");
}

#[test]
fn a_trace_that_is_recorded_is_asked_as_far_as_it_goes() {
    let sample = Sample::unfinished(&everything());
    let sql = "select count(*) as n from events";
    assert_eq!(sample.text(&["query", "sample.scope", sql, "--format", "csv"]), "n\n28\n");
}

#[test]
fn two_traces_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (a, b) = (
        Sample::new(&everything()),
        Sample::new(&[event(5, 1, scope_model::EventKind::SwitchIn { cpu: 0 })]),
    );
    for (name, sample) in [("a", &a), ("b", &b)] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        let link = folder.path().join(name).join("x.scope");
        std::os::unix::fs::symlink(sample.path(), link).expect("a link");
    }
    let sql = "select trace, count(*) as n from events group by trace order by n desc";
    let arguments = ["query", "a/x.scope", "b/x.scope", sql, "--format", "csv"];
    assert_eq!(succeed(command(folder.path(), &arguments)), "trace,n\nx,28\nb/x.scope,1\n");
}
