//! Writing events as a trace, and opening it.

use proptest::prelude::*;
use scope_model::{Event, Function, FunctionId, Module, ModuleId, SiteClass};
use scope_store::{Host, Manifest, RecorderStats, Trace, TraceWriter, WriterOptions};
use tempfile::TempDir;

/// `CLOCK_MONOTONIC` at which every trace here begins, ns.
pub(crate) const START_NS: u64 = 1_000;

/// Readable names of the functions of every trace here, and the source file of each.
pub(crate) const FUNCTIONS: [(&str, &str); 5] = [
    ("main", "/src/main.rs"),
    ("server::parse", "/src/server/parse.rs"),
    ("server::wait<alloc::vec::Vec<u8>>", "/src/server/wait.rs"),
    ("server::Client::send(int, char)", "/src/server/client.cpp"),
    ("never_called", "/src/main.rs"),
];

/// A trace on disk; gone when dropped.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) trace: Trace,
    _folder: TempDir,
}

/// How a trace is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// As it was recorded.
    Hot,
    /// All segments sealed.
    Sealed,
    /// All segments sealed, and the oldest dropped.
    Flight,
    /// As long as it is recorded: older segments sealed, as far as the sealer has come.
    Growing,
}

/// Any form.
pub(crate) fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Hot), Just(Form::Sealed), Just(Form::Flight), Just(Form::Growing)]
}

/// Writes events in blocks of about a hundred.
pub(crate) fn store(events: &[Event], form: Form) -> Stored {
    store_in_segments(events, form, 4096)
}

/// Writes events in segments of a size.
pub(crate) fn store_in_segments(events: &[Event], form: Form, segment_bytes: u32) -> Stored {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.scope");
    let manifest = Manifest {
        start_ns: START_NS,
        host: Host { machine: "x86_64".to_owned(), ..Host::default() },
        modules: vec![Module { id: ModuleId(0), path: "/bin/server".to_owned(), build_id: None }],
        ..Manifest::default()
    };
    let functions: Vec<Function> = (0..)
        .zip(FUNCTIONS)
        .map(|(id, (name, file))| Function {
            id: FunctionId(id),
            name: name.to_owned(),
            symbol: format!("_ZN{id}E"),
            module: ModuleId(0),
            address: u64::from(id) * 16,
            size: 16,
            file: Some(file.to_owned()),
            line: Some(id + 1),
            site: SiteClass::Emulated,
            inlined_copies: 0,
        })
        .collect();
    let options = WriterOptions {
        segment_bytes,
        seal: !matches!(form, Form::Hot),
        max_hot_segments: u32::MAX,
        max_bytes: matches!(form, Form::Flight).then_some(6_000),
        ..WriterOptions::default()
    };
    let mut writer = TraceWriter::create(&path, manifest, &functions, &[], options).unwrap();
    writer.append(events).unwrap();
    writer.commit().unwrap();
    match form {
        Form::Sealed | Form::Flight => {
            writer.finish(START_NS, "the target ended", RecorderStats::default()).unwrap();
        }
        Form::Hot | Form::Growing => drop(writer),
    }
    Stored { trace: Trace::open(&path).unwrap(), _folder: folder }
}
