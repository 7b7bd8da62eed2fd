//! Entry points for fuzzers and for tests that replay their corpora: any bytes, never a panic.

use crate::code::{CodeTables, Function};
use crate::image::Image;

/// A file as a binary, as its own debug file, as its own split unit, and for probing.
pub fn binary(bytes: &[u8]) {
    let _ = Image::load("fuzzed", bytes, &mut |_| Some(bytes.to_vec().into()));
    for answers in [true, false] {
        let mut files = |_: &_| answers.then(|| bytes.to_vec().into());
        if let Ok(tables) = CodeTables::build("fuzzed", bytes, &mut files, &|_| {}) {
            exercise(&tables);
        }
    }
}

/// Bytes as tables. Their checksum is made right: behind it are the decoders.
pub fn tables(bytes: &[u8]) {
    let _ = CodeTables::open(bytes.to_vec().into());
    let mut stamped = bytes.to_vec();
    crate::code::stamp(&mut stamped);
    if let Ok(tables) = CodeTables::open(stamped.into()) {
        exercise(&tables);
    }
}

/// Bytes as Go's own table.
pub fn go_table(bytes: &[u8]) {
    crate::code::read_go_table(bytes);
}

/// Asks everything that can be asked.
pub fn exercise(tables: &CodeTables) {
    let functions: Vec<Function<'_>> = tables.functions().take(200).collect();
    for function in functions {
        let number = function.number;
        for range in tables.ranges_of(number).take(20) {
            for address in [range.start, range.end.wrapping_sub(1), range.end] {
                let _ = tables.function_at(address);
                let _ = tables.frames_at(address);
                let _ = tables.call_site(address);
            }
        }
        tables.lines_of(number).take(200).for_each(drop);
        for parameter in tables.parameters_of(number).take(50) {
            tables.locations_of(&parameter).take(50).for_each(drop);
            let _ = parameter.value_type.and_then(|value| tables.plain_type(value));
        }
        tables.arguments_of(number).take(50).for_each(drop);
        let _ = function.generic.and_then(|generic| tables.generic(generic));
        let _ = tables.path(&function.declared);
    }
    for copy in tables.inlined_copies().take(200) {
        tables.inlined_ranges(copy.number).take(20).for_each(drop);
    }
    for kind in tables.types().take(200) {
        let _ = tables.plain_type(kind.number);
        tables.members_of(kind.number).take(50).for_each(drop);
    }
    for file in tables.files().take(200) {
        let _ = file.directory();
    }
    for address in [0, 1, u64::MAX] {
        let _ = (tables.frames_at(address), tables.line_at(address));
    }
}
