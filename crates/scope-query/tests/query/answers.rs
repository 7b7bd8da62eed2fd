//! What statements answer on a small trace.

use std::time::Duration;

use scope_query::{Format, Input, Limits, Options, QueryError, Session};

use crate::asking::{rows, session, table, try_rows};
use crate::scenario::events;
use crate::store::{Form, Stored, store};

fn small() -> (Stored, Session) {
    let stored = store(&events(), Form::Sealed);
    let session = session(stored.trace.path(), true);
    (stored, session)
}

#[test]
fn calls_have_their_times() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(
        table(&mut sql, "select id, parent_id, function_id as f, start, duration, self_time, on_cpu, blocked, \
            ended from calls order by id"), @"");
}

#[test]
fn slices_wakeups_and_system_calls_say_why_a_thread_waited() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select * from slices order by start, tid"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from wakeups"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from syscalls"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from gaps"), @"");
}

#[test]
fn small_tables_have_what_the_trace_knows() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select id, name, file, line, site from functions"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from modules"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from threads"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from bookmarks"), @"");
}

#[test]
fn functions_of_traces_give_rows() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select * from stack_at('1us')"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from stack_at('@here')"), @"");
    insta::assert_snapshot!(table(&mut sql, "select * from critical_path(7)"), @"");
    insta::assert_snapshot!(table(&mut sql, "select id from ancestors('call:7')"), @"");
}

#[test]
fn times_may_be_written_with_their_unit() {
    let (_stored, mut sql) = small();
    for (condition, count) in [
        ("duration > '1us'", "1"),
        ("'1us' < duration", "1"),
        ("duration >= '0.5us' and duration <= '500ns'", "1"),
        ("start between '0.2us' and '800ns'", "2"),
        ("start in ('100ns', '200ns')", "2"),
        ("start + '100ns' = '0.3us'", "1"),
        ("start > ns('2us')", "1"),
        ("ended = '5ms'", "0"),
    ] {
        let sql_text = format!("select count(*) from calls where {condition}");
        assert_eq!(rows(&mut sql, &sql_text), [count], "{condition}");
    }
}

#[test]
fn percentiles_and_histograms_count_known_durations() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(
        table(&mut sql, "select percentile(duration, 0.5) p50, percentile(duration, 1) max, \
            histogram(duration) from calls"), @"");
    let many = "select percentile(v, 0.5), percentile(v, 0.99), percentile(v, 0), percentile(v, 1) \
        from (select value * 1000 as v from generate_series(1, 100000))";
    assert_eq!(rows(&mut sql, many), ["50003967|99024895|1000|100000000"]);
}

#[test]
fn names_are_demangled() {
    let (_stored, mut sql) = small();
    assert_eq!(rows(&mut sql, "select demangle('_ZN6server5parse17h0000000000000000E')"), ["server::parse"]);
}

#[test]
fn what_is_not_there_is_named_with_what_is_like_it() {
    let (_stored, mut sql) = small();
    let mut error = |statement: &str| try_rows(&mut sql, statement).unwrap_err().to_string();
    insta::assert_snapshot!(error("select duratoin from gaps"), @"");
    insta::assert_snapshot!(error("select x from gaps"), @"");
    insta::assert_snapshot!(error("select * from call"), @"");
    insta::assert_snapshot!(error("select percentil(start, 0.5) from calls"), @"");
    insta::assert_snapshot!(error("selec 1"), @"");
    insta::assert_snapshot!(error("select"), @"");
    insta::assert_snapshot!(error("select * from callers(0)"), @"");
    insta::assert_snapshot!(error("select * from callers('x')"), @"");
    insta::assert_snapshot!(error("select * from stack_at('5 weeks')"), @"");
    insta::assert_snapshot!(error("select percentile(start, 2) from calls"), @"");
}

#[test]
fn a_statement_only_reads() {
    let (_stored, mut sql) = small();
    for statement in [
        "create table x as select 1",
        "drop table calls",
        "insert into calls select * from calls",
        "copy (select 1) to 'x.csv'",
        "create external table x stored as csv location '/etc/passwd'",
        "select * from '/etc/passwd'",
        "set datafusion.execution.batch_size = 1",
    ] {
        let error = try_rows(&mut sql, statement).unwrap_err();
        assert!(matches!(error, QueryError::Statement(_)), "{statement}: {error:?}");
    }
    assert_eq!(rows(&mut sql, "select count(*) from calls"), ["5"]);
}

#[test]
fn a_limit_ends_an_answer() {
    let (_stored, mut sql) = small();
    let limits = Limits { rows: Some(2), ..Limits::default() };
    let mut answer = sql.run("select * from events", limits).unwrap();
    let mut count = 0;
    while let Some(batch) = answer.next_batch().unwrap() {
        count += batch.rows();
    }
    assert_eq!(count, 2);
    assert_eq!(rows(&mut sql, "select id from calls limit 3").len(), 3);
}

#[test]
fn an_endless_query_can_be_stopped_and_times_out() {
    let (_stored, mut sql) = small();
    let endless = "select count(*) from generate_series(1, 1000000000000)";
    let limits = Limits { timeout: Some(Duration::from_millis(100)), ..Limits::default() };
    let error = sql.run(endless, limits).unwrap().next_batch().unwrap_err();
    assert!(matches!(error, QueryError::TimedOut(_)), "{error:?}");

    let mut answer = sql.run(endless, Limits::default()).unwrap();
    sql.stop().stop();
    assert!(matches!(answer.next_batch(), Err(QueryError::Stopped)));
    assert!(matches!(answer.next_batch(), Ok(None)));
    drop(answer);
    // The next one is not stopped.
    assert_eq!(rows(&mut sql, "select 1"), ["1"]);
}

#[test]
fn several_traces_are_told_apart() {
    let (a, b) = (store(&events(), Form::Sealed), store(&events()[..9], Form::Hot));
    let inputs = vec![Input::new("a", a.trace.path()), Input::new("b", b.trace.path())];
    let mut sql = Session::open(inputs, Options::default()).unwrap();
    assert_eq!(
        rows(&mut sql, "select trace, count(*) from calls group by trace order by trace"),
        ["a|5", "b|3"]
    );
    assert_eq!(rows(&mut sql, "select count(*) from calls where trace = 'b'"), ["3"]);
    assert_eq!(rows(&mut sql, "select id from callers(7, 'b')"), ["2"]);
    let error = try_rows(&mut sql, "select * from callers(7)").unwrap_err();
    insta::assert_snapshot!(error, @"");
}

#[test]
fn answers_are_written_in_every_format() {
    let (_stored, mut sql) = small();
    let mut write = |format| {
        let statement = "select id, ended, duration, crosses_gap from calls order by id limit 2";
        let mut out = Vec::new();
        let rows = sql.run(statement, Limits::default()).unwrap().write(format, &mut out).unwrap();
        assert_eq!(rows, 2);
        out
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    insta::assert_snapshot!(text(write(Format::Json)), @"");
    insta::assert_snapshot!(text(write(Format::JsonLines)), @"");
    insta::assert_snapshot!(text(write(Format::Csv)), @"");
    assert!(write(Format::Parquet).starts_with(b"PAR1"));
    assert!(!write(Format::Arrow).is_empty());
}

#[test]
fn an_answer_without_rows_is_a_whole_document() {
    let (_stored, mut sql) = small();
    let mut write = |format| {
        let mut out = Vec::new();
        let answer = sql.run("select id from calls where id < 0", Limits::default()).unwrap();
        assert_eq!(answer.write(format, &mut out).unwrap(), 0);
        String::from_utf8_lossy(&out).into_owned()
    };
    assert_eq!(write(Format::Json), "[]\n");
    assert_eq!(write(Format::JsonLines), "");
    assert_eq!(write(Format::Csv), "id\n");
    assert!(write(Format::Parquet).starts_with("PAR1"));
}
