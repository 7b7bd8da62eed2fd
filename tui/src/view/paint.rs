//! Drawing text into cells: always printable, always within its place.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::text;
use crate::theme::{Role, Theme};

/// A screen that is being drawn.
#[derive(Debug)]
pub(super) struct Paint<'a> {
    pub(super) theme: Theme,
    buffer: &'a mut Buffer,
}

impl<'a> Paint<'a> {
    pub(super) fn new(theme: Theme, buffer: &'a mut Buffer) -> Self {
        Self { theme, buffer }
    }

    /// Text from a cell on, cut to so many; returns the column after it.
    pub(super) fn text(&mut self, x: u16, y: u16, room: u16, text: &str, role: Role) -> u16 {
        self.styled(x, y, room, text, self.theme.style(role))
    }

    pub(super) fn styled(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y < area.y || y >= area.bottom() || x >= area.right() {
            return x;
        }
        let room = room.min(area.right() - x);
        let text = text::cut(&text::printable(text), usize::from(room), self.theme.ascii);
        let text = if self.theme.ascii { ascii(&text) } else { text };
        let (end, _) = self.buffer.set_stringn(x, y, &text, usize::from(room), style);
        end
    }

    /// A whole line: the text, filled with spaces.
    pub(super) fn line(&mut self, area: Rect, text: &str, role: Role) {
        if area.height > 0 {
            let text = text::fit(&text::printable(text), usize::from(area.width), self.theme.ascii);
            self.text(area.x, area.y, area.width, &text, role);
        }
    }

    /// One line of a list: a text at the left, one at the right, and whether it is selected.
    pub(super) fn row(&mut self, area: Rect, left: &str, right: &str, role: Role, selected: bool) {
        let width = usize::from(area.width);
        let right = text::cut(&text::printable(right), width / 2, self.theme.ascii);
        let right_width = text::width(&right);
        let gap = usize::from(right_width > 0);
        let left_width = width.saturating_sub(right_width + gap);
        let left = text::fit(&text::printable(left), left_width, self.theme.ascii);
        let whole = format!("{left}{}{right}", " ".repeat(gap));
        self.text(area.x, area.y, area.width, &whole, role);
        if selected {
            self.select(area);
        }
    }

    /// A rule with a text near its left end.
    pub(super) fn rule(&mut self, area: Rect, label: &str, glyph: &str, role: Role) {
        self.text(area.x, area.y, area.width, &glyph.repeat(usize::from(area.width)), role);
        let room = area.width.saturating_sub(3);
        self.text(area.x.saturating_add(3), area.y, room, &format!(" {label} "), role);
    }

    /// Shows a line as selected.
    pub(super) fn select(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        let style = self.theme.style(Role::Selected);
        self.buffer.set_style(Rect { height: area.height.min(1), ..area }, style);
    }

    /// Turns a cell's colours around.
    pub(super) fn reverse(&mut self, x: u16, y: u16) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.modifier.toggle(Modifier::REVERSED);
        }
    }

    /// Underlines cells of a line.
    pub(super) fn underline(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, Style::new().add_modifier(Modifier::UNDERLINED));
    }

    /// Empties an area.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
    }
}

/// The text with what is not ASCII replaced, a character for each cell.
fn ascii(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            let wide = text::width(c.encode_utf8(&mut bytes));
            out.extend(std::iter::repeat_n('?', wide));
        }
    }
    out
}
