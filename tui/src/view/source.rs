//! The source of the focused function; where there is none, what is known of it.

use ratatui::layout::Rect;

use super::paint::Paint;
use crate::model::layout::first_row;
use crate::model::{Model, Pane};
use crate::query::{Query, Tree};
use crate::source::{SourceText, Token};
use crate::text;
use crate::theme::Role;

/// Cells of the number of a line.
const NUMBER: u16 = 6;
/// Cells of what a line costs.
const COST: u16 = 24;
/// Panes from this width on have room for it.
const WITH_COSTS: u16 = 72;

pub(super) fn draw(model: &Model, paint: &mut Paint<'_>, area: Rect) {
    let head = Rect { height: area.height.min(1), ..area };
    let Some(call) = model.current_tree().and_then(Tree::call) else {
        paint.line(head, "no call is open here", Role::Dim);
        return;
    };
    let answered = model.answers.source.as_ref().filter(|answered| {
        matches!(answered.query, Query::Source { function, .. } if function == call.function)
    });
    match answered {
        None => paint.line(head, "reading", Role::Dim),
        Some(answered) => match &answered.value {
            Ok(source) => lines(model, paint, area, source),
            Err(why) => facts(model, paint, area, why),
        },
    }
}

fn lines(model: &Model, paint: &mut Paint<'_>, area: Rect, source: &SourceText) {
    let head = Rect { height: area.height.min(1), ..area };
    let area = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    let end = paint.text(head.x, head.y, head.width, &text::printable(&source.file), Role::Title);
    let costs = area.width >= WITH_COSTS;
    if let Some(note) = &source.note {
        let right = head.right().saturating_sub(if costs { COST + 1 } else { 0 });
        let room = right.saturating_sub(end + 2);
        let note = text::shorten(&text::printable(note), usize::from(room), model.theme.ascii);
        paint.text(end + 2, head.y, room, &note, Role::Warning);
    }
    if costs {
        let columns = format!("{:>7} {:>7} {:>7}", "calls", "total", "p99");
        paint.text(area.right() - COST, head.y, COST, &columns, Role::Title);
    }
    let total = source.lines.len();
    let selected = model.selected_row(Pane::Source);
    let first = first_row(selected.min(total.saturating_sub(1)), total, usize::from(area.height));
    let known = model.current_lines().unwrap_or_default();
    let room = area.width.saturating_sub(NUMBER + 1 + if costs { COST } else { 0 });
    for ((at, line), y) in source.lines.iter().enumerate().skip(first).zip(area.y..area.bottom()) {
        let here = source.node.is_some_and(|node| node.line == at);
        let number = format!("{:>5}", u64::from(source.first_line) + at as u64);
        paint.row(Rect { y, height: 1, ..area }, "", "", Role::Text, false);
        let role = if here { Role::Focus } else { Role::Dim };
        paint.text(area.x, y, NUMBER, &number, role);
        let x = area.x + NUMBER;
        let tabs = |part: &str| part.replace('\t', "    ");
        paint.text(x, y, room, &tabs(line), Role::Text);
        let mut piece = |start: usize, end: usize, role: Role| {
            let (Some(before), Some(part)) = (line.get(..start), line.get(start..end)) else {
                return;
            };
            let offset = text::width(&text::printable(&tabs(before)));
            let Some(left) = usize::from(room).checked_sub(offset).filter(|left| *left > 0) else {
                return;
            };
            paint.text(x + offset as u16, y, left as u16, &tabs(part), role);
        };
        for highlight in source.highlights.iter().filter(|piece| piece.span.line == at) {
            let role = match highlight.token {
                Token::Keyword => Role::Keyword,
                Token::Type => Role::Type,
                Token::Function => Role::Title,
                Token::Literal => Role::Literal,
                Token::Comment => Role::Dim,
            };
            piece(highlight.span.start, highlight.span.end, role);
        }
        if let Some(node) = source.node.filter(|_| here) {
            piece(node.start, node.end, Role::Focus);
        }
        let line_number = u64::from(source.first_line) + at as u64;
        let cost = known.iter().find(|cost| costs && u64::from(cost.line) == line_number);
        if let Some(cost) = cost {
            let text = format!(
                "{:>7} {:>7} {:>7}",
                text::count(cost.calls),
                text::duration(cost.total_ns),
                text::known(cost.p99_ns)
            );
            paint.text(area.right().saturating_sub(COST), y, COST, &text, Role::Dim);
        }
        if model.selected.source == Some(at) && model.pane == Pane::Source {
            paint.select(Rect { y, width: NUMBER - 1, height: 1, ..area });
        }
    }
}

/// What the trace itself says of a function.
fn facts(model: &Model, paint: &mut Paint<'_>, area: Rect, why: &str) {
    let Some(call) = model.current_tree().and_then(Tree::call) else { return };
    let mut lines = vec![(model.facts.name(call.function), Role::Title)];
    if let Some(function) = model.facts.function(call.function) {
        let place = match (&function.file, function.line) {
            (Some(file), Some(line)) => format!("declared in {file}:{line}"),
            (Some(file), None) => format!("declared in {file}"),
            (None, _) => "where it was declared is not known".to_owned(),
        };
        lines.push((place, Role::Text));
        lines.push((format!("symbol {}", function.symbol), Role::Dim));
        let copies = match function.inlined_copies {
            0 => String::new(),
            n => format!(", {} inlined copies that are not seen", text::count(n.into())),
        };
        lines.push((format!("probe {}{copies}", function.site), Role::Dim));
    }
    lines.push((format!("no source: {why}"), Role::Warning));
    for ((text, role), y) in lines.iter().zip(area.y..area.bottom()) {
        paint.line(Rect { y, height: 1, ..area }, text, *role);
    }
}
