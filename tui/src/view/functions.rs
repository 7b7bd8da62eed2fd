//! All functions and how long their calls took; a histogram of the selected one; its executions.

use ratatui::layout::Rect;

use super::paint::Paint;
use super::timeline::bar_glyph;
use crate::model::layout::first_row;
use crate::model::rows::functions_foot;
use crate::model::{Model, Pane, SortKey};
use crate::query::FunctionRow;
use crate::text;
use crate::theme::Role;

/// Cells of a column of numbers.
const CELLS: usize = 9;
/// Cells that a name has, if columns that are left out can give them.
const NAME: usize = 24;
/// Cells of a sparkline.
const SPARK: usize = 10;
/// Cells of one bucket of the histogram.
const BUCKET: usize = 6;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    if model.executions_of.is_some() {
        executions(model, paint, area);
        return;
    }
    let shown = Shown::in_width(usize::from(area.width), model.sort);
    header(model, paint, Rect { height: area.height.min(1), ..area }, &shown);
    let foot = functions_foot(usize::from(area.height)) as u16;
    let list = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + foot), ..area };
    let total = model.function_order.len();
    if total == 0 {
        let note = match model.answers.functions {
            Some(_) => "no function was called",
            None => "reading",
        };
        paint.line(Rect { height: list.height.min(1), ..list }, note, Role::Dim);
        return;
    }
    let selected = model.selected.functions.min(total - 1);
    let first = first_row(selected, total, usize::from(list.height));
    for (at, y) in (first..total).zip(list.y..list.bottom()) {
        let Some(row) = model.function_row(at) else { continue };
        let active = at == selected && model.pane == Pane::Functions;
        line(model, paint, Rect { y, height: 1, ..list }, row, &shown, active);
    }
    if let Some(row) = model.function_row(selected).filter(|_| foot > 0) {
        let foot = Rect { y: list.bottom(), height: foot, ..area };
        histogram(model, paint, foot, row);
    }
}

/// Which columns there is room for beside the name.
struct Shown {
    keys: Vec<SortKey>,
    spark: bool,
}

impl Shown {
    /// Those that say least go first; that by which functions are sorted stays.
    fn in_width(width: usize, sort: SortKey) -> Self {
        let mut keys = SortKey::ALL.to_vec();
        for least in [SortKey::P50, SortKey::Max, SortKey::SelfTime] {
            if CELLS * (keys.len() - 1) + NAME > width && least != sort {
                keys.retain(|key| *key != least);
            }
        }
        Self { keys, spark: width >= 100 }
    }
}

fn header(model: &Model, paint: &mut Paint<'_>, area: Rect, shown: &Shown) {
    let arrow = match model.sort_reversed {
        false => model.theme.glyph("▼", "v"),
        true => model.theme.glyph("▲", "^"),
    };
    let mut text = String::new();
    for key in shown.keys.iter().copied() {
        let title = if key == model.sort {
            format!("{}{arrow}", key.title())
        } else {
            key.title().to_owned()
        };
        if key == SortKey::Name {
            if shown.spark {
                text.push_str(&format!("  {}", text::fit("durations", SPARK, model.theme.ascii)));
            }
            text.push_str(&format!("  {title}"));
        } else {
            text.push_str(&text::fit_right(&title, CELLS, model.theme.ascii));
        }
    }
    paint.line(area, &text, Role::Title);
}

fn line(
    model: &Model,
    paint: &mut Paint<'_>,
    area: Rect,
    row: &FunctionRow,
    shown: &Shown,
    selected: bool,
) {
    let ascii = model.theme.ascii;
    let mut left = String::new();
    for key in &shown.keys {
        let text = match key {
            SortKey::Calls => text::count_in(row.calls, CELLS - 1),
            SortKey::Total => text::duration(model.total_ns(row)),
            // Known once all events were read; of a growing trace, not yet.
            SortKey::SelfTime => text::known(model.times(row.id).map(|times| times.self_ns)),
            SortKey::P50 => text::known(row.p50_ns),
            SortKey::P99 => text::known(row.p99_ns),
            SortKey::Max => text::known(row.max_ns),
            SortKey::Name => continue,
        };
        left.push_str(&text::fit_right(&text, CELLS, ascii));
    }
    if shown.spark {
        left.push_str("  ");
        left.push_str(&sparkline(model, row));
    }
    let room = usize::from(area.width).saturating_sub(text::width(&left) + 2);
    let mut name = text::printable(&model.facts.name(row.id));
    if model.is_disabled(row.id) {
        name.push_str(" (not recorded)");
    }
    if row.unknown > 0 {
        name.push_str(&format!(" ({} unknown)", text::count(row.unknown)));
    }
    left.push_str("  ");
    left.push_str(&text::shorten(&name, room, ascii));
    paint.row(area, &left, "", Role::Text, selected);
}

/// Calls by duration, from the shortest to the longest, in few cells.
fn sparkline(model: &Model, row: &FunctionRow) -> String {
    let mut cells = [0_u64; SPARK];
    let powers = row.powers.len().max(1);
    for (at, count) in row.powers.iter().enumerate() {
        cells[at * SPARK / powers.max(SPARK)] += count;
    }
    let most = cells.iter().copied().max().unwrap_or_default().max(1);
    cells
        .iter()
        .map(|count| match count {
            0 => " ",
            count => bar_glyph(model.theme, (u128::from(*count) * 7 / u128::from(most)) as usize),
        })
        .collect()
}

/// Calls by power of two of their duration.
fn histogram(model: &Model, paint: &mut Paint<'_>, area: Rect, row: &FunctionRow) {
    let line = |at: u16| Rect { y: area.y + at, height: 1, ..area };
    let mut title = model.facts.name(row.id);
    if row.not_returned > 0 {
        title.push_str(&format!(" ({} did not return)", text::count(row.not_returned)));
    }
    let title = text::shorten(
        &text::printable(&title),
        usize::from(area.width.saturating_sub(8)),
        model.theme.ascii,
    );
    paint.rule(line(0), &title, model.theme.glyph("─", "-"), Role::Dim);
    if row.powers.is_empty() {
        paint.line(line(1), "no call of it ended with a known duration", Role::Dim);
        return;
    }
    let most = row.powers.iter().copied().max().unwrap_or_default().max(1);
    let (mut bars, mut axis) = (String::new(), String::new());
    for (at, count) in row.powers.iter().enumerate() {
        let glyph = match count {
            0 => " ",
            count => bar_glyph(model.theme, (u128::from(*count) * 7 / u128::from(most)) as usize),
        };
        bars.push_str(&glyph.repeat(BUCKET - 1));
        bars.push(' ');
        let from_ns = 1_u64.checked_shl(row.first_power + at as u32).unwrap_or(u64::MAX);
        axis.push_str(&text::fit(&text::duration(from_ns), BUCKET, model.theme.ascii));
    }
    paint.line(line(1), &bars, Role::Running);
    paint.line(line(2), &axis, Role::Dim);
}

/// The calls of a function, slowest first.
fn executions(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let Some(which) = &model.executions_of else { return };
    let head = Rect { height: area.height.min(1), ..area };
    let mut name = which
        .only()
        .map_or_else(|| format!("{} functions", which.functions.len()), |id| model.facts.name(id));
    if which.sites.is_some() {
        name = format!("{name} from {}", which.place);
    }
    let known = model.answers.executions.as_ref().filter(|answered| answered.value.of == *which);
    let Some(answered) = known else {
        paint.line(head, &format!("reading the calls of {name}"), Role::Title);
        return;
    };
    let executions = &answered.value;
    let shown = executions.calls.len() as u64;
    let of = match executions.count {
        count if count > shown => {
            format!("the slowest {} of {}", text::count(shown), text::count(count))
        }
        count => text::count(count),
    };
    paint.line(head, &format!("calls of {name}: {of}"), Role::Title);
    let height = model_height(area);
    let total = executions.calls.len();
    let selected = model.selected.executions.min(total.saturating_sub(1));
    let first = first_row(selected, total, height);
    for ((at, call), y) in
        executions.calls.iter().enumerate().skip(first).take(height).zip(area.y + 1..)
    {
        let left = format!(
            "{}  at {}  {}",
            text::fit_right(&text::known(call.duration_ns), CELLS, model.theme.ascii),
            text::moment(model.facts.since(call.entered_ns)),
            model.thread_name(call.tid),
        );
        let name = match which.only() {
            Some(_) => String::new(),
            None => format!("{}  ", text::printable(&model.facts.name(call.function))),
        };
        let right = format!("{name}call {}", call.id);
        let active = at == selected && model.pane == Pane::Functions;
        paint.row(Rect { y, height: 1, ..area }, &left, &right, Role::Text, active);
    }
}

/// Lines for rows: the same as of the functions, so that the mouse finds them.
fn model_height(area: Rect) -> usize {
    let height = usize::from(area.height);
    height.saturating_sub(1 + functions_foot(height))
}
