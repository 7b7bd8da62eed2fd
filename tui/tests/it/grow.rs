//! A trace that is still being recorded.

use scope_store::{RecorderStats, Trace};
use scope_timeline::Timeline;
use scope_tui::config::Config;
use scope_tui::model::Model;
use scope_tui::query::Facts;

use crate::harness::{
    NAMES, PID, PLAIN, START_NS, Stage, Stored, enter, leave, off, on, server, start, stored,
    writer,
};

/// The UI follows the end, stands still where it is told, and says when the recording has ended.
#[test]
fn the_end_is_followed_until_somebody_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.scope");
    let mut writer = writer(&path, &NAMES);
    let events = server();
    writer.append(&events[..10]).unwrap();
    writer.commit().unwrap();

    let mut trace = Trace::open(&path).unwrap();
    let facts = Facts::of(&Timeline::new(&trace), None).unwrap();
    let mut model = Model::new(facts, Config::default(), PLAIN);
    assert!(model.following);
    assert_eq!(model.focus.moment, 10);
    assert!(!model.ask().is_empty());

    writer.append(&events[10..20]).unwrap();
    writer.commit().unwrap();
    assert!(trace.refresh().unwrap());
    model.grow(Facts::of(&Timeline::new(&trace), Some(&model.facts)).unwrap());
    assert_eq!(model.focus.moment, 20);
    assert_eq!(model.range.end_ns, events[19].time_ns + 1);

    model.key("n".parse().unwrap());
    assert!(!model.following);
    writer.append(&events[20..]).unwrap();
    writer.finish(START_NS + 10_000_000, "the target ended", RecorderStats::default()).unwrap();
    trace.refresh().unwrap();
    model.grow(Facts::of(&Timeline::new(&trace), Some(&model.facts)).unwrap());
    assert_eq!(model.focus.moment, 20);
    assert_eq!(model.message.as_ref().unwrap().text, "the recording has ended");
    model.key("t".parse().unwrap());
    assert!(!model.following);
}

#[test]
fn what_does_not_change_is_not_asked_again() {
    let stored: Stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("3");
    assert!(stage.model.ask().is_empty());
    stage.model.grow(stage.model.facts.clone());
    let asks = stage.model.ask();
    assert!(!asks.is_empty() && asks.iter().all(|ask| !ask.urgent && ask.query.ages()), "{asks:?}");
}

/// A thread that sleeps since long ago is drawn as sleeping up to the end of what there is.
#[test]
fn lanes_of_silent_threads_reach_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.scope");
    let mut writer = writer(&path, &NAMES);
    let mut events = vec![
        start(0, PID, "server"),
        start(1, 101, "helper"),
        on(1, 101),
        off(5, 101, 1),
        on(5, PID),
    ];
    for call in 0..20_000 {
        events.push(enter(10 + 2 * call, PID, 1));
        events.push(leave(11 + 2 * call, PID, 1));
    }
    writer.append(&events).unwrap();
    writer.commit().unwrap();
    let trace = Trace::open(&path).unwrap();
    let end_ns = Timeline::new(&trace).end_ns().unwrap();
    let overview = trace.overview(START_NS, end_ns + 1, 50, None).unwrap();
    let helper = overview.threads.iter().find(|thread| thread.tid.0 == 101).unwrap();
    let asleep = helper.cells.iter().filter(|cell| cell.blocked_ns > 0).count();
    assert_eq!(asleep, 50);
}
