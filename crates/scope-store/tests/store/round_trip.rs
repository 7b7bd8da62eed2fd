//! What is written is read.

use proptest::prelude::*;
use scope_store::{FORMAT_VERSION, Manifest, Position, RecordingState, Trace};

use crate::support::{
    any_event, create, event_range, finish, functions, left_out, manifest, module, place, read_all,
    stats,
};

/// Small enough that a test fills several: about 90 events.
const SMALL_SEGMENT: u32 = 4096;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn events_of_all_kinds_come_back(
        batches in prop::collection::vec(
            (prop::collection::vec(any_event(), 0..120), any::<bool>()), 0..8
        ),
        complete in any::<bool>(),
        from in 0_u64..500,
    ) {
        let (_folder, path) = place();
        let mut writer = create(&path, SMALL_SEGMENT);
        let mut expected = Vec::new();
        for (events, commit) in &batches {
            writer.append(events).unwrap();
            expected.extend_from_slice(events);
            if *commit {
                writer.commit().unwrap();
            }
        }
        prop_assert_eq!(writer.events(), expected.len() as u64);
        if complete { finish(writer) } else { drop(writer) }
        let trace = Trace::open(&path).unwrap();
        prop_assert_eq!(trace.is_complete(), complete);
        prop_assert_eq!(&read_all(&trace), &expected);
        let tail = trace.events_from(Position::after(from)).collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(&tail[..], expected.get(from as usize..).unwrap_or(&[]));
    }
}

#[test]
fn manifest_and_tables_come_back() {
    let (_folder, path) = place();
    let mut writer = create(&path, SMALL_SEGMENT);
    writer.append(&event_range(0..200)).unwrap();
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    let expected = Manifest {
        format_version: FORMAT_VERSION,
        state: RecordingState::Complete,
        end_ns: Some(9_000),
        end_reason: Some("the target ended".to_owned()),
        recorder: Some(stats()),
        segments: trace.manifest().segments.clone(),
        ..manifest()
    };
    assert_eq!(*trace.manifest(), expected);
    assert_eq!(trace.functions(), functions(9));
    assert_eq!(trace.left_out(), left_out());
    assert_eq!(trace.modules(), manifest().modules);
    let segments = &trace.manifest().segments;
    assert_eq!(segments.len(), 3);
    let events: u64 = segments.iter().map(|entry| entry.closed.unwrap().events).sum();
    assert_eq!(events, 200);
    assert_eq!(segments[1].first_event, segments[0].closed.unwrap().events);
    assert_eq!(segments[0].closed.unwrap().first_ns, 1_000);
    assert_eq!(segments[2].closed.unwrap().last_ns, 1_000 + 199 * 10);
}

#[test]
fn a_finished_trace_takes_no_more_space_than_it_says() {
    let (_folder, path) = place();
    let mut writer = create(&path, 1 << 20);
    writer.append(&event_range(0..50_000)).unwrap();
    writer.commit().unwrap();
    let bytes_before = writer.bytes();
    finish(writer);
    let on_disk: u64 = ["", "segments", "code"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(path.join(folder)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum();
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.bytes(), on_disk);
    assert!(bytes_before <= on_disk && on_disk - bytes_before < 1024, "only the manifest grew");
}

#[test]
fn a_trace_without_events_is_a_trace() {
    let (_folder, path) = place();
    finish(create(&path, SMALL_SEGMENT));
    assert_eq!(read_all(&Trace::open(&path).unwrap()), []);
}

#[test]
fn a_segment_size_too_small_for_an_event_is_raised() {
    let (_folder, path) = place();
    let mut writer = create(&path, 0);
    writer.append(&event_range(0..300)).unwrap();
    finish(writer);
    assert_eq!(read_all(&Trace::open(&path).unwrap()), event_range(0..300));
}

#[test]
fn functions_added_while_recording_keep_the_ids_of_the_old() {
    let (_folder, path) = place();
    let mut writer = create(&path, SMALL_SEGMENT);
    let mut modules = manifest().modules;
    modules.push(module(2));
    let mut functions = functions(12);
    functions[11].module = modules[2].id;
    writer.extend_tables(&modules, &functions, &[]).unwrap();
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.functions(), functions);
    assert_eq!(trace.modules(), modules);
    assert_eq!(trace.left_out(), []);
    // What events may refer to cannot be changed.
    functions[3].name = "other".to_owned();
    let error = writer.extend_tables(&modules, &functions, &[]).unwrap_err();
    insta::assert_snapshot!(error, @"row 3 of the function table differs from the row already written");
}
