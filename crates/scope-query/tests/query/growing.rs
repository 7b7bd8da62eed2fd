//! Traces that are recorded while they are asked.

use scope_model::Event;
use scope_query::Limits;
use scope_store::{Manifest, RecorderStats, TraceWriter, WriterOptions};
use tempfile::TempDir;

use crate::asking::{rows, session};
use crate::scenario::events;
use crate::store::START_NS;

fn writer(folder: &TempDir) -> TraceWriter {
    let path = folder.path().join("test.scope");
    let manifest = Manifest { start_ns: START_NS, ..Manifest::default() };
    let options = WriterOptions { segment_bytes: 4096, ..WriterOptions::default() };
    TraceWriter::create(&path, manifest, &[], &[], options).unwrap()
}

fn append(writer: &mut TraceWriter, events: &[Event]) {
    writer.append(events).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_statement_sees_one_moment_and_the_next_one_a_later() {
    let folder = TempDir::new().unwrap();
    let mut writer = writer(&folder);
    let events = events();
    append(&mut writer, &events[..6]);
    let mut sql = session(&folder.path().join("test.scope"), true);
    // Both sides of the join are of the moment at which the statement began.
    let statement = "select count(*) from events a join events b on a.event = b.event";
    let mut answer = sql.run(statement, Limits::default()).unwrap();
    append(&mut writer, &events[6..]);
    let first = answer.next_batch().unwrap().unwrap().text().unwrap();
    assert_eq!(first, [[Some("6".to_owned())]]);
    assert_eq!(rows(&mut sql, statement), ["19"]);
    assert_eq!(rows(&mut sql, "select elapsed from calls where id = 2"), ["2900"]);

    writer.finish(START_NS + 5_000, "the target ended", RecorderStats::default()).unwrap();
    assert_eq!(rows(&mut sql, "select elapsed from calls where id = 2"), ["4900"]);
}

#[test]
fn a_trace_without_events_has_no_rows() {
    let folder = TempDir::new().unwrap();
    let mut writer = writer(&folder);
    writer.commit().unwrap();
    let mut sql = session(&folder.path().join("test.scope"), true);
    for table in ["events", "calls", "slices", "syscalls", "wakeups", "threads", "gaps"] {
        assert_eq!(rows(&mut sql, &format!("select count(*) from {table}")), ["0"], "{table}");
    }
}

#[test]
fn many_blocks_are_read_by_several_threads() {
    let folder = TempDir::new().unwrap();
    let mut writer = writer(&folder);
    let many: Vec<Event> = (0..400)
        .flat_map(|round| {
            events()
                .into_iter()
                .map(move |event| Event { time_ns: event.time_ns + round * 4_000, ..event })
        })
        .collect();
    append(&mut writer, &many);
    writer.finish(START_NS, "the target ended", RecorderStats::default()).unwrap();
    let mut sql = session(&folder.path().join("test.scope"), true);
    assert_eq!(rows(&mut sql, "select count(*), count(distinct event) from events"), ["7600|7600"]);
    assert_eq!(rows(&mut sql, "select count(*), count(distinct id) from calls"), ["2000|2000"]);
    assert_eq!(
        rows(&mut sql, "select count(*), count(self_time) from calls where start < '400us'"),
        rows(&mut sql, "select count(*), count(self_time) from calls where start + 0 < 400000")
    );
    let plan = rows(&mut sql, "explain select count(*) from calls").join("\n");
    assert!(plan.contains("partition_sizes=2"), "{plan}");
}
