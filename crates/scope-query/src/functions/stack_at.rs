//! `stack_at(time)`: the open calls of every thread at a moment.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use scope_timeline::{Bookmarks, Place, Timeline};

use super::argument::Asked;
use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;
use crate::tables::slices::{reason, state_name};

pub(crate) fn register(context: &SessionContext, asked: &Asked) {
    asked.register(context, "stack_at", |argument, _| {
        Ok(Arc::new(StackAt { place: argument.place()? }))
    });
}

#[derive(Clone, Debug)]
struct StackAt {
    place: Place,
}

impl Small for StackAt {
    const NAME: &'static str = "stack_at";
    const ABOUT: &'static str = "open calls at a moment";
    const COLUMNS: &'static [Column] = &[
        column("tid", Type::Id, "the thread"),
        column("pid", Type::Id, "its process"),
        column("state", Type::Word, "what the scheduler had it do"),
        column("reason", Type::Word, "why it did not run"),
        column(
            "depth",
            Type::Int,
            "calls open around it; a thread without calls has one row, of nulls",
        ),
        column("call_id", Type::Int, "the open call: `calls.id`"),
        column("function_id", Type::Id, "its function"),
        column("start", Type::Int, "when it was entered, ns since the start of the trace"),
        column("elapsed", Type::Int, "how long it had been open, ns"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        let timeline = Timeline::new(&source.trace);
        let marks = source.bookmarks.iter().map(|mark| (mark.name.clone(), mark.event)).collect();
        let moment = timeline.resolve(&self.place, &Bookmarks(marks))?;
        let state = timeline.state_at(moment.event)?;
        for thread in state.sorted_threads() {
            let calls = thread.stack.iter().enumerate().map(Some);
            let none = thread.stack.is_empty().then_some(None);
            for call in calls.chain(none) {
                rows.push(|column| match (column, call) {
                    (0, _) => Cell::Id(thread.tid.0),
                    (1, _) => Cell::Id(thread.pid.0),
                    (2, _) => Cell::Text(state_name(thread.run)),
                    (3, _) => Cell::text_if(reason(thread.run)),
                    (_, None) => Cell::Null,
                    (4, Some((depth, _))) => Cell::count(depth as u64),
                    (5, Some((_, call))) => Cell::count(call.id),
                    (6, Some((_, call))) => Cell::Id(call.function.0),
                    (7, Some((_, call))) => Cell::Int(source.since_start(call.entered_ns)),
                    (_, Some((_, call))) => {
                        Cell::count(moment.time_ns.saturating_sub(call.entered_ns))
                    }
                });
            }
        }
        Ok(())
    }
}
