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
            ended from calls order by id"), @r"
    id|parent_id|f|start|duration|self_time|on_cpu|blocked|ended
    2|-|0|100|-|-|1800|1000|-
    5|2|1|200|500|500|500|0|returned
    7|2|2|800|1300|1300|200|1000|returned
    10|-|3|1000|-|1200|1200|0|unwound
    16|2|1|2300|-|-|700|0|-
    ");
}

#[test]
fn slices_wakeups_and_system_calls_say_why_a_thread_waited() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select * from slices order by start, tid"), @r"
    event|tid|pid|start|duration|state|cpu|reason|waker|syscall|call_id|goes_on
    0|1|1|0|10|unknown|-|-|-|-|-|false
    1|1|1|10|890|running|0|-|-|-|-|false
    3|2|1|120|10|runnable|-|woken|1|-|-|false
    4|2|1|130|2870|running|1|-|-|-|-|true
    9|1|1|900|1000|blocked|-|sleeping|2|futex|7|false
    11|1|1|1900|100|runnable|-|woken|2|futex|7|false
    12|1|1|2000|1000|running|0|-|-|futex|7|false
    18|1|1|3000|0|runnable|-|preempted|-|-|16|true
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from wakeups"), @r"
    event|time|tid|pid|waker|waker_pid|blocked|call_id|waker_call_id
    11|1900|1|1|2|1|1000|7|10
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from syscalls"), @r"
    event|tid|pid|number|name|start|duration|result|error|call_id
    8|1|1|202|futex|850|1160|-4|EINTR|7
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from gaps"), @r"
    event|tid|start|duration|entries|exits|others
    17|1|2400|100|1|1|0
    ");
}

#[test]
fn small_tables_have_what_the_trace_knows() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select id, name, file, line, site from functions"), @r"
    id|name|file|line|site
    0|main|/src/main.rs|1|emulated
    1|server::parse|/src/server/parse.rs|2|emulated
    2|server::wait<alloc::vec::Vec<u8>>|/src/server/wait.rs|3|emulated
    3|server::Client::send(int, char)|/src/server/client.cpp|4|emulated
    4|never_called|/src/main.rs|5|emulated
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from modules"), @r"
    id|name|path|build_id
    0|server|/bin/server|-
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from threads"), @r"
    tid|pid|name|events|lost_events|on_cpu|runnable|blocked|unknown
    1|1|main|15|2|1890|100|1000|10
    2|1|worker|4|0|2870|10|0|0
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from bookmarks"), @r"
    name|event|time|note
    here|10|17|look
    ");
}

#[test]
fn functions_of_traces_give_rows() {
    let (_stored, mut sql) = small();
    insta::assert_snapshot!(table(&mut sql, "select * from stack_at('1us')"), @r"
    tid|pid|state|reason|depth|call_id|function_id|start|elapsed
    1|1|blocked|sleeping|0|2|0|100|900
    1|1|blocked|sleeping|1|7|2|800|200
    2|1|running|-|0|10|3|1000|0
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from stack_at('@here')"), @r"
    tid|pid|state|reason|depth|call_id|function_id|start|elapsed
    1|1|blocked|sleeping|0|2|0|100|800
    1|1|blocked|sleeping|1|7|2|800|100
    2|1|running|-|-|-|-|-|-
    ");
    insta::assert_snapshot!(table(&mut sql, "select * from critical_path(7)"), @r"
    step|tid|hops|start|duration|state|reason|waker|syscall|call_id
    1|1|0|800|100|running|-|-|-|7
    2|2|1|900|100|running|-|-|-|-
    3|2|1|1000|900|running|-|-|-|10
    4|1|0|1900|100|runnable|woken|-|futex|7
    5|1|0|2000|100|running|-|-|futex|7
    ");
    insta::assert_snapshot!(table(&mut sql, "select id from ancestors('call:7')"), @r"
    id
    2
    ");
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
            histogram(duration) from calls"), @r"
    p50|max|histogram(calls.duration)
    500|1300|[{from: 256, until: 512, count: 1}, {from: 1024, until: 2048, count: 1}]
    ");
    let many = "select percentile(v, 0.5), percentile(v, 0.99), percentile(v, 0), percentile(v, 1) \
        from (select value * 1000 as v from generate_series(1, 100000))";
    assert_eq!(rows(&mut sql, many), ["50003967|99024895|1000|100000000"]);
}

#[test]
fn names_are_demangled() {
    let (_stored, mut sql) = small();
    assert_eq!(
        rows(&mut sql, "select demangle('_ZN6server5parse17h0000000000000000E')"),
        ["server::parse"]
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is_like_it() {
    let (_stored, mut sql) = small();
    let mut error = |statement: &str| try_rows(&mut sql, statement).unwrap_err().to_string();
    insta::assert_snapshot!(error("select duratoin from gaps"), @"there is no column `duratoin`; did you mean `duration`? there are event, tid, start, duration, entries, exits, others");
    insta::assert_snapshot!(error("select x from gaps"), @"there is no column `x`; there are event, tid, start, duration, entries, exits, others");
    insta::assert_snapshot!(error("select * from call"), @"there is no table `call`; did you mean `calls`? there are calls, events, slices, syscalls, wakeups, threads, gaps, functions, modules, nodes, cfg_edges, dfg_edges, call_edges, patterns, lines, bookmarks");
    insta::assert_snapshot!(error("select percentil(start, 0.5) from calls"), @"Invalid function 'percentil'; did you mean 'percentile'?");
    insta::assert_snapshot!(error("selec 1"), @"not SQL: Expected: an SQL statement, found: selec at Line: 1, Column: 1");
    insta::assert_snapshot!(error("select"), @"not SQL: Expected: an expression, found: EOF");
    insta::assert_snapshot!(error("select * from callers(0)"), @"event 0 is no call: it is a thread_start event; a call's id is the number of its enter event");
    insta::assert_snapshot!(error("select * from callers('x')"), @"not the id of a call; write for example 1200");
    insta::assert_snapshot!(error("select * from stack_at('5 weeks')"), @"`5 weeks`: not a moment; write a time (1.5s, 250ms), 37%, call:ID, event:N, @BOOKMARK, start or end");
    insta::assert_snapshot!(error("select percentile(start, 2) from calls"), @"percentile: 2 is no share; write for example 0.99");
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
    // Much made of little: nothing is read for a long time.
    let pairs: Vec<String> = (0..16).map(|number| format!("events e{number}")).collect();
    let pairs = format!("select count(*) from {}", pairs.join(", "));
    for endless in [endless, &pairs] {
        let error = sql.run(endless, limits).unwrap().next_batch().unwrap_err();
        assert!(matches!(error, QueryError::TimedOut(_)), "{error:?}");
        // Its threads are free again.
        assert_eq!(rows(&mut sql, "select count(*) from calls"), ["5"]);
    }

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
    insta::assert_snapshot!(error, @"callers: which trace? give its name after the argument: 'a', 'b'");
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
    insta::assert_snapshot!(text(write(Format::Json)), @r#"[{"id":2,"ended":null,"duration":null,"crosses_gap":true},{"id":5,"ended":"returned","duration":500,"crosses_gap":false}]"#);
    insta::assert_snapshot!(text(write(Format::JsonLines)), @r#"
    {"id":2,"ended":null,"duration":null,"crosses_gap":true}
    {"id":5,"ended":"returned","duration":500,"crosses_gap":false}
    "#);
    insta::assert_snapshot!(text(write(Format::Csv)), @r"
    id,ended,duration,crosses_gap
    2,,,true
    5,returned,500,false
    ");
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
