//! From lines to nodes.

use scope_source::{Found, Language, SourceFile};

fn parse(language: &str, source: &str) -> SourceFile {
    let language = Language::by_name(language).expect("known");
    SourceFile::parse("t", source.as_bytes(), language).expect("parsed")
}

/// How, and the text that was found, up to its first blank or bracket.
fn shown(file: &SourceFile, found: Option<Found>) -> String {
    let Some(found) = found else { return "nothing".to_owned() };
    assert_eq!(found.id, file.id_of(found.node));
    let text = String::from_utf8_lossy(file.text_of(found.node)).into_owned();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{:?} {}", found.how, text.chars().take(40).collect::<String>())
}

fn function(file: &SourceFile, line: u32, name: &str) -> String {
    let found = file.function_at(line, Some(name));
    match found.and_then(|found| Some((found.how, found.function?, found.node))) {
        Some((how, index, node)) if file.functions()[index as usize].node == node => {
            format!("{how:?} {}", file.functions()[index as usize].qualified_name)
        }
        _ => shown(file, found),
    }
}

const RUST: &str = "\
#[inline]
#[must_use]
pub fn plain(a: u8) -> u8 {
    a.min(3).max(1)
}
impl<T> Conn<T> {
    pub fn new(
        a: u8,
    ) -> Self { outer(inner(a), a) }
    fn read(&self) { self.items.iter().map(|x| x.len()).sum() }
}
make! { fn generated() { } }
fn with_macro() {
    println!(\"{}\", called(1));
}
async fn waits() { f().await }
";

#[test]
fn a_function_is_found_by_line_and_name() {
    let file = parse("rust", RUST);
    assert_eq!(function(&file, 3, "plain"), "Exact plain");
    assert_eq!(function(&file, 3, "krate::plain"), "Exact plain");
    assert_eq!(function(&file, 7, "krate::Conn<T>::new"), "Exact Conn<T>::new");
    assert_eq!(function(&file, 10, "<krate::Conn<u8>>::read"), "Exact Conn<T>::read");
    assert_eq!(function(&file, 10, "read<alloc::string::String>"), "Exact Conn<T>::read");
}

#[test]
fn attributes_and_long_heads_belong_to_the_function() {
    let file = parse("rust", RUST);
    assert_eq!(function(&file, 1, "plain"), "InHead plain");
    assert_eq!(function(&file, 9, "new"), "InHead Conn<T>::new");
}

#[test]
fn closures_and_async_bodies_are_found_by_their_line() {
    let file = parse("rust", RUST);
    let closure = "krate::{impl#0}::read::{closure#0}";
    assert_eq!(function(&file, 10, closure), "Exact Conn<T>::read::{closure#0}");
    assert_eq!(function(&file, 16, "krate::waits::{async_fn#0}"), "Exact waits");
}

#[test]
fn another_line_is_said_to_be_one() {
    let file = parse("rust", RUST);
    assert_eq!(function(&file, 14, "plain"), "ByName plain");
    assert_eq!(function(&file, 3, "unknown"), "OnlyOnLine plain");
}

#[test]
fn generated_functions_degrade_to_the_macro() {
    let file = parse("rust", RUST);
    assert_eq!(function(&file, 12, "generated"), "InsideMacro make! { fn generated() { } }");
    assert_eq!(function(&file, 6, "nobody"), "Enclosing impl<T> Conn<T> { pub fn new( a: u8, ) -");
    assert_eq!(function(&file, 99, "nobody"), "nothing");
}

#[test]
fn a_call_is_found_by_its_name_or_beginning() {
    let file = parse("rust", RUST);
    assert_eq!(shown(&file, file.call_at(4, 7)), "Exact a.min(3)");
    assert_eq!(shown(&file, file.call_at(4, 14)), "Exact a.min(3).max(1)");
    let (start, name) = file.positions_of(&file.calls()[0]);
    assert_eq!([(start.line, start.column), (name.line, name.column)], [(4, 5), (4, 14)]);
    assert_eq!(shown(&file, file.call_at(9, 17)), "Exact outer(inner(a), a)");
    assert_eq!(shown(&file, file.call_at(9, 23)), "Exact inner(a)");
    // The parenthesis, and a place inside an argument.
    assert_eq!(shown(&file, file.call_at(9, 28)), "Exact inner(a)");
    assert_eq!(shown(&file, file.call_at(9, 29)), "Containing inner(a)");
}

#[test]
fn a_chain_s_beginning_is_ambiguous_and_gives_the_innermost() {
    let file = parse("rust", RUST);
    assert_eq!(shown(&file, file.call_at(4, 5)), "Ambiguous a.min(3)");
}

#[test]
fn the_callee_s_name_settles_what_the_place_leaves_open() {
    let file = parse("rust", RUST);
    assert_eq!(shown(&file, file.call_to(4, 5, "core::cmp::max")), "ByCallee a.min(3).max(1)");
    assert_eq!(shown(&file, file.call_to(9, 17, "inner")), "ByCallee inner(a)");
    assert_eq!(shown(&file, file.call_to(9, 17, "outer::<u8>")), "Exact outer(inner(a), a)");
    // Through a pointer, or by another name.
    assert_eq!(shown(&file, file.call_to(9, 17, "target")), "Exact outer(inner(a), a)");
    let c = parse("c", "int f(int x) {\n  return g(h(x), h(1)) + MAX(x, 2);\n}\n");
    assert_eq!(shown(&c, c.call_to(2, 10, "h")), "Ambiguous h(x)");
    assert_eq!(shown(&c, c.call_to(2, 26, "less")), "InsideMacro MAX(x, 2)");
}

#[test]
fn without_a_column_the_line_must_do() {
    let file = parse("rust", RUST);
    assert_eq!(shown(&file, file.call_at(4, 0)), "Ambiguous a.min(3).max(1)");
    assert_eq!(shown(&file, file.call_at(16, 0)), "OnlyOnLine f()");
    assert_eq!(shown(&file, file.call_at(1, 0)), "Enclosing #[inline]");
}

#[test]
fn calls_in_macros_degrade_to_the_invocation() {
    let file = parse("rust", RUST);
    let macro_call = "InsideMacro println!(\"{}\", called(1))";
    assert_eq!(shown(&file, file.call_at(14, 5)), macro_call);
    assert_eq!(shown(&file, file.call_at(14, 20)), macro_call);
}

#[test]
fn a_line_inside_a_call_of_many_lines_is_enclosed_by_it() {
    let file = parse("c", "void f(void) {\n  g(1,\n    2 +\n    3);\n}\n");
    assert_eq!(shown(&file, file.call_at(3, 0)), "Enclosing g(1, 2 + 3)");
    assert_eq!(shown(&file, file.call_at(5, 1)), "Enclosing { g(1, 2 + 3); }");
}

const CPP: &str = "\
template <class T>
inline
typename T::value
Map<T>::find(const T &t) const
{
  return this->table_.find(hash(t))->second;
}
struct S { S() { init(); } ~S(); bool operator==(const S &o) const { return eq(o); } operator bool() const { return f(); } };
int over(int a) { return 1; } int over(long a) { return 2; }
auto lambda = [](int x) { return g(x); };
";

#[test]
fn templates_operators_and_destructors_are_found() {
    let file = parse("cpp", CPP);
    assert_eq!(function(&file, 4, "ns::Map<int>::find"), "Exact Map<T>::find");
    assert_eq!(function(&file, 3, "find"), "InHead Map<T>::find");
    assert_eq!(function(&file, 8, "S::S"), "Exact S::S");
    assert_eq!(function(&file, 8, "S::operator=="), "Exact S::operator==");
    assert_eq!(function(&file, 8, "S::operator bool"), "Exact S::operator bool");
    let cast = parse("cpp", "struct S { operator const char *() { return 0; } };\n");
    assert_eq!(&*cast.functions()[0].qualified_name, "S::operator const char*");
    assert_eq!(function(&file, 10, "<lambda(int)>::operator()"), "Exact {closure#0}");
}

#[test]
fn overloads_on_one_line_are_ambiguous() {
    let file = parse("cpp", CPP);
    assert_eq!(function(&file, 9, "over"), "Ambiguous over");
}

#[test]
fn go_names_are_found() {
    let source = "package p\nfunc (c *Conn) Read() {\n\tgo func() { f() }()\n}\nfunc F[T any](x T) { x.y.Z() }\n";
    let file = parse("go", source);
    assert_eq!(function(&file, 2, "example.com/p.(*Conn).Read"), "Exact (*Conn).Read");
    assert_eq!(function(&file, 3, "p.(*Conn).Read.func1"), "Exact (*Conn).Read.{closure#0}");
    assert_eq!(function(&file, 5, "p.F[...]"), "Exact F");
    assert_eq!(shown(&file, file.call_at(5, 22)), "Exact x.y.Z()");
}

#[test]
fn a_broken_file_is_searched_as_far_as_it_goes() {
    let file = parse("rust", "fn good() { f(); }\nfn bad( {{{ ] g(2)\nfn later() { h(); }\n");
    assert!(file.errors() > 0);
    assert_eq!(function(&file, 1, "good"), "Exact good");
    assert_eq!(shown(&file, file.call_at(1, 13)), "Exact f()");
}

#[test]
fn languages_are_known_by_path_and_by_dwarf() {
    let path = |path| Language::by_path(path).map(Language::name);
    assert_eq!(path("src/lib.rs"), Some("rust"));
    assert_eq!(path("a.b/c.H"), Some("c"));
    assert_eq!(path("a.C"), Some("cpp"));
    assert_eq!(path("x.hpp"), Some("cpp"));
    assert_eq!(path("Makefile"), None);
    assert_eq!(path("a.rs/Makefile"), None);
    let dwarf = |name| Language::by_dwarf_name(name).map(Language::name);
    assert_eq!(dwarf("DW_LANG_Rust"), Some("rust"));
    assert_eq!(dwarf("DW_LANG_C11"), Some("c"));
    assert_eq!(dwarf("DW_LANG_C"), Some("c"));
    assert_eq!(dwarf("DW_LANG_C_plus_plus_14"), Some("cpp"));
    assert_eq!(dwarf("DW_LANG_Go"), Some("go"));
    assert_eq!(dwarf("DW_LANG_Cobol74"), None);
}

#[test]
fn tables_name_nothing_that_the_grammars_do_not_know() {
    for language in Language::all() {
        assert_eq!(language.unknown_names(), [""; 0], "{}", language.name());
    }
}

#[test]
fn what_only_looks_like_a_function_is_none() {
    let source = "namespace std MACRO(default)\n{\nint f() { g(); }\nelse if (x) { h(); }\n}\n";
    let file = parse("cpp", source);
    let names: Vec<&str> = file.functions().iter().map(|function| &*function.name).collect();
    assert!(names.iter().all(|name| *name == "f"), "{names:?}");
}
