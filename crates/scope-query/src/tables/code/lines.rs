//! `lines`: the source lines of the code of the functions that were probed.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines;

impl Small for Lines {
    const NAME: &'static str = "lines";
    const ABOUT: &'static str = "source lines of the code of functions that were probed";
    const COLUMNS: &'static [Column] = &[
        column("function_id", Type::Id, "the function: `functions.id`"),
        column("address", Type::Bits, "address in the module at which the code begins"),
        column("size", Type::Int, "bytes of code"),
        column("file", Type::Word, "source the code comes from, also by inlining"),
        column("line", Type::Int, "line, from 1"),
        column("column", Type::Int, "column, in bytes, from 1"),
        column("statement", Type::Flag, "a statement begins here"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        let code = source.code();
        let mut missing = false;
        for function in source.trace.functions() {
            let tables = code.noted(code.map.tables(function.module)).flatten();
            missing |= tables.is_none();
            let Some(tables) = tables else { continue };
            let Some(found) = tables.function_at(function.address) else { continue };
            for line in tables.lines_of(found.number) {
                let path = tables.path(&line.place);
                rows.push(|column| match column {
                    0 => Cell::Id(function.id.0),
                    1 => Cell::Bits(line.address),
                    2 => Cell::count(line.end.saturating_sub(line.address)),
                    3 => Cell::text_if(Some(path).filter(|path| !path.is_empty())),
                    4 => Cell::count_if(line.place.line.map(u64::from)),
                    5 => Cell::count_if(line.place.column.map(u64::from)),
                    _ => Cell::Flag(line.is_statement),
                });
            }
        }
        if missing {
            code.say("the trace has no tables of some modules: their lines are left out");
        }
        Ok(())
    }
}
