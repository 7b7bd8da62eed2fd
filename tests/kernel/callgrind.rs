//! Calls of a real program against an oracle of another kind: valgrind's callgrind, which counts calls
//! by executing every instruction itself.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use object::{Object, ObjectSymbol, SymbolKind};
use scope_tests::{not_run, require_root, test_name};

use super::harness::{Recorder, Report, shared};
use super::safety::Moments;

/// A program of crates.io, built with debug information and kept under the target folder.
pub(super) struct RealProgram {
    package: &'static str,
    version: &'static str,
    binary: &'static str,
}

const HEXYL: RealProgram = RealProgram { package: "hexyl", version: "0.16.0", binary: "hexyl" };
pub(super) const RIPGREP: RealProgram =
    RealProgram { package: "ripgrep", version: "14.1.1", binary: "rg" };

impl RealProgram {
    /// Where a test may put what belongs to it.
    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", self.package, self.version))
    }

    /// Builds it unless an earlier run did; the reason when it cannot be had.
    pub(super) fn install(&self) -> Result<PathBuf, String> {
        let folder = self.folder();
        let program = folder.join("bin").join(self.binary);
        if program.exists() {
            return Ok(program);
        }
        let package = format!("{}@{}", self.package, self.version);
        let output = Command::new(env!("CARGO"))
            .args(["install", "--quiet", "--locked", &package, "--root"])
            .arg(&folder)
            .arg("--target-dir")
            .arg(folder.join("build"))
            // Real calls to count, quickly built: little is inlined.
            .envs([
                ("CARGO_PROFILE_RELEASE_DEBUG", "1"),
                ("CARGO_PROFILE_RELEASE_STRIP", "none"),
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
                ("CARGO_PROFILE_RELEASE_LTO", "off"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
            ])
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(program)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "{package} cannot be installed: {}",
                said.lines().next().unwrap_or_default()
            ))
        }
    }
}

/// Calls by linkage name of the functions of `program`, as callgrind counts them.
fn counted_by_callgrind(program: &Path, arguments: &[&str]) -> BTreeMap<String, u64> {
    let folder = super::harness::folder();
    let out = folder.path().join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--demangle=no", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("its version has been printed");
    assert!(status.success(), "valgrind ended with {status}");
    let text = fs::read_to_string(out).expect("callgrind wrote it");
    let file = format!("/{}", program.file_name().and_then(|name| name.to_str()).expect("plain"));
    let mut calls = BTreeMap::new();
    let (mut object, mut callee_object, mut callee) = ("", "", "");
    for line in text.lines() {
        // The callee's object stands only where it is another one, and holds for one call.
        if let Some(name) = line.strip_prefix("ob=") {
            (object, callee_object) = (name, name);
        } else if let Some(name) = line.strip_prefix("cob=") {
            callee_object = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            // NAME'2 is the same function, called while it is open.
            callee = name.split('\'').next().unwrap_or(name);
        } else if let Some(rest) = line.strip_prefix("calls=") {
            let count: u64 =
                rest.split(' ').next().and_then(|text| text.parse().ok()).expect("a count");
            if callee_object.ends_with(&file) {
                *calls.entry(callee.to_owned()).or_default() += count;
            }
            callee_object = object;
        }
    }
    calls
}

/// Where functions begin, by linkage name: the lowest address that has the name, so that two names of
/// one function, and one name of two functions, compare as one.
fn addresses(program: &Path) -> HashMap<String, u64> {
    let data = fs::read(program).expect("it has been built");
    let file = object::File::parse(&*data).expect("the linker wrote it");
    let mut addresses = HashMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        if let Ok(name) = symbol.name() {
            let address = addresses.entry(name.to_owned()).or_insert(u64::MAX);
            *address = symbol.address().min(*address);
        }
    }
    addresses
}

/// Recordings whose counts must agree for a function to be compared.
const RUNS: usize = 10;

fn agrees_with_callgrind(test: &str, program: &RealProgram, arguments: &[&str]) {
    if !Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        not_run(test, "valgrind is not installed");
        return;
    }
    let path = match program.install() {
        Ok(path) => path,
        Err(why) => {
            not_run(test, &why);
            return;
        }
    };
    let mut command = vec!["--all", "--", path.to_str().expect("plain")];
    command.extend(arguments);
    let runs: Vec<Report> = (0..RUNS)
        .map(|_| {
            let trace = Recorder::start(&command, |_| {}).finish();
            trace.verify();
            trace.assert_well_nested();
            let report = trace.report();
            assert_eq!(report.number("lost_events"), 0);
            report
        })
        .collect();
    let report = &runs[0];
    let counted = [(); 2].map(|()| counted_by_callgrind(&path, arguments));
    // Hash maps are seeded anew in each run: what sorts or searches their entries differs from run to run.
    let varies = |symbol: &str| {
        let calls = |run: &Report| run.calls(symbol);
        let count = |run: &BTreeMap<String, u64>| run.get(symbol).copied();
        runs.iter().any(|run| calls(run) != calls(report))
            || count(&counted[0]) != count(&counted[1])
    };

    let addresses = addresses(&path);
    let mut by_address: BTreeMap<u64, (String, u64, Option<u64>)> = BTreeMap::new();
    for (name, count) in counted[0].clone() {
        if let Some(address) = addresses.get(&name) {
            let row = by_address.entry(*address).or_insert((name, 0, None));
            row.1 += count;
        }
    }
    for row in report.functions().iter().filter(|row| !is_glue(&row["symbol"])) {
        let (name, calls) = (row["symbol"].as_str().unwrap(), row["calls"].as_u64().unwrap());
        if let Some(address) = addresses.get(name) {
            let row = by_address.entry(*address).or_insert((name.to_owned(), 0, None));
            *row.2.get_or_insert(0) += calls;
        }
    }
    let seen_by_both = by_address.values().filter(|(_, calls, _)| *calls > 0);
    let (compared, missing): (Vec<_>, Vec<_>) =
        seen_by_both.partition(|(_, _, scope)| scope.is_some());
    assert!(
        compared.len() > 9 * missing.len(),
        "{} functions compared; not in the report: {missing:?}",
        compared.len()
    );
    let (varying, wrong): (Vec<_>, Vec<_>) = by_address
        .values()
        .filter(|(_, calls, scope)| scope.is_some_and(|scope| scope != *calls))
        .partition(|(name, ..)| varies(name));
    assert!(varying.len() * 50 < compared.len(), "too many differ from run to run: {varying:?}");
    assert!(
        wrong.is_empty(),
        "of {} functions, {} differ (name, callgrind, scope): {wrong:?}",
        compared.len(),
        wrong.len()
    );
}

/// What the linker adds around a program, and callgrind counts as part of what calls it.
fn is_glue(symbol: &serde_json::Value) -> bool {
    let glue = [
        "_init",
        "_fini",
        "frame_dummy",
        "register_tm_clones",
        "deregister_tm_clones",
        "__do_global_dtors_aux",
    ];
    glue.iter().any(|name| symbol == name)
}

/// Writes `length` bytes that look random and are the same in every run.
fn write_noise(path: &Path, seed: u64, length: usize) {
    let mut moments = Moments::new(seed);
    let bytes: Vec<u8> =
        (0..length).map(|_| u8::try_from(moments.below(256)).expect("below 256")).collect();
    fs::write(path, bytes).expect("the folder is there");
}

#[test]
fn hexyl_over_a_fixed_file() {
    require_root!();
    let _turn = shared();
    let folder = super::harness::folder();
    let input = folder.path().join("input");
    write_noise(&input, 7, 6000);
    let arguments = ["--color", "never", "--border", "none", input.to_str().unwrap()];
    agrees_with_callgrind(test_name!(), &HEXYL, &arguments);
}

#[test]
fn ripgrep_over_a_fixed_folder() {
    require_root!();
    if std::env::var_os("SCOPE_TEST_RIPGREP").is_none() {
        not_run(test_name!(), "slow: set SCOPE_TEST_RIPGREP=1 to run it");
        return;
    }
    let _turn = shared();
    let folder = super::harness::folder();
    for number in 0..20u64 {
        let mut words = Moments::new(number + 1);
        let mut file = fs::File::create(folder.path().join(format!("{number}.txt"))).unwrap();
        for _ in 0..200 {
            let line: Vec<String> = (0..8).map(|_| format!("{:03x}", words.below(4096))).collect();
            writeln!(file, "{}", line.join(" ")).unwrap();
        }
    }
    let path = folder.path().to_str().unwrap();
    let arguments = ["--no-config", "-j1", "--sort", "path", "--no-ignore", "a[0-9]f|beef", path];
    agrees_with_callgrind(test_name!(), &RIPGREP, &arguments);
}
