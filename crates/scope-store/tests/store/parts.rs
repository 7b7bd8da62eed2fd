//! Parts of a trace besides its events.

use std::fs;
use std::os::unix::fs::FileExt;

use scope_store::{StoreError, Trace, pack, verify, write_part};

use crate::support::{create, event_range, finish, place};

#[test]
fn parts_come_back_from_a_folder_and_from_a_packed_trace() {
    let (folder, path) = place();
    let mut writer = create(&path, 4096);
    writer.append(&event_range(0..100)).unwrap();
    // While it is recorded.
    write_part(&path, "tables-0", &[7; 100_000]).unwrap();
    write_part(&path, "empty", &[]).unwrap();
    write_part(&path, "tables-0", b"another").unwrap();
    finish(writer);
    let packed = folder.path().join("one.scope");
    pack(&path, &packed).unwrap();
    for path in [path, packed] {
        let trace = Trace::open(&path).unwrap();
        assert_eq!(trace.parts().names().unwrap(), ["empty", "tables-0"]);
        assert_eq!(trace.parts().read("tables-0").unwrap().as_deref(), Some(&b"another"[..]));
        assert_eq!(trace.parts().read("empty").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(trace.parts().read("none").unwrap(), None);
        assert_eq!(trace.parts().read("../manifest").unwrap(), None);
        assert!(verify(&path).unwrap().is_sound());
    }
}

#[test]
fn a_part_is_named_by_letters_digits_and_dashes() {
    let (_folder, path) = place();
    finish(create(&path, 4096));
    for name in ["", "a/b", "..", "A", "a.b"] {
        assert!(matches!(write_part(&path, name, b"x"), Err(StoreError::Io { .. })), "{name}");
    }
}

#[test]
fn damage_anywhere_to_a_part_is_found() {
    let (_folder, path) = place();
    finish(create(&path, 4096));
    let content: Vec<u8> = (0..3_000_u32).map(|number| ((number * number) >> 5) as u8).collect();
    write_part(&path, "sources", &content).unwrap();
    let file = path.join("code/sources.part");
    let intact = fs::read(&file).unwrap();
    let damaged = fs::OpenOptions::new().write(true).open(&file).unwrap();
    let check = |what: String| {
        let trace = Trace::open(&path).unwrap();
        assert!(trace.parts().read("sources").is_err(), "{what} is not found");
        assert!(!verify(&path).unwrap().is_sound(), "{what} is not found");
    };
    for at in 0..intact.len() {
        damaged.write_all_at(&[intact[at] ^ 1 << (at % 8)], at as u64).unwrap();
        check(format!("a flipped bit of byte {at}"));
        damaged.write_all_at(&intact[at..=at], at as u64).unwrap();
    }
    for length in (0..intact.len()).rev().step_by(11) {
        damaged.set_len(length as u64).unwrap();
        check(format!("a cut at {length}"));
    }
}
