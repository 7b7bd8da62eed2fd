//! What a bench found: numbers by name, and the text that people read.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::series::Series;

/// Numbers by name, a table of them, and remarks.
#[derive(Debug, Default)]
pub struct Results {
    numbers: Map<String, Value>,
    /// Label, unit, median, smallest, largest, remark.
    rows: Vec<[String; 5]>,
    /// Tables of another form: what they show, and their lines.
    tables: Vec<(String, String)>,
    remarks: Vec<String>,
}

impl Results {
    /// Takes a number into the JSON alone.
    pub fn number(&mut self, name: &str, value: f64) {
        // Three digits behind the point are below the noise of anything measured here.
        let rounded = (value * 1_000.0).round() / 1_000.0;
        self.numbers.insert(name.to_owned(), Value::from(rounded));
    }

    /// Takes a ratio or a single measurement into the JSON and the table.
    pub fn single(&mut self, name: &str, value: f64, unit: &str) {
        self.number(name, value);
        self.rows.push([
            name.to_owned(),
            format!("{value:.3}"),
            String::new(),
            String::new(),
            unit.to_owned(),
        ]);
    }

    /// Takes the median of a series into the JSON, and with its range into the table. Without
    /// values it does nothing.
    pub fn series(&mut self, name: &str, series: &Series, unit: &str) {
        let (Some(median), Some((low, high))) = (series.median(), series.range()) else { return };
        self.number(name, median);
        let text = |value: f64| format!("{value:.3}");
        self.rows.push([name.to_owned(), text(median), text(low), text(high), unit.to_owned()]);
    }

    /// A table of another form; its numbers go into the JSON by [`Results::number`].
    pub fn table(&mut self, shows: String, lines: String) {
        self.tables.push((shows, lines));
    }

    /// The number of a name, as it is in the JSON.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers.get(name)?.as_f64()
    }

    /// Something the reader of the numbers must know.
    pub fn remark(&mut self, text: String) {
        if !self.remarks.contains(&text) {
            self.remarks.push(text);
        }
    }

    /// Writes the numbers as one flat JSON object.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.numbers).context("numbers are JSON")?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["", "median", "min", "max", ""].map(str::to_owned);
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&head]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 5] = std::array::from_fn(width);
        for [name, median, low, high, unit] in [&head].into_iter().chain(&self.rows) {
            let line = format!(
                "{name:<0$}  {median:>1$}  {low:>2$}  {high:>3$}  {unit}",
                widths[0], widths[1], widths[2], widths[3]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        for (shows, lines) in &self.tables {
            write!(f, "\n{shows}\n{lines}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_the_json_is_flat() {
        let mut series = Series::default();
        [1.0, 3.0, 2.0].into_iter().for_each(|value| series.push(value));
        let mut results = Results::default();
        results.series("floor_ns", &series, "ns");
        results.single("ratio", 1.23456, "");
        results.remark("one".to_owned());
        results.remark("one".to_owned());
        assert_eq!(
            results.to_string(),
            "          median    min    max\n\
             floor_ns   2.000  1.000  3.000  ns\n\
             ratio      1.235\n\
             note: one\n"
        );
        assert_eq!(results.numbers["ratio"], 1.235);
        assert!(results.numbers.values().all(Value::is_number));
    }
}
