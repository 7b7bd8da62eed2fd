//! Which definitions uses see: `LINE:COLUMN NAME <- NAME#VERSION LINE:COLUMN, …`.

use insta::assert_snapshot;
use scope_source::{Cfg, Dfg, Language, SourceFile, control_flow, data_flow};

fn flow(language: &str, source: &str) -> (SourceFile, Vec<Cfg>, Vec<Dfg>) {
    let language = Language::by_name(language).expect("known");
    let file = SourceFile::parse("t", source.as_bytes(), language).expect("parsed");
    assert_eq!(file.errors(), 0);
    let graphs = control_flow(&file);
    let flows = data_flow(&file, &graphs);
    (file, graphs, flows)
}

fn text(language: &str, source: &str) -> String {
    let (file, _, flows) = flow(language, source);
    flows[0].to_text(&file)
}

#[test]
fn a_shadowed_local_is_another_one() {
    let text = text("rust", "fn f(x: u8) {\n let x = x + 1;\n { let x = x * 2; g(x); }\n h(x); }");
    assert_snapshot!(text, @r#"
    2:10 x <- x#0 1:6
    3:12 x <- x#0 2:6
    3:21 x <- x#0 3:8
    4:4 x <- x#0 2:6
    "#);
}

#[test]
fn ways_that_meet_join_their_definitions() {
    let text = text(
        "rust",
        "fn f(a: bool) {\n let mut x = 1;\n if a { x = 2; }\n g(x);\n x += 1;\n g(x); }",
    );
    assert_snapshot!(text, @r#"
    3:5 a <- a#0 1:6
    4:4 x <- x#0 2:10, x#1 3:9
    5:2 x <- x#0 2:10, x#1 3:9
    6:4 x <- x#2 5:2
    "#);
}

#[test]
fn a_loop_sees_its_own_definitions() {
    let text =
        text("c", "void f(int n) {\n int s = 0;\n for (int i = 0; i < n; i++)\n s += i;\n g(s); }");
    assert_snapshot!(text, @r#"
    3:18 i <- i#0 3:11, i#1 3:25
    3:22 n <- n#0 1:12
    4:2 s <- s#0 2:6, s#1 4:2
    4:7 i <- i#0 3:11, i#1 3:25
    3:25 i <- i#0 3:11, i#1 3:25
    5:4 s <- s#0 2:6, s#1 4:2
    "#);
}

#[test]
fn patterns_define_what_they_bind() {
    let text = text(
        "rust",
        "fn f(o: Option<P>) {\n match o {\n Some(P { a, b: (c, _) }) if a > c => g(a, c),\n Some(x @ Q(_)) | R(x) => h(x),\n None => i(o) } }",
    );
    assert_snapshot!(text, @r#"
    2:8 o <- o#0 1:6
    3:30 a <- a#0 3:11
    3:34 c <- c#0 3:18
    3:41 a <- a#0 3:11
    3:44 c <- c#0 3:18
    4:29 x <- x#0 4:7
    5:12 o <- o#0 1:6
    "#);
}

#[test]
fn what_an_if_let_binds_is_not_known_in_its_else() {
    let text = text(
        "rust",
        "fn f(x: Option<u8>) {\n if let Some(x) = x { g(x) }\n else { h(x) }\n i(x) }",
    );
    assert_snapshot!(text, @r#"
    2:19 x <- x#0 1:6
    2:25 x <- x#0 2:14
    3:11 x <- x#0 1:6
    4:4 x <- x#0 1:6
    "#);
}

#[test]
fn a_let_else_binds_after_it() {
    let text =
        text("rust", "fn f(x: Option<u8>) -> u8 {\n let Some(x) = x else { return g(x) };\n x }");
    assert_snapshot!(text, @r#"
    2:16 x <- x#0 1:6
    2:34 x <- x#0 1:6
    3:2 x <- x#0 2:11
    "#);
}

#[test]
fn a_closure_uses_outer_locals_and_keeps_its_own() {
    let (file, _, flows) =
        flow("rust", "fn f(a: u8, b: u8) {\n g(|b| {\n let c = a + b;\n c });\n b; }");
    assert_snapshot!(flows[0].to_text(&file), @r#"
    3:10 a <- a#0 1:6
    5:2 b <- b#0 1:13
    "#);
    assert_snapshot!(flows[1].to_text(&file), @r#"
    3:14 b <- b#0 2:5
    4:2 c <- c#0 3:6
    "#);
}

#[test]
fn members_and_elements_are_uses() {
    let text = text(
        "c",
        "void f(struct s *p, int i) {\n p->a = 1;\n p->b[i] = i;\n *p = q;\n p = 0;\n g(p); }",
    );
    assert_snapshot!(text, @r#"
    2:2 p <- p#0 1:18
    3:2 p <- p#0 1:18
    3:7 i <- i#0 1:25
    3:12 i <- i#0 1:25
    4:3 p <- p#0 1:18
    6:4 p <- p#1 5:2
    "#);
}

#[test]
fn macro_arguments_are_uses() {
    let text = text("rust", "fn f(a: u8, len: u8) {\n println!(\"{}\", a.len()); }");
    assert_snapshot!(text, @"2:17 a <- a#0 1:6");
}

#[test]
fn declarators_in_one_declaration_count_one_after_the_other() {
    let text = text("c", "int f(void) {\n int a = 1, *b = &a, c[a];\n return a + *b + c[0]; }");
    assert_snapshot!(text, @r#"
    2:19 a <- a#0 2:6
    2:24 a <- a#0 2:6
    3:9 a <- a#0 2:6
    3:14 b <- b#0 2:14
    3:18 c <- c#0 2:22
    "#);
}

#[test]
fn goto_carries_definitions() {
    let text =
        text("c", "void f(int a) {\n int r = 1;\n if (a) goto out;\n r = 2;\nout:\n g(r); }");
    assert_snapshot!(text, @r#"
    3:6 a <- a#0 1:12
    6:4 r <- r#0 2:6, r#1 4:2
    "#);
}

#[test]
fn structured_bindings_and_references() {
    let text = text(
        "cpp",
        "void f(M &m) {\n for (auto &[k, v] : m) g(k, v);\n if (auto *p = h(); p) i(p); }",
    );
    assert_snapshot!(text, @r#"
    2:22 m <- m#0 1:11
    2:27 k <- k#0 2:14
    2:30 v <- v#0 2:17
    3:21 p <- p#0 3:12
    3:26 p <- p#0 3:12
    "#);
}

#[test]
fn an_exception_is_bound_in_its_handler() {
    let text = text("cpp", "void f(int e) {\n try { g(); } catch (const E &e) { h(e); }\n h(e); }");
    assert_snapshot!(text, @r#"
    2:38 e <- e#0 2:31
    3:4 e <- e#0 1:12
    "#);
}

#[test]
fn declaring_again_in_the_same_scope_assigns_in_go() {
    let text = text(
        "go",
        "package p\nfunc f() error {\n a, err := g()\n b, err := h(a)\n if err != nil { err := i(b); return err }\n return err }",
    );
    assert_snapshot!(text, @r#"
    4:14 a <- a#0 3:2
    5:5 err <- err#1 4:5
    5:27 b <- b#0 4:2
    5:38 err <- err#0 5:18
    6:9 err <- err#1 4:5
    "#);
}

#[test]
fn ranges_switches_and_receivers_in_go() {
    let text = text(
        "go",
        "package p\nfunc (s *S) f(v any) {\n for i, x := range s.xs { g(i, x) }\n switch x := v.(type) { case int: h(x) }\n select { case y := <-s.c: h(y) } }",
    );
    assert_snapshot!(text, @r#"
    3:20 s <- s#0 2:7
    3:29 i <- i#0 3:6
    3:32 x <- x#0 3:9
    4:14 v <- v#0 2:15
    4:37 x <- x#0 4:9
    5:23 s <- s#0 2:7
    5:30 y <- y#0 5:16
    "#);
}

#[test]
fn dead_code_sees_nothing() {
    let text = text("c", "int f(int a) {\n return a;\n return a; }");
    assert_snapshot!(text, @r#"
    2:9 a <- a#0 1:11
    3:9 a <-
    "#);
}

#[test]
fn returned_values_are_uses_of_returns_and_tails() {
    let (file, graphs, flows) =
        flow("rust", "fn f(a: u8, b: u8, c: u8) -> u8 {\n if a > 1 { return b; }\n g(a);\n c }");
    let names = flows[0].returned(&graphs[0]).map(|one| file.text_of(one.ast).to_vec());
    assert_eq!(names.collect::<Vec<_>>(), [b"b", b"c"]);
}

/// What reaches a use, found the other way round: from each definition along all ways until the
/// variable is defined again. Uses in nodes that also define the variable are left out: their
/// order is in no graph.
#[test]
fn reaching_definitions_are_those_that_ways_lead_to() {
    let mut compared = 0;
    for (language, table) in [
        ("rust", include_str!("../../src/cfg/builder.rs")),
        ("rust", include_str!("../../src/outline.rs")),
        ("rust", include_str!("../../src/dfg/events.rs")),
        ("c", include_str!("../programs/flow.c")),
        ("go", include_str!("../programs/flow.go")),
    ] {
        let (_, graphs, flows) = flow(language, table);
        for (cfg, dfg) in graphs.iter().zip(&flows) {
            let nodes_of = |variable: u32| {
                let all = dfg.definitions.iter();
                all.filter(move |one| one.variable == variable).map(|one| one.node)
            };
            for local_use in &dfg.uses {
                let defined: Vec<u32> = nodes_of(local_use.variable).collect();
                if defined.contains(&local_use.node) {
                    continue;
                }
                let expected: Vec<u32> = (0..dfg.definitions.len() as u32)
                    .filter(|index| dfg.definitions[*index as usize].variable == local_use.variable)
                    .filter(|index| {
                        let from = dfg.definitions[*index as usize].node;
                        let last =
                            nodes_of(local_use.variable).filter(|node| *node == from).count();
                        assert!(last >= 1);
                        // Of several in one node the last one counts.
                        let later = dfg.definitions[*index as usize + 1..].iter();
                        let hidden = later.filter(|one| one.variable == local_use.variable);
                        let hidden = hidden.into_iter().any(|one| one.node == from);
                        !hidden && leads(cfg, from, local_use.node, &defined)
                    })
                    .collect();
                assert_eq!(dfg.definitions_of(local_use), expected);
                compared += 1;
            }
        }
    }
    assert!(compared > 800, "{compared}");
}

fn leads(cfg: &Cfg, from: u32, to: u32, stops: &[u32]) -> bool {
    let mut seen = vec![false; cfg.nodes.len()];
    let mut open: Vec<u32> = cfg.successors(from).iter().map(|edge| edge.to).collect();
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if !std::mem::replace(&mut seen[at as usize], true) && !stops.contains(&at) {
            open.extend(cfg.successors(at).iter().map(|edge| edge.to));
        }
    }
    false
}
