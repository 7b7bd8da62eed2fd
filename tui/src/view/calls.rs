//! The calls around the focus: who called, the call, where its time went, what it called.

use ratatui::layout::Rect;
use scope_model::CallEnd;
use scope_timeline::Callee;

use super::paint::Paint;
use crate::model::layout::first_row;
use crate::model::rows::CallRow;
use crate::model::{Model, Pane};
use crate::text;
use crate::theme::Role;

/// Callers are not indented further than this.
const MOST_INDENT: usize = 24;
/// Cells of the bar that shows where time went.
const BAR: usize = 16;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let (rows, now) = model.call_rows();
    if rows.is_empty() {
        let note = if model.focus.tid.is_some() { "reading" } else { "choose a thread" };
        paint.line(Rect { height: 1, ..area }, note, Role::Dim);
        return;
    }
    let selected = model.selected.calls.unwrap_or(now).min(rows.len() - 1);
    let first = first_row(selected, rows.len(), usize::from(area.height));
    let depth =
        model.answers.tree.as_ref().and_then(|tree| tree.value.frame).map_or(0, |frame| frame + 1);
    for ((at, row), y) in rows.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let line = Rect { y, height: 1, ..area };
        let active = at == selected && model.pane == Pane::Calls;
        draw_row(model, paint, line, row, depth, active);
    }
}

fn draw_row(
    model: &Model,
    paint: &mut Paint<'_>,
    area: Rect,
    row: &CallRow<'_>,
    depth: usize,
    selected: bool,
) {
    let theme = model.theme;
    // A deep stack leaves room for names.
    let most = MOST_INDENT.min(usize::from(area.width) / 4);
    let indent = |level: usize| " ".repeat(level.min(most));
    let since = |entered_ns: u64| {
        format!("for {}", text::duration(model.focus.time_ns.saturating_sub(entered_ns)))
    };
    match *row {
        CallRow::Caller { index, call } => {
            let gap = if call.crosses_gap { " (events lost)" } else { "" };
            let left = format!("  {}{}{gap}", indent(index), model.facts.name(call.function));
            paint.row(area, &left, &since(call.entered_ns), Role::Text, selected);
        }
        CallRow::Focused { index, call } => {
            let pointer = theme.glyph("▶", ">");
            let gap = if call.crosses_gap { " (events lost)" } else { "" };
            let left =
                format!("{pointer} {}{}{gap}", indent(index), model.facts.name(call.function));
            let right = match model.current_call() {
                Some(view) => match (view.duration_ns, &view.ending) {
                    (Some(ns), _) => text::duration(ns),
                    (None, Some(ending)) => {
                        format!("{} after {}", how(ending.end), text::duration(view.elapsed_ns))
                    }
                    (None, None) => format!("open at the end, {}", text::duration(view.elapsed_ns)),
                },
                None => since(call.entered_ns),
            };
            paint.row(area, &left, &right, Role::Focus, selected);
        }
        CallRow::Times => times(model, paint, area, depth.min(most), selected),
        CallRow::Callee(callee) => {
            let moment = model.focus.moment;
            let ended = callee.ending.is_some_and(|ending| ending.event < moment);
            let open = if callee.id < moment && !ended { " (open)" } else { "" };
            let left = format!("  {}{}{open}", indent(depth), model.facts.name(callee.function));
            paint.row(area, &left, &took(callee), Role::Text, selected);
        }
        CallRow::Fold(callees) => {
            let name =
                callees.first().map_or_else(String::new, |first| model.facts.name(first.function));
            let times = theme.glyph("×", "x");
            let known = callees.iter().filter_map(|callee| callee.duration_ns);
            let sum = known.clone().fold(0_u64, u64::saturating_add);
            let all_known = known.count() == callees.len();
            let right =
                if all_known { text::duration(sum) } else { format!("{}?", text::duration(sum)) };
            let left = format!("  {}{name} {times}{}", indent(depth), callees.len());
            paint.row(area, &left, &right, Role::Text, selected);
        }
        CallRow::Now => {
            let at = text::moment(model.facts.since(model.focus.time_ns));
            paint.rule(area, &at, theme.glyph("╌", "-"), Role::Mark);
            if selected {
                paint.select(area);
            }
        }
        CallRow::More { before } => {
            let text = if before { "earlier calls" } else { "later calls" };
            let left = format!("  {}{} {text}", indent(depth), theme.glyph("⋮", ":"));
            paint.row(area, &left, "", Role::Dim, selected);
        }
    }
}

/// Where the focused call's time went: itself, on a CPU, off it.
fn times(model: &Model, paint: &mut Paint<'_>, area: Rect, indent: usize, selected: bool) {
    let Some(view) = model.current_call() else {
        paint.row(
            area,
            &format!("  {}reading its times", " ".repeat(indent)),
            "",
            Role::Dim,
            selected,
        );
        return;
    };
    let whole = view.elapsed_ns;
    let times = view.times;
    let off = times.runnable_ns.saturating_add(times.blocked_ns);
    let cells = |ns: u64| {
        (u128::from(ns) * BAR as u128).checked_div(u128::from(whole)).unwrap_or_default() as usize
    };
    let theme = model.theme;
    let parts = [
        (cells(times.running_ns), theme.glyph("█", "#"), Role::Running),
        (cells(times.runnable_ns), theme.glyph("░", "="), Role::Runnable),
        (cells(times.blocked_ns), theme.glyph("─", "-"), Role::Blocked),
    ];
    let own = view.self_ns.map_or_else(
        || "self ?".to_owned(),
        |ns| format!("self {} {}", text::duration(ns), text::percent(ns, whole)),
    );
    paint.row(area, "", "", Role::Text, false);
    let mut x = area.x + 2 + indent as u16;
    for (cells, glyph, role) in parts {
        let room = area.right().saturating_sub(x);
        x = paint.text(x, area.y, room, &glyph.repeat(cells), role);
    }
    let mut text = format!(
        " {own}, on-CPU {}, off-CPU {}",
        text::duration(times.running_ns),
        text::duration(off)
    );
    if times.unknown_ns > 0 {
        text.push_str(&format!(", unknown {}", text::duration(times.unknown_ns)));
    }
    text.push_str(&format!(", {} calls made", text::count(view.callees)));
    paint.text(x, area.y, area.right().saturating_sub(x), &text, Role::Dim);
    if selected {
        paint.select(area);
    }
}

fn took(callee: &Callee) -> String {
    match (callee.duration_ns, &callee.ending) {
        (Some(ns), _) => text::duration(ns),
        (None, Some(ending)) => {
            let ns = ending.time_ns.saturating_sub(callee.entered_ns);
            format!("{} after {}", how(ending.end), text::duration(ns))
        }
        (None, None) => "open at the end".to_owned(),
    }
}

/// How a call ended whose duration is not known.
fn how(end: CallEnd) -> &'static str {
    match end {
        CallEnd::Returned => "lost events",
        CallEnd::Unwound => "unwound",
        CallEnd::ThreadEnded => "thread ended",
        CallEnd::Exec => "exec",
        CallEnd::Lost => "end lost",
        CallEnd::Unobserved => "end not seen",
    }
}
