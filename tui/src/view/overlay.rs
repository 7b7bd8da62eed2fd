//! The line at the foot: what is said, or what is typed; and what is found while it is typed.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::model::Model;
use crate::model::layout::{Regions, first_row};
use crate::model::prompt::Kind;
use crate::query::FindKind;
use crate::text;
use crate::theme::Role;

/// Draws it; returns where the cursor stands.
pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, regions: &Regions) -> Option<(u16, u16)> {
    let area = regions.message;
    let Some(prompt) = &model.prompt else {
        if let Some(message) = &model.message {
            let (sign, role) = match message.warning {
                true => ("! ", Role::Warning),
                false => ("", Role::Text),
            };
            paint.line(area, &format!("{sign}{}", message.text), role);
        }
        return None;
    };
    if prompt.kind == Kind::Find {
        finds(model, paint, regions, prompt.selected);
    }
    let label = prompt.kind.label();
    paint.line(area, "", Role::Text);
    let x = paint.text(area.x, area.y, area.width, label, Role::Key);
    let before = text::width(&text::printable(&prompt.text[..prompt.cursor]));
    let room = usize::from(area.right().saturating_sub(x + 1));
    // A long line is shown from where its cursor is seen.
    let skipped = before.saturating_sub(room);
    let shown = skip_cells(&text::printable(&prompt.text), skipped);
    let end = paint.text(x, area.y, area.right().saturating_sub(x), &shown, Role::Text);
    if let Some(error) = &prompt.error {
        let room = area.right().saturating_sub(end + 2);
        paint.text(end + 2, area.y, room, error, Role::Warning);
    }
    Some((x + (before - skipped) as u16, area.y))
}

fn skip_cells(text: &str, cells: usize) -> String {
    let mut passed = 0;
    text.chars()
        .skip_while(|c| {
            let mut bytes = [0; 4];
            let skip = passed < cells;
            passed += text::width(c.encode_utf8(&mut bytes));
            skip
        })
        .collect()
}

/// The hits, over the panes.
fn finds(model: &Model, paint: &mut Paint<'_>, regions: &Regions, selected: usize) {
    let top = regions.tabs.y;
    let area = Rect { x: 0, y: top, width: regions.tabs.width, height: regions.message.y - top };
    paint.clear(area);
    let Some(answered) = &model.answers.finds else {
        paint.line(Rect { height: 1, ..area }, "reading", Role::Dim);
        return;
    };
    let finds = &answered.value;
    let title = format!(
        "{} found; enter goes to the first call from here on",
        text::count(finds.count as u64)
    );
    paint.line(Rect { height: 1, ..area }, &title, Role::Title);
    let height = usize::from(area.height.saturating_sub(1));
    let first = first_row(selected, finds.rows.len(), height);
    for ((at, row), y) in finds.rows.iter().enumerate().skip(first).take(height).zip(area.y + 1..) {
        let kind = match row.kind {
            FindKind::Function(_) => "function",
            FindKind::File(_) => "file",
            FindKind::Thread(_) => "thread",
        };
        let room = usize::from(area.width).saturating_sub(12);
        let left =
            format!("  {}", text::shorten(&text::printable(&row.text), room, model.theme.ascii));
        paint.row(Rect { y, height: 1, ..area }, &left, kind, Role::Text, at == selected);
    }
}
