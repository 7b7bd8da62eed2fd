//! The queries pane, over a small engine of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use scope_tui::model::Effect;
use scope_tui::sql::{Calls, Column, Engine, Leads, Row, Rows, Runner, Said, Table};

use crate::harness::{PLAIN, START_NS, Stage, server, stored};

/// Knows three statements.
#[derive(Debug)]
pub(crate) struct Small;

impl Engine for Small {
    fn tables(&mut self) -> Result<Vec<Table>, String> {
        let table = |name: &str, columns: &[&str]| Table {
            name: name.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        Ok(vec![
            table("calls", &["call_id", "function", "t_ns", "duration_ns"]),
            table("call_sites", &["file", "line"]),
            table("threads", &["tid", "name"]),
        ])
    }

    fn run(&mut self, statement: &str, limit: usize, cancel: &AtomicBool) -> Result<Rows, String> {
        if statement.contains("sleep") {
            while !cancel.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            return Err("cancelled".to_owned());
        }
        if statement.contains("panic") {
            panic!("as asked");
        }
        if !statement.starts_with("select") {
            return Err(format!("at character 1: {statement} is no statement"));
        }
        let column = |name: &str, number| Column { name: name.to_owned(), number };
        let row = |id: u64, name: &str, t_ns: i64, leads| Row {
            cells: vec![id.to_string(), name.to_owned(), t_ns.to_string()],
            leads,
        };
        let mut rows = vec![
            row(4, "server::parse", 300_000, Some(Leads::Call(4))),
            row(13, "server::wait\x1b[2J 解析", 1_000_000, Some(Leads::Time(1_000_000, Some(100)))),
            row(0, "nothing", 0, None),
        ];
        rows.truncate(limit);
        let columns =
            vec![column("call_id", true), column("function", false), column("t_ns", true)];
        Ok(Rows { columns, rows, more: true })
    }

    /// Knows one expression, and two calls of which it holds.
    fn calls(&mut self, expression: &str, limit: usize, _: &AtomicBool) -> Result<Calls, String> {
        if expression != "true" {
            return Err(format!("there is no column {expression}"));
        }
        let mut ids = vec![4, 13];
        let more = ids.len() > limit;
        ids.truncate(limit);
        Ok(Calls { ids, more })
    }
}

/// Carries out what the state wants of the engine.
pub(crate) fn answer(stage: &mut Stage) {
    stage.settle();
    for effect in std::mem::take(&mut stage.effects) {
        match effect {
            Effect::Tables => stage.model.heard(Said::Tables(Small.tables().unwrap())),
            Effect::Query(number, text) => {
                let rows = Small.run(&text, 100, &AtomicBool::new(true));
                stage.model.heard(Said::Rows(number, rows));
            }
            Effect::Calls(number, expression) => {
                let calls = Small.calls(&expression, 100, &AtomicBool::new(false));
                stage.model.heard(Said::Calls(number, calls));
            }
            other => stage.effects.push(other),
        }
    }
    stage.settle();
}

fn with_engine(stored: &crate::harness::Stored) -> Stage {
    let mut stage = Stage::new(stored);
    stage.model.with_queries();
    stage
}

#[test]
fn rows_lead_to_their_calls_and_times() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press("e").type_in("select * from calls");
    answer(&mut stage);
    insta::assert_snapshot!(stage.screen());
    stage.press("enter");
    assert_eq!(stage.model.focus.time_ns, START_NS + 300_000);
    stage.press("j enter");
    assert_eq!(stage.model.focus.time_ns, START_NS + 1_000_000);
    let before = stage.model.focus;
    stage.press("j enter");
    assert_eq!(stage.model.focus, before);
    assert!(stage.said().contains("the row names no time and no call"), "{}", stage.said());
}

#[test]
fn an_answer_on_a_wide_screen_without_colours() {
    let stored = stored(&server());
    let theme = scope_tui::theme::Theme { colours: scope_tui::theme::Colours::None, ..PLAIN };
    let mut stage = Stage::with(&stored, theme).sized(200, 60);
    stage.model.with_queries();
    stage.press("e").type_in("select * from calls");
    answer(&mut stage);
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn names_are_completed_as_far_as_they_agree() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press("e");
    answer(&mut stage);
    let typed = |stage: &Stage| stage.model.prompt.as_ref().unwrap().text.clone();
    "select dur".chars().for_each(|c| stage.model.key(scope_tui::keys::Key::char(c)));
    stage.press("tab");
    assert_eq!(typed(&stage), "select duration_ns");
    " from ca".chars().for_each(|c| stage.model.key(scope_tui::keys::Key::char(c)));
    stage.press("tab");
    assert_eq!(typed(&stage), "select duration_ns from call");
    assert!(stage.screen().contains("call_id  call_sites  calls"), "{}", stage.screen());
    stage.press("tab _ s tab");
    assert_eq!(typed(&stage), "select duration_ns from call_sites");
}

#[test]
fn a_wrong_statement_says_why_and_is_there_to_be_mended() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press("e").type_in("selct 1");
    answer(&mut stage);
    assert!(stage.screen().contains("selct 1 is no statement"), "{}", stage.screen());
    stage.press("enter");
    assert_eq!(stage.model.prompt.as_ref().unwrap().text, "selct 1");
    stage.press("ctrl-u").type_in("select 1");
    answer(&mut stage);
    // What was typed before, in the order of time.
    stage.press("e ctrl-u up up");
    assert_eq!(stage.model.prompt.as_ref().unwrap().text, "selct 1");
}

#[test]
fn a_statement_that_runs_is_cancelled() {
    let stored = stored(&server());
    for key in ["esc", "ctrl-c", "q"] {
        let mut stage = with_engine(&stored);
        stage.press("e").type_in("select sleep");
        assert!(stage.screen().contains("running; esc cancels it"), "{}", stage.screen());
        stage.press(key);
        assert_eq!(stage.effects.last(), Some(&Effect::CancelQuery), "{key}");
        // The answer to one that another took the place of is not shown.
        stage.model.heard(Said::Rows(99, Ok(Rows::default())));
        assert!(stage.model.queries.running);
        stage.model.heard(Said::Rows(1, Err("cancelled".to_owned())));
        assert!(stage.screen().contains("cancelled"), "{}", stage.screen());
        stage.press("q");
        assert_eq!(stage.effects.last(), Some(&Effect::Quit), "{key}");
    }
}

#[test]
fn a_statement_that_does_not_end_keeps_nobody() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press("e").type_in("select sleep").press("q");
    assert_eq!(stage.said(), "the query is cancelled");
    stage.press("q");
    assert_eq!(stage.effects.last(), Some(&Effect::Quit));
}

#[test]
fn a_breakpoint_in_sql_stops_where_its_calls_begin() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press(":").type_in("break sql true");
    answer(&mut stage);
    assert!(stage.said().contains("breakpoint sql true: 2 calls"), "{}", stage.said());
    let mut moments = Vec::new();
    for key in ["c", "c", "c", "C"] {
        stage.press(key);
        answer(&mut stage);
        moments.push(stage.model.focus.moment);
    }
    assert_eq!(moments, [5, 14, 14, 5]);
    assert_eq!(stage.model.breakpoints[0].hits, 3);
    // The nearest of all stops.
    stage.press(":").type_in("break function=send kind=enter");
    stage.press(":").type_in("start");
    answer(&mut stage);
    stage.press("c c");
    answer(&mut stage);
    assert_eq!(
        (stage.model.focus.moment, stage.said()),
        (7, "breakpoint hit 1: function=send kind=enter")
    );
}

#[test]
fn a_wrong_expression_is_no_breakpoint() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press(":").type_in("break sql deepness > 3");
    answer(&mut stage);
    let why = "no breakpoint sql deepness > 3: there is no column deepness > 3";
    assert_eq!(stage.said(), why);
    assert!(stage.model.breakpoints.is_empty());
    let mut without = Stage::new(&stored);
    without.press(":").type_in("break sql true");
    assert!(without.screen().contains("built without SQL"), "{}", without.screen());
    assert!(without.model.breakpoints.is_empty());
}

#[test]
fn a_kept_breakpoint_in_sql_is_asked_again_before_a_run_and_so_is_one_of_a_trace_that_grew() {
    let stored = stored(&server());
    let mut stage = with_engine(&stored);
    stage.press(":").type_in("break sql true");
    answer(&mut stage);
    let session = stage.model.session();
    let mut stage = with_engine(&stored);
    stage.model.resume(&session);
    stage.press("c");
    assert!(matches!(stage.effects.last(), Some(Effect::Calls(..))), "{:?}", stage.effects);
    answer(&mut stage);
    assert_eq!(stage.model.focus.moment, 5);
    // Asked once: the trace is as it was.
    stage.press("c");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Calls(..))));
    stage.model.facts.end += 1;
    stage.press("C");
    assert!(matches!(stage.effects.last(), Some(Effect::Calls(..))), "{:?}", stage.effects);
    stage.press("esc");
    assert_eq!(stage.effects.last(), Some(&Effect::CancelQuery));
    stage.effects.clear();
    stage.model.heard(Said::Calls(2, Err("cancelled".to_owned())));
    stage.settle();
    assert_eq!(stage.model.focus.moment, 14, "{}", stage.said());
}

#[test]
fn without_an_engine_it_says_so() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("6");
    assert!(stage.screen().contains("built without SQL"), "{}", stage.screen());
    stage.press("e");
    assert!(stage.model.prompt.is_none());
    stage.press(":").type_in("sql select 1");
    assert!(stage.screen().contains("built without SQL"), "{}", stage.screen());
}

#[test]
fn the_runner_answers_cancels_and_survives_a_panic() {
    let (tell, said) = mpsc::channel();
    let runner = Runner::start(Box::new(Small), move |answer| drop(tell.send(answer))).unwrap();
    let next = || said.recv_timeout(Duration::from_secs(60)).unwrap();
    runner.tables();
    assert!(matches!(next(), Said::Tables(tables) if tables.len() == 3));
    runner.run(1, "select sleep".to_owned());
    runner.cancel();
    assert_eq!(next(), Said::Rows(1, Err("cancelled".to_owned())));
    // A later statement takes the place of one that runs.
    runner.run(2, "select sleep".to_owned());
    runner.run(3, "select 1".to_owned());
    assert!(matches!(next(), Said::Rows(2, Err(_))));
    assert!(matches!(next(), Said::Rows(3, Ok(rows)) if rows.rows.len() == 3));
    runner.run(4, "select panic".to_owned());
    assert!(matches!(next(), Said::Rows(4, Err(why)) if why.contains("please report it")));
    runner.run(5, "select 1".to_owned());
    assert!(matches!(next(), Said::Rows(5, Ok(_))));
    drop(runner);
}
