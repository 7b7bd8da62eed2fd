//! Everything the crate does with a file, for fuzzers: it takes any bytes and must not panic.
//!
//! Not part of the crate's interface.

use std::sync::OnceLock;
use std::time::Duration;

use crate::call_graph::{CallGraph, FunctionRef};
use crate::cfg::Cfg;
use crate::cpg::{CodePropertyGraph, Layers, Linked, syntax_text};
use crate::graphs::Graphs;
use crate::language::Language;
use crate::patterns::Patterns;
use crate::source_file::{Limits, SourceFile};

/// Any bytes as a file: the first byte chooses the language.
///
/// # Panics
///
/// When something the crate promises does not hold.
pub fn everything(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let count = Language::all().count();
    let Some(language) = Language::all().nth(usize::from(*first) % count) else { return };
    let limits = Limits { bytes: 1 << 20, time: Duration::from_secs(5) };
    let Ok(file) = SourceFile::parse_within("fuzz", text, language, limits) else { return };
    let graphs = Graphs::build(&file);
    assert_eq!(graphs.control.len(), file.functions().len());
    for (cfg, flow) in graphs.control.iter().zip(&graphs.data) {
        check(cfg);
        for local_use in &flow.uses {
            let definitions = flow.definitions_of(local_use).iter();
            let variables = definitions.map(|index| flow.definitions[*index as usize].variable);
            assert!(variables.into_iter().all(|variable| variable == local_use.variable));
        }
    }
    let calls = CallGraph::link(&[&file]);
    let _ = (calls.recursive(), calls.fans());
    let linked = Linked { files: &[&file], calls: &calls };
    for function in (0..file.functions().len() as u32).take(4) {
        let of = FunctionRef { file: 0, function };
        let graph = CodePropertyGraph::of_function(linked, of, &graphs, Layers::ALL);
        let _ = graph.map(|graph| graph.to_dot());
        let found = &file.functions()[function as usize];
        let _ = graphs.control[function as usize].to_text(&file);
        let _ = graphs.data[function as usize].to_text(&file);
        let _ = syntax_text(&file, found.node);
        let _ = file.function_at(found.name_at.line, Some(&found.qualified_name));
    }
    for line in [0, 1, 2, 3, file.lines().lines(), u32::MAX] {
        let _ = file.function_at(line, None);
        for column in [0, 1, 5, u32::MAX] {
            let _ = file.call_at(line, column);
        }
    }
    static PATTERNS: OnceLock<Option<Patterns>> = OnceLock::new();
    if let Some(patterns) = PATTERNS.get_or_init(|| Patterns::builtin().ok()) {
        let _ = patterns.find(&file);
    }
}

/// What holds of every graph.
fn check(cfg: &Cfg) {
    assert!(cfg.nodes.len() >= 2);
    let mut decisions = 0;
    for node in 0..cfg.nodes.len() as u32 {
        let out = cfg.successors(node);
        assert!(
            out.iter().all(|edge| edge.to != Cfg::ENTRY && (edge.to as usize) < cfg.nodes.len())
        );
        if node == Cfg::EXIT {
            assert!(out.is_empty());
        } else {
            assert!(!out.is_empty());
            decisions += out.len() as u32 - 1;
        }
    }
    assert_eq!(cfg.cyclomatic(), decisions + 1);
}
