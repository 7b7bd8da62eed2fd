//! `functions`: the functions that were probed, called or not.

use scope_source::Metrics;

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

/// Columns that take finding the functions in the sources.
const NODE: &[&str] = &["node_id", "no_node"];

/// Columns that take the graphs of the sources.
const METRICS: &[&str] = &[
    "cyclomatic",
    "cognitive",
    "nesting",
    "loops",
    "returns",
    "parameters",
    "call_expressions",
    "lines",
    "code_lines",
    "comment_lines",
    "fan_in",
    "fan_out",
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions;

impl Small for Functions {
    const NAME: &'static str = "functions";
    const ABOUT: &'static str = "functions that were probed, called or not";
    const COLUMNS: &'static [Column] = &[
        column("id", Type::Id, "its id: `calls.function_id`"),
        column("name", Type::Text, "readable name"),
        column("symbol", Type::Text, "linkage name"),
        column("module", Type::Id, "`modules.id`"),
        column("file", Type::Text, "source file of the declaration"),
        column("line", Type::Int, "line of the declaration"),
        column("address", Type::Bits, "address in the module"),
        column("size", Type::Int, "bytes of code"),
        column("site", Type::Word, "what its probe costs: nop5, emulated, moved or single_stepped"),
        column("inlined_copies", Type::Int, "copies inlined into others, whose calls are not seen"),
        column("node_id", Type::Text, "its node in the source: `nodes.id`"),
        column("no_node", Type::Word, "why it has no node"),
        column("cyclomatic", Type::Int, "decisions plus one (McCabe)"),
        column("cognitive", Type::Int, "cognitive complexity (SonarSource)"),
        column("nesting", Type::Int, "how deep control structures stand in each other"),
        column("loops", Type::Int, "loops"),
        column("returns", Type::Int, "`return`s"),
        column("parameters", Type::Int, "parameters, a receiver included"),
        column("call_expressions", Type::Int, "calls in its source, macros included"),
        column("lines", Type::Int, "lines of its source"),
        column("code_lines", Type::Int, "lines with code on them"),
        column("comment_lines", Type::Int, "lines with nothing but comment on them"),
        column("fan_in", Type::Int, "functions that call it, as far as names tell"),
        column("fan_out", Type::Int, "functions that it calls, as far as names tell"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        let code = source.code();
        let found =
            if rows.asks_for(NODE) || rows.asks_for(METRICS) { code.functions() } else { &[] };
        let metrics = if rows.asks_for(METRICS) { code.metrics() } else { Vec::new() };
        for (index, function) in source.trace.functions().iter().enumerate() {
            let found = found.get(index);
            let node = found.and_then(scope_code::CodeFunction::node_id).map(|id| id.to_string());
            let reason = found.and_then(|found| found.reason);
            let metrics = metrics.get(index).copied().flatten();
            let number = |of: fn(&Metrics) -> u32| {
                Cell::count_if(metrics.map(|(metrics, ..)| of(&metrics).into()))
            };
            rows.push(|column| match column {
                0 => Cell::Id(function.id.0),
                1 => Cell::Text(&function.name),
                2 => Cell::Text(&function.symbol),
                3 => Cell::Id(function.module.0),
                4 => Cell::text_if(function.file.as_deref()),
                5 => Cell::count_if(function.line.map(u64::from)),
                6 => Cell::Bits(function.address),
                7 => Cell::count(function.size),
                8 => Cell::Text(function.site.name()),
                9 => Cell::count(function.inlined_copies.into()),
                10 => Cell::text_if(node.as_deref()),
                11 => Cell::text_if(reason.map(scope_code::Reason::text)),
                12 => number(|metrics| metrics.cyclomatic),
                13 => number(|metrics| metrics.cognitive),
                14 => number(|metrics| metrics.nesting),
                15 => number(|metrics| metrics.loops),
                16 => number(|metrics| metrics.returns),
                17 => number(|metrics| metrics.parameters),
                18 => number(|metrics| metrics.calls),
                19 => number(|metrics| metrics.lines.physical),
                20 => number(|metrics| metrics.lines.code),
                21 => number(|metrics| metrics.lines.comment),
                22 => Cell::count_if(metrics.map(|(_, fan_in, _)| fan_in.into())),
                _ => Cell::count_if(metrics.map(|(_, _, fan_out)| fan_out.into())),
            });
        }
        Ok(())
    }
}
