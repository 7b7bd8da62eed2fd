//! The timeline: times, a lane a thread, the open calls of the focused one, and all of the trace in a
//! line.
//!
//! Lanes are drawn from what is known, also while a picture of the range is still being made: what
//! there is of an older one is stretched to its place. Run states differ in their glyphs; colours
//! only help.

use ratatui::layout::Rect;
use scope_model::Tid;
use scope_store::OverviewCell;

use super::paint::Paint;
use crate::model::layout::Regions;
use crate::model::{Model, Range, whole};
use crate::query::{Flame, Picture};
use crate::text;
use crate::theme::{Colours, Role, Theme};

/// Columns between two times of the ruler, at least.
const TICK_EVERY: u64 = 14;
/// Cells that have room for a part of a name.
const LEAST_LABEL: usize = 4;
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const BARS_ASCII: [&str; 8] = [".", ".", ":", ":", "=", "=", "#", "#"];

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, regions: &Regions) {
    ruler(model, paint, regions.ruler);
    lanes(model, paint, regions);
    flames(model, paint, regions);
    overview(model, paint, regions);
}

/// Times, marks and the focus.
fn ruler(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    paused(model, paint, area);
    let shown = model.shown();
    let step_ns = tick_step(shown.length(), u64::from(area.width));
    let start = model.facts.since(shown.start_ns);
    let step = i64::try_from(step_ns).unwrap_or(i64::MAX);
    // The first multiple from the start on.
    let mut tick = start.saturating_add((-i128::from(start)).rem_euclid(i128::from(step)) as i64);
    for _ in 0..area.width {
        let Some(time_ns) = model.facts.start_ns.checked_add_signed(tick) else { break };
        let Some(column) = model.column_of_time(time_ns, area.width) else { break };
        let label = format!("{}{}", model.theme.glyph("╷", "|"), text::tick(tick, step_ns));
        let room = area.width - column;
        if usize::from(room) > text::width(&label) {
            paint.text(area.x + column, area.y, room, &label, Role::Dim);
        }
        let Some(next) = tick.checked_add(step) else { break };
        tick = next;
    }
    let hits = model.answers.hits.as_ref().map_or(&[] as &[_], |hits| &hits.value.times);
    for time_ns in hits {
        if let Some(column) = model.column_of_time(*time_ns, area.width) {
            paint.text(area.x + column, area.y, 1, model.theme.glyph("•", "'"), Role::Mark);
        }
    }
    for mark in model.marks.values() {
        let time_ns = model.facts.start_ns.saturating_add_signed(mark.t_ns);
        if let Some(column) = model.column_of_time(time_ns, area.width) {
            paint.text(area.x + column, area.y, 1, model.theme.glyph("◆", "*"), Role::Mark);
        }
    }
    if let Some(column) = focus_column(model, area.width) {
        paint.text(area.x + column, area.y, 1, model.theme.glyph("▼", "v"), Role::Focus);
    }
}

/// Hatches when no calls were recorded because somebody wanted it so.
fn paused(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let Some(bar) = &model.answers.bar else { return };
    let shown = model.shown();
    for (from_ns, until_ns) in &bar.value.pauses {
        let (from_ns, until_ns) = (*from_ns.max(&shown.start_ns), *until_ns.min(&shown.end_ns));
        if from_ns >= until_ns {
            continue;
        }
        let first = model.column_of_time(from_ns, area.width).unwrap_or_default();
        let last = model.column_of_time(until_ns - 1, area.width).unwrap_or(first);
        let width = last.saturating_sub(first) + 1;
        let hatched = model.theme.glyph("╲", "\\").repeat(width.into());
        for y in area.y..area.bottom() {
            paint.text(area.x + first, y, width, &hatched, Role::Dim);
        }
    }
}

/// The focus' column. The end of the trace is in the last; so is, while it is followed, what is not
/// drawn yet.
fn focus_column(model: &Model, columns: u16) -> Option<u16> {
    let end_ns = model.shown().end_ns;
    let at_end = model.focus.time_ns == end_ns || model.following;
    let last_ns = end_ns.saturating_sub(1);
    model.column_of_time(if at_end { last_ns } else { model.focus.time_ns }, columns)
}

/// The distance of two times on the ruler, ns: 1, 2 or 5 of a power of ten.
fn tick_step(length_ns: u64, columns: u64) -> u64 {
    let ticks = (columns / TICK_EVERY).max(1);
    let least = length_ns.div_ceil(ticks).max(1);
    let power = 10_u64.pow(least.ilog10());
    [1, 2, 5, 10]
        .iter()
        .filter_map(|factor| power.checked_mul(*factor))
        .find(|step| *step >= least)
        .unwrap_or(least)
}

fn lanes(model: &Model, paint: &mut Paint<'_>, regions: &Regions) {
    let area = regions.lanes;
    let threads = model.visible_threads();
    if threads.is_empty() && area.height > 0 {
        let note = if model.answers.bar.is_some() { "no threads" } else { "reading…" };
        let note = if model.theme.ascii { note.replace('…', "...") } else { note.to_owned() };
        paint.text(area.x, area.y, area.width, &note, Role::Dim);
    }
    let picture = model.answers.picture.as_ref().map(|answered| &*answered.value);
    for (tid, y) in threads.iter().zip(area.y..area.bottom()) {
        label(model, paint, Rect { y, height: 1, ..regions.labels }, *tid);
        let Some(picture) = picture else { continue };
        let cells = picture.lanes.get(tid).map_or(&[] as &[_], Vec::as_slice);
        for column in 0..area.width {
            let (glyph, role) = cell(model, picture, cells, column, area.width);
            paint.text(area.x + column, y, 1, glyph, role);
        }
    }
    if let Some(picture) = picture {
        wake_up(model, paint, area, picture);
    }
    if let Some(column) = focus_column(model, area.width) {
        for (_, y) in threads.iter().zip(area.y..area.bottom()) {
            paint.reverse(area.x + column, y);
        }
    }
}

fn label(model: &Model, paint: &mut Paint<'_>, area: Rect, tid: Tid) {
    let focused = model.focus.tid == Some(tid);
    let pointer = if focused { model.theme.glyph("▶", ">") } else { " " };
    let name = text::shorten(
        &text::printable(&model.thread_name(tid)),
        usize::from(area.width.saturating_sub(2)),
        model.theme.ascii,
    );
    let role = if focused { Role::Focus } else { Role::Text };
    paint.text(area.x, area.y, 1, pointer, Role::Focus);
    paint.text(area.x + 1, area.y, area.width.saturating_sub(2), &name, role);
}

/// What a column of a lane looks like.
fn cell(
    model: &Model,
    picture: &Picture,
    cells: &[OverviewCell],
    column: u16,
    columns: u16,
) -> (&'static str, Role) {
    let theme = model.theme;
    let nothing = (" ", Role::Text);
    let middle_ns = model.time_of_column(column, columns);
    // The picture may be of another range: the cell at that time.
    let length = picture.end_ns.saturating_sub(picture.start_ns);
    let Some(offset) = middle_ns.checked_sub(picture.start_ns).filter(|offset| *offset < length)
    else {
        return nothing;
    };
    let at = u128::from(offset) * cells.len() as u128 / u128::from(length.max(1));
    let Some(cell) = cells.get(at as usize) else { return nothing };
    if cell.lost > 0 {
        return (theme.glyph("╱", "/"), Role::Lost);
    }
    let known = cell.running_ns + cell.runnable_ns + cell.blocked_ns;
    if known == 0 {
        return if cell.depth > 0 || cell.calls > 0 {
            // Seen, but not what the scheduler did to it.
            (theme.glyph("?", "?"), Role::Dim)
        } else {
            nothing
        };
    }
    if cell.running_ns * 2 >= known {
        (theme.glyph("█", "#"), Role::Running)
    } else if cell.runnable_ns >= cell.blocked_ns && cell.runnable_ns >= cell.running_ns {
        (theme.glyph("░", "="), Role::Runnable)
    } else if cell.running_ns * 16 >= known {
        (theme.glyph("▄", "+"), Role::Running)
    } else {
        (theme.glyph("─", "-"), Role::Blocked)
    }
}

/// An arrow from the lane of who woke the focused thread to its lane.
fn wake_up(model: &Model, paint: &mut Paint<'_>, area: Rect, picture: &Picture) {
    let Some(wake) = picture.wake_up.filter(|wake| Some(wake.woken) == model.focus.tid) else {
        return;
    };
    let Some(column) = model.column_of_time(wake.time_ns, area.width) else { return };
    let lane = |tid: Tid| model.visible_threads().iter().position(|known| *known == tid);
    let Some(woken) = lane(wake.woken) else { return };
    let theme = model.theme;
    // A waker whose lane is not there is somewhere above or outside.
    let waker = lane(wake.waker);
    let (head, from, to) = match waker {
        Some(waker) if waker > woken => (theme.glyph("▲", "^"), woken, waker),
        Some(waker) => (theme.glyph("▼", "v"), waker, woken),
        None => (theme.glyph("▼", "v"), woken, woken),
    };
    let x = area.x + column;
    let line = |lane: usize| area.y + lane as u16;
    for lane in from..=to {
        paint.text(x, line(lane), 1, theme.glyph("│", "|"), Role::Mark);
    }
    if let Some(waker) = waker {
        paint.text(x, line(waker), 1, theme.glyph("●", "o"), Role::Mark);
    }
    paint.text(x, line(woken), 1, head, Role::Mark);
}

/// The open calls of the focused thread, one row a depth.
fn flames(model: &Model, paint: &mut Paint<'_>, regions: &Regions) {
    let area = regions.flames;
    let Some(answered) = &model.answers.flames else { return };
    let crate::query::Query::Flames(query) = &answered.query else { return };
    let height = usize::from(area.height);
    if height == 0 || query.columns == 0 || Some(query.tid) != model.focus.tid {
        return;
    }
    // Of another range while new ones are being read: put where they belong in this one.
    let shown = model.shown();
    let of = u128::from(query.end_ns.saturating_sub(query.start_ns));
    let same = (query.start_ns, query.end_ns, query.columns)
        == (shown.start_ns, shown.end_ns, usize::from(area.width));
    let moved = |column: usize| {
        if same {
            return column;
        }
        let time_ns = u128::from(query.start_ns) + of * column as u128 / query.columns as u128;
        let offset = time_ns.saturating_sub(u128::from(shown.start_ns)) * u128::from(area.width);
        (offset / u128::from(shown.length().max(1))).min(u128::from(area.width)) as usize
    };
    // Calls may be missing there, whatever is known of others.
    paused(model, paint, area);
    let rows = &answered.value.rows;
    let depth = model.current_tree().and_then(|tree| tree.frame).unwrap_or_default();
    let first = depth.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    for ((depth, line), y) in rows.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let label = format!(" depth {depth}");
        let labels = Rect { y, height: 1, ..regions.flame_labels };
        paint.text(labels.x, labels.y, labels.width.saturating_sub(1), &label, Role::Dim);
        for flame in line {
            let flame = &Flame { first: moved(flame.first), end: moved(flame.end), ..*flame };
            stretch(model, paint, Rect { y, height: 1, ..area }, flame);
        }
    }
}

fn stretch(model: &Model, paint: &mut Paint<'_>, area: Rect, flame: &Flame) {
    let cells = flame.end.saturating_sub(flame.first);
    if cells == 0 {
        return;
    }
    let ascii = model.theme.ascii;
    // Without colours, neighbours are told apart by where they begin.
    let mut label = match model.theme.colours {
        Colours::None => "|".to_owned(),
        _ => String::new(),
    };
    if flame.crosses_gap {
        label.push('?');
    }
    if cells >= LEAST_LABEL {
        label.push_str(&text::printable(&model.facts.name(flame.function)));
    }
    let label = text::fit(&text::shorten(&label, cells, ascii), cells, ascii);
    let x = area.x + flame.first as u16;
    paint.text(x, area.y, flame_width(area, flame), &label, Role::Flame(flame.function.0));
}

/// Whether no calls were recorded at the middle of a column of all of the trace, as somebody wanted.
fn is_paused(model: &Model, all: &Range, column: u16, columns: u16) -> bool {
    let offset =
        u128::from(all.length()) * (2 * u128::from(column) + 1) / (2 * u128::from(columns));
    let middle_ns = all.start_ns.saturating_add(offset as u64);
    let pauses = model.answers.bar.iter().flat_map(|bar| &bar.value.pauses);
    pauses.into_iter().any(|(from_ns, until_ns)| (*from_ns..*until_ns).contains(&middle_ns))
}

fn flame_width(area: Rect, flame: &Flame) -> u16 {
    area.width.saturating_sub(flame.first as u16).min(flame.end.saturating_sub(flame.first) as u16)
}

/// All of the trace, with the range that is shown above it.
fn overview(model: &Model, paint: &mut Paint<'_>, regions: &Regions) {
    let area = regions.bar;
    let label = Rect { x: 0, width: area.x, ..area };
    let all = whole(&model.facts);
    let text = format!(" all {}", text::duration(model.facts.duration_ns()));
    paint.text(label.x, label.y, label.width.saturating_sub(1), &text, Role::Dim);
    let Some(answered) = &model.answers.bar else { return };
    let bar = &answered.value;
    let most = bar.cells.iter().map(|cell| cell.running).fold(f32::MIN_POSITIVE, f32::max);
    let columns = usize::from(area.width);
    for column in 0..area.width {
        // Of another width while a new one is being made.
        let at = usize::from(column) * bar.cells.len() / columns.max(1);
        let Some(cell) = bar.cells.get(at) else { continue };
        let (glyph, role) = if cell.lost > 0 {
            (model.theme.glyph("╱", "/"), Role::Lost)
        } else if cell.calls == 0 && is_paused(model, &all, column, area.width) {
            (model.theme.glyph("╲", "\\"), Role::Dim)
        } else if cell.running > 0.0 {
            let level = ((cell.running / most * 8.0) as usize).min(7);
            (bar_glyph(model.theme, level), Role::Running)
        } else if cell.calls > 0 {
            (bar_glyph(model.theme, 0), Role::Dim)
        } else {
            (" ", Role::Text)
        };
        paint.text(area.x + column, area.y, 1, glyph, role);
    }
    let column = |time_ns: u64| {
        let offset = u128::from(time_ns.saturating_sub(all.start_ns)) * u128::from(area.width);
        (offset / u128::from(all.length().max(1))).min(u128::from(area.width)) as u16
    };
    let (from, until) = (column(model.range.start_ns), column(model.range.end_ns));
    if model.range != all {
        let x = area.x + from.min(area.width.saturating_sub(1));
        let width = until.saturating_sub(from).clamp(1, area.right() - x);
        paint.underline(Rect { x, width, ..area });
        paint.reverse(x, area.y);
        paint.reverse(x + width - 1, area.y);
    }
    let focus = column(model.focus.time_ns).min(area.width.saturating_sub(1));
    paint.text(area.x + focus, area.y, 1, model.theme.glyph("▲", "^"), Role::Focus);
}

/// One of eight heights.
pub(super) fn bar_glyph(theme: Theme, level: usize) -> &'static str {
    let level = level.min(7);
    if theme.ascii { BARS_ASCII[level] } else { BARS[level] }
}

#[cfg(test)]
mod tests {
    use super::tick_step;

    #[test]
    fn times_of_the_ruler_are_round_and_far_enough_apart() {
        assert_eq!(tick_step(1_000_000_000, 70), 200_000_000);
        assert_eq!(tick_step(64, 200), 5);
        assert_eq!(tick_step(u64::MAX, 10), u64::MAX);
        for length in [1, 63, 999, 1 << 40, u64::MAX / 2] {
            assert!(length / tick_step(length, 100) <= 100 / super::TICK_EVERY + 1);
        }
    }
}
