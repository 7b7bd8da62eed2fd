//! The mouse: click, drag and wheel, by what is under it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{Model, Pane, whole};
use crate::keys::Action;
use crate::query::travel::Destination;

/// Zoom of one notch of the wheel, in percent.
const WHEEL_IN: u64 = 80;
const WHEEL_OUT: u64 = 125;
/// Rows of one notch.
const WHEEL_ROWS: usize = 3;

impl Model {
    /// Something happened to the mouse.
    pub fn mouse(&mut self, event: MouseEvent) {
        let at = Position { x: event.column, y: event.row };
        let regions = self.regions();
        let timeline = [regions.lanes, regions.flames, regions.ruler];
        let on_timeline = timeline.iter().any(|rect| rect.contains(at));
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.drag = on_timeline.then_some((event.column, self.range));
                self.click(at);
            }
            MouseEventKind::Drag(MouseButton::Left) => {
                let width = regions.lanes.width;
                let Some((from, range)) = self.drag.filter(|_| width > 0) else { return };
                let columns = i128::from(from) - i128::from(event.column);
                let by = i128::from(range.length()) * columns / i128::from(width);
                let start_ns = (i128::from(range.start_ns) + by).clamp(0, i128::from(u64::MAX));
                self.set_range(start_ns as u64, range.length());
            }
            MouseEventKind::Up(MouseButton::Left) => self.drag = None,
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let up = event.kind == MouseEventKind::ScrollUp;
                if on_timeline {
                    let column = event.column.saturating_sub(regions.lanes.x);
                    let around_ns = self.time_of_column(column, regions.lanes.width);
                    self.zoom(if up { WHEEL_IN } else { WHEEL_OUT }, around_ns);
                } else if regions.labels.contains(at) {
                    let last = self.threads.len().saturating_sub(usize::from(regions.lanes.height));
                    let top = if up { self.lane_top.saturating_sub(1) } else { self.lane_top + 1 };
                    self.lane_top = top.min(last);
                } else {
                    for _ in 0..WHEEL_ROWS {
                        self.act(if up { Action::RowUp } else { Action::RowDown });
                    }
                }
            }
            _ => {}
        }
    }

    fn click(&mut self, at: Position) {
        if self.prompt.is_some() {
            return;
        }
        if self.help.take().is_some() {
            return;
        }
        let regions = self.regions();
        let lane = |rect: Rect| usize::from(at.y.saturating_sub(rect.y));
        if regions.labels.contains(at) {
            if let Some(tid) = self.visible_threads().get(lane(regions.labels)).copied() {
                self.focus_thread(tid);
            }
        } else if regions.lanes.contains(at)
            || regions.flames.contains(at)
            || regions.ruler.contains(at)
        {
            let time_ns = self.time_of_column(at.x - regions.lanes.x, regions.lanes.width);
            let tid = if regions.lanes.contains(at) {
                self.visible_threads().get(lane(regions.lanes)).copied()
            } else {
                None
            };
            self.go(Destination::Time(time_ns, tid));
        } else if regions.bar.contains(at) {
            let all = whole(&self.facts);
            let offset = u128::from(all.length()) * u128::from(at.x - regions.bar.x)
                / u128::from(regions.bar.width.max(1));
            let time_ns = all.start_ns.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
            self.center(time_ns);
            self.go(Destination::Time(time_ns, None));
        } else if regions.tabs.contains(at) {
            if let Some(pane) = tab_at(at.x) {
                self.show_pane(pane);
            }
        } else if let Some((pane, rect)) =
            regions.panes.iter().find(|(_, rect)| rect.contains(at)).copied()
        {
            self.pane = pane;
            if let Some(row) = self.row_at(lane(rect)) {
                if self.selected_row(pane) == row {
                    self.open();
                } else {
                    self.select(row);
                }
            }
        }
    }
}

/// The headings of the panes with the column each begins at.
pub fn tabs() -> impl Iterator<Item = (u16, String, Pane)> {
    let mut x = 0;
    Pane::ALL.iter().zip(1..).map(move |(pane, number)| {
        let text = format!(" {number} {} ", pane.title());
        let at = x;
        // Headings are short.
        x += text.len() as u16 + 1;
        (at, text, *pane)
    })
}

fn tab_at(x: u16) -> Option<Pane> {
    tabs().find(|(at, text, _)| (*at..at + text.len() as u16).contains(&x)).map(|(.., pane)| pane)
}
