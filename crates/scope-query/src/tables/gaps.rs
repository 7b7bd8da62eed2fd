//! `gaps`: what was lost, of which thread, from when to when.

use scope_model::Tid;

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Gaps;

impl Small for Gaps {
    const NAME: &'static str = "gaps";
    const ABOUT: &'static str = "stretches in which events were lost";
    const COLUMNS: &'static [Column] = &[
        column("event", Type::Int, "number of the event"),
        column("tid", Type::Id, "the thread; null: not known whose events they were"),
        column("start", Type::Int, "time of the first loss, ns since the start of the trace"),
        column("duration", Type::Int, "from the first loss to the last, ns"),
        column("entries", Type::Int, "begins of calls lost"),
        column("exits", Type::Int, "ends of calls lost"),
        column("others", Type::Int, "other events lost"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for gap in source.trace.gaps()? {
            rows.push(|column| match column {
                0 => Cell::count(gap.event),
                1 => Cell::id_if((gap.tid != Tid(0)).then_some(gap.tid.0)),
                2 => Cell::Int(source.since_start(gap.first_ns)),
                3 => Cell::count(gap.until_ns.saturating_sub(gap.first_ns)),
                4 => Cell::count(gap.entries.into()),
                5 => Cell::count(gap.exits.into()),
                _ => Cell::count(gap.others.into()),
            });
        }
        Ok(())
    }
}
