//! Look-ups agree with other readers of DWARF, byte by byte.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::build::Build;
use crate::code::{CPP, addresses, ask, describe, has, named, tables};

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
            // Of code without lines it names the unit, from the symbol table.
            let file = match frame["FileName"].as_str().unwrap() {
                unit if frame["Line"] == 0 && !unit.contains('/') => "??".to_owned(),
                file => without_dots(file),
            };
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

/// Two functions of one code, and one copy of each.
const FOLDED: &str = r#"
static volatile int sink;
inline __attribute__((always_inline)) int one(int x) { sink = x; sink = x + 1; return sink * 3; }
inline __attribute__((always_inline)) int other(int x) { sink = x; sink = x + 1; return sink * 3; }
int first(int x) { return one(x) + 7; }
int second(int x) { return other(x) + 7; }
int use_first(int x) { return first(x) * 2; }
int use_second(int x) { return second(x) * 2 + 1; }
int main(int argc, char **) {
  int (*all[])(int) = {first, second, use_first, use_second};
  return all[argc % 4](argc);
}
"#;

#[test]
fn copies_of_functions_with_the_same_code_keep_their_names() {
    if !has("code_lookup::copies_of_functions_with_the_same_code_keep_their_names", "ld.gold") {
        return;
    }
    let command = "g++ -g -O2 -ffunction-sections -fuse-ld=gold -Wl,--icf=all main.cpp -o program";
    let build = Build::made("main.cpp", FOLDED, command);
    let tables = tables(&build.path("program"));
    for (function, inside) in [("use_first(int)", "_Z5firsti"), ("use_second(int)", "_Z6secondi")] {
        let function = named(&tables, function).address.unwrap();
        let frames: Vec<String> = describe(&tables, function + 4);
        assert!(frames[1].contains(inside), "{frames:?}");
    }
}

#[test]
fn copies_keep_their_name_where_the_code_itself_has_that_of_another() {
    let test = "code_lookup::copies_keep_their_name_where_the_code_itself_has_that_of_another";
    if !has(test, "objcopy") {
        return;
    }
    // As where a compiler merged two functions, and kept the debug information of the one and the
    // symbol of the other.
    let commands = "g++ -g -O2 -fno-ipa-icf main.cpp -o program; \
                    objcopy --redefine-sym _Z6secondi=_Z5thirdi program";
    let build = Build::made("main.cpp", FOLDED, commands);
    let tables = tables(&build.path("program"));
    let with_code = tables.functions().find(|function| function.symbol == "_Z5thirdi").unwrap();
    assert!(with_code.address.is_some());
    let caller = named(&tables, "use_second(int)").address.unwrap();
    let frames = describe(&tables, caller + 4);
    assert!(frames[1].contains("_Z6secondi"), "{frames:?}");
}

#[test]
fn code_that_only_its_copies_describe_has_their_declaration() {
    let build = Build::made("main.cpp", FOLDED, "g++ -g -O2 -fipa-icf main.cpp -o program");
    let tables = tables(&build.path("program"));
    let second = named(&tables, "second(int)");
    assert_eq!(second.declared.line, Some(6));
    assert_eq!(tables.function_at(second.address.unwrap()).unwrap().number, second.number);
}
