//! `modules`: the files that were mapped into the target.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Modules;

impl Small for Modules {
    const NAME: &'static str = "modules";
    const ABOUT: &'static str = "files mapped into the target";
    const COLUMNS: &'static [Column] = &[
        column("id", Type::Id, "its id: `functions.module`"),
        column("name", Type::Text, "file name"),
        column("path", Type::Text, "path as the target sees it"),
        column("build_id", Type::Text, "GNU build id, where it has one"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for module in source.trace.modules() {
            rows.push(|column| match column {
                0 => Cell::Id(module.id.0),
                1 => Cell::Text(module.name()),
                2 => Cell::Text(&module.path),
                _ => Cell::text_if(module.build_id.as_deref()),
            });
        }
        Ok(())
    }
}
