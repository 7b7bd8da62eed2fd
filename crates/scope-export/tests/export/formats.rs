//! Every format of random traces: well formed, and true to the pass over the events.

use std::collections::BTreeMap;
use std::env::temp_dir;

use proptest::prelude::*;
use scope_export::folded::{self, Time};
use scope_export::{Summary, Window, chrome, firefox, otlp, perfetto, speedscope};
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};
use scope_timeline::{ProfileOptions, Timeline, profile};
use serde_json::Value;

use crate::generate::events;
use crate::store::{FUNCTIONS, Form, forms, store};

/// Self time of each function by name, ns, if nothing was lost: then it must be the report's.
type SelfTimes = BTreeMap<String, u64>;

/// Nonsense lasts for centuries.
fn add(times: &mut SelfTimes, name: String, ns: u64) {
    let time = times.entry(name).or_default();
    *time = time.saturating_add(ns);
}

fn reported(timeline: &Timeline<'_>) -> (SelfTimes, u64) {
    let report = profile(timeline.trace(), ProfileOptions::default()).unwrap();
    let times = report.functions.iter().filter(|function| function.self_ns > 0);
    let times = times.map(|f| (FUNCTIONS[f.id.index()].0.to_owned(), f.self_ns)).collect();
    (times, report.lost_events)
}

/// What is open where the trace ends has a name of its own in speedscope.
fn plain(name: &str) -> String {
    name.trim_end_matches(" (open at the end)").to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_speedscope(text: &[u8]) -> (u64, SelfTimes) {
    let file: Value = serde_json::from_slice(text).unwrap();
    let frames = list(&file["shared"]["frames"]);
    let name = |frame: usize| plain(frames[frame]["name"].as_str().unwrap());
    let (mut calls, mut times) = (0, SelfTimes::new());
    for profile in list(&file["profiles"]) {
        let mut stack: Vec<usize> = Vec::new();
        let mut now = profile["startValue"].as_i64().unwrap();
        for event in list(&profile["events"]) {
            let at = event["at"].as_i64().unwrap();
            assert!(at >= now, "time runs backward");
            if let Some(top) = stack.last().filter(|_| at > now) {
                add(&mut times, name(*top), at.saturating_sub(now) as u64);
            }
            now = at;
            let frame = event["frame"].as_u64().unwrap() as usize;
            if event["type"] == "O" {
                calls += u64::from(name(frame) != "(events lost)");
                stack.push(frame);
            } else {
                assert_eq!(stack.pop(), Some(frame), "the innermost frame closes");
            }
        }
        assert!(stack.is_empty() && now <= profile["endValue"].as_i64().unwrap());
    }
    (calls, times)
}

fn check_chrome(text: &[u8]) -> (u64, u64) {
    let file: Value = serde_json::from_slice(text).unwrap();
    let (mut begun, mut open): (u64, BTreeMap<u64, i64>) = (0, BTreeMap::new());
    let mut beside: BTreeMap<String, i64> = BTreeMap::new();
    for event in list(&file["traceEvents"]) {
        let depth = open.entry(event["tid"].as_u64().unwrap()).or_default();
        match event["ph"].as_str().unwrap() {
            "B" => {
                begun += 1;
                *depth += 1;
            }
            "E" => {
                *depth -= 1;
                assert!(*depth >= 0, "an end without a begin");
            }
            phase @ ("b" | "e") => {
                let id = event["id"].as_str().unwrap().to_owned();
                *beside.entry(id).or_default() += if phase == "b" { 1 } else { -1 };
            }
            _ => {}
        }
    }
    assert!(beside.values().all(|open| *open == 0));
    (begun, open.values().sum::<i64>() as u64)
}

fn check_firefox(text: &[u8]) -> SelfTimes {
    let file: Value = serde_json::from_slice(text).unwrap();
    let shared = &file["shared"];
    let index = |value: &Value| value.as_u64().unwrap() as usize;
    for (table, column) in [
        ("stackTable", "frame"),
        ("frameTable", "func"),
        ("funcTable", "name"),
        ("resourceTable", "name"),
        ("sources", "filename"),
    ] {
        for (name, values) in shared[table].as_object().unwrap() {
            if name != "length" {
                assert_eq!(list(values).len(), index(&shared[table]["length"]), "{table}.{name}");
            }
        }
        assert!(shared[table][column].is_array());
    }
    let function = |stack: usize| {
        let frame = index(&shared["stackTable"]["frame"][stack]);
        let function = index(&shared["frameTable"]["func"][frame]);
        let name = index(&shared["funcTable"]["name"][function]);
        shared["stringArray"][name].as_str().unwrap().to_owned()
    };
    for (stack, offset) in list(&shared["stackTable"]["prefixOffset"]).iter().enumerate() {
        assert!(index(offset) <= stack, "a stack is above one that comes later");
    }
    let mut times = SelfTimes::new();
    for thread in list(&file["threads"]) {
        let samples = &thread["samples"];
        for column in ["stack", "time", "weight", "threadCPUDelta"] {
            assert_eq!(list(&samples[column]).len(), index(&samples["length"]));
        }
        for column in ["data", "name", "startTime", "endTime", "phase", "category"] {
            let markers = &thread["markers"];
            assert_eq!(list(&markers[column]).len(), index(&markers["length"]));
        }
        let mut now = f64::MIN;
        for ((stack, time), weight) in
            list(&samples["stack"]).iter().zip(list(&samples["time"])).zip(list(&samples["weight"]))
        {
            let time = time.as_f64().unwrap();
            assert!(time >= now, "time runs backward");
            now = time;
            let ns = (weight.as_f64().unwrap() * 1e6).round() as u64;
            if let Some(stack) = stack.as_u64().filter(|_| ns > 0) {
                add(&mut times, function(stack as usize), ns);
            }
        }
    }
    times
}

fn check_otlp(text: &[u8]) -> (u64, u64, SelfTimes) {
    let (mut calls, mut open, mut times) = (0, 0, SelfTimes::new());
    let mut parents = Vec::new();
    let mut ids = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let batch: Value = serde_json::from_slice(line).unwrap();
        for span in list(&batch["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
            let attribute = |key: &str| {
                let mut all = list(&span["attributes"]).iter();
                all.find(|attribute| attribute["key"] == key).map(|found| &found["value"])
            };
            assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
            let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
            assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
            let id = span["spanId"].as_str().unwrap().to_owned();
            assert!(ids.insert(id, span["traceId"].clone()).is_none(), "two spans with one id");
            if let Some(parent) = span.get("parentSpanId") {
                parents.push((parent.as_str().unwrap().to_owned(), span["traceId"].clone()));
            }
            if attribute("scope.call").is_some() {
                calls += 1;
                let end = attribute("scope.end").and_then(|end| end["stringValue"].as_str());
                open += u64::from(end == Some("open"));
            }
            if let Some(own) = attribute("scope.self_ns") {
                let ns: u64 = own["intValue"].as_str().unwrap().parse().unwrap();
                if ns > 0 {
                    add(&mut times, span["name"].as_str().unwrap().to_owned(), ns);
                }
            }
        }
    }
    for (parent, trace) in parents {
        assert_eq!(ids.get(&parent), Some(&trace), "a parent in the same trace");
    }
    (calls, open, times)
}

/// The fields of a protobuf message: number, and value or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (value, length) = match tag & 7 {
            0 => (varint(&mut bytes), 0),
            1 => (0, 8),
            2 => (0, varint(&mut bytes) as usize),
            wire => panic!("no wire type of these messages: {wire}"),
        };
        let (inside, rest) = bytes.split_at(length);
        fields.push((tag >> 3, value, inside));
        bytes = rest;
    }
    fields
}

/// Slices of calls that begin, and those that do not end.
fn check_perfetto(bytes: &[u8]) -> (u64, u64) {
    let (mut begun, mut open) = (0, BTreeMap::new());
    for (_, _, packet) in fields(bytes) {
        for (_, _, event) in fields(packet).into_iter().filter(|(field, _, _)| *field == 11) {
            let event = fields(event);
            let value = |number: u64| {
                event.iter().find(|(field, _, _)| *field == number).map(|(_, value, _)| *value)
            };
            let depth: &mut i64 = open.entry(value(11)).or_default();
            match value(9) {
                Some(1) => {
                    *depth += 1;
                    begun += u64::from(value(3) == Some(1));
                }
                Some(2) => *depth -= 1,
                _ => {}
            }
            assert!(*depth >= 0, "an end without a begin");
        }
    }
    (begun, open.values().sum::<i64>() as u64)
}

#[cfg(feature = "parquet")]
fn check_parquet(folder: &std::path::Path) -> u64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let parts = std::fs::read_dir(folder.join("calls")).unwrap();
    let rows = |path| {
        let file = std::fs::File::open(path).unwrap();
        SerializedFileReader::new(file).unwrap().metadata().file_metadata().num_rows() as u64
    };
    parts.map(|part| rows(part.unwrap().path())).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn formats_are_well_formed_and_true(
        events in events(),
        form in forms(),
        cut in prop::option::of((0..=60_u64, 40..=100_u64)),
    ) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let mut window = Window::whole(&timeline).unwrap();
        if let Some((from, to)) = cut.filter(|(from, to)| from <= to) {
            let (first, length) = (window.from.event, window.events());
            window.from.event = first + length * from / 100;
            window.to.event = first + length * to / 100;
            window.from.time_ns = timeline.time_of(window.from.event).unwrap();
            window.to.time_ns = timeline.time_of(window.to.event).unwrap();
        }
        let none = &mut |_| {};
        let mut text = Vec::new();
        let summary = speedscope::speedscope(&timeline, &window, &temp_dir(), none, &mut text).unwrap();
        let (calls, from_speedscope) = check_speedscope(&text);
        prop_assert_eq!(calls, summary.calls);

        let same = |other: Summary| assert_eq!(other, summary);
        let mut text = Vec::new();
        same(chrome::chrome(&timeline, &window, none, &mut text).unwrap());
        prop_assert_eq!(check_chrome(&text), (summary.calls, summary.open_calls));

        let mut text = Vec::new();
        same(firefox::firefox(&timeline, &window, &temp_dir(), none, &mut text).unwrap());
        let from_firefox = check_firefox(&text);

        let mut spans = Vec::new();
        same(otlp::otlp_file(&timeline, &window, none, &mut spans).unwrap());
        let (calls, open, from_otlp) = check_otlp(&spans);
        prop_assert_eq!((calls, open), (summary.calls, summary.open_calls));

        let mut bytes = Vec::new();
        same(perfetto::perfetto(&timeline, &window, none, &mut bytes).unwrap());
        prop_assert_eq!(check_perfetto(&bytes), (summary.calls, summary.open_calls));

        #[cfg(feature = "parquet")]
        {
            let folder = tempfile::tempdir().unwrap();
            let to = folder.path();
            same(scope_export::parquet::parquet(&timeline, &window, to, none).unwrap());
            prop_assert_eq!(check_parquet(to), summary.calls);
        }

        let (reported, lost) = reported(&timeline);
        prop_assert_eq!(&from_speedscope, &from_firefox);
        if lost == 0 && cut.is_none() {
            prop_assert_eq!(&from_speedscope, &reported);
            // A flight recording may have dropped the gap that a call crosses.
            if !String::from_utf8_lossy(&spans).contains("scope.crosses_gap") {
                prop_assert_eq!(&from_otlp, &reported);
            }
        }
    }
}

/// Events that no recorder writes.
fn nonsense() -> impl Strategy<Value = Vec<Event>> {
    let time = prop_oneof![8 => 900..3_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    let function = prop_oneof![9 => 0..6_u32, 1 => any::<u32>()].prop_map(FunctionId);
    let name = Just(ThreadName([0xff; 16]));
    let end = (0..6_u8).prop_map(|end| CallEnd::from_number(end).unwrap());
    let enter = (function.clone(), any::<bool>()).prop_map(|(function, inherited)| {
        EventKind::Enter { function, return_address: u64::MAX, stack_pointer: 0, inherited }
    });
    let leave = (function, end, any::<bool>()).prop_map(|(function, end, crosses_gap)| {
        EventKind::Leave { function, end, return_value: u64::MAX, crosses_gap }
    });
    let gap = (time.clone(), any::<[u32; 3]>()).prop_map(|(until_ns, [entries, exits, others])| {
        EventKind::Gap { until_ns, entries, exits, others }
    });
    let kind = prop_oneof![
        6 => enter,
        6 => leave,
        1 => gap,
        2 => any::<u16>().prop_map(|cpu| EventKind::SwitchIn { cpu }),
        2 => (any::<u16>(), any::<u32>())
            .prop_map(|(cpu, state)| EventKind::SwitchOut { cpu, state }),
        2 => (0..4_u32).prop_map(|tid| EventKind::Waking { waker: Tid(tid), waker_pid: Pid(0) }),
        1 => (0..4_u32, name)
            .prop_map(|(tid, name)| EventKind::ThreadStart { parent: Tid(tid), name }),
        1 => (any::<u32>(), any::<bool>())
            .prop_map(|(code, last)| EventKind::ThreadExit { code, last }),
        1 => name.prop_map(|name| EventKind::Exec { name }),
        1 => any::<u32>().prop_map(|number| EventKind::SyscallEnter { number }),
        1 => (any::<u32>(), any::<i64>())
            .prop_map(|(number, result)| EventKind::SyscallExit { number, result }),
    ];
    let event = (time, 0..3_u32, 0..4_u32, kind).prop_map(|(time_ns, pid, tid, kind)| Event {
        time_ns,
        pid: Pid(pid),
        tid: Tid(tid),
        kind,
    });
    prop::collection::vec(event, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nonsense_is_exported_as_what_it_says(events in nonsense()) {
        let stored = store(&events, Form::Hot);
        let timeline = Timeline::new(&stored.trace);
        let window = Window::whole(&timeline).unwrap();
        let (none, folder) = (&mut |_| {}, temp_dir());
        let mut text = Vec::new();
        let summary = chrome::chrome(&timeline, &window, none, &mut text).unwrap();
        prop_assert_eq!(check_chrome(&text).0, summary.calls);
        let mut text = Vec::new();
        speedscope::speedscope(&timeline, &window, &folder, none, &mut text).unwrap();
        prop_assert_eq!(check_speedscope(&text).0, summary.calls);
        let mut text = Vec::new();
        firefox::firefox(&timeline, &window, &folder, none, &mut text).unwrap();
        check_firefox(&text);
        let mut text = Vec::new();
        otlp::otlp_file(&timeline, &window, none, &mut text).unwrap();
        prop_assert_eq!(check_otlp(&text).0, summary.calls);
        let mut bytes = Vec::new();
        perfetto::perfetto(&timeline, &window, none, &mut bytes).unwrap();
        prop_assert_eq!(check_perfetto(&bytes).0, summary.calls);
        folded::folded(&timeline, &window, Time::Wall, none, &mut Vec::new()).unwrap();
        #[cfg(feature = "parquet")]
        {
            let folder = tempfile::tempdir().unwrap();
            scope_export::parquet::parquet(&timeline, &window, folder.path(), none).unwrap();
        }
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_goes_into_an_empty_folder_only() {
    let stored = store(&[], Form::Hot);
    let timeline = Timeline::new(&stored.trace);
    let window = Window::whole(&timeline).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("tables");
    scope_export::parquet::parquet(&timeline, &window, &to, &mut |_| {}).unwrap();
    for table in ["calls", "slices", "syscalls", "wakeups", "gaps", "threads", "functions"] {
        assert!(to.join(table).join("part-00000.parquet").is_file(), "{table}");
    }
    let again = scope_export::parquet::parquet(&timeline, &window, &to, &mut |_| {});
    assert!(again.unwrap_err().to_string().contains("the folder is not empty"));
}

#[test]
fn a_thread_that_is_woken_is_linked_to_its_waker() {
    let event = |time_ns, tid, kind| Event { time_ns, pid: Pid(1), tid: Tid(tid), kind };
    let enter = |function| EventKind::Enter {
        function: FunctionId(function),
        return_address: 1,
        stack_pointer: 8,
        inherited: false,
    };
    let events = [
        event(1_000, 1, enter(2)),
        event(1_010, 1, EventKind::SwitchOut { cpu: 0, state: 1 }),
        event(1_020, 2, enter(3)),
        event(1_030, 1, EventKind::Waking { waker: Tid(2), waker_pid: Pid(1) }),
    ];
    let stored = store(&events, Form::Hot);
    let timeline = Timeline::new(&stored.trace);
    let window = Window::whole(&timeline).unwrap();
    let mut text = Vec::new();
    chrome::chrome(&timeline, &window, &mut |_| {}, &mut text).unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let flows: Vec<_> = list(&file["traceEvents"])
        .iter()
        .filter(|event| event["cat"] == "wake-up")
        .map(|event| (event["ph"].as_str().unwrap(), event["tid"].as_u64().unwrap()))
        .collect();
    assert_eq!(flows, [("s", 2), ("f", 1)]);
    let mut text = Vec::new();
    otlp::otlp_file(&timeline, &window, &mut |_| {}, &mut text).unwrap();
    let batch: Value = serde_json::from_slice(&text).unwrap();
    let spans = list(&batch["resourceSpans"][0]["scopeSpans"][0]["spans"]);
    let of = |call: &str| spans.iter().find(|span| span["spanId"] == call).unwrap();
    assert_eq!(of("0000000000000001")["links"][0]["spanId"], "0000000000000003");
    assert_eq!(of("0000000000000003").get("links"), None);
}
