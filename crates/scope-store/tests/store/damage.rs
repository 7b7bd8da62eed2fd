//! Cut files and flipped bits give a beginning of the events, one clear error, or both; never a
//! panic, and never something that was not written.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use scope_model::Event;
use scope_store::{StoreError, Trace, verify};

use crate::support::{create, event_range, finish, functions, left_out, place, read};

/// A trace of several segments, and all its files.
fn sample(path: &Path, complete: bool) -> (Vec<Event>, Vec<PathBuf>) {
    let events = event_range(0..150);
    let mut writer = create(path, 2048);
    for batch in events.chunks(17) {
        writer.append(batch).unwrap();
        writer.commit().unwrap();
    }
    if complete {
        finish(writer);
    } else {
        std::mem::forget(writer);
    }
    let mut files = vec![
        path.join("manifest.json"),
        path.join("code/functions.json"),
        path.join("code/left_out.json"),
    ];
    files.extend(fs::read_dir(path.join("segments")).unwrap().map(|entry| entry.unwrap().path()));
    (events, files)
}

/// Opens and reads a damaged trace; returns how many events could be read and the error.
fn check(path: &Path, written: &[Event], what: &str) -> (usize, Option<StoreError>) {
    let verified = verify(path);
    let trace = match Trace::open(path) {
        Ok(trace) => trace,
        Err(error) => {
            assert!(verified.is_err(), "{what}: verify opened what cannot be opened");
            return (0, Some(error));
        }
    };
    assert_eq!(trace.functions(), functions(9), "{what}");
    assert_eq!(trace.left_out(), left_out(), "{what}");
    let (events, error) = read(&trace);
    assert!(events.len() <= written.len() && events == written[..events.len()], "{what}");
    let report = verified.unwrap();
    assert_eq!(report.events, events.len() as u64, "{what}");
    assert_eq!(report.torn.is_some(), error.is_some(), "{what}");
    (events.len(), error)
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    for complete in [true, false] {
        let (_folder, path) = place();
        let (written, files) = sample(&path, complete);
        for file in &files {
            let intact = fs::read(file).unwrap();
            // In place: to write a file anew for each byte takes minutes on some file systems.
            let damaged = OpenOptions::new().write(true).open(file).unwrap();
            for at in 0..intact.len() {
                damaged.write_all_at(&[intact[at] ^ 1 << (at % 8)], at as u64).unwrap();
                let what = format!("{} with byte {at} changed", file.display());
                let (events, error) = check(&path, &written, &what);
                assert!(error.is_some() || events == written.len(), "{what}: events are missing");
                damaged.write_all_at(&intact[at..=at], at as u64).unwrap();
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_found() {
    for complete in [true, false] {
        let (_folder, path) = place();
        let (written, files) = sample(&path, complete);
        for file in &files {
            let intact = fs::read(file).unwrap();
            let cut = OpenOptions::new().write(true).open(file).unwrap();
            for length in (0..intact.len()).rev() {
                cut.set_len(length as u64).unwrap();
                let what = format!("{} cut at {length}", file.display());
                let (events, error) = check(&path, &written, &what);
                assert!(error.is_some() || events == written.len(), "{what}: events are missing");
            }
            fs::write(file, &intact).unwrap();
        }
    }
}

#[test]
fn a_file_cut_while_it_is_read_is_an_error_and_no_signal() {
    let (_folder, path) = place();
    let mut writer = create(&path, 1 << 20);
    writer.append(&event_range(0..9_000)).unwrap();
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    let mut events = trace.events();
    assert!(events.next().unwrap().is_ok());
    let segment = path.join("segments/00000000.seg");
    OpenOptions::new().write(true).open(segment).unwrap().set_len(0).unwrap();
    let error = events.find_map(Result::err).unwrap();
    assert!(matches!(error, StoreError::Truncated { found: 0, .. }), "{error}");
    assert!(events.next().is_none());
}

#[test]
fn swapped_segments_are_found() {
    let (_folder, path) = place();
    let (_, _) = sample(&path, true);
    let segment = |number| path.join(format!("segments/0000000{number}.seg"));
    fs::rename(segment(0), path.join("aside")).unwrap();
    fs::rename(segment(1), segment(0)).unwrap();
    fs::rename(path.join("aside"), segment(1)).unwrap();
    assert!(matches!(Trace::open(&path), Err(StoreError::Malformed { .. })));
}

#[test]
fn a_segment_of_another_trace_is_found() {
    let (_folder, path) = place();
    let (_, _) = sample(&path, true);
    let other = path.with_extension("other");
    let mut manifest = crate::support::manifest();
    manifest.created_unix_ns += 1;
    let options = scope_store::WriterOptions {
        segment_bytes: 2048,
        seal: false,
        ..scope_store::WriterOptions::default()
    };
    let mut writer =
        scope_store::TraceWriter::create(&other, manifest, &functions(9), &[], options).unwrap();
    writer.append(&event_range(0..150)).unwrap();
    finish(writer);
    fs::copy(other.join("segments/00000001.seg"), path.join("segments/00000001.seg")).unwrap();
    assert!(matches!(Trace::open(&path), Err(StoreError::Malformed { .. })));
}
