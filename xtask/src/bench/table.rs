//! What is shown of the results: rows of medians in the order they were first measured, and tables of
//! their own.

use crate::bench::results::Results;
use crate::bench::series::Series;

/// Series by name, in the order of their first values.
#[derive(Debug, Default)]
pub struct Rows(Vec<(String, &'static str, Series)>);

impl Rows {
    /// Adds the value of a round.
    pub fn push(&mut self, name: &str, value: f64, unit: &'static str) {
        let at = self.0.iter().position(|(known, ..)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), unit, Series::default()));
            self.0.len() - 1
        });
        self.0[at].2.push(value);
    }

    /// Takes all medians into the results.
    pub fn report(self, results: &mut Results) {
        for (name, unit, series) in self.0 {
            results.series(&name, &series, unit);
        }
    }
}

/// Lines of a table, its columns aligned: the first to the left, the others to the right.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        text += "\n";
    }
    text
}

/// A number for people: three digits that count.
pub fn short(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{:.2} G", value / 1e9),
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text = aligned(&[row(["", "1e6", "1e7"]), row(["open_ms", "0.3", "12"])]);
        assert_eq!(text, "         1e6  1e7\nopen_ms  0.3   12\n");
    }

    #[test]
    fn three_digits_count() {
        let texts = [0.123, 12.34, 123.4, 12_345.0, 5_123_456.0].map(short);
        assert_eq!(texts, ["0.12", "12.3", "123", "12.3 k", "5.12 M"]);
    }
}
