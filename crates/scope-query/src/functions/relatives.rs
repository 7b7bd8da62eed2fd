//! `callers`, `ancestors`, `callees` and `descendants` of a call, as rows of `calls`.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use scope_timeline::Timeline;

use super::argument::{Argument, Asked};
use crate::QueryError;
use crate::provider::{Small, Table};
use crate::rows::{Column, Rows};
use crate::source::Source;
use crate::tables::calls::{Below, COLUMNS, Calls, Given, PLACED, row};

pub(crate) fn register(context: &SessionContext, asked: &Asked) {
    asked.register(context, "callers", |argument, source| above(argument, source, true));
    asked.register(context, "ancestors", |argument, source| above(argument, source, false));
    asked.register(context, "callees", |argument, source| below(argument, source, true));
    asked.register(context, "descendants", |argument, source| below(argument, source, false));
}

fn above(
    argument: &Argument,
    source: &Arc<Source>,
    direct: bool,
) -> Result<Arc<dyn Table>, QueryError> {
    let callers = Timeline::new(&source.trace).call(argument.call()?, 0)?.callers;
    let skip = if direct { callers.len().saturating_sub(1) } else { 0 };
    let ids = callers.iter().skip(skip).map(|call| call.id).collect();
    Ok(Arc::new(Above { ids }))
}

fn below(
    argument: &Argument,
    source: &Arc<Source>,
    direct: bool,
) -> Result<Arc<dyn Table>, QueryError> {
    let timeline = Timeline::new(&source.trace);
    let call = timeline.call(argument.call()?, 0)?;
    let end = match call.ending {
        Some(ending) => ending.event,
        None => timeline.end()?,
    };
    let below = Below { tid: call.tid, events: call.call.id..end, direct };
    Ok(Arc::new(Calls { below: Some(below) }))
}

/// Calls, by their ids.
#[derive(Clone, Debug)]
struct Above {
    ids: Vec<u64>,
}

impl Small for Above {
    const NAME: &'static str = "ancestors";
    const ABOUT: &'static str = "calls open around a call";
    const COLUMNS: &'static [Column] = COLUMNS;

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        let timeline = Timeline::new(&source.trace);
        let mut given = Given::new(rows.asks_for(PLACED));
        for id in &self.ids {
            let view = match timeline.call(*id, 0) {
                // Of a flight recording that dropped its begin.
                Err(scope_timeline::TimelineError::NoSuchEvent { .. }) => continue,
                view => view?,
            };
            let end = match view.ending {
                Some(ending) => Some(row::End::of(ending.event, &timeline.event(ending.event)?)),
                None => None,
            };
            let row = row::Row {
                call: view.call,
                parent: view.callers.last().map(|call| call.id),
                depth: view.callers.len(),
                tid: view.tid,
                pid: view.pid,
                end,
                end_ns: view.call.entered_ns.saturating_add(view.elapsed_ns),
            };
            let account = row::Account {
                self_ns: view.self_ns.unwrap_or_default(),
                times: view.times,
                callees: view.callees,
            };
            given.give(row, Some(account), source, rows);
        }
        given.pass_on(source, rows);
        Ok(())
    }
}
