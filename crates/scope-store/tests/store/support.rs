//! Traces to test with.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use scope_model::{
    CallEnd, Event, EventKind, Function, FunctionId, LeftOut, Module, ModuleId, Pid, SiteClass,
    ThreadName, Tid,
};
use scope_store::{
    Clock, Host, Manifest, RecorderStats, StoreError, Target, Trace, TraceWriter, WriterOptions,
};
use tempfile::TempDir;

/// A new folder and the path of a trace to be in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("test.scope");
    (folder, path)
}

pub(crate) fn manifest() -> Manifest {
    Manifest {
        scope_version: "0.1.0".to_owned(),
        created_unix_ns: 1_700_000_000_000_000_000,
        host: Host {
            hostname: "host".to_owned(),
            kernel: "6.18.0".to_owned(),
            machine: "x86_64".to_owned(),
            cpus: 2,
        },
        target: Target {
            pid: 7,
            executable: "/bin/prog".to_owned(),
            command: vec!["prog".to_owned(), "naïve \"argument\"".to_owned()],
            started_by_scope: false,
        },
        clock: Clock { monotonic_ns: 1_000, realtime_ns: 1_700_000_000_000_000_000 },
        start_ns: 1_000,
        modules: vec![module(0), module(1)],
        ..Manifest::default()
    }
}

pub(crate) fn module(id: u32) -> Module {
    Module {
        id: ModuleId(id),
        path: format!("/lib/{id}.so"),
        build_id: Some("0123abcd".to_owned()),
    }
}

/// Functions with and without what is optional, many in the same source file.
pub(crate) fn functions(count: u32) -> Vec<Function> {
    (0..count)
        .map(|id| Function {
            id: FunctionId(id),
            name: format!("module::function_{id}"),
            symbol: if id % 3 == 0 {
                format!("_ZN{id}E")
            } else {
                format!("module::function_{id}")
            },
            module: ModuleId(id % 2),
            address: 0x1000 + u64::from(id) * 16,
            size: 16,
            file: (id % 4 != 3).then(|| format!("/src/{}.rs", id % 3)),
            line: (id % 2 == 0).then_some(id + 1),
            site: [
                SiteClass::Nop5,
                SiteClass::Emulated,
                SiteClass::Moved,
                SiteClass::SingleStepped,
            ][id as usize % 4],
            inlined_copies: id % 5,
        })
        .collect()
}

pub(crate) fn left_out() -> Vec<LeftOut> {
    vec![LeftOut {
        name: "tiny".to_owned(),
        symbol: "tiny".to_owned(),
        reason: "single-stepped and small".to_owned(),
    }]
}

/// A writer that leaves its segments hot.
pub(crate) fn create(path: &Path, segment_bytes: u32) -> TraceWriter {
    create_with(path, WriterOptions { segment_bytes, seal: false, ..WriterOptions::default() })
}

/// A writer that seals its segments.
pub(crate) fn create_sealing(path: &Path, segment_bytes: u32) -> TraceWriter {
    create_with(path, WriterOptions { segment_bytes, ..WriterOptions::default() })
}

pub(crate) fn create_with(path: &Path, options: WriterOptions) -> TraceWriter {
    TraceWriter::create(path, manifest(), &functions(9), &left_out(), options).unwrap()
}

pub(crate) fn finish(writer: TraceWriter) {
    writer.finish(9_000, "the target ended", stats()).unwrap();
}

pub(crate) fn stats() -> RecorderStats {
    RecorderStats {
        orphan_exits: 1,
        warnings: vec!["a warning".to_owned()],
        ..RecorderStats::default()
    }
}

/// Event `number` of a made-up recording: two threads that call and return, well nested and in
/// time order, with other kinds between.
pub(crate) fn event(number: u64) -> Event {
    let thread = number % 2;
    let step = number / 2;
    let function = FunctionId((step / 4 % 9) as u32);
    let kind = match step % 4 {
        0 => EventKind::Enter {
            function,
            return_address: 0x4000 + step,
            stack_pointer: 0x7ff0_0000,
            inherited: false,
        },
        1 => EventKind::SwitchOut { cpu: 1, state: 1 },
        2 => EventKind::SwitchIn { cpu: (step % 8) as u16 },
        _ => EventKind::Leave {
            function,
            end: CallEnd::Returned,
            return_value: number,
            crosses_gap: false,
        },
    };
    Event { time_ns: 1_000 + number * 10, pid: Pid(7), tid: Tid(7 + thread as u32), kind }
}

pub(crate) fn event_range(range: std::ops::Range<u64>) -> Vec<Event> {
    range.map(event).collect()
}

/// Copies a folder as it is at this moment, also while it changes.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else if fs::copy(entry.path(), &to).is_err() {
            // Gone since the folder was listed: the other thread removed it, as it may.
        }
    }
}

/// The events that can be read, and the error that ended reading, if one did.
pub(crate) fn read(trace: &Trace) -> (Vec<Event>, Option<StoreError>) {
    let mut events = Vec::new();
    let mut stream = trace.events();
    for event in &mut stream {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().is_none(), "an error is the last item");
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

pub(crate) fn read_all(trace: &Trace) -> Vec<Event> {
    let (events, error) = read(trace);
    assert!(error.is_none(), "{}", error.unwrap());
    events
}

/// Any event of any kind.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    (any::<u64>(), any::<u32>(), any::<u32>(), any_kind())
        .prop_map(|(time_ns, pid, tid, kind)| Event { time_ns, pid: Pid(pid), tid: Tid(tid), kind })
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    let function = any::<u32>().prop_map(FunctionId);
    let name = any::<[u8; 16]>().prop_map(ThreadName);
    let end = (0..6_u8).prop_map(|number| CallEnd::from_number(number).unwrap());
    prop_oneof![
        (function.clone(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
            |(function, return_address, stack_pointer, inherited)| EventKind::Enter {
                function,
                return_address,
                stack_pointer,
                inherited
            }
        ),
        (function, end, any::<u64>(), any::<bool>()).prop_map(
            |(function, end, return_value, crosses_gap)| EventKind::Leave {
                function,
                end,
                return_value,
                crosses_gap
            }
        ),
        any::<u16>().prop_map(|cpu| EventKind::SwitchIn { cpu }),
        any::<(u16, u32)>().prop_map(|(cpu, state)| EventKind::SwitchOut { cpu, state }),
        any::<(u32, u32)>().prop_map(|(waker, waker_pid)| EventKind::Waking {
            waker: Tid(waker),
            waker_pid: Pid(waker_pid)
        }),
        (any::<u32>(), name.clone())
            .prop_map(|(parent, name)| EventKind::ThreadStart { parent: Tid(parent), name }),
        any::<(u32, bool)>().prop_map(|(code, last)| EventKind::ThreadExit { code, last }),
        name.clone().prop_map(|name| EventKind::Rename { name }),
        name.prop_map(|name| EventKind::Exec { name }),
        any::<u32>().prop_map(|number| EventKind::SyscallEnter { number }),
        any::<(u32, i64)>().prop_map(|(number, result)| EventKind::SyscallExit { number, result }),
        any::<(u64, u32, u32, u32)>().prop_map(|(until_ns, entries, exits, others)| {
            EventKind::Gap { until_ns, entries, exits, others }
        }),
    ]
}
