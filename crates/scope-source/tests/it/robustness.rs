//! Nothing panics, whatever the bytes; nothing takes for ever, however deep.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use scope_source::{Error, Graphs, Language, Limits, SourceFile, fuzzing};

/// Sources to mutate: the tables of small functions, whose rows have most constructs.
fn table(language: usize) -> &'static [u8] {
    [
        include_bytes!("../graphs/rust.txt").as_slice(),
        include_bytes!("../graphs/c.txt"),
        include_bytes!("../graphs/cpp.txt"),
        include_bytes!("../graphs/go.txt"),
    ][language]
}

#[test]
fn the_corpus_of_the_fuzzer_passes() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/everything");
    let mut seen = 0;
    for entry in std::fs::read_dir(corpus).expect("it is there") {
        let path = entry.expect("read").path();
        fuzzing::everything(&std::fs::read(path).expect("read"));
        seen += 1;
    }
    assert!(seen >= 12, "{seen} inputs");
}

#[derive(Clone, Debug)]
enum Edit {
    Delete(usize, usize),
    Insert(usize, &'static str),
    Copy(usize, usize, usize),
    Byte(usize, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let pieces = prop_oneof![
        Just("{"),
        Just("}"),
        Just("("),
        Just(")"),
        Just(";"),
        Just("&&"),
        Just("||"),
        Just("?"),
        Just("if "),
        Just("else "),
        Just("break "),
        Just("continue "),
        Just("case 1:"),
        Just("default:"),
        Just("goto x;"),
        Just("x:"),
        Just("'a: "),
        Just("|x| "),
        Just("match "),
        Just("=> "),
        Just("#if 1\n"),
        Just("#else\n"),
        Just("#endif\n"),
        Just("\""),
        Just("/*"),
        Just("fallthrough\n"),
        Just("defer f()\n"),
        Just("try {"),
        Just("catch (...) {"),
        Just("\0"),
    ];
    let at = any::<usize>();
    prop_oneof![
        (at, 0_usize..40).prop_map(|(at, length)| Edit::Delete(at, length)),
        (at, pieces).prop_map(|(at, text)| Edit::Insert(at, text)),
        (at, at, 0_usize..80).prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
        (at, any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
    ]
}

fn apply(text: &mut Vec<u8>, edit: &Edit) {
    let length = text.len().max(1);
    match *edit {
        Edit::Delete(at, count) => {
            let at = at % length;
            text.drain(at..(at + count).min(text.len()));
        }
        Edit::Insert(at, piece) => {
            let at = (at % length).min(text.len());
            text.splice(at..at, piece.bytes());
        }
        Edit::Copy(from, to, count) => {
            let (from, to) = ((from % length).min(text.len()), (to % length).min(text.len()));
            let piece = text[from..(from + count).min(text.len())].to_vec();
            text.splice(to..to, piece);
        }
        Edit::Byte(at, byte) => {
            let at = at % length;
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
        }
    }
}

/// Few by default: each tries everything. `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(96)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn mutated_sources_do_not_panic(
        language in 0_usize..4,
        from in any::<usize>(),
        edits in proptest::collection::vec(edit(), 1..12),
    ) {
        let table = table(language);
        let from = from % table.len();
        let mut text = table[from..(from + 1_500).min(table.len())].to_vec();
        for edit in &edits {
            apply(&mut text, edit);
        }
        let mut input = vec![language as u8];
        input.extend(text);
        fuzzing::everything(&input);
    }

    #[test]
    fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzzing::everything(&bytes);
    }
}

/// Nested text, parsed and drawn on a thread with a small stack.
fn deep(language: &'static str, open: &str, close: &str, count: usize, before: &str, after: &str) {
    let source = format!("{before}{}{}{after}", open.repeat(count), close.repeat(count));
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || {
        let known = Language::by_name(language).expect("known");
        let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
        let file = SourceFile::parse_within("t", source.into_bytes(), known, limits);
        let file = file.expect("parsed");
        let graphs = Graphs::build(&file);
        assert_eq!(graphs.control.len(), file.functions().len());
        let mut input =
            vec![Language::all().position(|one| one == known).expect("it is one") as u8];
        input.extend(file.text());
        fuzzing::everything(&input);
    };
    thread.spawn(run).expect("started").join().expect("it ended well");
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    deep("rust", "if a { ", "} ", 3_000, "fn f() { ", "}");
    deep("rust", "(", ")", 3_000, "fn f() { g", "; }");
    deep("rust", "|x| ", "", 300, "fn f() { g(", "1); }");
    deep("rust", "{ let x = y?; ", "} ", 3_000, "fn f() { ", "}");
    deep("c", "if (a) ", "", 3_000, "void f(void) { ", "g(); }");
    deep("c", "a ? b : ", "", 3_000, "int f(void) { return ", "c; }");
    deep(
        "c",
        "!(a && ",
        ")",
        3_000,
        "int f(void) { if (",
        "b) g(); }".replace("b) ", "b)) ").as_str(),
    );
    deep("cpp", "try { ", "} catch (...) { } ", 1_000, "void f() { ", "}");
    deep("go", "for { ", "}; ", 3_000, "package p\nfunc f() { ", "}");
}

#[test]
fn long_chains_are_drawn_whole() {
    let operands = vec!["a"; 3_000].join(" && ");
    let source = format!("int f(int a) {{ if ({operands}) return 1; return 0; }}");
    let language = Language::by_name("c").expect("known");
    let file = SourceFile::parse("t", source.into_bytes(), language).expect("parsed");
    let graphs = Graphs::build(&file);
    assert!(!graphs.control[0].truncated);
    assert_eq!(graphs.metrics[0].cyclomatic, 3_001);
    let mut chain = String::from("fn f(a: u8) { ");
    for at in 0..3_000 {
        let _ = write!(chain, "if a == {at} {{ g() }} else ");
    }
    chain += "{ h() } }";
    let language = Language::by_name("rust").expect("known");
    let file = SourceFile::parse("t", chain.into_bytes(), language).expect("parsed");
    let graphs = Graphs::build(&file);
    assert!(!graphs.control[0].truncated);
    assert_eq!(graphs.metrics[0].cyclomatic, 3_001);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let language = Language::by_name("c").expect("known");
    let limits = Limits { bytes: 10, ..Limits::default() };
    let error = SourceFile::parse_within("big.c", b"int a; int b;".as_slice(), language, limits);
    let error = error.expect_err("it is too large");
    assert_eq!(error.to_string(), "big.c: 13 bytes are more than the 10 that are parsed");
}

#[test]
fn a_parse_that_takes_too_long_is_ended() {
    let language = Language::by_name("cpp").expect("known");
    let source = "a<b(".repeat(200_000);
    let limits = Limits { time: Duration::from_millis(20), ..Limits::default() };
    let error = SourceFile::parse_within("slow.cpp", source.into_bytes(), language, limits);
    assert!(matches!(error, Err(Error::TimedOut { .. })));
}
