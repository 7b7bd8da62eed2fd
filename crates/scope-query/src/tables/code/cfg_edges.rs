//! `cfg_edges`: what is done after what in the functions of the sources.

use scope_source::{CpgRole, FunctionRef, Layers};

use super::Sourced;
use crate::QueryError;
use crate::code::{Code, File};
use crate::rows::{Cell, Column, Rows, Type, column};

#[derive(Clone, Copy, Debug)]
pub(crate) struct CfgEdges;

impl Sourced for CfgEdges {
    const NAME: &'static str = "cfg_edges";
    const ABOUT: &'static str = "control flow of the functions in the sources";
    const COLUMNS: &'static [Column] = &[
        column("function_node_id", Type::Word, "the function"),
        column("from_node_id", Type::Text, "the node before; the function's own: its entry"),
        column("to_node_id", Type::Text, "the node after; the function's own: its exit"),
        column("label", Type::Word, "why: next, true, false, case, break, return, ..."),
        column("back", Type::Flag, "it closes a loop"),
        column("dead", Type::Flag, "nothing leads to where it begins"),
        column("file", Type::Word, "the source"),
        column("from_line", Type::Int, "line on which the node before begins"),
        column("to_line", Type::Int, "line on which the node after begins; null: the exit"),
    ];

    fn fill(&self, code: &Code, file: File<'_>, rows: &mut Rows) -> Result<(), QueryError> {
        let Some((project, graphs)) = code.project().zip(code.graphs(file.index)) else {
            return Ok(());
        };
        let layers = Layers { control: true, ..Layers::NONE };
        for (function, number) in file.source.functions().iter().zip(0..) {
            let of = FunctionRef { file: file.index, function: number };
            let Some(graph) = project.graph(of, graphs, layers) else { continue };
            let own = function.id.to_string();
            let ids: Vec<String> = graph.nodes.iter().map(|node| node.id.to_string()).collect();
            for edge in &graph.edges {
                let (from, to) = (edge.from as usize, edge.to as usize);
                let Some((before, after)) = graph.nodes.get(from).zip(graph.nodes.get(to)) else {
                    continue;
                };
                let after_line = after.span.filter(|_| after.role != CpgRole::Exit);
                rows.push(|column| match column {
                    0 => Cell::Text(&own),
                    1 => Cell::Text(&ids[from]),
                    2 => Cell::Text(&ids[to]),
                    3 => Cell::Text(&edge.label),
                    4 => Cell::Flag(edge.back),
                    5 => Cell::Flag(before.dead),
                    6 => Cell::Text(file.path),
                    7 => Cell::count_if(before.span.map(|span| span.start.line.into())),
                    _ => Cell::count_if(after_line.map(|span| span.start.line.into())),
                });
            }
        }
        Ok(())
    }
}
