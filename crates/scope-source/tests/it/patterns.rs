//! Every pattern finds what it is for, and not what it is not for.

use scope_source::patterns::Pattern;
use scope_source::{Error, Language, Patterns, SourceFile, load};

/// The patterns found in the functions of a file: `function: id`.
fn found(patterns: &Patterns, language: &str, source: &str) -> Vec<String> {
    let language = Language::by_name(language).expect("known");
    let file = SourceFile::parse("src/a", source.as_bytes(), language).expect("parsed");
    assert_eq!(file.errors(), 0, "{source}");
    let found = patterns.find(&file);
    let shown = found.iter().map(|finding| {
        assert_eq!(finding.id, file.id_of(finding.node));
        let function = finding.function.map(|index| &file.functions()[index as usize]);
        let name = function.map_or("", |function| &function.name);
        format!("{name}: {}", finding.pattern)
    });
    shown.collect()
}

#[track_caller]
fn check(language: &str, cases: &[(&str, &[&str])]) {
    let known = Language::by_name(language).expect("known");
    let patterns = Patterns::builtin_of(known).expect("all are right");
    for (source, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|id| format!("f: {id}")).collect();
        assert_eq!(found(&patterns, language, source), expected, "{source}");
    }
}

#[test]
fn rust_patterns() {
    check(
        "rust",
        &[
            (
                "async fn f(m: &M) { let g = m.lock().await; h().await; }",
                &["rust-lock-across-await", "rust-lock-across-call"],
            ),
            ("async fn f(m: &M) { let g = m.lock().await; drop(g); h().await; }", &[]),
            ("fn f(m: &M) { let mut g = m.lock()?; g.push(1); }", &[]),
            ("fn f(m: &M) { let g = m.lock()?; h(); }", &["rust-lock-across-call"]),
            ("fn f(m: &M) { let n = m.lock()?.len(); h(); }", &[]),
            ("fn f() { { let g = m.lock()?; } h(); }", &[]),
            ("fn f() { for x in y { let s = x.to_string(); } }", &["rust-allocation-in-loop"]),
            ("fn f() { let s = x.to_string(); for x in y.to_vec() { g(); } }", &[]),
            ("fn f() { while g() { h(format!(\"{}\", 1)); } }", &["rust-allocation-in-loop"]),
            ("fn f() { loop { g(|| x.to_owned()); } }", &[]),
            ("fn f() { let _ = g(); }", &["rust-unchecked-result"]),
            ("fn f() { g().ok(); let a = h().ok(); }", &["rust-unchecked-result"]),
            ("fn f(n: u8) { if n > 0 { f(n - 1); } g(); }", &["rust-recursion"]),
            ("impl T { fn f(&self) { self.f(); other.f(); } }", &["rust-recursion"]),
            ("async fn f() { std::thread::sleep(D); }", &["rust-blocking-in-async"]),
            ("async fn f() { tokio::fs::read(p).await; }", &[]),
            ("fn f() { std::fs::read(p); }", &[]),
            ("fn f() { g().unwrap(); }", &["rust-unwrap"]),
            ("#[test]\nfn f() { g().unwrap(); panic!(); }", &[]),
            ("#[cfg(test)] mod tests { fn f() { g().unwrap(); } }", &[]),
            ("fn f() { unreachable!(); }", &["rust-panic"]),
            (
                "fn f(a: f64) { if a == 1.0 || 2.0 != a || a > 3.0 { g(); } }",
                &["rust-float-equality", "rust-float-equality"],
            ),
        ],
    );
}

#[test]
fn c_patterns() {
    check(
        "c",
        &[
            (
                "void f(void) { pthread_mutex_lock(&m); g(); pthread_mutex_unlock(&m); }",
                &["c-lock-across-call"],
            ),
            ("void f(void) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); g(); }", &[]),
            ("void f(void) { while (g()) p = malloc(3); }", &["c-allocation-in-loop"]),
            ("void f(void) { for (p = malloc(3); p; p++) g(); }", &[]),
            ("void f(void) { read(0, b, 3); n = read(0, b, 3); }", &["c-unchecked-result"]),
            ("void f(int n) { f(n - 1); }", &["c-recursion"]),
            ("int f(double a) { return a == 1.0 || a == 1; }", &["c-float-equality"]),
            ("void f(char *a) { strcpy(b, a); strncpy(b, a, 3); }", &["c-unbounded-copy"]),
        ],
    );
}

#[test]
fn cpp_patterns() {
    check(
        "cpp",
        &[
            ("void f() { std::lock_guard<std::mutex> l(m); g(); }", &["cpp-lock-across-call"]),
            ("void f() { std::scoped_lock l{m}; n++; }", &[]),
            ("void f() { std::unique_lock l(m); l.unlock(); g(); }", &[]),
            ("void f() { for (auto x : y) g(new T(x)); }", &["cpp-allocation-in-loop"]),
            ("void f() { auto p = new T; }", &[]),
            ("void f() { write(1, b, 3); }", &["cpp-unchecked-result"]),
            ("struct S { void f() { this->f(); } };", &["cpp-recursion"]),
            ("bool f(float a) { return 0.5f != a; }", &["cpp-float-equality"]),
            ("void f() { try { g(); } catch (...) { } }", &["cpp-catch-all"]),
            ("void f() { try { g(); } catch (const E &e) { } }", &[]),
        ],
    );
}

#[test]
fn go_patterns() {
    let cases: [(&str, &[&str]); 8] = [
        ("func f() { m.Lock(); defer m.Unlock(); g() }", &["go-lock-across-call"]),
        ("func f() { m.Lock(); n++; m.Unlock(); g() }", &[]),
        ("func f() { for { b := make([]byte, 3); use = b } }", &["go-allocation-in-loop"]),
        (
            "func f() { _ = g(); x, _ := h(); y, z := i() }",
            &["go-unchecked-result", "go-unchecked-result"],
        ),
        ("func f(n int) { f(n - 1) }", &["go-recursion"]),
        ("func f() { for range xs { defer g() } }", &["go-defer-in-loop"]),
        ("func f() { for range xs { func() { defer g() }() } }", &[]),
        ("func f(a float64) bool { return a == 1.5 }", &["go-float-equality"]),
    ];
    let sources = cases.map(|(body, _)| format!("package p\n{body}\n"));
    let cases: Vec<(&str, &[&str])> =
        sources.iter().zip(cases).map(|(source, (_, expected))| (&**source, expected)).collect();
    check("go", &cases);
}

#[test]
fn every_pattern_is_tried_above() {
    let tests = include_str!("patterns.rs");
    for pattern in Patterns::builtin().expect("all are right").iter() {
        assert!(tests.contains(&format!("\"{}\"", pattern.id)), "{} has no test", pattern.id);
        assert!(pattern.id.starts_with(pattern.language().name()), "{}", pattern.id);
    }
}

fn mistake(text: &str) -> String {
    let language = Language::by_name("rust").expect("known");
    Pattern::parse("mine.scm", text, language).expect_err("it is wrong").to_string()
}

#[test]
fn a_wrong_pattern_is_told_with_its_line() {
    let header = "; id: a\n; title: b\n; why: c\n";
    assert_eq!(mistake("(call_expression) @match"), "mine.scm:1: the header has no `; id: …`");
    assert_eq!(
        mistake(&format!("{header}(call_expresion) @match")),
        "mine.scm:4: the grammar has no node `call_expresion`"
    );
    assert_eq!(
        mistake(&format!("{header}\n(call_expression funktion: (_)) @match")),
        "mine.scm:5: the grammar has no field `funktion`"
    );
    assert!(mistake(&format!("{header}(call_expression @match")).starts_with("mine.scm:"));
    assert_eq!(
        mistake(&format!("{header}(call_expression) @other")),
        "mine.scm:1: no capture is called @match"
    );
    assert_eq!(
        mistake(&format!("{header}((call_expression) @match (#wow? @match))")),
        "mine.scm:4: #wow? is no known predicate"
    );
    assert_eq!(
        mistake("; id: a\n; when: in-space\n"),
        "mine.scm:2: `in-space` is no condition; there are in-loop, in-async, not-in-test, \
         calls-itself, call-before-release, await-before-release"
    );
    assert_eq!(
        mistake("; id: a\n; colour: red\n"),
        "mine.scm:2: `colour` is no key; there are id, title, why, when"
    );
}

#[test]
fn a_folder_of_patterns_extends_and_replaces() {
    let folder = tempfile::tempdir().expect("a folder");
    let rust = folder.path().join("rust");
    std::fs::create_dir(&rust).expect("made");
    let mine = "; id: rust-unwrap\n; title: mine\n; why: c\n(loop_expression) @match\n";
    std::fs::write(rust.join("mine.scm"), mine).expect("written");
    let mut patterns = Patterns::builtin().expect("all are right");
    let before = patterns.iter().count();
    assert_eq!(load::patterns(folder.path(), &mut patterns).expect("read"), 1);
    assert_eq!(patterns.iter().count(), before);
    assert!(patterns.iter().any(|pattern| &*pattern.title == "mine"));
    std::fs::write(rust.join("wrong.scm"), "x").expect("written");
    let error = load::patterns(folder.path(), &mut patterns).expect_err("one is wrong");
    assert!(matches!(error, Error::Pattern { line: 1, .. }), "{error}");
}
