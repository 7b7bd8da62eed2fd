//! Recorded calls against their sources: each is tied to the node of its function and to the expression
//! that made it, as independent readers of binaries and sources see them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scope_code::{CodeMap, Reason};
use scope_model::{EventKind, Function};
use scope_source::AstId;
use scope_tests::{not_run, require_root, test_name};
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::harness::{
    C, C_FLAGS, CPP_FLAGS, EVERY, Program, RUST_FLAGS, Recorder, record, scope, shared,
};

/// Calls that no expression of the source makes: the rest must have one.
const NO_EXPRESSION: [&str; 5] = ["in_macro", "implicit", "generated", "tail_call", "other_module"];

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&scope(arguments)).expect("it prints JSON")
}

/// At least 99 % of the calls have a function node and 95 % a call expression, those aside that none
/// makes.
fn assert_covered(trace: &Path) {
    let coverage = json(&["code", trace.to_str().unwrap(), "--coverage", "--json"]);
    let calls = coverage["calls"].as_u64().unwrap();
    assert!(calls > 0, "nothing was called");
    let without = |field: &str, reasons: &[&str]| -> u64 {
        reasons.iter().filter_map(|reason| coverage[field][reason].as_u64()).sum()
    };
    let generated = without("without_function_node", &["generated", "in_macro"]);
    let functions = coverage["with_function_node"].as_u64().unwrap();
    assert!(functions * 100 >= (calls - generated) * 99, "{coverage}");
    // The standard library's own sources are not on every machine.
    let places = coverage["places_without"].as_array().unwrap();
    let of_std = |place: &&Value| place["file"].as_str().unwrap_or_default().starts_with("/rustc/");
    let std: u64 = places.iter().filter(of_std).filter_map(|place| place["calls"].as_u64()).sum();
    let none = without("without_call_node", &NO_EXPRESSION) + std;
    // `main`, threads and handlers are called from elsewhere; a module that is looked for in the wrong
    // place would make that of all calls.
    let elsewhere = without("without_call_node", &["other_module"]);
    assert!(elsewhere * 20 <= calls, "{coverage}");
    let expressions = coverage["with_call_node"].as_u64().unwrap();
    assert!(expressions > 0, "{coverage}");
    assert!(expressions * 100 >= (calls - none) * 95, "{coverage}");
}

/// Every place that a call is said to come from is one of those that binutils names for its address.
fn assert_as_addr2line(trace: &Path, program: &Path) {
    let trace = scope_store::Trace::open(trace).unwrap();
    let map = CodeMap::of_trace(&trace);
    let mut sites: BTreeMap<u64, (u32, u64, u64, Function)> = BTreeMap::new();
    for event in trace.events() {
        let event = event.unwrap();
        let EventKind::Enter { function, return_address, inherited: false, .. } = event.kind else {
            continue;
        };
        let callee = &trace.functions()[function.index()];
        if let Ok((_, address)) = map.locate(event.pid, event.time_ns, return_address).unwrap() {
            let site = (event.pid.0, event.time_ns, return_address, callee.clone());
            sites.entry(address).or_insert(site);
        }
    }
    assert!(!sites.is_empty(), "no call site was located");
    let mut child = Command::new("addr2line")
        .args(["-i", "-a", "-e"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("binutils are installed where C is compiled");
    let mut stdin = child.stdin.take().unwrap();
    let addresses: Vec<u64> = sites.keys().copied().collect();
    let writer = std::thread::spawn(move || {
        for address in addresses {
            writeln!(stdin, "{:#x}", address - 1).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut known: HashMap<u64, BTreeSet<(String, u32)>> = HashMap::new();
    let mut address = 0;
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("0x") {
            address = u64::from_str_radix(number, 16).unwrap() + 1;
        } else if let Some((file, line)) = line.rsplit_once(':') {
            let number = line.split(' ').next().and_then(|number| number.parse().ok());
            let file = file.rsplit('/').next().unwrap().to_owned();
            known.entry(address).or_default().insert((file, number.unwrap_or(0)));
        }
    }
    let mut compared = 0;
    for (address, (pid, time_ns, return_address, callee)) in &sites {
        let pid = scope_model::Pid(*pid);
        let site = map.call_site(pid, *time_ns, *return_address, callee).unwrap();
        for place in site.frames.iter().filter_map(|frame| frame.place.as_ref()) {
            let file = place.file.rsplit('/').next().unwrap().to_owned();
            let known = known.get(address).cloned().unwrap_or_default();
            assert!(known.contains(&(file, place.line)), "{address:#x}: {place}: {known:?}");
            compared += 1;
        }
    }
    assert!(compared > 0, "no place was compared");
}

/// First and last line of each function of a Rust file, by the line of its name.
fn spans_by_syn(path: &Path) -> HashMap<usize, (usize, usize)> {
    #[derive(Default)]
    struct Spans(HashMap<usize, (usize, usize)>);
    impl Spans {
        fn add(&mut self, signature: &syn::Signature, whole: proc_macro2::Span) {
            self.0.insert(signature.ident.span().start().line, (0, whole.end().line));
            let first = signature.fn_token.span.start().line;
            self.0.entry(signature.ident.span().start().line).and_modify(|span| span.0 = first);
        }
    }
    impl<'a> Visit<'a> for Spans {
        fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
            self.add(&item.sig, item.span());
            syn::visit::visit_item_fn(self, item);
        }
        fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
            self.add(&item.sig, item.span());
            syn::visit::visit_impl_item_fn(self, item);
        }
        fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
            self.add(&item.sig, item.span());
            syn::visit::visit_trait_item_fn(self, item);
        }
    }
    let mut spans = Spans::default();
    spans.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
    spans.0
}

/// Every recorded function of Rust that has a name stands where the compiler's own parser sees it.
fn assert_as_syn(trace: &Path) {
    let trace = scope_store::Trace::open(trace).unwrap();
    let map = CodeMap::of_trace(&trace);
    let mut files: HashMap<String, HashMap<usize, (usize, usize)>> = HashMap::new();
    let mut compared = 0;
    for function in trace.functions() {
        let code = map.function(function).unwrap();
        let (Some(place), Some(source), Some(found)) = (&code.place, code.source, code.node) else {
            continue;
        };
        let file = map.parsed(source).unwrap().expect("Rust is parsed");
        let Some(index) = found.function.filter(|_| code.reason.is_none()) else { continue };
        let node = &file.functions()[index as usize];
        if node.name.starts_with('{') {
            continue;
        }
        let spans =
            files.entry(place.file.clone()).or_insert_with(|| spans_by_syn(Path::new(&place.file)));
        let (first, last) = spans
            .get(&(node.name_at.line as usize))
            .unwrap_or_else(|| panic!("{} is none for syn: {place}", function.name));
        assert!(*first <= node.name_at.line as usize, "{}", function.name);
        assert_eq!(*last, node.span.end.line as usize, "{}", function.name);
        assert_ne!(found.node, AstId::ROOT);
        compared += 1;
    }
    assert!(compared > 0, "no function was compared");
}

/// The demo's workload, built as its users build it.
pub fn demo() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/demo/Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("release/demo")
}

#[test]
fn the_demo_is_tied_to_its_sources() {
    require_root!();
    let _turn = shared();
    let program = demo();
    let mut child = Command::new(&program).stdout(Stdio::null()).spawn().unwrap();
    let recorder = Recorder::attach(child.id(), &["--duration", "500ms"]);
    let trace = recorder.finish_and(|| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
    assert_covered(trace.path());
    assert_as_addr2line(trace.path(), &program);
    assert_as_syn(trace.path());
    let listing = scope(&["source", trace.path().to_str().unwrap(), "demo::handle"]);
    let line = listing.lines().find(|line| line.contains("if risk::check(order)"));
    let calls = line.and_then(|line| line.split_whitespace().next());
    let calls: u64 = calls.expect("the line is there").replace(',', "").parse().expect("a number");
    assert!(calls > 0, "{listing}");
}

#[test]
fn workloads_in_c_and_cpp_and_rust_are_tied_to_their_sources() {
    require_root!();
    let _turn = shared();
    for program in [
        C("recursion"),
        Program::c("threads", &["-O2", "-gdwarf-4"]),
        Program::c("longjmp", C_FLAGS),
        Program::cpp("exceptions", CPP_FLAGS),
        Program::rust("panics", RUST_FLAGS),
    ] {
        let (_, trace) = record(&program, &[], EVERY);
        assert_covered(trace.path());
        assert_as_addr2line(trace.path(), program.path());
    }
}

#[test]
fn calls_are_located_through_fork_and_exec() {
    require_root!();
    let _turn = shared();
    for (workload, arguments) in [("forks", &[] as &[&str]), ("execs", &["self"])] {
        let (ended, trace) =
            record(&C(workload), arguments, &[EVERY, &["--follow-forks"]].concat());
        ended.success();
        assert_covered(trace.path());
        let trace = scope_store::Trace::open(trace.path()).unwrap();
        let map = CodeMap::of_trace(&trace);
        for event in trace.events() {
            let event = event.unwrap();
            let EventKind::Enter { return_address, inherited: false, .. } = event.kind else {
                continue;
            };
            let located = map.locate(event.pid, event.time_ns, return_address).unwrap();
            assert_ne!(located, Err(Reason::NotLocated), "{workload}: {event:?}");
        }
    }
}

/// A program of its own folder, so that its sources can be changed and removed.
struct Built {
    folder: tempfile::TempDir,
}

const SOURCE: &str = r#"
#include <stdio.h>

__attribute__((noinline)) int square(int n) {
    return n * n;
}

__attribute__((noinline)) int sum(int n) {
    int total = 0;
    for (int i = 0; i < n; i++)
        total += square(i);
    return total;
}

int main(void) {
    printf("%d\n", sum(100));
    return 0;
}
"#;

impl Built {
    /// Built with these flags, in which `FOLDER` stands for its folder.
    fn new(flags: &[&str]) -> Self {
        let folder = super::harness::folder();
        fs::write(folder.path().join("sums.c"), SOURCE).unwrap();
        let own = folder.path().to_str().unwrap();
        let status = Command::new("cc")
            .args(["-O1", "-g", "-o", "sums", "sums.c"])
            .args(flags.iter().map(|flag| flag.replace("FOLDER", own)))
            .current_dir(folder.path())
            .status()
            .expect("cc runs");
        assert!(status.success());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn record(&self, options: &[&str]) -> PathBuf {
        let (trace, program) = (self.path("sums.scope"), self.path("sums"));
        let _ = fs::remove_dir_all(&trace);
        let (trace_text, program) = (trace.to_str().unwrap(), program.to_str().unwrap());
        let all = [&["trace", "--all", "-o", trace_text], options, &["--", program]].concat();
        let output = super::harness::run(&all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        trace
    }
}

/// What the commands say of a trace in a folder, by its name there.
fn all_said(folder: &Path, name: &str) -> Vec<String> {
    let commands: [&[&str]; 9] = [
        &["code", name],
        &["code", name, "sum"],
        &["code", name, "sum", "--json"],
        &["code", name, "sum", "--cpg"],
        &["code", name, "sum", "--callees"],
        &["code", name, "--metrics"],
        &["code", name, "--coverage"],
        &["source", name, "sum"],
        &["dump", name, "--json"],
    ];
    commands
        .iter()
        .map(|arguments| {
            let output = Command::new(scope_tests::scope_binary())
                .args(*arguments)
                .current_dir(folder)
                .output()
                .unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect()
}

#[test]
fn a_trace_says_the_same_without_its_binary_and_sources() {
    require_root!();
    let _turn = shared();
    let built = Built::new(&[]);
    let trace = built.record(&[]);
    let before = all_said(built.folder.path(), "sums.scope");
    assert!(before[7].contains("        total += square(i);"), "{}", before[7]);
    let line = before[7].lines().find(|line| line.contains("square(i)")).unwrap();
    assert_eq!(line.split_whitespace().next(), Some("100"), "{line}");
    let elsewhere = super::harness::folder();
    scope(&[
        "pack",
        trace.to_str().unwrap(),
        elsewhere.path().join("sums.packed").to_str().unwrap(),
    ]);
    let moved = Command::new("cp")
        .arg("-r")
        .arg(&trace)
        .arg(elsewhere.path().join("sums.scope"))
        .status()
        .unwrap();
    assert!(moved.success());
    drop(built);
    assert_eq!(all_said(elsewhere.path(), "sums.scope"), before);
    let packed = all_said(elsewhere.path(), "sums.packed");
    let packed: Vec<String> =
        packed.iter().map(|text| text.replace("sums.packed", "sums.scope")).collect();
    assert_eq!(packed, before);
}

#[test]
fn a_source_that_changed_since_is_said_to_be_stale() {
    require_root!();
    let _turn = shared();
    let built = Built::new(&[]);
    let trace = built.record(&[]);
    let freshness = || {
        let found = json(&["code", trace.to_str().unwrap(), "sum", "--json"]);
        found[0]["freshness"].as_str().unwrap().to_owned()
    };
    assert_eq!(freshness(), "unverified");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    fs::File::options()
        .write(true)
        .open(built.path("sums.c"))
        .and_then(|file| file.set_modified(later))
        .unwrap();
    built.record(&[]);
    assert_eq!(freshness(), "newer_than_binary");
    let listing = scope(&["source", trace.to_str().unwrap(), "sum"]);
    assert!(listing.contains("stale: may not be the text that was compiled"), "{listing}");
}

#[test]
fn sources_are_found_where_the_user_says() {
    require_root!();
    let _turn = shared();
    let built = Built::new(&["-ffile-prefix-map=FOLDER=/elsewhere"]);
    let trace = built.record(&[]);
    let reason = || json(&["code", trace.to_str().unwrap(), "sum", "--json"])[0]["reason"].clone();
    assert_eq!(reason(), "no_source");
    let rule = format!("/elsewhere={}", built.folder.path().display());
    built.record(&["--source-map", &rule]);
    assert_eq!(reason(), Value::Null);
}

#[test]
fn ripgrep_is_tied_to_its_sources() {
    require_root!();
    if std::env::var_os("SCOPE_TEST_RIPGREP").is_none() {
        not_run(test_name!(), "slow: set SCOPE_TEST_RIPGREP=1 to run it");
        return;
    }
    let _turn = shared();
    let program = super::callgrind::RIPGREP.install().expect("ripgrep is to be had");
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates");
    let arguments = ["--", program.to_str().unwrap(), "-c", "fn ", sources];
    let mut recorder = Recorder::start(&arguments, |_| {});
    recorder.wait_for_end();
    let trace = recorder.into_trace();
    assert_covered(trace.path());
    assert_as_addr2line(trace.path(), &program);
    assert_as_syn(trace.path());
}
