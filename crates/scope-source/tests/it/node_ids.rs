//! Ids survive edits elsewhere, moves, other layouts and other names of locals; a changed body
//! changes the text's hash alone.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scope_source::{Language, NodeId, SourceFile};

use crate::edits;

/// Path → (id, hash) of functions, and ids of calls by function path.
struct Ids {
    functions: BTreeMap<String, (NodeId, NodeId)>,
    calls: BTreeMap<String, Vec<NodeId>>,
}

fn ids(language: &str, source: &str) -> Ids {
    let language = Language::by_name(language).expect("known");
    let file = SourceFile::parse("src/a", source.as_bytes(), language).expect("parsed");
    assert_eq!(file.errors(), 0, "{source}");
    let mut calls: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
    for call in file.calls() {
        let function = call.function.map(|index| &file.functions()[index as usize]);
        let path = function.map_or(String::new(), |function| function.path.to_string());
        calls.entry(path).or_default().push(call.id);
        assert_eq!(call.id, NodeId::of_path(&file.path_of(call.node)));
    }
    let functions = file.functions().iter();
    let functions: BTreeMap<_, _> =
        functions.map(|one| (one.path.to_string(), (one.id, one.text_hash))).collect();
    assert_eq!(functions.len(), file.functions().len(), "two functions of one path: {source}");
    Ids { functions, calls }
}

/// The functions of `before` have the same ids in `after`; those whose hash differs.
#[track_caller]
fn changed(language: &str, before: &str, after: &str) -> Vec<String> {
    let (before, after) = (ids(language, before), ids(language, after));
    let mut changed = Vec::new();
    for (path, (id, hash)) in &before.functions {
        let now = after.functions.get(path);
        let (now_id, now_hash) = now.unwrap_or_else(|| panic!("{path} is gone"));
        assert_eq!(id, now_id, "{path}");
        if hash != now_hash {
            changed.push(path.clone());
        }
    }
    for (path, calls) in &before.calls {
        let now = after.calls.get(path).cloned().unwrap_or_default();
        assert!(now.starts_with(calls), "calls in {path}");
    }
    changed
}

struct Language4 {
    name: &'static str,
    base: &'static str,
    inserted: &'static str,
    reformatted: &'static str,
    renamed: &'static str,
    moved: &'static str,
    body: &'static str,
    /// Functions whose hash a new local's name changes, and a new body.
    touched: &'static [&'static str],
}

const CORPUS: [Language4; 4] = [
    Language4 {
        name: "rust",
        base: "mod m {\n    impl<T> Read for Conn<T> {\n        fn read(&self, n: u8) -> u8 { let got = f(n); g(got) }\n        fn write(&self) { h(|x| i(x)); }\n    }\n    fn free() {}\n}\n",
        inserted: "// new\nfn above() { f(1); }\nmod m {\n    fn other() { g(2) }\n    impl<T> Read for Conn<T> {\n        fn flush(&self) { g(1) }\n        fn read(&self, n: u8) -> u8 { let got = f(n); g(got) }\n        fn write(&self) { h(|x| i(x)); }\n    }\n    fn free() {}\n}\n",
        reformatted: "mod m { impl<T> Read for Conn<T> {\n fn read(&self,\n   n: u8) -> u8 {\n let got = f( n ); // why\n g(got)\n }\n fn write(&self)\n{ h(|x|\n i(x)); } }\n fn free() { }\n }",
        renamed: "mod m {\n    impl<T> Read for Conn<T> {\n        fn read(&self, n: u8) -> u8 { let bytes = f(n); g(bytes) }\n        fn write(&self) { h(|x| i(x)); }\n    }\n    fn free() {}\n}\n",
        moved: "mod m {\n    fn free() {}\n    impl<T> Read for Conn<T> {\n        fn write(&self) { h(|x| i(x)); }\n        fn read(&self, n: u8) -> u8 { let got = f(n); g(got) }\n    }\n}\n",
        body: "mod m {\n    impl<T> Read for Conn<T> {\n        fn read(&self, n: u8) -> u8 { let got = f(n + 1); g(got) }\n        fn write(&self) { h(|x| i(x)); }\n    }\n    fn free() {}\n}\n",
        touched: &["src/a::m::<Conn<T> as Read>::read"],
    },
    Language4 {
        name: "c",
        base: "static int read_it(int n) { int got = f(n); return g(got); }\nvoid write_it(void) { h(1); }\n",
        inserted: "#include <x.h>\nint above(void) { return f(1); }\nstatic int read_it(int n) { int got = f(n); return g(got); }\nint between;\nvoid write_it(void) { h(1); }\n",
        reformatted: "static int\nread_it (int n)\n{\n  /* why */\n  int got = f (n);\n  return g (got);\n}\nvoid\nwrite_it (void) { h (1); }\n",
        renamed: "static int read_it(int n) { int bytes = f(n); return g(bytes); }\nvoid write_it(void) { h(1); }\n",
        moved: "void write_it(void) { h(1); }\nstatic int read_it(int n) { int got = f(n); return g(got); }\n",
        body: "static int read_it(int n) { int got = f(n + 1); return g(got); }\nvoid write_it(void) { h(1); }\n",
        touched: &["src/a::read_it"],
    },
    Language4 {
        name: "cpp",
        base: "namespace m { struct C { int read(int n) const { auto got = f(n); return g(got); } int read(double d) { return h([](int x) { return i(x); }); } };\nint C::size() { return f(2); } }\n",
        inserted: "int read(int n) { return f(n); }\nnamespace m { int above() { return f(0); } struct C { int read(char c) { return f(c); } int read(int n) const { auto got = f(n); return g(got); } int read(double d) { return h([](int x) { return i(x); }); } };\nint C::size() { return f(2); } }\n",
        reformatted: "namespace m\n{\nstruct C\n{\n  int read (int n) const\n  {\n    auto got = f (n); // why\n    return g (got);\n  }\n  int read (double d)\n  { return h ([] (int x) { return i (x); }); }\n};\nint C::size () { return f (2); }\n}\n",
        renamed: "namespace m { struct C { int read(int n) const { auto bytes = f(n); return g(bytes); } int read(double d) { return h([](int x) { return i(x); }); } };\nint C::size() { return f(2); } }\n",
        moved: "namespace m { int C::size() { return f(2); }\nstruct C { int read(double d) { return h([](int x) { return i(x); }); } int read(int n) const { auto got = f(n); return g(got); } }; }\n",
        body: "namespace m { struct C { int read(int n) const { auto got = f(n + 1); return g(got); } int read(double d) { return h([](int x) { return i(x); }); } };\nint C::size() { return f(2); } }\n",
        touched: &["src/a::m::C::read(int)const"],
    },
    Language4 {
        name: "go",
        base: "package p\n\nfunc (c *Conn) Read(n int) int { got := f(n); return g(got) }\nfunc Write() { h(func(x int) { i(x) }) }\n",
        inserted: "package p\n\nimport \"fmt\"\n\nfunc Above() { f(1) }\nfunc (c *Conn) Read(n int) int { got := f(n); return g(got) }\n\nvar between = 1\n\nfunc Write() { h(func(x int) { i(x) }) }\n",
        reformatted: "package p\n\nfunc (c *Conn) Read(n int) int {\n\tgot := f(n) // why\n\treturn g(got)\n}\nfunc Write() {\n\th(func(x int) {\n\t\ti(x)\n\t})\n}\n",
        renamed: "package p\n\nfunc (c *Conn) Read(n int) int { bytes := f(n); return g(bytes) }\nfunc Write() { h(func(x int) { i(x) }) }\n",
        moved: "package p\n\nfunc Write() { h(func(x int) { i(x) }) }\nfunc (c *Conn) Read(n int) int { got := f(n); return g(got) }\n",
        body: "package p\n\nfunc (c *Conn) Read(n int) int { got := f(n + 1); return g(got) }\nfunc Write() { h(func(x int) { i(x) }) }\n",
        touched: &["src/a::Conn::Read"],
    },
];

#[test]
fn a_function_inserted_above_changes_nothing() {
    for one in &CORPUS {
        assert_eq!(changed(one.name, one.base, one.inserted), [""; 0], "{}", one.name);
    }
}

#[test]
fn another_layout_changes_nothing() {
    for one in &CORPUS {
        // Go's formatter takes the place of semicolons by line breaks: tokens to the hash.
        let expected: &[&str] = if one.name == "go" { &["src/a::Conn::Read"] } else { &[] };
        assert_eq!(changed(one.name, one.base, one.reformatted), expected, "{}", one.name);
    }
}

#[test]
fn another_name_of_a_local_changes_the_hash_alone() {
    for one in &CORPUS {
        assert_eq!(changed(one.name, one.base, one.renamed), one.touched, "{}", one.name);
    }
}

#[test]
fn a_moved_function_keeps_id_and_hash() {
    for one in &CORPUS {
        assert_eq!(changed(one.name, one.base, one.moved), [""; 0], "{}", one.name);
    }
}

#[test]
fn another_body_changes_the_hash_alone() {
    for one in &CORPUS {
        assert_eq!(changed(one.name, one.base, one.body), one.touched, "{}", one.name);
    }
}

#[test]
fn overloads_are_told_apart_by_types_and_not_by_order() {
    let one = ids("cpp", "int f(int a) { return 1; } int f(const char *b = 0) { return 2; }");
    let two = ids("cpp", "int f(const char *c) { return 2; } int f(int x) { return 1; }");
    assert_eq!(
        one.functions.keys().collect::<Vec<_>>(),
        ["src/a::f(const char*)", "src/a::f(int)"]
    );
    assert_eq!(one.functions.keys().collect::<Vec<_>>(), two.functions.keys().collect::<Vec<_>>());
}

#[test]
fn alternatives_are_told_apart_by_their_conditions() {
    let rust = "#[cfg(unix)] fn f() { a() }\n#[cfg(windows)]\nfn f() { b() }\n";
    let paths: Vec<String> = ids("rust", rust).functions.into_keys().collect();
    assert_eq!(paths, ["src/a::f#[cfg(unix)]", "src/a::f#[cfg(windows)]"]);
    let c = "#ifdef A\nint f(int x) { return 1; }\n#else\nint f(int x) { return 2; }\n#endif\n";
    let swapped = "#ifdef A\nint f(int y) { return 1; }\nint g(void) {}\n#else\nint f(int x) { return 2; }\n#endif\n";
    assert_eq!(changed("c", c, swapped), ["src/a::f#ifdef A(int)"]);
}

#[test]
fn a_condition_is_read_without_its_layout_and_comments() {
    let one = "#if defined(A) && \\\n    B // why\nint f(int x) { return 1; }\n#endif\nint f(char c);\nint f(int y) { return 2; }";
    let two = "#if defined (A) /* or so */ && B\nint f(int x) { return 1; }\n#endif\nint f(char c);\nint f(int y) { return 2; }";
    assert_eq!(changed("c", one, two), [""; 0]);
    let paths: Vec<String> = ids("c", one).functions.into_keys().collect();
    assert_eq!(paths, ["src/a::f#if defined(A)&&B(int)", "src/a::f(int)"]);
}

#[test]
fn what_cannot_be_told_apart_is_numbered() {
    let paths: Vec<String> = ids("c", "int f(int a) { return 1; }\nint f(int a) { return 2; }")
        .functions
        .into_keys()
        .collect();
    assert_eq!(paths, ["src/a::f(int)", "src/a::f(int)#2"]);
}

#[test]
fn a_string_with_other_blanks_is_another_text() {
    let one = ids("c", "int f(void) { return g(\"a  b\"); }");
    let two = ids("c", "int f(void) { return g(\"a b\"); }");
    assert_ne!(one.functions["src/a::f"].1, two.functions["src/a::f"].1);
}

/// Files of this project with that language, below a folder.
fn sources(folder: &str, language: &'static Language) -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("read").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if Language::by_path(&path.to_string_lossy()) == Some(language) {
                texts.push(std::fs::read_to_string(path).expect("read"));
            }
        }
    }
    texts
}

/// Every function of whole files: see [`edits`], and `cargo xtask check-metrics` for others' files.
fn edit_all(language: &str, folders: &[&str], least: [usize; 2]) -> edits::Counts {
    let language = Language::by_name(language).expect("known");
    let mut counts = edits::Counts::default();
    for text in folders.iter().flat_map(|folder| sources(folder, language)) {
        if let Err(why) = edits::check(&text, language, &mut counts) {
            panic!("{why}, in:\n{text}");
        }
    }
    let enough = counts.files >= least[0] && counts.functions >= least[1];
    assert!(enough && counts.unclear == 0, "{counts:?}");
    assert!(counts.renamed > 0 && counts.moved > 1 && counts.changed > 0, "{counts:?}");
    counts
}

#[test]
fn ids_survive_edits_of_this_project_s_rust() {
    let counts =
        edit_all("rust", &["crates/scope-source/src", "crates/scope-model/src"], [30, 300]);
    assert!(counts.formatted > 0, "rustfmt comes with the toolchain");
}

#[test]
fn ids_survive_edits_of_this_project_s_c_and_cpp() {
    let folders = ["tests/workloads", "crates/scope-source/tests"];
    let c = edit_all("c", &folders, [20, 100]);
    let cpp = edit_all("cpp", &folders, [3, 15]);
    if c.formatted + cpp.formatted == 0 {
        not_run("node_ids::ids_survive_edits_of_this_project_s_c_and_cpp", "needs clang-format");
    }
}

#[test]
fn ids_survive_edits_of_this_project_s_go() {
    let counts = edit_all("go", &["crates/scope-source/tests/programs"], [2, 8]);
    if counts.formatted == 0 {
        not_run("node_ids::ids_survive_edits_of_this_project_s_go", "needs gofmt");
    }
}

/// As `scope_tests::not_run`, which this crate cannot depend on: `cargo xtask test` counts the lines.
/// All edits but the formatter's were made.
fn not_run(test: &str, why: &str) {
    use std::io::Write as _;
    let line = format!("not run: {test}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("SCOPE_NOT_RUN_FILE") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the list of tests that were not run");
    }
}

#[test]
fn ids_read_back_from_text() {
    let id = NodeId::of_path("src/lib.rs::f");
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(
        id.to_string(),
        "1f0bae87b3cbcc9fae2607a1c3de563a",
        "XXH3-128, as other tools compute it"
    );
    assert!("xyz".parse::<NodeId>().is_err());
    assert!("+0000000000000000000000000000001".parse::<NodeId>().is_err());
}

/// A Rust file of functions in modules, from numbers.
fn rust_file(functions: &[(u8, u8, bool)], indent: &str, local: &str) -> String {
    let mut out = String::new();
    for (name, calls, method) in functions {
        let body: String = (0..*calls % 4)
            .map(|call| format!("{indent}let {local} = c{call}();\n{indent}d({local});\n"))
            .collect();
        if *method {
            out += &format!("impl T{name} {{\n fn m{name}(&self) {{\n{body}}}\n}}\n");
        } else {
            out += &format!("fn f{name}() {{\n{body}}}\n");
        }
    }
    out
}

proptest! {
    #[test]
    fn random_edits_keep_ids(
        mut functions in proptest::collection::btree_map(0_u8..40, (any::<u8>(), any::<bool>()), 1..12)
            .prop_map(|all| all.into_iter().map(|(name, (calls, method))| (name, calls, method)).collect::<Vec<_>>()),
        indent in "[ \t]{0,8}",
        order in any::<u64>(),
        added in proptest::collection::vec(40_u8..80, 0..4),
    ) {
        let before = rust_file(&functions, "    ", "x");
        let length = functions.len();
        functions.rotate_left((order % length as u64) as usize);
        functions.swap(0, (order / 7 % length as u64) as usize);
        let mut added = added;
        added.sort_unstable();
        added.dedup();
        for (at, name) in added.into_iter().enumerate() {
            functions.insert(at.min(functions.len()), (name, 1, order % 2 == 0));
        }
        // Layout, names of locals, order and neighbours changed; ids did not.
        let after = rust_file(&functions, &indent, "another");
        let kept = changed("rust", &before, &after);
        prop_assert!(kept.iter().all(|path| ids("rust", &before).calls.contains_key(path)));
    }
}
