//! Traces of every earlier version open and read as when they were written.

use std::path::PathBuf;

use scope_store::{Trace, verify};

use crate::blocks::check_access;
use crate::support::{event_range, functions, left_out, read_all};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Written by the first version: `event_range(0..1500)` in commits of 70, segments of 16 KiB.
#[test]
fn version_1() {
    let path = fixture("format-1");
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.manifest().format_version, 1);
    assert_eq!(read_all(&trace), event_range(0..1500));
    assert_eq!(trace.functions(), functions(9));
    assert_eq!(trace.left_out(), left_out());
    assert!(trace.is_complete());
    check_access(&trace, &event_range(0..1500));
    let report = verify(&path).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

/// `event_range(0..5000)` in commits of 70, segments of 64 KiB, sealed.
#[test]
fn version_2() {
    let path = fixture("format-2");
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.manifest().format_version, 2);
    assert!(trace.manifest().segments.iter().all(|entry| entry.sealed));
    assert_eq!(read_all(&trace), event_range(0..5000));
    assert_eq!(trace.functions(), functions(9));
    assert!(trace.is_complete());
    check_access(&trace, &event_range(0..5000));
    let report = verify(&path).unwrap();
    assert!(report.is_sound(), "{report:?}");
}
