//! All threads at the moment: what each does, since when, in what it waits and who woke it.

use ratatui::layout::Rect;
use scope_model::state::CPU_UNKNOWN;
use scope_model::{RunState, ThreadState};

use super::paint::Paint;
use crate::model::layout::first_row;
use crate::model::rows::StateRow;
use crate::model::{Model, Pane};
use crate::text;
use crate::theme::Role;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let rows = model.state_rows();
    if rows.is_empty() {
        let note = if model.answers.states.is_some() {
            "no thread is known at this moment"
        } else {
            "reading"
        };
        paint.line(Rect { height: 1, ..area }, note, Role::Dim);
        return;
    }
    let selected = model.selected_row(Pane::State).min(rows.len() - 1);
    let first = first_row(selected, rows.len(), usize::from(area.height));
    for ((at, row), y) in rows.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        let active = at == selected && model.pane == Pane::State;
        match row {
            StateRow::Thread(state) => thread(model, paint, line, state, active),
            StateRow::Frame(index, call) => {
                let left = format!("      {index:>3}  {}", model.facts.name(call.function));
                let open_ns = model.focus.time_ns.saturating_sub(call.entered_ns);
                let right = format!("for {}", text::duration(open_ns));
                paint.row(line, &left, &right, Role::Dim, active);
            }
        }
    }
}

fn thread(model: &Model, paint: &mut Paint<'_>, area: Rect, state: &ThreadState, selected: bool) {
    let theme = model.theme;
    let focused = model.focus.tid == Some(state.tid);
    let pointer = if focused { theme.glyph("▶", ">") } else { " " };
    let (glyph, word, role) = match state.run {
        RunState::Running { cpu: CPU_UNKNOWN } => {
            (theme.glyph("█", "#"), "running".to_owned(), Role::Running)
        }
        RunState::Running { cpu } => {
            (theme.glyph("█", "#"), format!("on CPU {cpu}"), Role::Running)
        }
        RunState::Runnable { .. } => (theme.glyph("░", "="), "runnable".to_owned(), Role::Runnable),
        RunState::Blocked { .. } => (theme.glyph("─", "-"), "blocked".to_owned(), Role::Blocked),
        RunState::Ended => (" ", "ended".to_owned(), Role::Dim),
        RunState::Unknown => ("?", "unknown".to_owned(), Role::Dim),
    };
    let name =
        text::fit(&text::printable(&format!("{} {}", state.name, state.tid)), 20, theme.ascii);
    let since = text::duration(model.focus.time_ns.saturating_sub(state.run_since_ns));
    let mut why = String::new();
    if let Some(call) = state.syscall {
        why.push_str(&format!(" in {}", model.facts.syscall(call.number)));
    }
    if let RunState::Runnable { woken_by: Some(waker) } = state.run {
        why.push_str(&format!(" woken by {}", model.thread_name(waker)));
    }
    if state.lost.total() > 0 {
        why.push_str(&format!(" {} events lost", text::count(state.lost.total())));
    }
    let function =
        state.stack.last().map(|call| model.facts.name(call.function)).unwrap_or_default();
    paint.row(area, "", "", Role::Text, false);
    let mut x = area.x;
    let end = area.right();
    let name_role = if focused { Role::Focus } else { Role::Text };
    x = paint.text(x, area.y, 1, pointer, Role::Focus);
    x = paint.text(x, area.y, end.saturating_sub(x), &name, name_role) + 1;
    let state_text = format!("{glyph} {}", text::fit(&word, 10, theme.ascii));
    x = paint.text(x, area.y, end.saturating_sub(x), &state_text, role);
    x = paint.text(x, area.y, end.saturating_sub(x), &format!("{since:>7}"), Role::Dim);
    x = paint.text(x, area.y, end.saturating_sub(x), &why, Role::Text) + 1;
    let room = usize::from(end.saturating_sub(x));
    let function = text::shorten(&text::printable(&function), room, theme.ascii);
    paint.text(x, area.y, end.saturating_sub(x), &function, Role::Text);
    if selected {
        paint.select(area);
    }
}
