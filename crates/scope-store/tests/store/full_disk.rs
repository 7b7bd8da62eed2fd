//! A full disk ends writing with an error and keeps what was committed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use scope_store::{Trace, WriterOptions, verify};
use tempfile::TempDir;

use crate::support::{
    copy_folder, create, create_with, event, event_range, place, read_all, stats,
};

/// A file system of few bytes, unmounted at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder))
    }

    fn trace(&self) -> PathBuf {
        self.0.path().join("test.scope")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Says, past the harness, that a test could not run here.
fn not_run(test: &str) {
    let line = format!("not run: {test} (mounting a small tmpfs needs root)\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Appends until the disk is full; returns how many events were taken.
fn fill(path: &Path) -> (scope_store::TraceWriter, u64) {
    let mut writer = create(path, 256 << 10);
    let mut next = 0;
    let error = loop {
        if let Err(error) = writer.append(&event_range(next..next + 1000)) {
            break error;
        }
        writer.commit().unwrap();
        next += 1000;
        assert!(next < 1_000_000, "the disk never filled");
    };
    assert!(error.is_no_space(), "{error}");
    let events = writer.events();
    assert!(events >= next);
    (writer, events)
}

#[test]
fn a_full_disk_ends_a_recording_that_can_be_finished() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        return not_run("full_disk::a_full_disk_ends_a_recording_that_can_be_finished");
    };
    let (writer, events) = fill(&disk.trace());
    // Not even the space that was too little for a segment is left for the last manifest.
    let filler = disk.0.path().join("filler");
    let mut filler = std::fs::File::create(filler).unwrap();
    while filler.write_all(&[1; 4096]).is_ok() {}
    writer.finish(9_000, "the disk is full", stats()).unwrap();
    let trace = Trace::open(disk.trace()).unwrap();
    assert!(trace.is_complete());
    assert_eq!(read_all(&trace), event_range(0..events));
    assert!(verify(disk.trace()).unwrap().is_sound());
}

#[test]
fn a_small_disk_takes_what_fits_once_it_is_sealed() {
    let Some(disk) = SmallDisk::mount(6 << 20) else {
        return not_run("full_disk::a_small_disk_takes_what_fits_once_it_is_sealed");
    };
    // Room for no more than a few hot segments at once, and hot for 150,000 events.
    let options = WriterOptions { segment_bytes: 2 << 20, ..WriterOptions::default() };
    let mut writer = create_with(&disk.trace(), options);
    let mut next = 0;
    let error = loop {
        if let Err(error) = writer.append(&event_range(next..next + 1000)) {
            break error;
        }
        writer.commit().unwrap();
        next += 1000;
        assert!(next < 20_000_000, "the disk never filled");
    };
    assert!(error.is_no_space(), "{error}");
    let events = writer.events();
    assert!(next <= events && events < next + 1000);
    assert!(events > 600_000, "{events} events");
    writer.finish(9_000, "the disk is full", stats()).unwrap();
    let trace = Trace::open(disk.trace()).unwrap();
    assert!(trace.is_complete());
    let hot = trace.manifest().segments.iter().filter(|entry| !entry.sealed).count();
    assert!(hot <= 1, "{hot} segments are hot");
    assert_eq!(trace.end_event().unwrap(), events);
    assert!(trace.events().zip(0..).all(|(found, number)| found.unwrap() == event(number)));
    assert!(verify(disk.trace()).unwrap().is_sound());
}

#[test]
fn a_full_disk_keeps_what_was_committed_when_nobody_finishes() {
    let Some(disk) = SmallDisk::mount(2 << 20) else {
        return not_run("full_disk::a_full_disk_keeps_what_was_committed_when_nobody_finishes");
    };
    let (writer, events) = fill(&disk.trace());
    // What is left when the writer is killed now.
    let (_folder, left) = place();
    copy_folder(&disk.trace(), &left);
    drop(writer);
    let found = read_all(&Trace::open(left).unwrap());
    assert_eq!(found.len() as u64, events);
    assert!(found.iter().enumerate().all(|(number, found)| *found == event(number as u64)));
}

#[test]
fn a_disk_too_small_for_a_trace_keeps_none() {
    let Some(disk) = SmallDisk::mount(64 << 10) else {
        return not_run("full_disk::a_disk_too_small_for_a_trace_keeps_none");
    };
    let (_folder, _) = place();
    let error = scope_store::TraceWriter::create(
        &disk.trace(),
        crate::support::manifest(),
        &[],
        &[],
        WriterOptions::default(),
    )
    .unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert!(!disk.trace().exists());
}
