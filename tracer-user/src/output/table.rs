//! Tables of text: aligned columns, and one that gives way when the terminal is narrow.
//!
//! Into a pipe nothing is ever cut: whoever reads there searches for whole names.

use std::io::{self, IsTerminal, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::style;
use super::units::printable;

/// Columns are left out before the flexible one gets narrower than this.
const FLEXIBLE_WANTED: usize = 28;

/// Narrowest width the flexible column is cut to.
const FLEXIBLE_MINIMUM: usize = 16;

/// On which side a column's cells are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table whose last column is flexible: on a terminal it is cut to fit, once the columns that
/// may give way have gone.
#[derive(Debug)]
pub struct Table {
    heads: Vec<(String, Align)>,
    /// Indexes of columns that may be left out, the first to go first.
    dispensable: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no row.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let heads = columns.iter().map(|(head, align)| ((*head).to_owned(), *align)).collect();
        Self { heads, dispensable: Vec::new(), rows: Vec::new() }
    }

    /// Names the columns that are left out, in this order, where a terminal is too narrow.
    pub fn give_way(mut self, heads: &[&str]) -> Self {
        let index = |head: &&str| self.heads.iter().position(|(known, _)| known == head);
        self.dispensable = heads.iter().filter_map(index).collect();
        self
    }

    /// Adds a row; it has one cell a column.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.heads.len());
        self.rows.push(cells);
    }

    /// Writes head and rows, `width` columns wide at most where that is possible.
    pub fn write(&self, out: &mut dyn Write, width: Option<usize>) -> io::Result<()> {
        let mut widths: Vec<usize> = self.heads.iter().map(|(head, _)| head.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        if let (Some(limit), Some(last)) = (width, self.heads.len().checked_sub(1)) {
            let fixed = |shown: &[usize], widths: &[usize]| -> usize {
                shown.iter().filter(|index| **index != last).map(|index| widths[*index] + 2).sum()
            };
            let wanted = widths[last].min(FLEXIBLE_WANTED);
            for dispensable in &self.dispensable {
                if fixed(&shown, &widths) + wanted > limit {
                    shown.retain(|index| index != dispensable);
                }
            }
            let room = limit.saturating_sub(fixed(&shown, &widths)).max(FLEXIBLE_MINIMUM);
            widths[last] = widths[last].min(room);
        }
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        let style = style::HEAD;
        writeln!(out, "{style}{}{style:#}", self.line(&heads, &shown, &widths))?;
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &shown, &widths))?;
        }
        Ok(())
    }

    fn line(&self, cells: &[String], shown: &[usize], widths: &[usize]) -> String {
        let mut line = String::new();
        for &index in shown {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let width = widths[index];
            let cell = cut(&cells[index], width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match self.heads[index].1 {
                Align::Left => line.extend([cell.as_str(), &padding]),
                Align::Right => line.extend([padding.as_str(), &cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Width to fit tables into: that of the terminal, none when standard output is no terminal.
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    Some(terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)))
}

/// `text` in at most `width` columns; what is cut from its middle is marked: a name's start says
/// where it belongs, its end which it is.
fn cut(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.width() <= width {
        return text;
    }
    let room = width.saturating_sub(1);
    let head = take(text.chars(), room / 2);
    let tail: String = take(text.chars().rev(), room - room / 2).chars().rev().collect();
    format!("{head}…{tail}")
}

fn take(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Align, Table, cut};

    fn sample() -> Table {
        let mut table = Table::new(&[("calls", Align::Right), ("function", Align::Left)]);
        table.row(vec!["12".into(), "core::ptr::drop_in_place<alloc::string::String>".into()]);
        table.row(vec!["1,234,567".into(), "main".into()]);
        table
    }

    fn text(table: &Table, width: Option<usize>) -> String {
        let mut bytes = Vec::new();
        table.write(&mut bytes, width).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
    }

    #[test]
    fn numbers_stand_right_and_names_stay_whole_in_a_pipe() {
        insta::assert_snapshot!(text(&sample(), None), @r"
            calls  function
               12  core::ptr::drop_in_place<alloc::string::String>
        1,234,567  main
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_middle_of_the_name() {
        insta::assert_snapshot!(text(&sample(), Some(36)), @r"
            calls  function
               12  core::ptr::d…ing::String>
        1,234,567  main
        ");
    }

    #[test]
    fn columns_give_way_before_the_name_does() {
        let table = sample().give_way(&["calls"]);
        insta::assert_snapshot!(text(&table, Some(36)), @r"
        function
        core::ptr::drop_i…c::string::String>
        main
        ");
    }

    #[test]
    fn control_characters_of_a_name_do_not_reach_the_terminal() {
        assert_eq!(cut("a\u{1b}[2Jb", 10), "a\u{fffd}[2Jb");
    }
}
