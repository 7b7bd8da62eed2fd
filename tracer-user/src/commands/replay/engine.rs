//! `scope query`'s engine for the queries pane of the UI.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use scope_query::{Limits, Session};
use scope_tui::sql::{Calls, Column, Engine, Leads, Row, Rows, Table};

use crate::commands::query;

/// Between two looks whether a statement is to be cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// A session over the trace, begun when it is first asked: a UI that is never asked has no use for one.
#[derive(Debug)]
pub struct Queries {
    trace: PathBuf,
    session: Option<Session>,
}

impl Queries {
    /// Over a trace.
    pub fn new(trace: PathBuf) -> Self {
        Self { trace, session: None }
    }

    fn session(&mut self) -> Result<&mut Session, String> {
        if self.session.is_none() {
            let traces = std::slice::from_ref(&self.trace);
            self.session = Some(query::open(traces).map_err(|error| format!("{error:#}"))?);
        }
        self.session.as_mut().ok_or_else(String::new)
    }
}

impl Engine for Queries {
    fn tables(&mut self) -> Result<Vec<Table>, String> {
        let tables = self.session()?.tables().into_iter().map(|table| Table {
            name: table.name.to_owned(),
            columns: table.columns.iter().map(|column| column.name.to_owned()).collect(),
        });
        Ok(tables.collect())
    }

    fn run(&mut self, statement: &str, limit: usize, cancel: &AtomicBool) -> Result<Rows, String> {
        let session = self.session()?;
        cancellable(session, cancel, |session| answer(session, statement, limit))
    }

    fn calls(
        &mut self,
        expression: &str,
        limit: usize,
        cancel: &AtomicBool,
    ) -> Result<Calls, String> {
        let session = self.session()?;
        cancellable(session, cancel, |session| calls(session, expression, limit))
    }
}

/// What a session is asked, which stops soon once it is to be cancelled.
fn cancellable<T>(
    session: &mut Session,
    cancel: &AtomicBool,
    ask: impl FnOnce(&mut Session) -> anyhow::Result<T>,
) -> Result<T, String> {
    let stop = session.stop();
    let ended = Arc::new(AtomicBool::new(false));
    thread::scope(|threads| {
        let watched = Arc::clone(&ended);
        threads.spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                if cancel.load(Ordering::Relaxed) {
                    stop.stop();
                }
                thread::park_timeout(LOOK);
            }
        });
        let _ended = SetWhenDropped(&ended);
        ask(session).map_err(|error| format!("{error:#}"))
    })
}

/// Also where the engine panics: the thread that waits for a cancel must end.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn answer(session: &mut Session, statement: &str, limit: usize) -> anyhow::Result<Rows> {
    // One more than is shown says whether there are more.
    let limits = Limits { timeout: None, rows: Some(limit as u64 + 1) };
    let mut answer = session.run(statement, limits).map_err(query::told)?;
    let named = answer.columns();
    let columns = named
        .iter()
        .map(|column| Column { name: column.name.clone(), number: is_number(column.holds) })
        .collect();
    let names: Vec<&str> = named.iter().map(|column| column.name.as_str()).collect();
    let mut rows = Vec::new();
    while let Some(batch) = answer.next_batch().map_err(query::told)? {
        for cells in batch.text().map_err(query::told)? {
            let leads = leads(&names, &cells);
            rows.push(Row {
                cells: cells.into_iter().map(Option::unwrap_or_default).collect(),
                leads,
            });
        }
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Rows { columns, rows, more })
}

fn calls(session: &mut Session, expression: &str, limit: usize) -> anyhow::Result<Calls> {
    // On lines of its own: it may end in a comment.
    let statement =
        format!("select id from calls where not inherited and (\n{expression}\n) order by id");
    let limits = Limits { timeout: None, rows: Some(limit as u64 + 1) };
    let mut answer = session.run(&statement, limits).map_err(query::told)?;
    let mut ids = Vec::new();
    while let Some(batch) = answer.next_batch().map_err(query::told)? {
        for cells in batch.text().map_err(query::told)? {
            let id = cells.first().and_then(Option::as_deref).context("a call has no id")?;
            ids.push(id.parse().context("the id of a call is no number")?);
        }
    }
    let more = ids.len() > limit;
    ids.truncate(limit);
    Ok(Calls { ids, more })
}

fn is_number(holds: &str) -> bool {
    matches!(holds, "integer" | "number")
}

/// Where a row leads, by the names that columns have in the tables: a call (`call_id`; `id` beside the
/// `start` of a call), else a time in ns since the start of the trace (`start`, `time`).
fn leads(names: &[&str], cells: &[Option<String>]) -> Option<Leads> {
    let text = |name: &str| {
        let at = names.iter().position(|known| *known == name)?;
        cells.get(at)?.as_deref()
    };
    let of_calls = text("start").is_some() && !names.contains(&"event");
    let call = text("call_id").or_else(|| text("id").filter(|_| of_calls));
    if let Some(id) = call.and_then(|id| id.parse().ok()) {
        return Some(Leads::Call(id));
    }
    let time = text("start").or_else(|| text("time"))?.parse().ok()?;
    let tid = text("tid").and_then(|tid| tid.parse().ok());
    Some(Leads::Time(time, tid))
}

#[cfg(test)]
mod tests {
    use scope_tui::sql::Leads;

    use super::leads;

    fn of(row: &[(&str, &str)]) -> Option<Leads> {
        let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
        let cells: Vec<_> =
            row.iter().map(|(_, cell)| (!cell.is_empty()).then(|| (*cell).to_owned())).collect();
        leads(&names, &cells)
    }

    #[test]
    fn a_row_leads_to_its_call_or_else_to_its_time() {
        assert_eq!(of(&[("id", "7"), ("start", "500")]), Some(Leads::Call(7)));
        assert_eq!(of(&[("event", "9"), ("start", "500"), ("call_id", "8")]), Some(Leads::Call(8)));
        assert_eq!(
            of(&[("event", "9"), ("start", "500"), ("call_id", ""), ("tid", "3")]),
            Some(Leads::Time(500, Some(3)))
        );
        assert_eq!(of(&[("time", "-5")]), Some(Leads::Time(-5, None)));
        // The id of a function or a module is no call.
        assert_eq!(of(&[("id", "7"), ("name", "main")]), None);
        assert_eq!(of(&[("count", "7")]), None);
    }
}
