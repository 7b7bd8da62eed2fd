//! Helpers of the tests of code tables.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use scope_symbols::DebugFiles;
use scope_symbols::code::{CodeTables, Function, load_code};

use crate::build::Build;

/// Templates, namespaces, inlining two deep, a function split into hot and cold parts.
pub const CPP: &str = r#"
namespace shapes {
template <typename T> struct Square {
    T side;
    unsigned flag : 3;
    unsigned more : 5;
    T area(T scale) const { return side * side * scale; }
};
static inline int clamp(int value, int low, int high) {
    // Keeps each copy where it is.
    asm volatile("nop" : "+r"(value));
    return value < low ? low : value > high ? high : value;
}
static inline int twice(int value) { return clamp(value * 2, 3, 90); }
template <typename T> __attribute__((noinline)) T sum(const T *values, int count) {
    T total{};
    for (int i = 0; i < count; i++) total += clamp(int(values[i]), 0, twice(i));
    return total;
}
}
__attribute__((noinline)) static int risky(int n) {
    if (n > 1000) throw n;
    return shapes::twice(n) + shapes::clamp(n, 1, 5);
}
extern "C" __attribute__((noinline)) int work(int n, const char *text) {
    const double values[] = {1, 2, double(n)};
    const int others[] = {3, 4, n};
    shapes::Square<int> square{n, 1, 2};
    return risky(n) + int(shapes::sum(values, 3)) + shapes::sum(others, 3) + square.area(text[0]);
}
int main(int argc, char **argv) { return work(argc, argv[0]); }
"#;

/// Reads a file; what belongs to it is looked for on this machine.
pub fn tables(path: &Path) -> CodeTables {
    let name = path.to_str().unwrap();
    let files = DebugFiles::new("/", path);
    load_code(name, &File::open(path).unwrap(), &files, None, &|_| {}).unwrap().tables
}

#[track_caller]
pub fn named<'t>(tables: &'t CodeTables, name: &str) -> Function<'t> {
    let found: Vec<_> = tables.functions().filter(|function| function.name == name).collect();
    match found[..] {
        [one] => one,
        _ => panic!(
            "{} functions are called {name}; there are {:?}",
            found.len(),
            tables.functions().map(|function| function.name).take(200).collect::<Vec<_>>()
        ),
    }
}

/// What an address stands for, the innermost first: `symbol path:line:column` each.
pub fn describe(tables: &CodeTables, address: u64) -> Vec<String> {
    let frames = tables.frames_at(address);
    let text = frames.iter().rev().map(|frame| {
        let place = frame.place;
        let symbol = tables.function(frame.function).unwrap().symbol;
        let path = Some(tables.path(&place)).filter(|path| !path.is_empty()).unwrap_or("??");
        let (line, column) = (place.line.unwrap_or(0), place.column.unwrap_or(0));
        format!("{symbol} {path}:{line}:{column}")
    });
    text.collect()
}

/// The code that DWARF describes, byte by byte.
pub fn addresses(tables: &CodeTables) -> Vec<u64> {
    let functions = tables.functions().filter(|function| function.from_dwarf);
    functions.flat_map(|function| tables.ranges_of(function.number).flatten()).collect()
}

/// Runs a program that reads addresses, one a line.
pub fn ask(command: &mut Command, addresses: &[u64]) -> String {
    let list = tempfile::NamedTempFile::new().unwrap();
    let mut text = String::new();
    for address in addresses {
        writeln!(text, "{address:#x}").unwrap();
    }
    std::fs::write(list.path(), text).unwrap();
    let output = command.stdin(File::open(list.path()).unwrap()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a program that a test needs is installed; where not, the test is counted as not run.
pub fn has(test: &str, program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        not_run(test, &format!("needs {program}"));
    }
    found
}

/// As `scope_tests::not_run`, which this crate cannot depend on: `cargo xtask test` counts the lines.
pub fn not_run(test: &str, why: &str) {
    let line = format!("not run: {test}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("SCOPE_NOT_RUN_FILE") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Build {
    /// Writes a source and runs commands, separated by `;`. The folder is then ready.
    pub fn made(source_name: &str, source: &str, commands: &str) -> Self {
        let build = Self::new();
        build.write(source_name, source);
        commands.split(';').for_each(|command| build.run(command));
        build
    }
}
