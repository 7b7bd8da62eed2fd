//! `bookmarks`: moments that somebody gave a name.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bookmarks;

impl Small for Bookmarks {
    const NAME: &'static str = "bookmarks";
    const ABOUT: &'static str = "moments that somebody gave a name";
    const COLUMNS: &'static [Column] = &[
        column("name", Type::Text, "its name"),
        column("event", Type::Int, "number of the event that comes next"),
        column("time", Type::Int, "its time, ns since the start of the trace"),
        column("note", Type::Text, "what was noted about it"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for mark in &source.bookmarks {
            rows.push(|column| match column {
                0 => Cell::Text(&mark.name),
                1 => Cell::count(mark.event),
                2 => Cell::Int(mark.time_ns),
                _ => Cell::Text(&mark.note),
            });
        }
        Ok(())
    }
}
