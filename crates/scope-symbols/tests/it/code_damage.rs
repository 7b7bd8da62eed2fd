//! What fuzzers found, and changed bytes: tables or an error, never a panic.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use scope_symbols::code::CodeTables;
use scope_symbols::fuzzing;

use crate::build::Build;
use crate::code::{CPP, tables};

const TARGETS: [&str; 3] = ["binary", "tables", "go_table"];

fn run(target: &str, bytes: &[u8]) {
    match target {
        "binary" => fuzzing::binary(bytes),
        "tables" => fuzzing::tables(bytes),
        "go_table" => fuzzing::go_table(bytes),
        _ => panic!("there is no fuzzer {target}"),
    }
}

static CORPUS: LazyLock<Vec<(&str, Vec<u8>)>> = LazyLock::new(|| {
    let corpora = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let inputs = TARGETS.iter().flat_map(|target| {
        let files = fs::read_dir(corpora.join(target)).unwrap();
        files.map(|file| (*target, fs::read(file.unwrap().path()).unwrap()))
    });
    inputs.collect()
});

/// A real program: split parts, templates, several units.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let build = Build::made("main.cpp", CPP, "g++ -g -O2 main.cpp -o program");
    fs::read(build.path("program")).unwrap()
});

static TABLES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let build = Build::made("main.cpp", CPP, "g++ -g -O2 main.cpp -o program");
    tables(&build.path("program")).as_bytes().to_vec()
});

#[test]
fn the_corpora() {
    assert!(CORPUS.len() >= 12, "{} inputs", CORPUS.len());
    for (target, bytes) in &*CORPUS {
        run(target, bytes);
    }
}

#[test]
fn the_seeds_are_read_when_whole() {
    for (_, bytes) in
        CORPUS.iter().filter(|(target, bytes)| *target == "binary" && bytes.len() > 3000)
    {
        let Ok(tables) = CodeTables::build("seed", bytes, &mut |_| None, &|_| {}) else { continue };
        fuzzing::exercise(&tables);
    }
    assert!(CodeTables::build("program", &PROGRAM, &mut |_| None, &|_| {}).is_ok());
}

#[test]
fn a_line_table_that_all_units_share_is_read_once() {
    // Type units refer to the line table of the unit beside them.
    let build =
        Build::made("main.cpp", CPP, "g++ -g -O2 -fdebug-types-section main.cpp -o program");
    let tables = tables(&build.path("program"));
    let work = crate::code::named(&tables, "work");
    let lines: Vec<_> = tables.lines_of(work.number).collect();
    assert!(lines.is_sorted_by(|a, b| a.end <= b.address), "{lines:?}");
}

/// A change to bytes: overwrite, cut, insert.
fn change(bytes: &mut Vec<u8>, (what, at, value): (u8, usize, u8)) {
    let at = at % (bytes.len() + 1);
    match what % 8 {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, value),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at + 4 <= bytes.len() => bytes[at..at + 4].fill(0xff),
        _ if at < bytes.len() => bytes[at] = value,
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn changed_inputs(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any::<(u8, usize, u8)>(), 1..12),
    ) {
        let (target, bytes) = &CORPUS[which.index(CORPUS.len())];
        let mut bytes = bytes.clone();
        changes.into_iter().for_each(|what| change(&mut bytes, what));
        run(target, &bytes);
    }

    #[test]
    fn changed_tables(changes in prop::collection::vec(any::<(u8, usize, u8)>(), 1..30)) {
        let mut bytes = TABLES.clone();
        changes.into_iter().for_each(|what| change(&mut bytes, what));
        fuzzing::tables(&bytes);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        TARGETS.iter().for_each(|target| run(target, &bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Most bytes of a program are code; these are in its debug information.
    #[test]
    fn changed_debug_information(
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..30),
    ) {
        let mut bytes = PROGRAM.clone();
        let start = bytes.len() / 3;
        let room = bytes.len() - start;
        for (at, value) in changes {
            let at = start + (room as f64 * at) as usize;
            bytes[at] = value;
        }
        fuzzing::binary(&bytes);
    }
}
