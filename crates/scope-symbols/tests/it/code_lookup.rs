//! Look-ups agree with other readers of DWARF, byte by byte.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::build::Build;
use crate::code::{CPP, addresses, ask, describe, has, tables};

const RUST: &str = r"
#[inline(never)]
fn total(values: &[u64]) -> u64 {
    values.iter().map(|value| value * 3).filter(|value| value % 2 == 0).sum()
}
fn main() {
    let values: Vec<u64> = std::env::args().map(|text| text.len() as u64).collect();
    println!('{}', total(&values));
}
";

/// Marks of clones, which one reader appends to names and others do not.
fn plain(symbol: &str) -> &str {
    let marks = [".constprop.", ".isra.", ".part.", ".cold", ".llvm.", ".lto_priv."];
    marks.iter().filter_map(|mark| symbol.find(mark)).min().map_or(symbol, |at| &symbol[..at])
}

/// Frames as `llvm-symbolizer` sees them, the innermost first.
fn llvm(binary: &Path, addresses: &[u64]) -> HashMap<u64, Vec<String>> {
    let mut command = Command::new("llvm-symbolizer");
    command
        .arg(format!("--obj={}", binary.display()))
        .args(["--output-style=JSON", "--no-demangle"]);
    let text = ask(&mut command, addresses);
    let answers = text.lines().map(|line| {
        let answer: serde_json::Value = serde_json::from_str(line).unwrap();
        let address = answer["Address"].as_str().unwrap().trim_start_matches("0x");
        let frames = answer["Symbol"].as_array().unwrap().iter().map(|frame| {
            let name = plain(frame["FunctionName"].as_str().unwrap());
            let file = without_dots(frame["FileName"].as_str().unwrap());
            format!("{name} {file}:{}:{}", frame["Line"], frame["Column"])
        });
        (u64::from_str_radix(address, 16).unwrap(), frames.collect())
    });
    answers.collect()
}

/// A path without `..`, by its text.
fn without_dots(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            ".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    names.join("/")
}

/// Frames as `addr2line` sees them, without columns.
fn binutils(binary: &Path, addresses: &[u64]) -> HashMap<u64, Vec<String>> {
    let text = ask(Command::new("addr2line").arg("-afie").arg(binary), addresses);
    let mut answers: HashMap<u64, Vec<String>> = HashMap::new();
    let (mut address, mut name) = (0, None);
    for line in text.lines() {
        if let Some(digits) = line.strip_prefix("0x") {
            address = u64::from_str_radix(digits, 16).unwrap();
        } else if let Some(name) = name.take() {
            let place = line.split(" (").next().unwrap().replace(":?", ":0");
            answers.entry(address).or_default().push(format!("{} {place}", plain(name)));
        } else {
            name = Some(line);
        }
    }
    answers
}

/// Compares all of a program's code; says how much of it differs.
fn differing(
    binary: &Path,
    with_columns: bool,
    theirs: impl Fn(&Path, &[u64]) -> HashMap<u64, Vec<String>>,
) -> (usize, usize, Vec<String>) {
    let tables = tables(binary);
    // Of much code a part will do.
    let all = addresses(&tables);
    let step = all.len() / 20_000 + 1;
    let wanted: Vec<u64> = all.into_iter().step_by(step).collect();
    let answers = theirs(binary, &wanted);
    let mut different = Vec::new();
    for address in &wanted {
        let mut ours = describe(&tables, *address);
        for frame in &mut ours {
            let (symbol, place) = frame.split_once(' ').unwrap();
            let place = match with_columns {
                true => place,
                false => place.rsplit_once(':').unwrap().0,
            };
            *frame = format!("{} {place}", plain(symbol));
        }
        if ours != answers[address] {
            different.push(format!("{address:#x}: {ours:?}\n{:?}", answers[address]));
        }
    }
    (different.len(), wanted.len(), different)
}

#[test]
fn llvm_symbolizer_agrees() {
    if !has("code_lookup::llvm_symbolizer_agrees", "llvm-symbolizer") {
        return;
    }
    for (file, source, commands) in [
        ("main.cpp", CPP, "g++ -g -O2 -gdwarf-4 main.cpp -o program"),
        ("main.cpp", CPP, "g++ -g -O2 -gdwarf-5 main.cpp -o program"),
        ("main.cpp", CPP, "g++ -g -O2 -flto main.cpp -o program"),
        ("main.cpp", CPP, "g++ -g1 -O2 main.cpp -o program"),
        ("main.cpp", CPP, "g++ -g -O2 -gdwarf-5 -fdebug-types-section main.cpp -o program"),
    ] {
        let build = Build::made(file, source, commands);
        let (different, all, examples) = differing(&build.path("program"), true, llvm);
        assert!(all > 300, "{commands}: {all}");
        assert_eq!(different, 0, "{commands}: {all}: {}", examples[0]);
    }
}

#[test]
fn llvm_symbolizer_agrees_on_what_clang_makes() {
    let test = "code_lookup::llvm_symbolizer_agrees_on_what_clang_makes";
    if !has(test, "llvm-symbolizer") || !has(test, "clang++") {
        return;
    }
    for flags in ["-O2 -gdwarf-4", "-O2 -gdwarf-5", "-O0", "-O2 -fdebug-types-section"] {
        let command = format!("clang++ -g {flags} main.cpp -o program");
        let build = Build::made("main.cpp", CPP, &command);
        let (different, all, examples) = differing(&build.path("program"), true, llvm);
        assert!(all > 300, "{command}: {all}");
        assert_eq!(different, 0, "{command}: {all}: {}", examples[0]);
    }
}

#[test]
fn llvm_symbolizer_agrees_on_what_rustc_makes() {
    if !has("code_lookup::llvm_symbolizer_agrees_on_what_rustc_makes", "llvm-symbolizer") {
        return;
    }
    let source = RUST.replace('\'', "\"");
    let build = Build::made("main.rs", &source, "rustc -g -Copt-level=2 main.rs -o program");
    let (different, all, examples) = differing(&build.path("program"), true, llvm);
    // Functions that the linker folded have several names.
    assert!(different * 50 < all, "{different} of {all}: {}", examples[0]);
    examples.iter().for_each(|example| assert_same_places(example));
}

#[test]
fn addr2line_agrees() {
    if !has("code_lookup::addr2line_agrees", "addr2line") {
        return;
    }
    for flags in ["-O2 -gdwarf-4", "-O2 -gdwarf-5", "-O0"] {
        let command = format!("g++ -g {flags} main.cpp -o program");
        let build = Build::made("main.cpp", CPP, &command);
        let (different, all, examples) = differing(&build.path("program"), false, binutils);
        assert!(all > 300, "{command}: {all}");
        // Where a copy of one instruction begins a range, it names the function around the copy.
        assert!(different * 20 < all, "{command}: {different} of {all}: {}", examples[0]);
        examples.iter().for_each(|example| assert_same_places(example));
    }
}

/// Both readers see the same places, whatever the names.
fn assert_same_places(example: &str) {
    let places: Vec<Vec<String>> = example.split('\n').map(places_of).collect();
    assert_eq!(places[0], places[1], "{example}");
}

/// The places of frames that were printed, without names.
fn places_of(frames: &str) -> Vec<String> {
    let quoted = frames.split('"').skip(1).step_by(2);
    quoted.map(|frame| frame.split_once(' ').unwrap().1.to_owned()).collect()
}
