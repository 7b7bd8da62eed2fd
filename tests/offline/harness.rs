//! Traces made by hand and runs of `scope` over them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scope_model::{
    CallEnd, Event, EventKind, Function, FunctionId, LeftOut, Module, ModuleId, Pid, SiteClass,
    ThreadName, Tid,
};
use scope_store::{Clock, Host, Manifest, RecorderStats, Target, TraceWriter, WriterOptions};
use scope_tests::scope_binary;
use serde_json::Value;
use tempfile::TempDir;

/// `CLOCK_MONOTONIC` at which every trace here begins, ns.
const START_NS: u64 = 5_000_000_000;

/// The traced process.
pub const PID: u32 = 100;

/// A folder with one trace, `sample.scope`; gone when dropped.
#[derive(Debug)]
pub struct Sample {
    folder: TempDir,
}

impl Sample {
    /// A finished trace of these events, which lasted 10 ms.
    pub fn new(events: &[Event]) -> Self {
        let sample = Self::unfinished(events);
        let path = sample.path();
        std::fs::remove_dir_all(&path).expect("it was just written");
        let mut writer = writer(&path);
        writer.append(events).expect("events fit");
        let stats = RecorderStats {
            cpu_ns: 1_000_000,
            return_probes: "uretprobe".to_owned(),
            attach_mechanism: "uprobe_multi".to_owned(),
            ..RecorderStats::default()
        };
        writer.finish(START_NS + 10_000_000, "the target ended", stats).expect("trace is written");
        sample
    }

    /// A trace as a recorder that was killed leaves it.
    pub fn unfinished(events: &[Event]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = writer(&folder.path().join("sample.scope"));
        writer.append(events).expect("events fit");
        writer.commit().expect("events are committed");
        Self { folder }
    }

    /// The trace's folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("sample.scope")
    }

    /// `scope` with these arguments, in the folder that holds `sample.scope`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }

    /// What `scope` prints; fails unless it succeeds without a word on standard error.
    pub fn text(&self, arguments: &[&str]) -> String {
        succeed(self.command(arguments))
    }

    /// What `scope` prints, as JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(arguments)).expect("it prints JSON")
    }
}

/// `scope` with these arguments in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(scope_binary());
    command.args(arguments).current_dir(folder).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// Standard output of a run; fails unless it succeeds without a word on standard error.
pub fn succeed(mut command: Command) -> String {
    let output = command.output().expect("scope runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{:?}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// Exit status and standard error of a run that prints nothing else.
pub fn fail(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("scope runs");
    assert_eq!(String::from_utf8_lossy(&stdout), "");
    (status.code(), String::from_utf8(stderr).expect("it prints UTF-8"))
}

/// The names of an object's fields, as the document has them.
pub fn names(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn writer(path: &Path) -> TraceWriter {
    let manifest = Manifest {
        scope_version: "0.1.0".to_owned(),
        created_unix_ns: 1_700_000_000_000_000_000,
        host: Host {
            hostname: "testhost".to_owned(),
            kernel: "6.1.0".to_owned(),
            machine: "x86_64".to_owned(),
            cpus: 2,
        },
        target: Target {
            pid: PID,
            executable: "/srv/server".to_owned(),
            command: vec!["./server".to_owned(), "--port".to_owned(), "80".to_owned()],
            started_by_scope: false,
        },
        clock: Clock { monotonic_ns: START_NS, realtime_ns: 1_700_000_000_000_000_000 },
        start_ns: START_NS,
        modules: vec![Module {
            id: ModuleId(0),
            path: "/srv/server".to_owned(),
            build_id: Some("abcd".to_owned()),
        }],
        ..Manifest::default()
    };
    let functions = [
        function(0, "main", "main", SiteClass::Emulated),
        function(
            1,
            "server::parse<alloc::string::String>",
            "_ZN6server5parse17h0E",
            SiteClass::Moved,
        ),
        function(2, "server::wait", "_ZN6server4wait17h1E", SiteClass::Emulated),
        function(3, "server::never_called", "_ZN6server12never_called17h2E", SiteClass::Nop5),
    ];
    let left_out = [LeftOut {
        name: "server::tiny".to_owned(),
        symbol: "_ZN6server4tiny17h3E".to_owned(),
        reason: "inlined everywhere (3 copies)".to_owned(),
    }];
    TraceWriter::create(path, manifest, &functions, &left_out, WriterOptions::default())
        .expect("a trace can be created")
}

fn function(id: u32, name: &str, symbol: &str, site: SiteClass) -> Function {
    Function {
        id: FunctionId(id),
        name: name.to_owned(),
        symbol: symbol.to_owned(),
        module: ModuleId(0),
        address: 0x1000 + u64::from(id) * 0x100,
        size: 0x80,
        file: Some("src/server.rs".to_owned()),
        line: Some(10 + id),
        site,
        inlined_copies: 0,
    }
}

/// An event of a thread, `t_us` microseconds after the start.
pub fn event(t_us: u64, tid: u32, kind: EventKind) -> Event {
    Event { time_ns: START_NS + t_us * 1_000, pid: Pid(PID), tid: Tid(tid), kind }
}

/// A call begins.
pub fn enter(t_us: u64, tid: u32, function: u32) -> Event {
    let function = FunctionId(function);
    let kind = EventKind::Enter {
        function,
        return_address: 0x55_0000_1234,
        stack_pointer: 0x7fff_0000_0ff8,
        inherited: false,
    };
    event(t_us, tid, kind)
}

/// A call returns 7.
pub fn leave(t_us: u64, tid: u32, function: u32) -> Event {
    leave_as(t_us, tid, function, CallEnd::Returned, false)
}

/// A call ends.
pub fn leave_as(t_us: u64, tid: u32, function: u32, end: CallEnd, crosses_gap: bool) -> Event {
    let function = FunctionId(function);
    let return_value = if end == CallEnd::Returned { 7 } else { 0 };
    event(t_us, tid, EventKind::Leave { function, end, return_value, crosses_gap })
}

/// A thread of 10 ms with everything in it, and one that does little:
/// `main` calls `parse` twice (the second call is recursive) and `wait`, which sleeps in a system
/// call for 4 ms; then records are lost; `main` is open at the end.
pub fn everything() -> Vec<Event> {
    let name = ThreadName::new;
    vec![
        event(0, 100, EventKind::ThreadStart { parent: Tid(0), name: name("server") }),
        event(10, 100, EventKind::SwitchIn { cpu: 1 }),
        enter(100, 100, 0),
        enter(200, 100, 1),
        leave(700, 100, 1),
        enter(1_000, 100, 1),
        enter(1_200, 100, 1),
        leave_as(1_500, 100, 1, CallEnd::Unwound, false),
        leave(2_000, 100, 1),
        event(2_050, 101, EventKind::ThreadStart { parent: Tid(100), name: name("helper") }),
        event(2_100, 101, EventKind::SwitchIn { cpu: 0 }),
        enter(2_100, 100, 2),
        event(2_150, 100, EventKind::SyscallEnter { number: 35 }),
        event(2_200, 100, EventKind::SwitchOut { cpu: 1, state: 1 }),
        enter(2_300, 101, 1),
        event(2_400, 101, EventKind::Rename { name: name("helper-1") }),
        leave(2_500, 101, 1),
        event(2_600, 101, EventKind::ThreadExit { code: 0, last: false }),
        event(6_200, 100, EventKind::Waking { waker: Tid(9), waker_pid: Pid(9) }),
        event(6_300, 100, EventKind::SwitchIn { cpu: 0 }),
        event(6_310, 100, EventKind::SyscallExit { number: 35, result: -4 }),
        leave(6_400, 100, 2),
        enter(7_000, 100, 1),
        event(
            7_100,
            100,
            EventKind::Gap { until_ns: START_NS + 7_400_000, entries: 2, exits: 3, others: 0 },
        ),
        leave_as(8_000, 100, 1, CallEnd::Lost, true),
        enter(8_000, 100, 1),
        leave(8_100, 100, 1),
        event(9_000, 100, EventKind::SwitchOut { cpu: 0, state: 0 }),
    ]
}
