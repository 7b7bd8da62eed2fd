//! `call_edges`: who calls whom, as the sources say and as it was recorded.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct CallEdges;

impl Small for CallEdges {
    const NAME: &'static str = "call_edges";
    const ABOUT: &'static str = "who calls whom, in the sources and as recorded";
    const COLUMNS: &'static [Column] = &[
        column("caller", Type::Text, "the function that calls"),
        column("caller_node_id", Type::Text, "its node"),
        column("callee", Type::Text, "the function that is called"),
        column("callee_node_id", Type::Text, "its node"),
        column("call_node_id", Type::Text, "the call expression; null where it is not known"),
        column("file", Type::Word, "source of the call"),
        column("line", Type::Int, "line of the call"),
        column("static", Type::Flag, "the sources have such a call"),
        column("observed", Type::Flag, "such a call was recorded"),
        column("candidates", Type::Int, "functions that the call may mean by its name"),
        column("calls", Type::Int, "calls recorded"),
        column("total_time", Type::Int, "ns in those whose end is known, callees included"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for edge in source.code().edges()? {
            rows.push(|column| match column {
                0 => Cell::Text(&edge.caller.name),
                1 => Cell::text_if(edge.caller.node_id.as_deref()),
                2 => Cell::Text(&edge.callee.name),
                3 => Cell::text_if(edge.callee.node_id.as_deref()),
                4 => Cell::text_if(edge.call_node_id.as_deref()),
                5 => Cell::text_if(edge.file.as_deref()),
                6 => Cell::count_if(edge.line.map(u64::from)),
                7 => Cell::Flag(edge.candidates.is_some()),
                8 => Cell::Flag(edge.calls > 0),
                9 => Cell::count_if(edge.candidates.map(u64::from)),
                10 => Cell::count(edge.calls),
                _ => Cell::count(edge.total_ns),
            });
        }
        Ok(())
    }
}
