//! Marks and breakpoints.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::keys::Action;
use crate::model::layout::first_row;
use crate::model::rows::MarkRow;
use crate::model::{Model, Pane};
use crate::text;
use crate::theme::Role;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let rows = model.mark_rows();
    if rows.is_empty() {
        let key = |action| model.config.keys.key_of(action).unwrap_or_default();
        let note = format!(
            "no marks and no breakpoints: {} marks this moment, {} and {} set breakpoints",
            key(Action::Mark),
            key(Action::BreakHere),
            key(Action::BreakWhen)
        );
        paint.line(Rect { height: 1, ..area }, &note, Role::Dim);
        return;
    }
    let selected = model.selected.marks.min(rows.len() - 1);
    let first = first_row(selected, rows.len(), usize::from(area.height));
    for ((at, row), y) in rows.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        let active = at == selected && model.pane == Pane::Marks;
        match row {
            MarkRow::Mark(name) => {
                let mark = model.marks.get(*name).cloned().unwrap_or_default();
                let left = format!("{} @{name}  {}", model.theme.glyph("◆", "*"), mark.note);
                paint.row(line, &left, &text::moment(mark.t_ns), Role::Text, active);
            }
            MarkRow::Breakpoint(index) => {
                let Some(breakpoint) = model.breakpoints.get(*index) else { continue };
                let glyph = match breakpoint.enabled {
                    true => model.theme.glyph("●", "B"),
                    false => model.theme.glyph("○", "-"),
                };
                let left = format!("{glyph} {}", breakpoint.text);
                let right = match (breakpoint.enabled, breakpoint.hits) {
                    (false, _) => "off".to_owned(),
                    (true, 1) => "stopped once".to_owned(),
                    (true, hits) => format!("stopped {} times", text::count(hits)),
                };
                let role = if breakpoint.enabled { Role::Text } else { Role::Dim };
                paint.row(line, &left, &right, role, active);
            }
        }
    }
}
