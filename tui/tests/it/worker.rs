//! The thread that answers.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use scope_model::{FunctionId, Tid};
use scope_store::{RecorderStats, Trace};
use scope_timeline::{Cursor, Move};
use scope_tui::model::{Ask, Failure};
use scope_tui::query::travel::StopAt;
use scope_tui::query::{Answer, Arrival, Destination, Query, Travel, Which};
use scope_tui::source::NoSources;
use scope_tui::worker::{Reply, Worker};

use crate::harness::{
    NAMES, PID, START_NS, Stored, enter, leave, on, server, start, stored_with, writer,
};

/// Long enough for any machine; nothing waits for it unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

fn worker(path: &std::path::Path) -> (Worker, mpsc::Receiver<Reply>) {
    let (tell, told) = mpsc::channel();
    let trace = Trace::open(path).unwrap();
    let worker =
        Worker::start(trace, Arc::new(NoSources), true, move |reply| drop(tell.send(reply)));
    (worker.unwrap(), told)
}

fn ask(query: Query) -> Ask {
    Ask { query, urgent: true }
}

/// Many calls, in many blocks.
fn long() -> Stored {
    let mut events = vec![start(0, PID, "server"), on(1, PID)];
    for call in 0..60_000 {
        events.push(enter(2 + 2 * call, PID, 1 + (call % 3) as u32));
        events.push(leave(3 + 2 * call, PID, 1 + (call % 3) as u32));
    }
    stored_with(&events, &NAMES, 200_000)
}

fn run_for_nothing() -> Query {
    let nothing = "duration>1h within=server::*".parse().unwrap();
    let nothing = vec![(0, StopAt::Condition(nothing))];
    Query::Travel(Travel {
        from: Cursor { thread: Some(Tid(PID)), moment: 0 },
        to: Destination::Run(nothing, scope_store::Direction::Forward),
    })
}

#[test]
fn questions_are_answered() {
    let stored = stored_with(&server(), &NAMES, 10_000);
    let (worker, told) = worker(&stored.path);
    let query = Query::Executions { of: Which::function(FunctionId(4)) };
    worker.ask(ask(query.clone()));
    let Reply::Answer(of, Ok(Answer::Executions(executions))) =
        told.recv_timeout(PATIENCE).unwrap()
    else {
        panic!()
    };
    assert_eq!((of, executions.count), (query, 5));
    assert_eq!(executions.calls[0].duration_ns, Some(40_000));
}

#[test]
fn a_run_is_interrupted() {
    let stored = long();
    let (worker, told) = worker(&stored.path);
    worker.ask(ask(run_for_nothing()));
    // Until it is seen to be at it, or done.
    let answer = loop {
        worker.interrupt();
        match told.recv_timeout(Duration::from_micros(200)) {
            Ok(Reply::Progress(_)) | Err(_) => {}
            Ok(reply) => break reply,
        }
    };
    match answer {
        Reply::Answer(Query::Travel(_), Err(Failure::Interrupted)) => {}
        other => panic!("{other:?}"),
    }
    // The next way is gone as if nothing had been.
    let step = Destination::Step { step: Move::Into, count: 1 };
    let from = Cursor { thread: Some(Tid(PID)), moment: 0 };
    worker.ask(ask(Query::Travel(Travel { from, to: step })));
    let reply = told.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(&reply, Reply::Answer(_, Ok(Answer::Travel(Arrival::At { moment: 3, .. })))),
        "{reply:?}"
    );
}

#[test]
fn what_is_put_off_is_answered_later() {
    let stored = long();
    let (worker, told) = worker(&stored.path);
    worker.ask(ask(Query::Executions { of: Which::function(FunctionId(1)) }));
    let mut counts = Vec::new();
    // Each of these puts off the one above, wherever it is.
    for moment in 0..100 {
        worker.ask(ask(Query::States { moment }));
        loop {
            match told.recv_timeout(PATIENCE).unwrap() {
                Reply::Answer(Query::States { moment: of }, Ok(_)) if of == moment => break,
                Reply::Answer(_, Ok(Answer::Executions(found))) => counts.push(found.count),
                other => panic!("{other:?}"),
            }
        }
    }
    while counts.is_empty() {
        match told.recv_timeout(PATIENCE).unwrap() {
            Reply::Answer(_, Ok(Answer::Executions(found))) => counts.push(found.count),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(counts, [20_000]);
}

#[test]
fn growth_is_told_and_executions_go_on_from_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.scope");
    let mut writer = writer(&path, &NAMES);
    let events = server();
    writer.append(&events[..9]).unwrap();
    writer.commit().unwrap();
    let (worker, told) = worker(&path);
    let query = Query::Executions { of: Which::function(FunctionId(4)) };
    let count = |told: &mpsc::Receiver<Reply>| loop {
        match told.recv_timeout(PATIENCE).unwrap() {
            Reply::Answer(_, Ok(Answer::Executions(found))) => return found.count,
            Reply::Grown(_) => {}
            other => panic!("{other:?}"),
        }
    };
    worker.ask(ask(query.clone()));
    assert_eq!(count(&told), 1);
    writer.append(&events[9..]).unwrap();
    writer.finish(START_NS + 10_000_000, "the target ended", RecorderStats::default()).unwrap();
    worker.refresh();
    match told.recv_timeout(PATIENCE).unwrap() {
        Reply::Grown(facts) => assert_eq!((facts.end, facts.complete), (events.len() as u64, true)),
        other => panic!("{other:?}"),
    }
    worker.ask(ask(query));
    assert_eq!(count(&told), 5);
}

#[test]
fn a_run_says_how_far_it_is() {
    let stored = long();
    let (worker, told) = worker(&stored.path);
    worker.ask(ask(run_for_nothing()));
    let mut last = 0;
    loop {
        match told.recv_timeout(PATIENCE).unwrap() {
            Reply::Progress(percent) => {
                assert!((last..=100).contains(&percent));
                last = percent;
            }
            Reply::Answer(_, Ok(Answer::Travel(Arrival::Nowhere(why)))) => {
                assert_eq!(why, "nothing found up to the end of the trace");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(last > 50, "{last}");
}
