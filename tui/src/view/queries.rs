//! A statement and its answer as a table.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::keys::Action;
use crate::model::layout::first_row;
use crate::model::{Model, Pane, Shown};
use crate::text;
use crate::theme::Role;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let line =
        |at: u16| Rect { y: area.y + at, height: area.height.saturating_sub(at).min(1), ..area };
    let queries = &model.queries;
    let key = |action| model.config.keys.key_of(action).unwrap_or_default();
    if queries.statement.is_empty() {
        let note = match queries.available {
            true => {
                format!("{} writes a query in SQL; tab completes names", key(Action::WriteQuery))
            }
            false => crate::model::NO_ENGINE.to_owned(),
        };
        paint.line(line(0), &note, Role::Dim);
        let tables = queries.tables.iter().flatten();
        for (table, at) in tables.zip(1..area.height) {
            let text = format!("{}  {}", table.name, table.columns.join(" "));
            paint.line(line(at), &text, Role::Text);
        }
        return;
    }
    let note = match &queries.answer {
        None if queries.running => format!("running; {} cancels it", key(Action::Interrupt)),
        None => String::new(),
        Some(Err(_)) => String::new(),
        Some(Ok(shown)) => {
            let more = if shown.rows.more { ", and there are more" } else { "" };
            format!("{}{more}", text::counted(shown.rows.rows.len() as u64, "row"))
        }
    };
    paint.row(line(0), &queries.statement, &note, Role::Title, false);
    match &queries.answer {
        Some(Err(why)) => {
            let why = text::wrapped(&text::printable(why), usize::from(area.width));
            for (why, at) in why.iter().zip(1..area.height) {
                paint.line(line(at), why, Role::Warning);
            }
        }
        Some(Ok(shown)) => table(model, paint, area, shown),
        None => {}
    }
}

fn table(model: &Model, paint: &mut Paint<'_>, area: Rect, shown: &Shown) {
    let ascii = model.theme.ascii;
    let fit = |text: &str, width: usize, right: bool| match right {
        true => text::fit_right(&text::printable(text), width, ascii),
        false => text::fit(&text::printable(text), width, ascii),
    };
    let join = |cells: &mut dyn Iterator<Item = &str>| {
        let columns = shown.rows.columns.iter().zip(&shown.widths);
        let cells =
            cells.zip(columns).map(|(cell, (column, width))| fit(cell, *width, column.number));
        cells.collect::<Vec<_>>().join("  ")
    };
    let line = |y: u16| Rect { y, height: 1, ..area };
    if area.height < 2 {
        return;
    }
    let heads = join(&mut shown.rows.columns.iter().map(|column| column.name.as_str()));
    paint.line(line(area.y + 1), &heads, Role::Title);
    let total = shown.rows.rows.len();
    let height = usize::from(area.height - 2);
    let selected = model.selected.queries.min(total.saturating_sub(1));
    let first = first_row(selected, total, height);
    let rows = shown.rows.rows.iter().enumerate().skip(first);
    for ((at, row), y) in rows.zip(area.y + 2..area.bottom()) {
        let text = join(&mut row.cells.iter().map(String::as_str));
        let active = at == selected && model.pane == Pane::Queries;
        let role = if row.leads.is_some() { Role::Text } else { Role::Dim };
        paint.row(line(y), &text, "", role, active);
    }
}
