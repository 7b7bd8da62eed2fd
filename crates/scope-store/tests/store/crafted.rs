//! Files whose checksums are right but whose contents no writer writes.

use std::fs;
use std::path::{Path, PathBuf};

use scope_store::{Trace, verify};

use crate::support::{create, event_range, place, read};

const HEADER: usize = 64;
const BLOCK_HEADER: usize = 48;
const EVENT: usize = 40;
/// Events of each block, all of one segment.
const BATCH: u64 = 5;
const BLOCK: usize = BLOCK_HEADER + BATCH as usize * EVENT;

/// An unfinished trace of three blocks of one size; returns its segment.
fn sample(path: &Path) -> PathBuf {
    let mut writer = create(path, 4096);
    for batch in 0..3 {
        writer.append(&event_range(batch * BATCH..(batch + 1) * BATCH)).unwrap();
        writer.commit().unwrap();
    }
    std::mem::forget(writer);
    path.join("segments/00000000.seg")
}

fn put_crc(bytes: &mut [u8], of: std::ops::Range<usize>, at: usize) {
    let crc = crc32fast::hash(&bytes[of]);
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

fn put_mark(bytes: &mut [u8], mark: u32) {
    let mut input = [0; 8];
    input[4..].copy_from_slice(&mark.to_le_bytes());
    bytes[48..52].copy_from_slice(&mark.to_le_bytes());
    bytes[52..56].copy_from_slice(&crc32fast::hash(&input).to_le_bytes());
}

/// Changes the segment of a sample; says how many events can be read then, and the error.
fn crafted(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (_folder, path) = place();
    let segment = sample(&path);
    let mut bytes = fs::read(&segment).unwrap();
    change(&mut bytes);
    fs::write(&segment, bytes).unwrap();
    let verified = verify(&path);
    let (events, error) = match Trace::open(&path) {
        Ok(trace) => read(&trace),
        Err(error) => (Vec::new(), Some(error)),
    };
    assert_eq!(events, event_range(0..events.len() as u64));
    if let Ok(report) = verified {
        assert_eq!((report.events, report.is_sound()), (events.len() as u64, false));
    }
    let error = error.unwrap().to_string();
    format!("{} events, then {}", events.len(), error.rsplit('/').next().unwrap())
}

/// Changes the record of event 6, in the second block, and makes the block's checksums right.
fn crafted_event(change: impl FnOnce(&mut [u8])) -> String {
    crafted(|bytes| {
        let block = HEADER + BLOCK;
        let record = block + BLOCK_HEADER + EVENT;
        change(&mut bytes[record..record + EVENT]);
        put_crc(bytes, block + BLOCK_HEADER..block + BLOCK, block + 40);
        put_crc(bytes, block..block + 44, block + 44);
    })
}

/// Changes the header of the second block and makes its checksum right.
fn crafted_header(change: impl FnOnce(&mut [u8])) -> String {
    crafted(|bytes| {
        let block = HEADER + BLOCK;
        change(&mut bytes[block..block + BLOCK_HEADER]);
        put_crc(bytes, block..block + 44, block + 44);
    })
}

#[test]
fn an_event_of_an_unknown_kind() {
    let result = crafted_event(|record| record[16] = 13);
    insta::assert_snapshot!(result, @"6 events, then 00000000.seg is damaged at byte 400: an event is of an unknown kind");
}

#[test]
fn an_event_with_unknown_flags() {
    let result = crafted_event(|record| record[17] = 2);
    insta::assert_snapshot!(result, @"6 events, then 00000000.seg is damaged at byte 400: an event has unknown flags");
}

#[test]
fn a_call_that_ends_in_an_unknown_way() {
    let result = crafted_event(|record| (record[16], record[18]) = (2, 6));
    insta::assert_snapshot!(result, @"6 events, then 00000000.seg is damaged at byte 400: a call ends in an unknown way");
}

#[test]
fn an_event_with_bytes_that_its_kind_does_not_use() {
    let result = crafted_event(|record| (record[16], record[39]) = (3, 1));
    insta::assert_snapshot!(result, @"6 events, then 00000000.seg is damaged at byte 400: an event has bytes set that its kind does not use");
}

#[test]
fn a_block_in_the_place_of_another() {
    let result = crafted(|bytes| {
        bytes.copy_within(HEADER + 2 * BLOCK..HEADER + 3 * BLOCK, HEADER + BLOCK);
    });
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg is damaged at byte 312: a block is not the one that follows");
}

#[test]
fn a_block_of_too_many_events() {
    let result = crafted_header(|header| header[12..16].copy_from_slice(&4097_u32.to_le_bytes()));
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg is damaged at byte 312: a block has an impossible number of events");
}

#[test]
fn a_block_whose_length_is_not_that_of_its_events() {
    let result = crafted_header(|header| header[8..12].copy_from_slice(&u32::MAX.to_le_bytes()));
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg is damaged at byte 312: a block's length is not that of its events");
}

#[test]
fn a_block_longer_than_what_is_committed() {
    let result = crafted_header(|header| {
        header[8..12].copy_from_slice(&(4096 * EVENT as u32).to_le_bytes());
        header[12..16].copy_from_slice(&4096_u32.to_le_bytes());
    });
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg is damaged at byte 312: a block is cut by the committed mark");
}

#[test]
fn a_block_of_a_newer_layout() {
    let result = crafted_header(|header| header[4] = 3);
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg has format version 3, this scope reads up to 2; use a newer scope");
}

#[test]
fn a_block_of_an_unknown_encoding() {
    let result = crafted_header(|header| header[6] = 2);
    insta::assert_snapshot!(result, @"5 events, then 00000000.seg is damaged at byte 312: a block has an unknown encoding");
}

#[test]
fn a_mark_over_bytes_never_written() {
    let result = crafted(|bytes| put_mark(bytes, 4096));
    insta::assert_snapshot!(result, @"15 events, then 00000000.seg is damaged at byte 808: no block begins here");
}

#[test]
fn a_mark_within_a_block() {
    let result = crafted(|bytes| put_mark(bytes, (HEADER + 2 * BLOCK + 7) as u32));
    insta::assert_snapshot!(result, @"10 events, then 00000000.seg is damaged at byte 560: a block is cut by the committed mark");
}

#[test]
fn a_mark_within_the_header() {
    let result = crafted(|bytes| put_mark(bytes, 63));
    insta::assert_snapshot!(result, @"0 events, then 00000000.seg is damaged at byte 48: its mark is impossible");
}

#[test]
fn a_mark_beyond_the_file() {
    let result = crafted(|bytes| put_mark(bytes, u32::MAX));
    insta::assert_snapshot!(result, @"15 events, then 00000000.seg is damaged at byte 808: no block begins here");
}

#[test]
fn a_mark_moved_back_to_an_earlier_block() {
    let mark = (HEADER + BLOCK) as u32;
    let result = crafted(|bytes| bytes[48..52].copy_from_slice(&mark.to_le_bytes()));
    insta::assert_snapshot!(result, @"0 events, then 00000000.seg is damaged at byte 48: its checksum is 517f6510, expected 02e2e6e1");
}
