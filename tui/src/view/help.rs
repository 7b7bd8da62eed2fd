//! The help: the table of keys as it is, and the commands.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::keys::{Context, Keymap};
use crate::model::{COMMANDS, Model};
use crate::text;
use crate::theme::Role;

/// Cells for keys.
const KEYS: usize = 26;

/// How many lines it has.
#[must_use]
pub fn lines(keys: &Keymap) -> usize {
    text(keys).len()
}

fn text(keys: &Keymap) -> Vec<(String, Role)> {
    let mut lines = Vec::new();
    let mut group = "";
    for (binding, keys) in keys.rows() {
        if binding.group != group {
            group = binding.group;
            if !lines.is_empty() {
                lines.push((String::new(), Role::Text));
            }
            lines.push((group.to_owned(), Role::Title));
        }
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let whereof = match binding.context {
            Context::Anywhere => String::new(),
            context => format!(" ({})", context.name()),
        };
        let keys = text::fit(&keys.join(" "), KEYS, true);
        lines.push((format!("  {keys}{}{whereof}", binding.help), Role::Text));
    }
    lines.push((String::new(), Role::Text));
    lines.push(("Commands".to_owned(), Role::Title));
    for (command, help) in COMMANDS {
        lines.push((format!("  {}{help}", text::fit(command, KEYS, true)), Role::Text));
    }
    lines
}

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect, first: usize) {
    paint.clear(area);
    let lines = text(&model.config.keys);
    // The last page is full.
    let first = first.min(lines.len().saturating_sub(usize::from(area.height)));
    for ((text, role), y) in lines.iter().skip(first).zip(area.y..area.bottom()) {
        paint.line(Rect { y, height: 1, ..area }, text, *role);
    }
}
