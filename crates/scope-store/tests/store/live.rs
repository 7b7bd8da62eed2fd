//! Readers while the writer writes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use scope_model::{Event, EventKind, FunctionId, Pid, Tid};
use scope_store::{Position, StoreError, Trace, TraceWriter, WriterOptions};

use crate::blocks::check_access;
use crate::support::{
    create, create_sealing, create_with, event, event_range, finish, functions, manifest, place,
    read_all,
};

#[test]
fn readers_see_everything_committed_and_nothing_torn() {
    let (_folder, path) = place();
    read_along(&path, create(&path, 256 << 10));
}

#[test]
fn readers_see_the_same_while_segments_are_sealed_under_them() {
    let (_folder, path) = place();
    read_along(&path, create_sealing(&path, 128 << 10));
    let trace = Trace::open(&path).unwrap();
    assert!(trace.manifest().segments.iter().all(|entry| entry.sealed));
}

/// Writes, and reads in several ways meanwhile.
fn read_along(path: &Path, mut writer: TraceWriter) {
    const TOTAL: u64 = 60_000;
    let committed = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let follower = || {
            let mut trace = Trace::open(path).unwrap();
            let mut position = Position::START;
            let mut seen = 0;
            loop {
                let was_done = done.load(Ordering::Acquire);
                let at_least = committed.load(Ordering::Acquire);
                trace.refresh().unwrap();
                let mut events = trace.events_from(position);
                for found in &mut events {
                    assert_eq!(found.unwrap(), event(seen));
                    seen += 1;
                }
                position = events.position();
                assert_eq!(position.event(), seen);
                assert!(seen >= at_least, "{at_least} were committed, {seen} visible");
                if was_done {
                    return (seen, trace.is_complete());
                }
            }
        };
        let opener = || {
            while !done.load(Ordering::Acquire) {
                let at_least = committed.load(Ordering::Acquire);
                let trace = Trace::open(path).unwrap();
                let events = read_all(&trace);
                assert!(events.len() as u64 >= at_least);
                check_access(&trace, &events);
                assert!(events.iter().enumerate().all(|(i, found)| *found == event(i as u64)));
            }
        };
        let followers = [scope.spawn(follower), scope.spawn(follower)];
        let opener = scope.spawn(opener);
        let mut next = 0;
        while next < TOTAL {
            let end = (next + 1 + next % 977).min(TOTAL);
            writer.append(&event_range(next..end)).unwrap();
            writer.commit().unwrap();
            committed.store(end, Ordering::Release);
            next = end;
        }
        finish(writer);
        done.store(true, Ordering::Release);
        for follower in followers {
            assert_eq!(follower.join().unwrap(), (TOTAL, true));
        }
        opener.join().unwrap();
    });
}

#[test]
fn a_snapshot_stays_until_it_is_refreshed() {
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&event_range(0..10)).unwrap();
    writer.commit().unwrap();
    let mut trace = Trace::open(&path).unwrap();
    writer.append(&event_range(10..500)).unwrap();
    assert_eq!(read_all(&trace), event_range(0..10));
    assert!(trace.refresh().unwrap());
    let full = read_all(&trace).len() as u64;
    assert!(full < 500, "the open block is not committed");
    writer.commit().unwrap();
    assert!(trace.refresh().unwrap());
    assert_eq!(read_all(&trace), event_range(0..500));
    assert!(!trace.refresh().unwrap(), "nothing came");
    finish(writer);
    assert!(trace.refresh().unwrap());
    assert!(trace.is_complete());
}

#[test]
fn a_position_goes_on_where_reading_stopped() {
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&event_range(0..130)).unwrap();
    writer.commit().unwrap();
    let mut trace = Trace::open(&path).unwrap();
    for stop in [0, 1, 37, 90, 129, 130] {
        let mut events = trace.events();
        let before: Vec<_> = events.by_ref().take(stop).map(Result::unwrap).collect();
        assert_eq!(before, event_range(0..stop as u64));
        let rest = trace.events_from(events.position());
        let rest: Vec<_> = rest.map(Result::unwrap).collect();
        assert_eq!(rest, event_range(stop as u64..130));
    }
    let mut events = trace.events();
    assert_eq!(events.by_ref().count(), 130);
    writer.append(&event_range(130..400)).unwrap();
    writer.commit().unwrap();
    trace.refresh().unwrap();
    let rest = trace.events_from(events.position());
    assert_eq!(rest.map(Result::unwrap).collect::<Vec<_>>(), event_range(130..400));
}

#[test]
fn every_function_of_a_snapshot_is_in_its_table() {
    let (_folder, path) = place();
    let mut writer = create(&path, 16 << 10);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut refreshed = Trace::open(&path).unwrap();
            loop {
                let was_done = done.load(Ordering::Acquire);
                refreshed.refresh().unwrap();
                for trace in [&refreshed, &Trace::open(&path).unwrap()] {
                    let known = trace.functions().len();
                    for event in trace.events() {
                        let EventKind::Enter { function, .. } = event.unwrap().kind else {
                            continue;
                        };
                        assert!(function.index() < known);
                    }
                }
                if was_done {
                    return;
                }
            }
        });
        for count in 10..60 {
            writer.extend_tables(&manifest().modules, &functions(count), &[]).unwrap();
            let kind = EventKind::Enter {
                function: FunctionId(count - 1),
                return_address: 1,
                stack_pointer: 2,
                inherited: false,
            };
            let event = Event { time_ns: count.into(), pid: Pid(7), tid: Tid(7), kind };
            writer.append(&[event; 20]).unwrap();
            writer.commit().unwrap();
        }
        finish(writer);
        done.store(true, Ordering::Release);
        reader.join().unwrap();
    });
}

/// Moves the snapshot to now, as a reader does when a file is gone.
fn refresh(trace: &mut Trace) {
    let before = trace.first_event();
    trace.refresh().unwrap();
    assert!(trace.first_event() >= before);
}

#[test]
fn a_reader_of_a_long_flight_recording_needs_nothing_but_refreshes() {
    // More segments than are kept open; the oldest go all the time.
    const SEGMENTS: u64 = 330;
    let (_folder, path) = place();
    let options = WriterOptions {
        segment_bytes: 2_000,
        keep_ns: Some(SEGMENTS * 44 * 10),
        ..WriterOptions::default()
    };
    let mut writer = create_with(&path, options);
    let total = SEGMENTS * 44 * 2;
    let (ready, started) = std::sync::mpsc::channel();
    let writing = thread::spawn(move || {
        for from in (0..total).step_by(44) {
            writer.append(&event_range(from..from + 44)).unwrap();
            writer.commit().unwrap();
            if from == (SEGMENTS + 10) * 44 {
                ready.send(()).unwrap();
            }
        }
        finish(writer);
    });
    started.recv().unwrap();
    let mut trace = Trace::open(&path).unwrap();
    let (mut gone, mut passes, mut open_files) = (0, 0, 0);
    let mut last = false;
    while !last {
        last = writing.is_finished();
        refresh(&mut trace);
        let folder = path.join("segments");
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let files = links.filter(|link| {
            std::fs::read_link(link.path()).is_ok_and(|file| file.starts_with(&folder))
        });
        open_files = open_files.max(files.count());
        // All that a reader asks for, from the oldest part on, where files go first.
        let first = trace.first_event();
        let asked: [&dyn Fn() -> Result<(), StoreError>; 6] = [
            &|| trace.block(0).map(drop),
            &|| trace.checkpoint(1).map(drop),
            &|| trace.events().take(500).try_for_each(|event| event.map(drop)),
            &|| trace.events_from(Position::after(first + 60)).next().unwrap().map(drop),
            &|| trace.overview(1_000, 1_000 + total * 10, 200, None).map(drop),
            &|| trace.durations(FunctionId(1)).map(drop),
        ];
        for (number, ask) in asked.iter().enumerate() {
            match ask() {
                Ok(()) => {}
                Err(StoreError::MissingFile { .. }) => gone += 1,
                Err(error) => panic!("question {number}: {error}"),
            }
        }
        passes += 1;
    }
    writing.join().unwrap();
    refresh(&mut trace);
    assert_eq!(read_all(&trace), event_range(trace.first_event()..total));
    assert!(trace.manifest().segments.len() > 280);
    assert!(passes > 3, "{passes} passes");
    // Files that were open when they were removed, and those the writer has open, are among them.
    assert!(open_files < 320, "{open_files} files were open");
    println!("{gone} files were gone when they were asked for, in {passes} passes");
}
