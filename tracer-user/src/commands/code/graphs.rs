//! `scope code TARGET FUNCTION --cfg`, `--dfg`, `--cpg`, `--ast`: the graphs of a function.

use std::io::Write;

use anyhow::bail;
use scope_code::{CodeFunction, Project};
use scope_model::Function;
use scope_source::cpg::syntax_text;
use scope_source::{CodePropertyGraph, FunctionRef, Graphs, Layers, NodeId};
use serde::Serialize;

use super::subject::Subject;
use crate::cli::{CodeFormat, CodeView};
use crate::output::units::printable;
use crate::output::{json, style};

/// The JSON of a graph. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Graph<'a> {
    function: &'a str,
    node_id: NodeId,
    node_path: &'a str,
    #[serde(flatten)]
    graph: CodePropertyGraph,
}

/// Prints the graphs of the functions that a pattern names.
pub fn write(
    out: &mut impl Write,
    subject: &Subject,
    pattern: &str,
    view: CodeView,
    format: CodeFormat,
) -> anyhow::Result<()> {
    let functions = subject.by_node(&subject.find(pattern)?)?;
    let project = subject.map.project()?;
    let mut documents = Vec::new();
    let several = functions.len() > 1;
    for (function, code) in &functions {
        let Some(of) = project.find(code) else {
            // Of several, those without a node are passed over: the pattern was a wide one.
            if several {
                continue;
            }
            bail!("{}", no_node(function, code));
        };
        let Some(file) = project.file(of.file) else { continue };
        let node = &file.functions()[of.function as usize];
        let graphs = Graphs::build(file);
        let graph = || graph(&project, of, &graphs, view);
        match format {
            CodeFormat::Json => {
                let (node_id, node_path) = (node.id, node.path.to_string());
                documents.push((function.name.as_str(), node_id, node_path, graph()));
            }
            CodeFormat::Dot => write!(out, "{}", graph().to_dot())?,
            CodeFormat::Text => {
                if several {
                    let head = style::HEAD;
                    writeln!(out, "{head}{}{head:#}", printable(&function.name))?;
                }
                let text = match view {
                    CodeView::Cfg => graphs.control[of.function as usize].to_text(file),
                    CodeView::Dfg => graphs.data[of.function as usize].to_text(file),
                    CodeView::Ast => syntax_text(file, node.node),
                    _ => cpg_text(&graph()),
                };
                write!(out, "{text}")?;
                if several {
                    writeln!(out)?;
                }
            }
        }
    }
    if format == CodeFormat::Json {
        let documents: Vec<_> = documents
            .iter()
            .map(|(function, node_id, node_path, graph)| Graph {
                function,
                node_id: *node_id,
                node_path,
                graph: graph.clone(),
            })
            .collect();
        return json::document(out, &documents);
    }
    out.flush()?;
    Ok(())
}

fn graph(project: &Project, of: FunctionRef, graphs: &Graphs, view: CodeView) -> CodePropertyGraph {
    let layers = match view {
        CodeView::Cfg => Layers { control: true, ..Layers::NONE },
        CodeView::Dfg => Layers { data: true, ..Layers::NONE },
        CodeView::Ast => Layers { syntax: true, ..Layers::NONE },
        _ => Layers::ALL,
    };
    project.graph(of, graphs, layers).unwrap_or_default()
}

/// Nodes, each with what leads out of it.
fn cpg_text(graph: &CodePropertyGraph) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let place = node.span.map_or_else(String::new, |span| format!(" {}", span.start.line));
        // Writing into a text cannot fail.
        let _ = writeln!(text, "#{index} {}{place}: {}", node.kind, printable(&node.text));
        for edge in graph.edges.iter().filter(|edge| edge.from as usize == index) {
            let kind = format!("{:?}", edge.kind).to_lowercase();
            let label =
                if edge.label.is_empty() { String::new() } else { format!(" {}", edge.label) };
            let _ = writeln!(text, "  {kind} -> #{}{}", edge.to, printable(&label));
        }
    }
    text
}

/// Why nothing can be drawn of a function.
pub fn no_node(function: &Function, code: &CodeFunction) -> String {
    let why = code.reason.map_or("it has no node", |reason| reason.text());
    let place = code.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    let hint = match code.reason {
        Some(scope_code::Reason::NoSource) => "; --source-map FROM=TO tells where sources are",
        _ => "",
    };
    format!("{} has no syntax tree: {why}{place}{hint}", function.name)
}
