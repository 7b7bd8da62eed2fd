//! `scope export`: what it says and refuses, and what the tools that read the formats find in them.
//!
//! Python's packages are looked for by `python3`, or by the program that `SCOPE_PYTHON` names; the Firefox Profiler
//! as `profiler-cli`, or what `SCOPE_PROFILER_CLI` names; Perfetto's trace processor as `trace_processor_shell`,
//! or what `SCOPE_TRACE_PROCESSOR` names.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use scope_model::{Event, EventKind, Pid, ThreadName, Tid};
use scope_tests::{not_run, test_name};
use serde_json::Value;

use crate::harness::{Sample, enter, event, everything, fail, leave, succeed};

/// Two threads that call, wait and wake each other for 9 ms; nothing is lost, `main` is open at the
/// end.
fn busy() -> Vec<Event> {
    let mut events = vec![enter(100, 100, 0)];
    for tid in [100, 101] {
        let name = ThreadName::new(if tid == 100 { "server" } else { "helper" });
        events.push(event(0, tid, EventKind::ThreadStart { parent: Tid(0), name }));
        events.push(event(10, tid, EventKind::SwitchIn { cpu: tid as u16 - 100 }));
    }
    for round in 0..600 {
        let (at, tid, other) = (200 + round * 14, 100 + round as u32 % 2, 101 - round as u32 % 2);
        events.extend([
            enter(at, tid, 1),
            enter(at + 1, tid, 1 + round as u32 % 2),
            event(at + 2, tid, EventKind::SyscallEnter { number: 35 }),
            event(at + 3, tid, EventKind::SwitchOut { cpu: 0, state: 1 }),
            event(at + 5, tid, EventKind::Waking { waker: Tid(other), waker_pid: Pid(100) }),
            event(at + 6, tid, EventKind::SwitchIn { cpu: 0 }),
            event(at + 7, tid, EventKind::SyscallExit { number: 35, result: 0 }),
            leave(at + 9, tid, 1 + round as u32 % 2),
            leave(at + 12, tid, 1),
        ]);
    }
    events.sort_by_key(|event| event.time_ns);
    events
}

/// Calls and self time of each function.
type Totals = BTreeMap<String, (u64, Option<u64>)>;

fn reported(sample: &Sample) -> Totals {
    let report = sample.json(&["report", "sample.scope", "--json", "--limit", "0"]);
    let functions = report["functions"].as_array().expect("functions");
    let number = |value: &Value| value.as_u64().expect("a number");
    functions
        .iter()
        .map(|row| {
            let name = row["name"].as_str().expect("a name").to_owned();
            (name, (number(&row["calls"]), Some(number(&row["self_ns"]))))
        })
        .collect()
}

/// The time that each thread ran is in what is found as well.
fn reported_with_threads(sample: &Sample) -> Totals {
    let report = sample.json(&["report", "sample.scope", "--json", "--limit", "0"]);
    let threads = report["threads"].as_array().expect("threads").iter().map(|row| {
        let on_cpu_ns = row["on_cpu_ns"].as_u64().expect("a number");
        (format!("(running {})", row["tid"]), (0, Some(on_cpu_ns)))
    });
    reported(sample).into_iter().chain(threads).collect()
}

/// Exports to a file beside the trace; what was printed must begin with the number of calls.
fn export(sample: &Sample, format: &str) -> PathBuf {
    let text = sample.text(&["export", "sample.scope", "--to", format, "-o", "export"]);
    assert!(text.contains(" calls in export\n"), "{text}");
    sample.path().with_file_name("export")
}

fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
}

fn python() -> Command {
    Command::new(program("SCOPE_PYTHON", "python3"))
}

/// Whether Python has these modules; else says that the test is not run.
fn has_modules(test: &str, modules: &[&str]) -> bool {
    let script = format!("import {}", modules.join(", "));
    let output = python().args(["-c", &script]).output();
    let has = output.is_ok_and(|output| output.status.success());
    if !has {
        not_run(test, &format!("needs Python with {}", modules.join(" and ")));
    }
    has
}

fn consumers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("offline/consumers")
}

/// What a consumer finds.
fn found(consumer: &str, path: &Path, arguments: &[&str]) -> Totals {
    let mut command = python();
    command.arg(consumers().join("totals.py")).arg(consumer).arg(path).args(arguments);
    serde_json::from_str(&succeed(command)).expect("totals")
}

fn without_times(totals: Totals) -> Totals {
    totals.into_iter().map(|(name, (calls, _))| (name, (calls, None))).collect()
}

#[test]
fn perfetto_is_read_by_its_own_schema() {
    if !has_modules(test_name!(), &["perfetto.protos"]) {
        return;
    }
    let sample = Sample::new(&busy());
    let path = export(&sample, "perfetto");
    assert_eq!(found("perfetto", &path, &["10000000"]), reported_with_threads(&sample));
    let lossy = Sample::new(&everything());
    let got = found("perfetto", &export(&lossy, "perfetto"), &["10000000"]);
    assert_eq!(got["(events lost)"].0, 1);
    assert_eq!(got["main"].0, 1);
}

#[test]
fn perfetto_is_read_by_the_trace_processor() {
    let shell = program("SCOPE_TRACE_PROCESSOR", "trace_processor_shell");
    if Command::new(&shell).arg("--version").output().is_err() {
        not_run(test_name!(), "needs Perfetto's trace_processor_shell");
        return;
    }
    if !has_modules(test_name!(), &["perfetto.trace_processor"]) {
        return;
    }
    let sample = Sample::new(&busy());
    let path = export(&sample, "perfetto");
    let expected = without_times(reported(&sample));
    assert_eq!(found("trace_processor", &path, &[&shell]), expected);
    let path = export(&sample, "chrome");
    assert_eq!(found("trace_processor", &path, &[&shell]), expected);
}

#[test]
fn parquet_is_read_by_duckdb() {
    if !has_modules(test_name!(), &["duckdb"]) {
        return;
    }
    let sample = Sample::new(&busy());
    assert_eq!(found("duckdb", &export(&sample, "parquet"), &[]), reported_with_threads(&sample));
    let lossy = Sample::new(&everything());
    let got = found("duckdb", &export(&lossy, "parquet"), &[]);
    assert_eq!(got["(events lost)"].0, 1);
}

#[test]
fn parquet_is_read_by_pyarrow() {
    if !has_modules(test_name!(), &["pyarrow.parquet"]) {
        return;
    }
    let sample = Sample::new(&busy());
    assert_eq!(found("pyarrow", &export(&sample, "parquet"), &[]), reported(&sample));
}

#[test]
fn speedscope_has_the_form_of_its_published_schema() {
    if !has_modules(test_name!(), &["jsonschema"]) {
        return;
    }
    let Ok(schema) = std::env::var("SCOPE_SPEEDSCOPE_SCHEMA") else {
        not_run(test_name!(), "SCOPE_SPEEDSCOPE_SCHEMA names no file-format-schema.json");
        return;
    };
    let schema = schema.as_str();
    let sample = Sample::new(&busy());
    assert_eq!(found("speedscope", &export(&sample, "speedscope"), &[schema]), reported(&sample));
    let lossy = Sample::new(&everything());
    let got = found("speedscope", &export(&lossy, "speedscope"), &[schema]);
    // From the first loss to the last.
    assert_eq!(got["(events lost)"], (1, Some(300_000)));
}

#[test]
fn otlp_files_are_read_by_the_official_protobuf() {
    if !has_modules(test_name!(), &["opentelemetry.proto.trace.v1.trace_pb2"]) {
        return;
    }
    let sample = Sample::new(&busy());
    assert_eq!(found("otlp_file", &export(&sample, "otlp"), &[]), reported(&sample));
    let lossy = Sample::new(&everything());
    assert_eq!(found("otlp_file", &export(&lossy, "otlp"), &[])["(events lost)"].0, 1);
}

/// Takes one request: its path and body; answers with a status.
fn take_request(stream: &TcpStream, status: &str) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    Some((path, body))
}

#[test]
fn otlp_over_http_is_read_by_the_official_protobuf() {
    if !has_modules(test_name!(), &["opentelemetry.proto.collector.trace.v1.trace_service_pb2"]) {
        return;
    }
    let sample = Sample::new(&busy());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let bodies = tempfile::tempdir().expect("a temporary folder");
    let folder = bodies.path().to_path_buf();
    // 1,201 spans are three requests, of which the first is refused once.
    let receiver = thread::spawn(move || {
        for (number, stream) in listener.incoming().take(4).enumerate() {
            let stream = stream.expect("a connection");
            let status = if number == 0 { "503 Busy" } else { "200 OK" };
            let (path, body) = take_request(&stream, status).expect("a request");
            assert_eq!(path, "/v1/traces");
            if number > 0 {
                std::fs::write(folder.join(format!("{number}")), body).expect("it can be kept");
            }
        }
    });
    let arguments = ["export", "sample.scope", "--to", "otlp", "--endpoint", &endpoint];
    let text = sample.text(&arguments);
    assert_eq!(text, format!("1,201 calls in {endpoint}\n1 call open at the end\n"));
    receiver.join().expect("the receiver ends");
    assert_eq!(found("otlp_bodies", bodies.path(), &[]), reported(&sample));
}

/// What a line of the collector's log says; colours stand between its words.
fn spans_received(line: &str) -> Option<u64> {
    let (_, after) = line.split_once("Received traces")?;
    after.rsplit('m').next()?.trim().parse().ok()
}

#[test]
fn otlp_is_taken_by_a_collector() {
    if !has_modules(test_name!(), &["rotel"]) {
        return;
    }
    let mut find = python();
    find.arg(consumers().join("totals.py")).arg("find_rotel");
    let agent: String = serde_json::from_str(&succeed(find)).expect("a path");
    // Both ports are free now, and hardly taken by another in a moment.
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let (http, grpc) = (free().expect("a port"), free().expect("a port"));
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let started = Command::new(&agent)
        .args(["start", "--exporter", "blackhole", "--debug-log", "traces"])
        .args(["--otlp-http-endpoint", &http.to_string()])
        .args(["--otlp-grpc-endpoint", &grpc.to_string()])
        .stdout(log.reopen().expect("it was just made"))
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut agent) = started else {
        not_run(test_name!(), "the collector of Python's rotel does not start here");
        return;
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(http).is_err() {
        assert!(Instant::now() < deadline, "the collector does not listen");
        thread::yield_now();
    }
    let sample = Sample::new(&busy());
    let endpoint = format!("http://{http}");
    sample.text(&["export", "sample.scope", "--to", "otlp", "--endpoint", &endpoint]);
    // What it has taken it logs a little later.
    let mut received = 0;
    while received < 1_201 && Instant::now() < deadline {
        let log = std::fs::read_to_string(log.path()).expect("a log");
        received = log.lines().filter_map(spans_received).sum();
        thread::yield_now();
    }
    agent.kill().expect("it runs");
    agent.wait().expect("it ends");
    assert_eq!(received, 1_201);
}

#[test]
fn the_firefox_profiler_reads_it() {
    let cli = program("SCOPE_PROFILER_CLI", "profiler-cli");
    let run = |arguments: &[&str]| {
        // The variable may hold a program and its first arguments.
        let mut words = cli.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or("profiler-cli"));
        command.args(words).args(arguments).output()
    };
    if !run(&["--version"]).is_ok_and(|output| output.status.success()) {
        not_run(test_name!(), "needs the Firefox Profiler's profiler-cli");
        return;
    }
    let sample = Sample::new(&busy());
    let path = export(&sample, "firefox").with_file_name("export.json");
    std::fs::rename(sample.path().with_file_name("export"), &path).expect("it can be renamed");
    let session = format!("scope-test-{}", std::process::id());
    // It gives its daemon half a second to start, which a busy machine does not.
    let deadline = Instant::now() + Duration::from_secs(60);
    let tool = |arguments: &[&str]| -> String {
        loop {
            let output = run(&[arguments, &["--session", &session]].concat()).expect("it runs");
            if output.status.success() {
                return String::from_utf8(output.stdout).expect("UTF-8");
            }
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "{message}");
        }
    };
    let load = ["load", path.to_str().expect("a path in UTF-8"), "--session", &session];
    run(&load).expect("it runs");
    let mut got: BTreeMap<String, f64> = BTreeMap::new();
    for thread in ["t-0", "t-1"] {
        let text = tool(&[
            "thread",
            "functions",
            "--thread",
            thread,
            "--include-idle",
            "--limit",
            "0",
            "--json",
        ]);
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        for function in answer["functions"].as_array().expect("functions") {
            let name = function["name"].as_str().expect("a name").to_owned();
            *got.entry(name).or_default() += function["selfSamples"].as_f64().expect("a weight");
        }
    }
    run(&["stop", &session]).expect("it runs");
    for (name, (_, self_ns)) in reported(&sample) {
        let expected_ms = self_ns.expect("a time") as f64 / 1e6;
        assert!((got[&name] - expected_ms).abs() < 1e-4, "{name}: {} {expected_ms}", got[&name]);
    }
}

#[test]
fn folded_stacks_say_where_the_time_went() {
    let sample = Sample::new(&busy());
    let mut command = sample.command(&["export", "sample.scope", "--to", "folded"]);
    let output = command.output().expect("scope runs");
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @r"
    helper;server::parse<alloc::string::String> 1200000
    helper;server::parse<alloc::string::String>;server::wait 2400000
    server;main 6300000
    server;main;server::parse<alloc::string::String> 1200000
    server;main;server::parse<alloc::string::String>;server::parse<alloc::string::String> 2400000
    ");
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    note: 1 call open at the end
    ");
}

#[test]
fn a_flame_graph_says_what_it_leaves_out() {
    let sample = Sample::new(&everything());
    let arguments =
        ["export", "sample.scope", "--to", "flamegraph", "--time", "off-cpu", "-o", "x.svg"];
    assert_eq!(
        sample.text(&arguments),
        "8 calls in x.svg\n5 events lost: what happened meanwhile is missing\n1 call open at the end\n"
    );
    let svg = std::fs::read_to_string(sample.path().with_file_name("x.svg")).expect("a file");
    assert!(svg.contains("sample.scope: time off the CPU"), "{svg}");
    assert!(svg.contains("5 events lost: times are lower bounds; 1 call open at the end"));
    assert!(svg.contains("server::wait (4,100,000 ns"), "{svg}");
}

#[test]
fn chrome_has_everything_that_happened() {
    let sample = Sample::new(&everything());
    let path = export(&sample, "chrome");
    let text = std::fs::read_to_string(path).expect("a file");
    insta::assert_snapshot!(text, @r#"
    {"displayTimeUnit":"ns","traceEvents":[
    {"ph":"M","pid":100,"tid":100,"ts":0,"name":"thread_name","args":{"name":"server"}},
    {"ph":"B","pid":100,"tid":100,"ts":100,"cat":"call","name":"main","args":{"call":2}},
    {"ph":"B","pid":100,"tid":100,"ts":200,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":3}},
    {"ph":"E","pid":100,"tid":100,"ts":700,"args":{"value":"0x7"}},
    {"ph":"B","pid":100,"tid":100,"ts":1000,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":5}},
    {"ph":"B","pid":100,"tid":100,"ts":1200,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":6}},
    {"ph":"E","pid":100,"tid":100,"ts":1500,"args":{"end":"unwound"}},
    {"ph":"E","pid":100,"tid":100,"ts":2000,"args":{"value":"0x7"}},
    {"ph":"M","pid":100,"tid":101,"ts":2050,"name":"thread_name","args":{"name":"helper"}},
    {"ph":"b","pid":100,"tid":101,"ts":2050,"cat":"sched","id":"sched 1","name":"runnable","args":{}},
    {"ph":"e","pid":100,"tid":101,"ts":2100,"cat":"sched","id":"sched 1","name":"runnable"},
    {"ph":"B","pid":100,"tid":100,"ts":2100,"cat":"call","name":"server::wait","args":{"call":11}},
    {"ph":"B","pid":100,"tid":101,"ts":2300,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":14}},
    {"ph":"M","pid":100,"tid":101,"ts":2400,"name":"thread_name","args":{"name":"helper-1"}},
    {"ph":"E","pid":100,"tid":101,"ts":2500,"args":{"value":"0x7"}},
    {"ph":"b","pid":100,"tid":100,"ts":2200,"cat":"sched","id":"sched 0","name":"blocked","args":{"task_state":1,"syscall":"nanosleep","woken_by":9}},
    {"ph":"e","pid":100,"tid":100,"ts":6200,"cat":"sched","id":"sched 0","name":"blocked"},
    {"ph":"b","pid":100,"tid":100,"ts":6200,"cat":"sched","id":"sched 0","name":"runnable","args":{}},
    {"ph":"e","pid":100,"tid":100,"ts":6300,"cat":"sched","id":"sched 0","name":"runnable"},
    {"ph":"b","pid":100,"tid":100,"ts":2150,"cat":"syscall","id":"syscall 0","name":"nanosleep","args":{"result":-4}},
    {"ph":"e","pid":100,"tid":100,"ts":6310,"cat":"syscall","id":"syscall 0","name":"nanosleep"},
    {"ph":"E","pid":100,"tid":100,"ts":6400,"args":{"value":"0x7"}},
    {"ph":"B","pid":100,"tid":100,"ts":7000,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":22}},
    {"ph":"b","pid":100,"tid":100,"ts":7100,"cat":"gap","id":"gap 0","name":"5 events lost","args":{"entries":2,"exits":3,"others":0}},
    {"ph":"e","pid":100,"tid":100,"ts":7400,"cat":"gap","id":"gap 0","name":"5 events lost","args":{"entries":2,"exits":3,"others":0}},
    {"ph":"E","pid":100,"tid":100,"ts":8000,"args":{"end":"lost","crosses_gap":true}},
    {"ph":"B","pid":100,"tid":100,"ts":8000,"cat":"call","name":"server::parse<alloc::string::String>","args":{"call":25}},
    {"ph":"E","pid":100,"tid":100,"ts":8100,"args":{"value":"0x7"}},
    {"ph":"b","pid":100,"tid":100,"ts":9000,"cat":"sched","id":"sched 0","name":"runnable","args":{}},
    {"ph":"e","pid":100,"tid":100,"ts":10000,"cat":"sched","id":"sched 0","name":"runnable"}
    ],"otherData":{"scope_version":"0.1.0","command":"./server --port 80","lost_events":5,"open_calls":1}}
    "#);
}

#[test]
fn a_window_cuts_calls_and_says_so() {
    let sample = Sample::new(&everything());
    let arguments = ["--to", "chrome", "--from", "3ms", "--to", "6.25ms", "--thread", "100"];
    let mut command = sample.command(&["export", "sample.scope"]);
    let output = command.args(arguments).output().expect("scope runs");
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stdout), @r#"
    {"displayTimeUnit":"ns","traceEvents":[
    {"ph":"M","pid":100,"tid":100,"ts":3000,"name":"thread_name","args":{"name":"server"}},
    {"ph":"B","pid":100,"tid":100,"ts":3000,"cat":"call","name":"main","args":{"call":2,"began_us":100}},
    {"ph":"B","pid":100,"tid":100,"ts":3000,"cat":"call","name":"server::wait","args":{"call":11,"began_us":2100}},
    {"ph":"b","pid":100,"tid":100,"ts":3000,"cat":"sched","id":"sched 0","name":"blocked","args":{"task_state":1,"syscall":"nanosleep","woken_by":9}},
    {"ph":"e","pid":100,"tid":100,"ts":6200,"cat":"sched","id":"sched 0","name":"blocked"},
    {"ph":"b","pid":100,"tid":100,"ts":3000,"cat":"syscall","id":"syscall 0","name":"nanosleep","args":{"end":"not seen"}},
    {"ph":"e","pid":100,"tid":100,"ts":6250,"cat":"syscall","id":"syscall 0","name":"nanosleep"},
    {"ph":"b","pid":100,"tid":100,"ts":6200,"cat":"sched","id":"sched 0","name":"runnable","args":{}},
    {"ph":"e","pid":100,"tid":100,"ts":6250,"cat":"sched","id":"sched 0","name":"runnable"}
    ],"otherData":{"scope_version":"0.1.0","command":"./server --port 80","lost_events":0,"open_calls":2}}
    "#);
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    note: 2 calls open at the end
    ");
}

#[test]
fn a_bookmark_is_a_moment() {
    let sample = Sample::new(&everything());
    sample.text(&["bookmark", "sample.scope", "here", "3ms"]);
    let arguments = ["export", "sample.scope", "--to", "folded", "--from", "@here", "-o", "x"];
    assert!(sample.text(&arguments).starts_with("4 calls in x\n"));
}

#[test]
fn wrong_usage_is_told_before_anything_is_written() {
    let sample = Sample::new(&everything());
    for (arguments, expected) in [
        (&["--to", "perfeto"][..], "no format (perfetto, chrome"),
        (&["--to", "2ms"], "--to must name one format"),
        (&["--to", "chrome", "--to", "otlp"], "--to must name one format"),
        (&["--to", "chrome", "--to", "1ms", "--to", "2ms"], "--to may name one moment"),
        (&["--to", "parquet"], "name it with --output"),
        (&["--to", "chrome", "--endpoint", "http://x"], "--endpoint goes with --to otlp"),
        (&["--to", "chrome", "--time", "on-cpu"], "--time goes with --to folded"),
    ] {
        let mut command = sample.command(&["export", "sample.scope"]);
        command.args(arguments);
        let (status, message) = fail(command);
        assert_eq!(status, Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_cannot_be_done_is_one_sentence() {
    let sample = Sample::new(&everything());
    let said = |arguments: &[&str]| {
        let mut command = sample.command(&["export", "sample.scope"]);
        command.args(arguments);
        let (status, message) = fail(command);
        assert_eq!(status, Some(1), "{message}");
        message
    };
    insta::assert_snapshot!(said(&["--to", "chrome", "--from", "3ms", "--to", "1ms"]), @r"
    scope: the export would end before it begins: --from is later than --to
    ");
    insta::assert_snapshot!(said(&["--to", "chrome", "--thread", "5"]), @r"
    scope: thread 5: not in sample.scope; scope report sample.scope lists its threads
    ");
    insta::assert_snapshot!(said(&["--to", "chrome", "--from", "3s"]), @r"
    scope: 3.000000000s is outside the trace, which goes from 0.000000000s to 0.010000000s
    ");
    insta::assert_snapshot!(said(&["--to", "chrome", "-o", "no/such/folder"]), @r"
    scope: cannot write no/such/folder: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(said(&["--to", "parquet", "-o", "sample.scope"]), @r"
    scope: cannot write into sample.scope: the folder is not empty; give the name of a new one
    ");
    insta::assert_snapshot!(said(&["--to", "otlp", "--endpoint", "https://x"]), @r"
    scope: https://x did not take the spans: only http:// addresses can be reached; a collector on this machine can forward to https
    ");
    insta::assert_snapshot!(said(&["--to", "flamegraph", "--time", "off-cpu", "--to", "150us"]), @r"
    scope: no call took any time off the CPU: there is nothing to draw
    ");
}

#[test]
fn a_failed_export_leaves_no_file() {
    let sample = Sample::new(&everything());
    let arguments = ["export", "sample.scope", "--to", "flamegraph", "--to", "50us", "-o", "x.svg"];
    fail(sample.command(&arguments));
    let folder = sample.path();
    let files = std::fs::read_dir(folder.parent().expect("a folder")).expect("it can be read");
    assert_eq!(files.count(), 1, "only the trace");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sample = Sample::new(&busy());
    let mut child = sample
        .command(&["export", "sample.scope", "--to", "chrome"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("scope runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_damaged_trace_is_told_and_leaves_no_file() {
    let sample = Sample::unfinished(&busy());
    let segment = sample.path().join("segments/00000000.seg");
    let mut bytes = std::fs::read(&segment).expect("a hot segment");
    // Past the headers of the file and of its first block.
    bytes[8_192] ^= 0xff;
    std::fs::write(&segment, bytes).expect("it can be written");
    for format in ["perfetto", "folded", "firefox", "parquet"] {
        let arguments = ["export", "sample.scope", "--to", format, "-o", format];
        let (status, message) = fail(sample.command(&arguments));
        assert_eq!(status, Some(1), "{message}");
        assert!(message.contains("scope verify"), "{message}");
        assert!(!sample.path().with_file_name(format).is_file());
    }
}
