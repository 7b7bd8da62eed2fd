//! How the recording is getting on, or went.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::model::layout::first_row;
use crate::model::{Model, Pane};
use crate::theme::Role;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let lines = model.health_lines();
    if lines.is_empty() {
        paint.line(Rect { height: area.height.min(1), ..area }, "reading", Role::Dim);
        return;
    }
    let selected = model.selected.health.min(lines.len() - 1);
    let first = first_row(selected, lines.len(), usize::from(area.height));
    for ((at, line), y) in lines.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let active = at == selected && at > 0 && model.pane == Pane::Health;
        paint.row(Rect { y, height: 1, ..area }, &line.text, "", line.role, active);
    }
}
