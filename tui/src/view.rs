//! The screen as a function of the state: no reading, no I/O, no state of its own.

mod calls;
mod functions;
mod health;
pub mod help;
mod marks;
mod overlay;
mod paint;
mod queries;
mod source;
mod states;
mod timeline;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::keys::Action;
use crate::model::{Model, Pane, mouse_tabs};
use crate::text;
use crate::theme::Role;
use paint::Paint;

/// Draws all of it.
pub fn render(model: &Model, frame: &mut Frame<'_>) {
    let cursor = draw(model, frame.area(), frame.buffer_mut());
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws all of it; returns where the cursor stands, where something is typed.
fn draw(model: &Model, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
    let mut paint = Paint::new(model.theme, buffer);
    let regions = model.regions();
    if regions.title.width == 0 || area.width < model.size.0 || area.height < model.size.1 {
        paint.line(Rect { height: area.height.min(1), ..area }, "too small", Role::Text);
        return None;
    }
    title(model, &mut paint, regions.title);
    timeline::draw(model, &mut paint, &regions);
    tabs(model, &mut paint, regions.tabs);
    for (pane, rect) in &regions.panes {
        let draw = match pane {
            Pane::Calls => calls::draw,
            Pane::Source => source::draw,
            Pane::State => states::draw,
            Pane::Functions => functions::draw,
            Pane::Marks => marks::draw,
            Pane::Queries => queries::draw,
            Pane::Health => health::draw,
        };
        draw(model, &mut paint, *rect);
    }
    if let [(_, left), _] = regions.panes.as_slice() {
        let border = model.theme.glyph("│", "|");
        for y in left.y..left.bottom() {
            paint.text(left.right(), y, 1, border, Role::Dim);
        }
    }
    key_bar(model, &mut paint, regions.keys);
    if let Some(line) = model.help {
        let above = Rect { height: regions.message.y, ..area };
        help::draw(model, &mut paint, above, line);
    }
    overlay::draw(model, &mut paint, &regions)
}

/// Which trace, where in it, and how it is.
fn title(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let facts = &model.facts;
    let time = text::moment(facts.since(model.focus.time_ns));
    let thread = model.focus.tid.map(|tid| model.thread_name(tid)).unwrap_or_default();
    let control = model.control.as_ref();
    let state = match (facts.complete, model.following) {
        (true, _) => "complete",
        _ if control.is_some_and(|control| control.stopped) => "ending",
        _ if control.is_some_and(|control| control.paused) => "PAUSED",
        (false, true) => "following",
        (false, false) => "recording",
    };
    let mut parts = vec![
        (text::printable(&facts.label), Role::Title),
        (time, Role::Focus),
        (text::printable(&thread), Role::Text),
        (state.to_owned(), if facts.complete { Role::Dim } else { Role::Running }),
    ];
    let bar = model.answers.bar.as_ref();
    let lost = bar.map_or(0, |bar| {
        bar.value.cells.iter().fold(0, |sum: u64, cell| sum.saturating_add(cell.lost))
    });
    if lost > 0 {
        parts.push((format!("{} lost", text::count(lost)), Role::Lost));
    }
    match model.travelling() {
        Some(Some(percent)) => parts.push((format!("going {percent}%"), Role::Warning)),
        Some(None) => parts.push(("going".to_owned(), Role::Warning)),
        None => {}
    }
    let passed = model.focus.moment.saturating_sub(facts.first);
    let events = facts.end.saturating_sub(facts.first);
    parts.push((format!("{} of {} events", text::count(passed), text::count(events)), Role::Dim));
    parts.push((format!("{} shown", text::duration(model.range.length())), Role::Dim));
    let mut x = area.x;
    for (part, role) in parts {
        let room = area.right().saturating_sub(x);
        x = paint.text(x, area.y, room, &part, role).saturating_add(2);
    }
}

fn tabs(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let rule = model.theme.glyph("─", "-").repeat(usize::from(area.width));
    paint.line(area, &rule, Role::Dim);
    for (x, text, pane) in mouse_tabs() {
        let role = if pane == model.pane { Role::ActiveTitle } else { Role::Title };
        let room = area.width.saturating_sub(x);
        paint.text(area.x + x, area.y, room, &text, role);
    }
}

/// The keys that are needed most, as many as there is room for.
fn key_bar(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let mut x = area.x;
    let mut first = true;
    // Help and leaving are found whatever the width.
    let rows: Vec<_> = model.config.keys.rows().collect();
    let last = |action| matches!(action, Action::Help | Action::Quit);
    let ordered = rows
        .iter()
        .filter(|(binding, _)| last(binding.action))
        .chain(rows.iter().filter(|(binding, _)| !last(binding.action)));
    for (binding, keys) in ordered {
        let (Some(word), Some(key)) = (binding.bar, keys.first()) else { continue };
        let key = key.to_string();
        let needed = text::width(&key) + 1 + text::width(word) + if first { 0 } else { 2 };
        let room = area.right().saturating_sub(x);
        if needed > usize::from(room) {
            continue;
        }
        if !first {
            x += 2;
        }
        first = false;
        x = paint.text(x, area.y, area.right() - x, &key, Role::Key) + 1;
        x = paint.text(x, area.y, area.right() - x, word, Role::Text);
    }
}
