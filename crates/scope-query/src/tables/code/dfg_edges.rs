//! `dfg_edges`: which definition of a local a use of it may see.

use scope_source::{FunctionRef, Layers};

use super::Sourced;
use crate::QueryError;
use crate::code::{Code, File};
use crate::rows::{Cell, Column, Rows, Type, column};

#[derive(Clone, Copy, Debug)]
pub(crate) struct DfgEdges;

impl Sourced for DfgEdges {
    const NAME: &'static str = "dfg_edges";
    const ABOUT: &'static str = "data flow between the locals of the functions in the sources";
    const COLUMNS: &'static [Column] = &[
        column("function_node_id", Type::Word, "the function"),
        column("variable", Type::Word, "name of the local"),
        column("version", Type::Int, "which of its definitions, from 0 in source order"),
        column("from_node_id", Type::Text, "where it gets its value"),
        column("to_node_id", Type::Text, "where that value may be used"),
        column("file", Type::Word, "the source"),
        column("from_line", Type::Int, "line of the definition"),
        column("to_line", Type::Int, "line of the use"),
    ];

    fn fill(&self, code: &Code, file: File<'_>, rows: &mut Rows) -> Result<(), QueryError> {
        let Some((project, graphs)) = code.project().zip(code.graphs(file.index)) else {
            return Ok(());
        };
        let layers = Layers { data: true, ..Layers::NONE };
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
                let (variable, version) = edge.label.rsplit_once('#').unwrap_or((&*edge.label, ""));
                rows.push(|column| match column {
                    0 => Cell::Text(&own),
                    1 => Cell::Text(variable),
                    2 => Cell::count_if(version.parse().ok()),
                    3 => Cell::Text(&ids[from]),
                    4 => Cell::Text(&ids[to]),
                    5 => Cell::Text(file.path),
                    6 => Cell::count_if(before.span.map(|span| span.start.line.into())),
                    _ => Cell::count_if(after.span.map(|span| span.start.line.into())),
                });
            }
        }
        Ok(())
    }
}
