//! `nodes`: the syntax nodes of the functions in the sources.

use scope_source::{CpgEdgeKind, FunctionRef, Layers};

use super::Sourced;
use crate::QueryError;
use crate::code::{Code, File};
use crate::rows::{Cell, Column, Rows, Type, column};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Nodes;

impl Sourced for Nodes {
    const NAME: &'static str = "nodes";
    const ABOUT: &'static str = "syntax nodes of the functions in the sources";
    const COLUMNS: &'static [Column] = &[
        column("id", Type::Text, "its name across builds, 32 hexadecimal digits"),
        column("parent_id", Type::Text, "the node it is a part of; null: a function in no other"),
        column("function_node_id", Type::Word, "the outermost function it stands in"),
        column("kind", Type::Word, "the grammar's name for it, as `call_expression`"),
        column("text", Type::Text, "the beginning of its text"),
        column("file", Type::Word, "its source"),
        column("line", Type::Int, "line on which it begins, from 1"),
        column("column", Type::Int, "column at which it begins, in bytes, from 1"),
        column("end_line", Type::Int, "line on which it ends"),
    ];

    fn fill(&self, code: &Code, file: File<'_>, rows: &mut Rows) -> Result<(), QueryError> {
        let Some((project, graphs)) = code.project().zip(code.graphs(file.index)) else {
            return Ok(());
        };
        let layers = Layers { syntax: true, ..Layers::NONE };
        for (function, number) in file.source.functions().iter().zip(0..) {
            // What stands in a closure is a part of the function around it.
            if function.parent.is_some() {
                continue;
            }
            let of = FunctionRef { file: file.index, function: number };
            let Some(graph) = project.graph(of, graphs, layers) else { continue };
            let mut parents = vec![None; graph.nodes.len()];
            for edge in graph.edges.iter().filter(|edge| edge.kind == CpgEdgeKind::Syntax) {
                // The parent of the function itself is not among the function's nodes.
                if let Some(parent) = parents.get_mut(edge.to as usize) {
                    *parent = graph.nodes.get(edge.from as usize).map(|node| node.id.to_string());
                }
            }
            let own = function.id.to_string();
            for (node, parent) in graph.nodes.iter().zip(&parents) {
                let id = node.id.to_string();
                rows.push(|column| match column {
                    0 => Cell::Text(&id),
                    1 => Cell::text_if(parent.as_deref()),
                    2 => Cell::Text(&own),
                    3 => Cell::Text(&node.kind),
                    4 => Cell::Text(&node.text),
                    5 => Cell::Text(file.path),
                    6 => Cell::count_if(node.span.map(|span| span.start.line.into())),
                    7 => Cell::count_if(node.span.map(|span| span.start.column.into())),
                    _ => Cell::count_if(node.span.map(|span| span.end.line.into())),
                });
            }
        }
        Ok(())
    }
}
