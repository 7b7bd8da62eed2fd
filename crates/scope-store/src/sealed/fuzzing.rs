//! The decoders of sealed segments, for fuzzers and for tests that change bytes; see
//! [`crate::fuzzing`].

use std::sync::{Arc, OnceLock};

use scope_model::{Event, State, Tid};

use super::block::{BlockEncoder, Columns};
use super::bytes::Reader;
use super::checkpoint::{self, CheckpointEncoder};
use super::dictionary::{Dictionary, DictionaryBuilder};
use super::file::{Index, Section, Trailer, decode_header};
use super::sets::{Sets, SetsBuilder};
use super::stacks::Stacks;
use crate::durations::Durations;
use crate::pyramid::{decode_level, encode_level};
use crate::summary::{Summary, decode_gaps, encode_gaps};

fn dictionary(events: &[Event]) -> Dictionary {
    let mut builder = DictionaryBuilder::new(&State::new());
    events.iter().for_each(|event| builder.push(event));
    builder.finish()
}

fn summary(events: &[Event]) -> Summary {
    let mut summary = Summary::new(State::new());
    (0..).zip(events).for_each(|(number, event)| summary.push(number, event));
    summary
}

pub(crate) fn frames(bytes: &[u8]) {
    if let Some(head) = bytes.first_chunk() {
        let _ = decode_header(head);
    }
    if let Some(tail) = bytes.first_chunk() {
        let _ = Trailer::decode(tail);
    }
    let (entries, _) = bytes.as_chunks();
    for entry in entries {
        let _ = Section::decode(entry);
    }
}

/// Made once: a fuzzer runs many times a second.
fn known(events: &[Event]) -> &'static (Dictionary, Arc<State>) {
    static KNOWN: OnceLock<(Dictionary, Arc<State>)> = OnceLock::new();
    KNOWN.get_or_init(|| (dictionary(events), Arc::new(summary(&events[..events.len() / 2]).state)))
}

pub(crate) fn block(bytes: &[u8], events: &[Event]) {
    let (dictionary, state) = known(events);
    let mut values = dictionary.values();
    let count = bytes.first().map_or(1, |first| u32::from(*first) * 16 + 1);
    for count in [events.len() as u32, count] {
        let mut columns = Columns::default();
        if columns.read(bytes, (count, 1_000), dictionary).is_err() {
            continue;
        }
        let _ = columns.events(dictionary, &mut values, &mut Stacks::of(state));
        let _ = columns.replay(
            count as usize / 2,
            &mut State::clone(state),
            dictionary,
            |_| true,
            |_| {},
        );
        for thread in state.threads() {
            let _ = columns.events_of(thread.tid, Some(thread), dictionary, &mut values);
        }
    }
}

pub(crate) fn sections(bytes: &[u8], events: &[Event]) {
    let Some((kind, content)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => drop(Index::decode(content, 5, 1 << 20)),
        1 => {
            if let Ok(dictionary) = Dictionary::decode(content) {
                drop(dictionary.values());
            }
        }
        2 => {
            let ((dictionary, _), mut state) = (known(events), State::new());
            let mut reader = Reader::new(content);
            while reader.left() > 0
                && checkpoint::decode(&mut state, &mut reader, dictionary).is_ok()
            {}
            let mut reader = Reader::new(content);
            while reader.left() > 0
                && checkpoint::decode_one(&mut state, &mut reader, dictionary, Tid(1)).is_ok()
            {
            }
        }
        3 | 4 => {
            if let Ok(sets) = Sets::decode(content) {
                for key in 0..10 {
                    let _ = sets.blocks(key, 100, &mut Vec::new());
                }
            }
        }
        5 => drop(Durations::decode(content)),
        6 => drop(decode_gaps(content)),
        _ => {
            if let Ok(level) = decode_level(content) {
                use crate::pyramid::{Painter, Span};
                let range = Span { start_ns: 100, end_ns: u64::MAX - 5 };
                let mut painter = Painter::new(range, 9);
                level.threads.iter().for_each(|thread| painter.thread(&level, thread, range));
                drop(painter.finish(Tid(1)));
            }
        }
    }
}

pub(crate) fn seeds(events: &[Event]) -> Vec<(&'static str, Vec<u8>)> {
    let dictionary = dictionary(events);
    let half = events.len() / 2;
    let (middle, end) = (summary(&events[..half]), summary(events));
    let mut blocks = BlockEncoder::new(&dictionary, &State::new());
    let mut seeds = Vec::new();
    for (part, state) in [(&events[..half], &State::new()), (&events[half..], &middle.state)] {
        let mut payload = Vec::new();
        blocks.encode(part, 1_000, state, &mut payload);
        seeds.push(("block", payload));
    }
    let mut footer = |kind: u8, encode: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = vec![kind];
        encode(&mut bytes);
        seeds.push(("footer", bytes));
    };
    let mut index = Index::default();
    index.blocks.push(super::file::BlockEntry {
        info: crate::BlockInfo { first_event: 5, events: 9, first_ns: 3, last_ns: 8 },
        offset: 64,
        bytes: 200,
        latest_ns: 8,
    });
    index.groups.push(super::file::GroupEntry { first_block: 0, offset: 264, length: 9, crc: 1 });
    footer(0, &|out| index.encode(out));
    footer(1, &|out| dictionary.encode(out));
    let encoder = CheckpointEncoder::new(&dictionary);
    footer(2, &|out| {
        encoder.encode(&State::new(), &middle.state, out);
        encoder.encode(&middle.state, &end.state, out);
    });
    let mut sets = SetsBuilder::default();
    (0..20).for_each(|number| sets.add(number % 3, number));
    footer(3, &|out| sets.encode(out));
    footer(5, &|out| end.durations.encode(out));
    footer(6, &|out| encode_gaps(&end.gaps, out));
    let levels = end.pyramid.finish(end.state.latest_ns());
    footer(7, &|out| levels.iter().take(1).for_each(|level| encode_level(level, out)));
    seeds
}
