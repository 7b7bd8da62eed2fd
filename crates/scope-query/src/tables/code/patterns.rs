//! `patterns`: places in the sources that deserve a look.

use scope_source::Patterns as Known;

use super::Sourced;
use crate::QueryError;
use crate::code::{Code, File};
use crate::rows::{Cell, Column, Rows, Type, column};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Patterns;

impl Sourced for Patterns {
    const NAME: &'static str = "patterns";
    const ABOUT: &'static str = "places in the sources that deserve a look";
    const COLUMNS: &'static [Column] = &[
        column("pattern", Type::Word, "id of the pattern"),
        column("title", Type::Word, "what is there, in a few words"),
        column("why", Type::Word, "why it deserves a look"),
        column("node_id", Type::Text, "the node that is found"),
        column("function_node_id", Type::Word, "the innermost function it stands in"),
        column("function", Type::Word, "name of that function"),
        column("file", Type::Word, "the source"),
        column("line", Type::Int, "line on which it begins, from 1"),
        column("column", Type::Int, "column at which it begins, in bytes, from 1"),
    ];

    fn fill(&self, code: &Code, file: File<'_>, rows: &mut Rows) -> Result<(), QueryError> {
        let known = match Known::builtin_of(file.source.language()) {
            Ok(known) => known,
            Err(error) => {
                code.say(&format!("patterns are left out: {error}"));
                return Ok(());
            }
        };
        for finding in known.find(file.source) {
            let pattern = known.iter().find(|pattern| pattern.id == finding.pattern);
            let function =
                finding.function.and_then(|index| file.source.functions().get(index as usize));
            let (id, own) = (finding.id.to_string(), function.map(|one| one.id.to_string()));
            rows.push(|column| match column {
                0 => Cell::Text(&finding.pattern),
                1 => Cell::text_if(pattern.map(|pattern| &*pattern.title)),
                2 => Cell::text_if(pattern.map(|pattern| &*pattern.why)),
                3 => Cell::Text(&id),
                4 => Cell::text_if(own.as_deref()),
                5 => Cell::text_if(function.map(|function| &*function.qualified_name)),
                6 => Cell::Text(file.path),
                7 => Cell::count(finding.span.start.line.into()),
                _ => Cell::count(finding.span.start.column.into()),
            });
        }
        Ok(())
    }
}
