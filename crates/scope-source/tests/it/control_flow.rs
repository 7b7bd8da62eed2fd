//! Tables of small functions, checked by hand: name, cyclomatic and cognitive complexity, source,
//! graph. `SCOPE_UPDATE_TABLES=1` writes the graphs anew, for reading before they are committed.

use std::fmt::Write;
use std::path::PathBuf;

use scope_source::{Cfg, Language, SourceFile, control_flow, metrics};

struct Row {
    name: String,
    numbers: String,
    source: String,
    graph: String,
}

fn table(language: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/graphs/{language}.txt"))
}

fn read(text: &str) -> Vec<Row> {
    let rows = text.split("\n== ").map(|row| row.trim_start_matches("== "));
    rows.map(|row| {
        let (head, rest) = row.split_once('\n').expect("a row has a source");
        let (name, numbers) = head.split_once(" | ").expect("a row has numbers");
        let (source, graph) = rest.split_once("\n--\n").unwrap_or((rest, ""));
        Row {
            name: name.to_owned(),
            numbers: numbers.to_owned(),
            source: source.trim_end().to_owned(),
            graph: graph.trim_end().to_owned(),
        }
    })
    .collect()
}

fn check(language: &str, least: usize) {
    let path = table(language);
    let rows = read(&std::fs::read_to_string(&path).expect("the table is there"));
    assert!(rows.len() >= least, "{} rows", rows.len());
    let language = Language::by_name(language).expect("the language exists");
    let mut wrong = String::new();
    let mut anew = String::new();
    for row in &rows {
        let prefix = if language.name() == "go" { "package p\n" } else { "" };
        let source = format!("{prefix}{}\n", row.source);
        let file = SourceFile::parse("t", source.into_bytes(), language).expect("parsed");
        assert_eq!(file.errors(), 0, "{} does not parse", row.name);
        let graphs = control_flow(&file);
        let numbers = metrics(&file, &graphs)[0];
        check_shape(&graphs[0], &row.name);
        let graph = graphs[0].to_text(&file);
        let graph = graph.trim_end();
        let found = format!("{} {}", numbers.cyclomatic, numbers.cognitive);
        if found != row.numbers {
            let _ = writeln!(wrong, "{}: {found} instead of {}\n{graph}", row.name, row.numbers);
        } else if graph != row.graph {
            let _ =
                writeln!(wrong, "{}: another graph\n{graph}\ninstead of\n{}", row.name, row.graph);
        }
        let _ = write!(anew, "== {} | {}\n{}\n--\n{graph}\n", row.name, row.numbers, row.source);
    }
    if std::env::var_os("SCOPE_UPDATE_TABLES").is_some() {
        std::fs::write(path, anew).expect("written");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What holds of every graph.
pub(crate) fn check_shape(cfg: &Cfg, name: &str) {
    let count = |wanted| cfg.nodes.iter().filter(|node| node.kind == wanted).count();
    assert_eq!(count(scope_source::CfgKind::Entry), 1, "{name}");
    assert_eq!(count(scope_source::CfgKind::Exit), 1, "{name}");
    assert!(cfg.edges.iter().all(|edge| edge.to != Cfg::ENTRY && edge.from != Cfg::EXIT), "{name}");
    let mut reached = vec![false; cfg.nodes.len()];
    let mut open = vec![Cfg::ENTRY];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut reached[at as usize], true) {
            open.extend(cfg.successors(at).iter().map(|edge| edge.to));
        }
    }
    for (at, node) in cfg.nodes.iter().enumerate() {
        let exit = at == Cfg::EXIT as usize;
        assert!(exit || !cfg.successors(at as u32).is_empty(), "{name}: {at} leads nowhere");
        assert!(exit || node.dead != reached[at], "{name}: {at} is dead, or it is not");
    }
    let decisions: usize = (0..cfg.nodes.len() as u32)
        .filter(|at| *at != Cfg::EXIT)
        .map(|at| cfg.successors(at).len() - 1)
        .sum();
    assert_eq!(cfg.cyclomatic() as usize, decisions + 1, "{name}");
}

#[test]
fn rust_functions_have_the_graphs_of_the_table() {
    check("rust", 40);
}

#[test]
fn c_functions_have_the_graphs_of_the_table() {
    check("c", 40);
}

#[test]
fn cpp_functions_have_the_graphs_of_the_table() {
    check("cpp", 40);
}

#[test]
fn go_functions_have_the_graphs_of_the_table() {
    check("go", 40);
}
