//! The decoders on what fuzzers found and on changed bytes: a value or an error, never a panic.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use scope_store::fuzzing;

fn run(target: &str, bytes: &[u8]) {
    match target {
        "manifest" => fuzzing::manifest(bytes),
        "header" => fuzzing::header(bytes),
        "block" => fuzzing::block(bytes),
        "footer" => fuzzing::footer(bytes),
        _ => panic!("there is no fuzzer {target}"),
    }
}

#[test]
fn the_corpora() {
    let corpora = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut count = 0;
    for target in ["manifest", "header", "block", "footer"] {
        for file in fs::read_dir(corpora.join(target)).unwrap() {
            run(target, &fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count >= 8, "{count} inputs");
}

/// A change to bytes: overwrite, cut, insert.
fn change(bytes: &mut Vec<u8>, (what, at, value): (u8, usize, u8)) {
    let at = at % (bytes.len() + 1);
    match what % 6 {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, value),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at + 8 <= bytes.len() => bytes[at..at + 8].fill(0xff),
        _ if at < bytes.len() => bytes[at] = value,
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn changed_bytes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any::<(u8, usize, u8)>(), 1..4),
    ) {
        let seeds = fuzzing::seeds();
        let (target, bytes) = &seeds[which.index(seeds.len())];
        let mut bytes = bytes.clone();
        changes.into_iter().for_each(|what| change(&mut bytes, what));
        run(target, &bytes);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for target in ["manifest", "header", "block", "footer"] {
            run(target, &bytes);
        }
    }
}
