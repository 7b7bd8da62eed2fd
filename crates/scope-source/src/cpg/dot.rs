//! Graphviz.

use std::fmt::Write;

use super::{CodePropertyGraph, CpgEdgeKind, CpgRole};

pub(super) fn write(graph: &CodePropertyGraph) -> String {
    let mut out = String::from(
        "digraph code {\n  node [shape=box, fontname=\"monospace\", fontsize=10];\n  \
         edge [fontname=\"monospace\", fontsize=9];\n",
    );
    for (index, node) in graph.nodes.iter().enumerate() {
        let text = if node.text.is_empty() { &node.kind } else { &node.text };
        let shape = match node.role {
            CpgRole::Syntax => "",
            CpgRole::Exit => ", shape=oval",
            CpgRole::Deferred => ", style=rounded",
            CpgRole::Callee => ", shape=component",
        };
        let dead = if node.dead { ", color=gray, fontcolor=gray" } else { "" };
        let place = node.span.map_or(String::new(), |span| format!("{}: ", span.start.line));
        let _ = writeln!(out, "  n{index} [label=\"{place}{}\"{shape}{dead}];", escape(text));
    }
    for edge in &graph.edges {
        let style = match edge.kind {
            CpgEdgeKind::Syntax => "color=gray80, arrowhead=none",
            CpgEdgeKind::Control => "color=black",
            CpgEdgeKind::Data => "color=blue, style=dashed",
            CpgEdgeKind::Call => "color=red",
        };
        let back = if edge.back { ", constraint=false" } else { "" };
        let label = match &*edge.label {
            "" | "next" => String::new(),
            label => format!(", label=\"{}\"", escape(label)),
        };
        let _ = writeln!(out, "  n{} -> n{} [{style}{label}{back}];", edge.from, edge.to);
    }
    out.push_str("}\n");
    out
}

/// Quotes, backslashes and control characters, as Graphviz reads them.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
