//! `scope query`: SQL over traces.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Sample, command, event, everything, fail, succeed};

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
        let text = succeed(command(folder.path(), &arguments));
        assert!(!text.is_empty(), "{sql}");
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
    insta::assert_snapshot!(error("select * from cals").1, @"scope: there is no table `cals`; did you mean `calls`? there are calls, events, slices, syscalls, wakeups, threads, gaps, functions, modules, bookmarks");
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
