//! Asking a trace in tests.

use std::path::Path;

use scope_query::{Bookmark, Input, Limits, Options, QueryError, Session};

/// A session over one trace, which has a bookmark `here` at event 10.
pub(crate) fn session(path: &Path, pushdown: bool) -> Session {
    let mut input = Input::new("test", path);
    input.bookmarks = std::sync::Arc::new(|_| {
        let name = "here".to_owned();
        vec![Bookmark { name, event: 10, time_ns: 17, note: "look".to_owned() }]
    });
    let options = Options { threads: 2, pushdown, ..Options::default() };
    Session::open(vec![input], options).unwrap()
}

/// The rows of an answer as text, values joined by `|`.
pub(crate) fn rows(session: &mut Session, sql: &str) -> Vec<String> {
    try_rows(session, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The rows of an answer, or why there are none.
pub(crate) fn try_rows(session: &mut Session, sql: &str) -> Result<Vec<String>, QueryError> {
    let mut answer = session.run(sql, Limits::default())?;
    let mut rows = Vec::new();
    while let Some(batch) = answer.next_batch()? {
        for row in batch.text()? {
            let values: Vec<String> =
                row.into_iter().map(|value| value.unwrap_or_else(|| "-".to_owned())).collect();
            rows.push(values.join("|"));
        }
    }
    Ok(rows)
}

/// The rows in any order.
pub(crate) fn set(session: &mut Session, sql: &str) -> Vec<String> {
    let mut rows = rows(session, sql);
    rows.sort();
    rows
}

/// Rows, one a line, under the names of the columns.
pub(crate) fn table(session: &mut Session, sql: &str) -> String {
    let answer =
        session.run(sql, Limits::default()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let heads: Vec<String> = answer.columns().into_iter().map(|column| column.name).collect();
    drop(answer);
    let mut lines = vec![heads.join("|")];
    lines.extend(rows(session, sql));
    lines.join("\n")
}
