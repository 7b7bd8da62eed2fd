//! The state of the queries pane: a statement, its answer, what completes what is typed.

use std::sync::Arc;

use super::breakpoints::SQL;
use super::prompt::Kind;
use super::{Effect, Model, Pane, Prompt};
use crate::query::travel::Destination;
use crate::sql::{Leads, Rows, Said, Table};
use crate::text;

/// Widest column, cells.
const WIDEST: usize = 48;
/// Statements kept.
const MOST_STATEMENTS: usize = 100;
/// Names that are listed when several complete a word.
const MOST_NAMES: usize = 12;
/// Words of the language that are completed; an engine knows many more.
const WORDS: [&str; 16] = [
    "select",
    "from",
    "where",
    "group by",
    "order by",
    "limit",
    "join",
    "left join",
    "having",
    "between",
    "distinct",
    "count(*)",
    "desc",
    "with",
    "like",
    "is not null",
];

/// An answer with the widths of its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The rows.
    pub rows: Rows,
    /// Cells of each column.
    pub widths: Vec<usize>,
}

/// What the queries pane knows.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    /// There is an engine.
    pub available: bool,
    /// The tables, once they are known.
    pub tables: Option<Vec<Table>>,
    asked_tables: bool,
    number: u64,
    /// It is being answered.
    pub running: bool,
    /// It was told to end.
    cancelled: bool,
    /// The last statement.
    pub statement: String,
    /// Its answer.
    pub answer: Option<Result<Arc<Shown>, String>>,
    /// Statements so far, the latest last.
    pub history: Vec<String>,
}

impl Model {
    /// An engine is there.
    pub fn with_queries(&mut self) {
        self.queries.available = true;
    }

    /// Begins a statement: that of last time, to be changed.
    pub(super) fn write_query(&mut self) {
        self.show_pane(Pane::Queries);
        if !self.queries.available {
            self.warn(NO_ENGINE);
            return;
        }
        if !std::mem::replace(&mut self.queries.asked_tables, true) {
            self.effects.push(Effect::Tables);
        }
        let mut prompt = Prompt::new(Kind::Query);
        prompt.set(self.queries.statement.clone());
        self.prompt = Some(prompt);
    }

    /// Runs a statement.
    pub(super) fn run_query(&mut self, statement: &str) -> Result<(), String> {
        if !self.queries.available {
            return Err(NO_ENGINE.to_owned());
        }
        let queries = &mut self.queries;
        queries.number += 1;
        queries.running = true;
        queries.cancelled = false;
        queries.statement = statement.to_owned();
        queries.answer = None;
        if queries.history.last().is_none_or(|last| last != statement) {
            queries.history.push(statement.to_owned());
        }
        if queries.history.len() > MOST_STATEMENTS {
            queries.history.remove(0);
        }
        self.selected.queries = 0;
        let number = self.queries.number;
        self.effects.push(Effect::Query(number, statement.to_owned()));
        self.show_pane(Pane::Queries);
        Ok(())
    }

    /// Whether a statement ran, which is cancelled. Not once more: it may take a while to end.
    pub(super) fn cancel_query(&mut self) -> bool {
        let queries = &mut self.queries;
        if !queries.running || std::mem::replace(&mut queries.cancelled, true) {
            return false;
        }
        self.effects.push(Effect::CancelQuery);
        true
    }

    /// The engine said something.
    pub fn heard(&mut self, said: Said) {
        match said {
            Said::Tables(tables) => self.queries.tables = Some(tables),
            // Of a statement that another one took the place of.
            Said::Rows(number, _) if number != self.queries.number => {}
            Said::Calls(number, answer) => self.heard_calls(number, answer),
            Said::Rows(_, answer) => {
                self.queries.running = false;
                self.queries.answer = Some(answer.map(|rows| {
                    let widths = widths(&rows);
                    Arc::new(Shown { rows, widths })
                }));
            }
        }
    }

    /// The answer, where there is one.
    #[must_use]
    pub fn shown_rows(&self) -> Option<&Shown> {
        self.queries.answer.as_ref()?.as_ref().ok().map(|shown| &**shown)
    }

    /// Goes where a row leads.
    pub(super) fn open_query_row(&mut self, row: usize) {
        let Some(row) = self.shown_rows().and_then(|shown| shown.rows.rows.get(row)) else {
            self.write_query();
            return;
        };
        match row.leads {
            Some(Leads::Call(id)) => self.go(Destination::Call(id)),
            Some(Leads::Time(t_ns, tid)) => {
                let time_ns = i128::from(self.facts.start_ns) + i128::from(t_ns);
                let time_ns = u64::try_from(time_ns.max(0)).unwrap_or(u64::MAX);
                let tid = tid.map(scope_model::Tid).filter(|tid| self.threads.contains(tid));
                self.go(Destination::Time(time_ns, tid));
            }
            None => {
                self.say(
                    "the row names no time and no call: select start, time or call_id as well",
                );
            }
        }
    }

    /// Completes the word before the cursor of a statement: as far as all that fit agree.
    pub(super) fn complete(&mut self) {
        // Expressions of breakpoints are of the same language.
        let is_sql = |prompt: &&mut Prompt| {
            prompt.kind == Kind::Query || prompt.text[..prompt.cursor].contains(SQL)
        };
        let Some(prompt) = self.prompt.as_mut().filter(is_sql) else { return };
        let before = &prompt.text[..prompt.cursor];
        let word_char = |c: char| c.is_alphanumeric() || c == '_';
        let start = before
            .rfind(|c| !word_char(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = before[start..].to_lowercase();
        let tables = self.queries.tables.as_deref().unwrap_or_default();
        let of_tables = tables.iter().flat_map(|table| {
            std::iter::once(table.name.as_str()).chain(table.columns.iter().map(String::as_str))
        });
        let mut names: Vec<&str> = of_tables
            .chain(WORDS)
            .filter(|name| !word.is_empty() && name.to_lowercase().starts_with(&word))
            .collect();
        names.sort_unstable();
        names.dedup();
        let Some(first) = names.first() else { return };
        let common = names.iter().fold(first.len(), |length, name| {
            let same = first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
            length.min(same)
        });
        let common = (0..=common).rev().find(|at| first.is_char_boundary(*at)).unwrap_or(0);
        let listed = match names.len() {
            1 => None,
            count => {
                let more = if count > MOST_NAMES { " …" } else { "" };
                Some(format!("{}{more}", names[..count.min(MOST_NAMES)].join("  ")))
            }
        };
        let completed = first[..common].to_owned();
        if completed.len() >= word.len() {
            (0..before[start..].chars().count()).for_each(|_| prompt.backspace());
            completed.chars().for_each(|c| prompt.insert(c));
        }
        prompt.error = listed;
    }
}

/// What is said where there is no engine.
pub(crate) const NO_ENGINE: &str = "this scope was built without SQL (the feature `sql`)";

fn widths(rows: &Rows) -> Vec<usize> {
    let mut widths: Vec<usize> =
        rows.columns.iter().map(|column| text::width(&column.name).min(WIDEST)).collect();
    for row in &rows.rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(text::width(&text::printable(cell)).min(WIDEST));
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_up_to_a_bound() {
        let column = |name: &str| crate::sql::Column { name: name.to_owned(), number: false };
        let cells = vec!["12345".to_owned(), "x".repeat(500)];
        let rows = Rows {
            columns: vec![column("n"), column("name")],
            rows: vec![crate::sql::Row { cells, leads: None }],
            more: false,
        };
        assert_eq!(widths(&rows), [5, WIDEST]);
    }
}
