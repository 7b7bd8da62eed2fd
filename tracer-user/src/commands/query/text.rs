//! Answers as tables for people. Rows are shown as they come: every so many get a table of their own,
//! whose columns are as wide as its rows need.

use std::io::Write;

use scope_query::{Answer, QueryError};

use crate::output::table::{Align, Table, terminal_width};

/// Rows of a table; few answers are longer.
const ROWS: usize = 1_000;

/// Writes all rows. Returns how many there were.
pub fn write(mut answer: Answer, out: &mut dyn Write) -> Result<u64, QueryError> {
    let columns = answer.columns();
    let heads: Vec<(&str, Align)> = columns
        .iter()
        .map(|column| {
            let align = match column.holds {
                "integer" | "number" => Align::Right,
                _ => Align::Left,
            };
            (column.name.as_str(), align)
        })
        .collect();
    let mut all = 0;
    let mut table = Table::new(&heads);
    let mut rows = 0;
    while let Some(batch) = answer.next_batch()? {
        for row in batch.text()? {
            table.row(row.into_iter().map(Option::unwrap_or_default).collect());
            rows += 1;
            if rows == ROWS {
                table.write(out, terminal_width())?;
                table = Table::new(&heads);
                (all, rows) = (all + rows as u64, 0);
            }
        }
    }
    if rows > 0 || all == 0 {
        table.write(out, terminal_width())?;
    }
    out.flush()?;
    Ok(all + rows as u64)
}
