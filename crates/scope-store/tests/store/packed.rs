//! A packed trace is the trace; damage to it is found.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use scope_store::{Repaired, StoreError, Trace, pack, repair, verify};

use crate::blocks::check_access;
use crate::support::{
    copy_folder, create, create_sealing, event, event_range, finish, functions, left_out, place,
    read, read_all,
};

#[test]
fn a_packed_trace_reads_as_the_folder() {
    for (seal, complete) in [(true, true), (false, true), (true, false), (false, false)] {
        let (folder, path) = place();
        let mut writer =
            if seal { create_sealing(&path, 64 << 10) } else { create(&path, 64 << 10) };
        let events = event_range(0..10_000);
        writer.append(&events).unwrap();
        writer.commit().unwrap();
        if complete {
            finish(writer);
        } else {
            drop(writer);
        }
        let file = folder.path().join("one.scope");
        pack(&path, &file).unwrap();
        fs::remove_dir_all(&path).unwrap();
        let mut trace = Trace::open(&file).unwrap();
        assert_eq!(trace.functions(), functions(9));
        assert_eq!(trace.left_out(), left_out());
        assert_eq!(trace.is_complete(), complete);
        assert_eq!(read_all(&trace), events);
        check_access(&trace, &events);
        assert!(!trace.refresh().unwrap());
        assert!(verify(&file).unwrap().is_sound());
        let again = folder.path().join("two.scope");
        pack(&file, &again).unwrap();
        assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
    }
}

#[test]
fn what_is_there_is_not_overwritten() {
    let (folder, path) = place();
    finish(create(&path, 4096));
    let file = folder.path().join("one.scope");
    fs::write(&file, "mine").unwrap();
    assert!(matches!(pack(&path, &file), Err(StoreError::AlreadyExists { .. })));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert!(matches!(Trace::open(&file), Err(StoreError::NotATrace { .. })));
    assert!(matches!(
        pack(folder.path(), folder.path().join("no")),
        Err(StoreError::NotATrace { .. })
    ));
    assert!(!folder.path().join("no").exists());
}

#[test]
fn damage_anywhere_to_a_packed_trace_is_found() {
    let (folder, path) = place();
    let mut writer = create_sealing(&path, 20 << 10);
    writer.append(&event_range(0..1_000)).unwrap();
    finish(writer);
    let file = folder.path().join("one.scope");
    pack(&path, &file).unwrap();
    let intact = fs::read(&file).unwrap();
    let damaged = OpenOptions::new().write(true).open(&file).unwrap();
    let check = |what: String| {
        let sound = verify(&file).is_ok_and(|report| report.is_sound());
        assert!(!sound, "{what} is not found");
        if let Ok(trace) = Trace::open(&file) {
            let (events, _) = read(&trace);
            assert_eq!(events, event_range(0..events.len() as u64), "{what}");
        }
    };
    for at in 0..intact.len() {
        damaged.write_all_at(&[intact[at] ^ 1 << (at % 8)], at as u64).unwrap();
        check(format!("a flipped bit of byte {at}"));
        damaged.write_all_at(&intact[at..=at], at as u64).unwrap();
    }
    for length in (0..intact.len()).rev().step_by(7) {
        damaged.set_len(length as u64).unwrap();
        check(format!("a cut at {length}"));
    }
}

#[test]
fn a_whole_trace_needs_no_repair() {
    let (_folder, path) = place();
    let mut writer = create_sealing(&path, 20 << 10);
    writer.append(&event_range(0..1_000)).unwrap();
    finish(writer);
    let before = fs::read(path.join("manifest.json")).unwrap();
    let expected = Repaired { events: 1_000, ..Repaired::default() };
    assert_eq!(repair(&path).unwrap(), expected);
    assert_eq!(fs::read(path.join("manifest.json")).unwrap(), before);
}

#[test]
fn a_trace_whose_recorder_was_killed_is_closed() {
    for seal in [true, false] {
        let (_folder, path) = place();
        let mut writer =
            if seal { create_sealing(&path, 20 << 10) } else { create(&path, 20 << 10) };
        writer.append(&event_range(0..1_234)).unwrap();
        writer.commit().unwrap();
        while writer.status().hot_segments > 1 && seal {
            std::thread::yield_now();
        }
        // What is left of a trace when its recorder is killed now.
        let left = path.with_file_name("left.scope");
        copy_folder(&path, &left);
        fs::write(left.join("segments/00000099.sealed"), "half a segment").unwrap();
        let refused = repair(&path).unwrap_err();
        assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
        drop(writer);
        let path = left;
        let repaired = repair(&path).unwrap();
        let sealed = if seal { 1 } else { 3 };
        assert_eq!(
            repaired,
            Repaired { events: 1_234, closed: true, sealed, ..Repaired::default() }
        );
        assert!(repaired.changed());
        assert!(!path.join("segments/00000099.sealed").exists());
        let trace = Trace::open(&path).unwrap();
        assert!(trace.is_complete());
        assert_eq!(
            trace.manifest().end_reason.as_deref(),
            Some("the recorder was killed; repaired")
        );
        assert_eq!(trace.manifest().end_ns, Some(event(1_233).time_ns));
        assert_eq!(read_all(&trace), event_range(0..1_234));
        assert!(verify(&path).unwrap().is_sound());
        assert!(!path.join("reserve").exists());
    }
}

#[test]
fn a_torn_tail_is_dropped() {
    for seal in [true, false] {
        for (segment, at) in [(0, 20), (1, 5), (1, 300), (2, 900)] {
            let (_folder, path) = place();
            let mut writer =
                if seal { create_sealing(&path, 600_000) } else { create(&path, 600_000) };
            writer.append(&event_range(0..40_000)).unwrap();
            finish(writer);
            let end = if seal { "sealed" } else { "seg" };
            let file = path.join(format!("segments/0000000{segment}.{end}"));
            let mut bytes = fs::read(&file).unwrap();
            // Somewhere within the blocks.
            let at = 200 + bytes.len() * at / 2_000;
            bytes[at] ^= 0x10;
            fs::write(&file, bytes).unwrap();
            let torn = verify(&path).unwrap().torn.unwrap();
            let repaired = repair(&path).unwrap();
            assert_eq!(repaired.events, torn.events_kept);
            assert_eq!(repaired.damage.as_deref(), Some(torn.what.as_str()));
            assert!(repaired.segments_dropped <= 3 - segment);
            assert!(repaired.bytes_dropped > 0 && !repaired.closed);
            let trace = Trace::open(&path).unwrap();
            assert_eq!(read_all(&trace), event_range(0..torn.events_kept));
            let report = verify(&path).unwrap();
            assert!(report.is_sound() && report.complete, "{report:?}");
            let files = fs::read_dir(path.join("segments")).unwrap().count();
            assert_eq!(files, trace.manifest().segments.len());
        }
    }
}
