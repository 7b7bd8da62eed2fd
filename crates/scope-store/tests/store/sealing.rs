//! Sealing while recording: what readers see at every step, what happens when a step fails, and
//! what a recording may keep.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use scope_model::State;
use scope_store::{Position, Steps, StoreError, Trace, TraceWriter, WriterOptions, verify};

use crate::support::{copy_folder, create_with, event_range, finish, place, read_all};

/// Small: about 400 events a segment.
const SEGMENT: u32 = 16 << 10;

fn options(steps: Steps) -> WriterOptions {
    WriterOptions { segment_bytes: SEGMENT, steps, ..WriterOptions::default() }
}

/// Appends and commits events in batches; the first error ends it.
fn append(writer: &mut TraceWriter, to: u64) -> Result<(), StoreError> {
    for from in (0..to).step_by(50) {
        writer.append(&event_range(from..(from + 50).min(to)))?;
        writer.commit()?;
    }
    Ok(())
}

/// Opens what a writer that was killed would have left, and checks it.
fn check_left(path: &Path, most: u64) -> u64 {
    let trace = Trace::open(path).unwrap();
    let events = read_all(&trace);
    assert!(events.len() as u64 <= most);
    assert_eq!(events, event_range(0..events.len() as u64));
    let report = verify(path).unwrap();
    assert!(report.is_sound(), "{report:?}");
    events.len() as u64
}

#[test]
fn a_writer_killed_before_any_step_leaves_what_was_committed() {
    let (folder, path) = place();
    let copies = Arc::new(Mutex::new(Vec::<(&'static str, PathBuf)>::new()));
    let steps = {
        let (copies, path, folder) = (Arc::clone(&copies), path.clone(), folder.path().to_owned());
        Steps::new(move |step| {
            let mut copies = copies.lock().unwrap();
            let copy = folder.join(format!("copy-{}", copies.len()));
            copy_folder(&path, &copy);
            copies.push((step, copy));
            Ok(())
        })
    };
    // One segment at a time, so that nothing moves while it is copied.
    let mut writer = create_with(&path, options(steps));
    for segment in 0..4 {
        writer.append(&event_range(segment * 406..(segment + 1) * 406)).unwrap();
        writer.commit().unwrap();
        while writer.status().hot_segments > 1 {
            std::thread::yield_now();
        }
    }
    finish(writer);
    let copies = copies.lock().unwrap();
    let mut seen: Vec<&str> = copies.iter().map(|(step, _)| *step).collect();
    let mut left = 0;
    for (step, copy) in copies.iter().filter(|(_, copy)| copy.join("manifest.json").exists()) {
        let events = check_left(copy, 4 * 406);
        assert!(events >= left, "{step}: {left} events were there before, {events} are now");
        left = events;
    }
    seen.sort_unstable();
    seen.dedup();
    insta::assert_debug_snapshot!(seen, @r#"
    [
        "list the sealed segment",
        "remove the hot segment",
        "replace a document",
        "seal",
        "sync the folder of a document",
        "sync the folder of segments",
    ]
    "#);
    assert_eq!(check_left(&path, 4 * 406), 4 * 406);
}

#[test]
fn a_step_that_fails_loses_nothing() {
    // Once each step fails once, nothing is left to fail.
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        let mut failing = 0;
        loop {
            let (_folder, path) = place();
            let count = Arc::new(AtomicUsize::new(0));
            let steps = {
                let count = Arc::clone(&count);
                Steps::new(move |_| match count.fetch_add(1, Ordering::Relaxed) {
                    number if number == failing => Err(kind.into()),
                    _ => Ok(()),
                })
            };
            // Those of the first manifest end the creation.
            let options = options(steps);
            let functions = crate::support::functions(9);
            let manifest = crate::support::manifest();
            let Ok(mut writer) = TraceWriter::create(&path, manifest, &functions, &[], options)
            else {
                assert!(!path.exists());
                failing += 1;
                continue;
            };
            let appended = append(&mut writer, 1_000);
            let events = writer.events();
            assert!(appended.is_ok() == (events == 1_000));
            let stopped = writer.status().sealing_stopped.is_some();
            let finished = writer.finish(9_000, "the end", crate::support::stats());
            assert_eq!(check_left(&path, 1_000), events, "step {failing} failed");
            if finished.is_ok() {
                assert!(Trace::open(&path).unwrap().is_complete());
            }
            let failed = count.load(Ordering::Relaxed) > failing;
            assert!(failed || !stopped);
            if !failed {
                assert!(failing > 12, "{failing} steps");
                break;
            }
            failing += 1;
        }
    }
}

#[test]
fn a_disk_that_is_full_for_sealing_leaves_segments_as_they_are() {
    let (_folder, path) = place();
    let steps = Steps::new(|step| match step {
        "sync the folder of segments" => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let options = WriterOptions { max_hot_segments: 2, ..options(steps) };
    let mut writer = create_with(&path, options);
    // Far beyond the bound on hot segments, which is off.
    append(&mut writer, 4_000).unwrap();
    let status = writer.status();
    let why = status.sealing_stopped.unwrap();
    assert!(why.starts_with("no space left for "), "{why}");
    assert!(!writer.is_behind());
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    assert!(trace.is_complete());
    assert!(trace.manifest().segments.iter().all(|entry| !entry.sealed));
    assert_eq!(check_left(&path, 4_000), 4_000);
    let left: Vec<_> = fs::read_dir(path.join("segments")).unwrap().collect();
    assert_eq!(left.len(), trace.manifest().segments.len(), "nothing half sealed is left");
}

#[test]
fn a_sealer_that_panics_stops_nobody() {
    let (_folder, path) = place();
    let steps = Steps::new(|step| {
        assert_ne!(step, "seal", "a fault on purpose");
        Ok(())
    });
    let mut writer = create_with(&path, WriterOptions { max_hot_segments: 2, ..options(steps) });
    append(&mut writer, 2_000).unwrap();
    assert_eq!(writer.status().sealing_stopped.as_deref(), Some("the sealer failed"));
    finish(writer);
    assert!(Trace::open(&path).unwrap().is_complete());
    assert_eq!(check_left(&path, 2_000), 2_000);
}

#[test]
fn a_sealer_that_falls_behind_is_told_and_waited_for() {
    let (_folder, path) = place();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let steps = Steps::new(move |step| {
        if step == "seal" {
            // One segment for each message; all of them once nobody can send any more.
            let _ = wait.lock().unwrap().recv();
        }
        Ok(())
    });
    let options = WriterOptions { max_hot_segments: 3, sealers: 1, ..options(steps) };
    let mut writer = create_with(&path, options);
    let events = event_range(0..4_000);
    let taken = writer.try_append(&events).unwrap();
    assert!(taken < events.len() && taken > 800, "{taken} were taken");
    assert!(writer.is_behind());
    assert_eq!(writer.status().hot_segments, 3);
    assert_eq!(writer.try_append(&events[taken..]).unwrap(), 0);
    go.send(()).unwrap();
    while writer.is_behind() {
        std::thread::yield_now();
    }
    let more = writer.try_append(&events[taken..]).unwrap();
    assert!(more > 300 && taken + more < events.len());
    // From here on it waits by itself.
    drop(go);
    writer.append(&events[taken + more..]).unwrap();
    assert!(writer.status().hot_segments <= 3);
    finish(writer);
    assert_eq!(check_left(&path, 4_000), 4_000);
}

#[test]
fn a_segment_waits_until_its_space_is_free() {
    let (_folder, path) = place();
    let (arrive, arrived) = channel::<()>();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let steps = Steps::new(move |step| {
        if step == "remove the hot segment" {
            let _ = arrive.send(());
            let _ = wait.lock().unwrap().recv();
        }
        Ok(())
    });
    let mut writer = create_with(&path, options(steps));
    append(&mut writer, 600).unwrap();
    arrived.recv().unwrap();
    assert!(Trace::open(&path).unwrap().manifest().segments[0].sealed);
    assert_eq!(writer.status().hot_segments, 2, "its file is there still");
    drop(go);
    while writer.status().hot_segments > 1 {
        std::thread::yield_now();
    }
    // A removed file keeps its space for as long as it is mapped, and is then listed as deleted.
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let name = path.to_str().unwrap();
    let left: Vec<&str> =
        maps.lines().filter(|line| line.contains(name) && line.ends_with("(deleted)")).collect();
    assert!(left.is_empty(), "{left:#?}");
    finish(writer);
    assert_eq!(check_left(&path, 600), 600);
}

#[test]
fn several_segments_are_sealed_at_once_and_listed_in_their_order() {
    const SEALERS: usize = 3;
    let (_folder, path) = place();
    // All sealers meet before the first of them goes on, the one with the oldest segment last.
    let meeting = Arc::new((Mutex::new(0), Condvar::new()));
    let steps = Steps::new(move |step| {
        if step == "seal" {
            let (count, changed) = &*meeting;
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            let met = changed
                .wait_timeout_while(count, Duration::from_secs(30), |count| *count < SEALERS)
                .unwrap();
            assert!(!met.1.timed_out(), "segments are sealed one by one");
        }
        Ok(())
    });
    let sealers = SEALERS as u32;
    let mut writer = create_with(&path, WriterOptions { sealers, ..options(steps) });
    let done = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (path, done) = (path.clone(), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::Acquire) {
                let trace = Trace::open(&path).unwrap();
                let segments = &trace.manifest().segments;
                assert!(segments.is_sorted_by_key(|entry| entry.first_event));
                assert!(segments.is_sorted_by_key(|entry| !entry.sealed), "{segments:?}");
            }
        })
    };
    append(&mut writer, 12_000).unwrap();
    finish(writer);
    done.store(true, Ordering::Release);
    watcher.join().unwrap();
    let trace = Trace::open(&path).unwrap();
    assert!(trace.manifest().segments.iter().all(|entry| entry.sealed));
    // Compares each checkpoint with the events before it, too.
    assert_eq!(check_left(&path, 12_000), 12_000);
}

/// A trace that dropped its oldest events, and the state before the first that is left.
fn check_flight_recording(path: &Path, total: u64) -> u64 {
    let trace = Trace::open(path).unwrap();
    let first = trace.first_event();
    assert_eq!(trace.manifest().dropped_events, first);
    assert_eq!(read_all(&trace), event_range(first..total));
    assert_eq!(trace.end_event().unwrap(), total);
    let mut state = State::new();
    for (event, number) in event_range(0..first).iter().zip(0..) {
        state.apply(number, event);
    }
    assert_eq!(*trace.checkpoint(0).unwrap(), state);
    let middle = (first + total) / 2;
    let tail = trace.events_from(Position::after(middle)).map(Result::unwrap);
    assert!(tail.eq(event_range(middle..total)));
    let report = verify(path).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let sealed = trace.manifest().segments.iter().filter(|entry| entry.sealed).count();
    let files = fs::read_dir(path.join("segments")).unwrap().count();
    assert_eq!(files, trace.manifest().segments.len(), "dropped files are gone");
    assert!(sealed >= 1);
    first
}

#[test]
fn a_flight_recording_keeps_to_its_size() {
    let (_folder, path) = place();
    let options = WriterOptions { max_bytes: Some(8_000), ..options(Steps::default()) };
    let mut writer = create_with(&path, options);
    append(&mut writer, 20_000).unwrap();
    finish(writer);
    assert!(check_flight_recording(&path, 20_000) > 10_000);
    let segments = Trace::open(&path).unwrap().manifest().segments.clone();
    let bytes: u64 = segments.iter().map(|entry| entry.closed.unwrap().bytes).sum();
    assert!(bytes <= 8_000 || segments.len() == 1);
}

#[test]
fn a_flight_recording_keeps_to_its_time() {
    let (_folder, path) = place();
    let options = WriterOptions { keep_ns: Some(20_000), ..options(Steps::default()) };
    let mut writer = create_with(&path, options);
    append(&mut writer, 20_000).unwrap();
    finish(writer);
    // An event every 10 ns: the last 2000, and what shares a segment with the first of those.
    let first = check_flight_recording(&path, 20_000);
    assert!((16_000..=18_000).contains(&first), "{first}");
}

#[test]
fn a_reader_of_a_flight_recording_goes_on_while_segments_go() {
    let (_folder, path) = place();
    let options = WriterOptions { max_bytes: Some(8_000), ..options(Steps::default()) };
    let mut writer = create_with(&path, options);
    append(&mut writer, 2_000).unwrap();
    let mut trace = Trace::open(&path).unwrap();
    let first = trace.first_event();
    for from in (2_000..20_000).step_by(50) {
        writer.append(&event_range(from..from + 50)).unwrap();
        writer.commit().unwrap();
    }
    // What the snapshot had is there still, whatever was removed.
    let events: Vec<_> = trace.events().map(Result::unwrap).collect();
    assert_eq!(events, event_range(first..first + events.len() as u64));
    assert!(trace.refresh().unwrap());
    finish(writer);
    trace.refresh().unwrap();
    assert!(trace.first_event() > first);
    assert_eq!(read_all(&trace), event_range(trace.first_event()..20_000));
}
