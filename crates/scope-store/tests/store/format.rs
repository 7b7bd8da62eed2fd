//! The bytes of docs/format.md. A change here is a new format version.

use std::fmt::Write;
use std::fs;

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};

use crate::support::{create, finish, place};

#[test]
fn every_kind_of_event_has_the_documented_bytes() {
    let function = FunctionId(0x0a0b);
    let name = ThreadName::new("0123456789abcde");
    let kinds = [
        EventKind::Enter {
            function,
            return_address: 0x5555_0000_1234,
            stack_pointer: 0x7fff_0000_5678,
            inherited: true,
        },
        EventKind::Leave {
            function,
            end: CallEnd::Unobserved,
            return_value: u64::MAX - 1,
            crosses_gap: true,
        },
        EventKind::SwitchIn { cpu: 0x0102 },
        EventKind::SwitchOut { cpu: 3, state: 0x81 },
        EventKind::Waking { waker: Tid(9), waker_pid: Pid(8) },
        EventKind::ThreadStart { parent: Tid(6), name },
        EventKind::ThreadExit { code: 0x100, last: true },
        EventKind::Rename { name },
        EventKind::Exec { name },
        EventKind::SyscallEnter { number: 202 },
        EventKind::SyscallExit { number: 202, result: -11 },
        EventKind::Gap { until_ns: 0x99, entries: 1, exits: 2, others: 3 },
    ];
    let event = |(number, kind): (usize, EventKind)| Event {
        time_ns: 0x0100 + number as u64,
        pid: Pid(0x70),
        tid: Tid(0x71),
        kind,
    };
    let events: Vec<_> = kinds.into_iter().enumerate().map(event).collect();
    let (_folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&events).unwrap();
    finish(writer);
    let bytes = fs::read(path.join("segments/00000000.seg")).unwrap();
    insta::assert_snapshot!(hex(&bytes), @r#"
53434f5045534547 0200000000000000
0000000000000000 00002a36fe9c9717
0000000000000000 000000005dc71c71
50020000a504abad 0000000000000000
53424c4b01000000 e00100000c000000
0000000000000000 0001000000000000
0b01000000000000 4d939533c95222dc
0001000000000000 7100000070000000 010100000b0a0000 3412000055550000 78560000ff7f0000
0101000000000000 7100000070000000 020105000b0a0000 feffffffffffffff 0000000000000000
0201000000000000 7100000070000000 0300020100000000 0000000000000000 0000000000000000
0301000000000000 7100000070000000 0400030081000000 0000000000000000 0000000000000000
0401000000000000 7100000070000000 0500000009000000 0800000000000000 0000000000000000
0501000000000000 7100000070000000 0600000006000000 3031323334353637 3839616263646500
0601000000000000 7100000070000000 0701000000010000 0000000000000000 0000000000000000
0701000000000000 7100000070000000 0800000000000000 3031323334353637 3839616263646500
0801000000000000 7100000070000000 0900000000000000 3031323334353637 3839616263646500
0901000000000000 7100000070000000 0a000000ca000000 0000000000000000 0000000000000000
0a01000000000000 7100000070000000 0b000000ca000000 f5ffffffffffffff 0000000000000000
0b01000000000000 7100000070000000 0c00000001000000 9900000000000000 0200000003000000
"#);
}

/// Header and block header by words of eight bytes, then a line an event.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (heads, events) = bytes.split_at(64 + 48);
    for line in heads.chunks(16).chain(events.chunks(40)) {
        for word in line.chunks(8) {
            for byte in word {
                write!(text, "{byte:02x}").unwrap();
            }
            text.push(' ');
        }
        text.truncate(text.len() - 1);
        text.push('\n');
    }
    text
}

#[test]
fn documents_have_the_documented_shape() {
    let (_folder, path) = place();
    finish(create(&path, 4096));
    // Documents are one line; a line a field reads better.
    let read = |file| fs::read_to_string(path.join(file)).unwrap().replace(",\"", ",\n\"");
    insta::assert_snapshot!(read("manifest.json"), @r#"
{"format":"scope trace",
"version":2,
"checksum":"aff098d4",
"content":{"scope_version":"0.1.0",
"created_unix_ns":1700000000000000000,
"host":{"hostname":"host",
"kernel":"6.18.0",
"machine":"x86_64",
"cpus":2},
"target":{"pid":7,
"executable":"/bin/prog",
"command":["prog",
"naïve \"argument\""],
"started_by_scope":false},
"clock":{"monotonic_ns":1000,
"realtime_ns":1700000000000000000},
"start_ns":1000,
"end_ns":9000,
"state":"complete",
"end_reason":"the target ended",
"modules":[{"id":0,
"path":"/lib/0.so",
"build_id":"0123abcd"},{"id":1,
"path":"/lib/1.so",
"build_id":"0123abcd"}],
"segments":[{"id":0,
"first_event":0,
"closed":{"bytes":64,
"events":0,
"blocks":0,
"first_ns":0,
"last_ns":0},
"sealed":false}],
"dropped_events":0,
"recorder":{"orphan_exits":1,
"late_records":0,
"unattributed_losses":0,
"dropped_records":0,
"cut_off_events":0,
"kernel_missed":0,
"cpu_ns":0,
"return_probes":"",
"attach_mechanism":"",
"warnings":["a warning"]}}}
"#);
    insta::assert_snapshot!(read("code/left_out.json"), @r#"
{"format":"scope left out",
"version":2,
"checksum":"0c728294",
"content":[{"name":"tiny",
"symbol":"tiny",
"reason":"single-stepped and small"}]}
"#);
    insta::assert_snapshot!(read("code/functions.json").split_inclusive('}').next().unwrap(), @r#"
{"format":"scope functions",
"version":2,
"checksum":"b6fdf949",
"content":{"files":["/src/0.rs",
"/src/1.rs",
"/src/2.rs"],
"functions":[{"id":0,
"name":"module::function_0",
"symbol":"_ZN0E",
"module":0,
"address":4096,
"size":16,
"file":0,
"line":1,
"site":"nop5",
"inlined_copies":0}
"#);
}
