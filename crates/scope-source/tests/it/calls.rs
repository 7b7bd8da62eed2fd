//! Calls between functions, and the code property graph.

use insta::assert_snapshot;
use scope_source::cpg::syntax_text;
use scope_source::{
    CallGraph, CodePropertyGraph, FunctionRef, Graphs, Language, Layers, Linked, SourceFile,
};

fn parse(path: &str, source: &str) -> SourceFile {
    let language = Language::by_path(path).expect("known");
    SourceFile::parse(path, source.as_bytes(), language).expect("parsed")
}

/// `caller -> callee target` of all edges.
fn links(files: &[&SourceFile]) -> String {
    let name =
        |of: FunctionRef| &files[of.file as usize].functions()[of.function as usize].qualified_name;
    let graph = CallGraph::link(files);
    let edges = graph.edges.iter();
    edges
        .map(|edge| format!("{} -> {} {:?}\n", name(edge.from), name(edge.to), edge.target))
        .collect()
}

#[test]
fn calls_are_tied_by_name_scope_and_file() {
    let a = parse(
        "a.rs",
        "fn f() { g(); m::h(); T::new(); Vec::new(); x.go(); }\nfn g() { println!(\"{}\", f()); }\nimpl T { fn new() -> T { Self::other() } fn other() {} fn go(&self) { self.go() } }",
    );
    let b =
        parse("b.rs", "mod m { pub fn h() {} }\nfn g() {}\nimpl U { fn new() {} fn go(&self) {} }");
    assert_snapshot!(links(&[&a, &b]), @r#"
    f -> g Unique
    f -> m::h Unique
    f -> T::new Unique
    f -> T::go OneOf(2)
    f -> U::go OneOf(2)
    T::new -> T::other Unique
    T::go -> T::go Unique
    "#);
}

#[test]
fn cpp_calls_c_and_go_calls_go() {
    let c = parse("a.c", "int work(int n) { return n; }");
    let cpp = parse(
        "b.cpp",
        "extern \"C\" int work(int); struct S { void run() { step(); this->step(); work(1); } void step(); }; void S::step() { ns::work(2); }",
    );
    let go = parse(
        "c.go",
        "package p\nfunc run() { s.Work(); work() }\nfunc (s *S) Work() {}\nfunc work() {}",
    );
    assert_snapshot!(links(&[&c, &cpp, &go]), @r#"
    S::run -> S::step Unique
    S::run -> S::step Unique
    S::run -> work Unique
    S::step -> work Unique
    run -> (*S).Work Unique
    run -> work Unique
    "#);
}

#[test]
fn recursion_is_found_through_other_functions() {
    let file = parse(
        "a.c",
        "void a(void) { b(); } void b(void) { c(); } void c(void) { a(); d(); } void d(void) { d(); } void e(void) { a(); }",
    );
    let graph = CallGraph::link(&[&file]);
    let names =
        graph.recursive().into_iter().map(|of| &*file.functions()[of.function as usize].name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "c", "d"]);
}

#[test]
fn fans_count_functions_and_not_calls() {
    let file = parse(
        "a.c",
        "void a(void) { b(); b(); c(); puts(1); } void b(void) { c(); } void c(void) {}",
    );
    let graph = CallGraph::link(&[&file]);
    assert_eq!(graph.external, 1);
    let fans = graph.fans();
    let of = |function| fans[&FunctionRef { file: 0, function }];
    assert_eq!([of(0), of(1), of(2)], [(0, 2), (1, 1), (2, 0)]);
}

#[test]
fn an_observed_call_is_added_once() {
    let file = parse("a.c", "void a(void (*p)(void)) { p(); } void b(void) {}");
    let mut graph = CallGraph::link(&[&file]);
    let [a, b] = [0, 1].map(|function| FunctionRef { file: 0, function });
    graph.add_observed(a, b, Some(0));
    graph.add_observed(a, b, Some(0));
    graph.add_observed(a, b, None);
    assert_eq!(graph.edges.len(), 1);
    assert_eq!(graph.callers(b).count(), 1);
}

fn property_graph(source: &str, layers: Layers) -> CodePropertyGraph {
    let file = parse("a.rs", source);
    let graphs = Graphs::build(&file);
    let files = [&file];
    let calls = CallGraph::link(&files);
    let linked = Linked { files: &files, calls: &calls };
    let of = FunctionRef { file: 0, function: 0 };
    let graph = CodePropertyGraph::of_function(linked, of, &graphs, layers).expect("it is there");
    for node in file.ast().descendants(file.functions()[0].node) {
        let id = file.id_of(node);
        if layers.syntax {
            assert!(graph.nodes.iter().any(|node| node.id == id), "{}", file.path_of(node));
        }
    }
    graph
}

const SOURCE: &str = "fn f(a: u8) -> u8 { if a > 1 { return g(a); } 0 }\nfn g(b: u8) -> u8 { b }\n";

#[test]
fn layers_are_drawn_one_by_one_for_graphviz() {
    let control = property_graph(SOURCE, Layers { control: true, ..Layers::NONE });
    assert_snapshot!(control.to_dot(), @r#"
    digraph code {
      node [shape=box, fontname="monospace", fontsize=10];
      edge [fontname="monospace", fontsize=9];
      n0 [label="1: fn f(a: u8) -> u8"];
      n1 [label="1: exit", shape=oval];
      n2 [label="1: a > 1"];
      n3 [label="1: return g(a)"];
      n4 [label="1: 0"];
      n0 -> n2 [color=black];
      n2 -> n3 [color=black, label="true"];
      n2 -> n4 [color=black, label="false"];
      n3 -> n1 [color=black, label="return"];
      n4 -> n1 [color=black];
    }
    "#);
    let data = property_graph(SOURCE, Layers { data: true, calls: true, ..Layers::NONE });
    assert_snapshot!(data.to_dot(), @r#"
    digraph code {
      node [shape=box, fontname="monospace", fontsize=10];
      edge [fontname="monospace", fontsize=9];
      n0 [label="1: fn f(a: u8) -> u8"];
      n1 [label="1: a"];
      n2 [label="1: a"];
      n3 [label="1: a"];
      n4 [label="g", shape=component];
      n5 [label="1: g(a)"];
      n1 -> n2 [color=blue, style=dashed, label="a#0"];
      n1 -> n3 [color=blue, style=dashed, label="a#0"];
      n5 -> n4 [color=red];
    }
    "#);
}

#[test]
fn the_whole_graph_goes_through_json() {
    let graph = property_graph(SOURCE, Layers::ALL);
    let json = serde_json::to_string(&graph).expect("written");
    let back: CodePropertyGraph = serde_json::from_str(&json).expect("read");
    assert_eq!(back, graph);
    let edges = graph.edges.iter();
    let last = graph.nodes.len() as u32;
    assert!(edges.clone().all(|edge| edge.from < last && edge.to < last));
    let first = serde_json::to_string_pretty(&graph.edges.last()).expect("written");
    assert_snapshot!(first, @r#"
    {
      "from": 16,
      "to": 22,
      "kind": "call"
    }
    "#);
}

#[test]
fn quotes_in_sources_do_not_end_labels() {
    let dot =
        property_graph("fn f() { g(\"a\\n\\\"b\"); }", Layers { control: true, ..Layers::NONE })
            .to_dot();
    assert!(dot.contains(r#"label="1: g(\"a\\n\\\"b\");""#), "{dot}");
}

#[test]
fn syntax_is_listed() {
    let file = parse("a.rs", "fn f(a: u8) { g(a); }");
    assert_snapshot!(syntax_text(&file, file.functions()[0].node), @r#"
    1:1 function_item
      1:4 identifier f
      1:5 parameters
        1:6 parameter
          1:6 identifier a
          1:9 primitive_type u8
      1:13 block
        1:15 expression_statement
          1:15 call_expression
            1:15 identifier g
            1:16 arguments
              1:17 identifier a
    "#);
}

#[test]
fn ids_of_a_pass_are_those_of_single_nodes() {
    // Closures in closures count where they stand; `property_graph` compares all.
    property_graph(
        "fn f(a: u8) { g(|x| { h(|y| y + a); i(x) }); fn k() { l(1); } g(2); async { m() }; }",
        Layers::ALL,
    );
}
