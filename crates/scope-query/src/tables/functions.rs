//! `functions`: the functions that were probed, called or not.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

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
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for function in source.trace.functions() {
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
                _ => Cell::count(function.inlined_copies.into()),
            });
        }
        Ok(())
    }
}
