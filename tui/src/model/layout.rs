//! Where things are on a screen of any size: shared by drawing, by the mouse, and by the questions,
//! which ask for as many columns as there are.

use ratatui::layout::Rect;

use super::{Model, Pane};

/// From this width on, the calls and another pane stand side by side.
const WIDE: u16 = 120;
/// Rows of open calls, at most: the rest of a tall screen is for the panes.
const MOST_FLAMES: u16 = 12;
/// Screens below this show nothing but a note.
const LEAST: (u16, u16) = (30, 10);

/// Rectangles of the screen; those without room are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The first line: which trace, where in it.
    pub title: Rect,
    /// Times over the lanes.
    pub ruler: Rect,
    /// Names of the lanes.
    pub labels: Rect,
    /// The lanes.
    pub lanes: Rect,
    /// Names beside the open calls.
    pub flame_labels: Rect,
    /// Open calls of the focused thread over time.
    pub flames: Rect,
    /// All of the trace in a line.
    pub bar: Rect,
    /// Headings of the panes.
    pub tabs: Rect,
    /// The panes that are shown.
    pub panes: Vec<(Pane, Rect)>,
    /// What is said or typed.
    pub message: Rect,
    /// Keys.
    pub keys: Rect,
}

impl Regions {
    /// The rectangles for a state.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let (width, height) = model.size;
        if width < LEAST.0 || height < LEAST.1 {
            return Self::default();
        }
        let line = |y, height| Rect { x: 0, y, width, height };
        let inner = height - 4;
        let upper = (inner * 2 / 5).max(4);
        let label = if width >= 100 { 22 } else { 16 };
        let room = upper - 2;
        let threads = u16::try_from(model.threads.len().max(1)).unwrap_or(u16::MAX);
        let lanes = threads.min((room * 3 / 5).max(1));
        let flames = (room - lanes).min(MOST_FLAMES);
        let upper = 2 + lanes + flames;
        let split = |y, height| {
            let left = Rect { x: 0, y, width: label, height };
            (left, Rect { x: label, y, width: width - label, height })
        };
        let (_, ruler) = split(1, 1);
        let (labels, lane_cells) = split(2, lanes);
        let (flame_labels, flame_cells) = split(2 + lanes, flames);
        let (_, bar) = split(2 + lanes + flames, 1);
        let tabs = line(1 + upper, 1);
        let lower = line(2 + upper, height - 4 - upper);
        let panes = if width >= WIDE {
            let half = width / 2;
            let left = Rect { width: half, ..lower };
            let right = Rect { x: half + 1, width: width - half - 1, ..lower };
            vec![(Pane::Calls, left), (model.side, right)]
        } else {
            vec![(model.pane, lower)]
        };
        Self {
            title: line(0, 1),
            ruler,
            labels,
            lanes: lane_cells,
            flame_labels,
            flames: flame_cells,
            bar,
            tabs,
            panes,
            message: line(height - 2, 1),
            keys: line(height - 1, 1),
        }
    }

    /// Rows of the pane that has the keys.
    #[must_use]
    pub fn pane_height(&self, pane: Pane) -> usize {
        let rect = self.panes.iter().find(|(shown, _)| *shown == pane);
        rect.map_or(0, |(_, rect)| rect.height as usize)
    }
}

/// The first of `total` rows to be drawn on `height` lines, so that the selected one is seen, in the
/// middle where there is a choice.
#[must_use]
pub fn first_row(selected: usize, total: usize, height: usize) -> usize {
    selected.saturating_sub(height / 2).min(total.saturating_sub(height))
}
