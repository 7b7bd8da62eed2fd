//! A terminal session as an SVG: each screen for a while, one after the other, over and over; with one
//! screen a still.
//!
//! Text is text, placed by columns, so that whatever monospaced font there is keeps the grid. Blocks and
//! lines are drawn as shapes: fonts leave gaps between them.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// Size of a cell, px.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// From the top of a cell to the line that letters stand on.
const BASELINE: f64 = 13.5;
const FONT_SIZE: f64 = 14.0;
/// Around the screen.
const MARGIN: f64 = 12.0;

const BACKGROUND: &str = "#14161b";
const FOREGROUND: &str = "#d8dce3";
/// The sixteen colours of a terminal.
const PALETTE: [&str; 16] = [
    "#1f232b", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4",
    "#7f8794", "#ff8a93", "#b5e890", "#ffd98f", "#8cc8ff", "#e29bf5", "#7fdbe6", "#ffffff",
];

/// A screen, and what was done to get there.
#[derive(Clone, Debug)]
pub struct Shot {
    pub screen: Screen,
    /// In a few words; shown under the screen.
    pub caption: String,
}

/// Writes a session whose screens are shown for so many seconds each.
pub fn session(shots: &[Shot], seconds: f64) -> String {
    let size = shots.first().map_or((1, 1), |shot| {
        let (rows, columns) = shot.screen.size();
        (rows.get(), columns.get())
    });
    let (rows, columns) = (f64::from(size.0), f64::from(size.1));
    let (width, screen) = (columns * WIDTH + 2.0 * MARGIN, rows * HEIGHT + 2.0 * MARGIN);
    let height = screen + HEIGHT + MARGIN;
    let mut svg = String::new();
    let whole = seconds * shots.len() as f64;
    let share = 100.0 / shots.len().max(1) as f64;
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace\" \
         font-size=\"{FONT_SIZE}\" xml:space=\"preserve\">\n\
         <style>text{{white-space:pre}}.b{{font-weight:bold}}.c{{fill:#9aa3b2}}"
    );
    if shots.len() > 1 {
        let _ = writeln!(
            svg,
            "@keyframes s{{0%,{share:.3}%{{visibility:visible}}{:.3}%,100%{{visibility:hidden}}}}\
             .s{{visibility:hidden;animation:s {whole}s step-end infinite}}",
            share + 0.001
        );
    }
    let _ = writeln!(
        svg,
        "</style>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>"
    );
    for (number, shot) in shots.iter().enumerate() {
        let delay = seconds * number as f64;
        let _ = writeln!(svg, "<g class=\"s\" style=\"animation-delay:{delay}s\">");
        draw(&mut svg, &shot.screen);
        let y = screen + BASELINE;
        let caption = escaped(&shot.caption);
        let _ = writeln!(svg, "<text class=\"c\" x=\"{MARGIN}\" y=\"{y:.1}\">{caption}</text>");
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, screen: &Screen) {
    let (rows, columns) = screen.size();
    for row in 0..rows.get() {
        let mut column = 0;
        while column < columns.get() {
            let Some(cell) = screen.cell(row, column) else { break };
            let style = Style::of(cell);
            let shape = is_shape(cell);
            let mut text = String::new();
            let first = column;
            // As many cells as look alike.
            while let Some(cell) = screen.cell(row, column)
                && Style::of(cell) == style
                && is_shape(cell) == shape
            {
                if !cell.is_wide_continuation() {
                    text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                }
                column += 1;
            }
            run(svg, (row, first, column - first), &style, &text, shape);
        }
    }
}

/// What a cell looks like, but for its text.
#[derive(Clone, Debug, PartialEq)]
struct Style {
    colour: String,
    behind: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        let (mut colour, mut behind) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
        if cell.inverse() {
            let front = behind.take().unwrap_or_else(|| BACKGROUND.to_owned());
            behind = Some(colour.unwrap_or_else(|| FOREGROUND.to_owned()));
            colour = Some(front);
        }
        Self {
            colour: colour.unwrap_or_else(|| FOREGROUND.to_owned()),
            behind,
            bold: cell.bold(),
            dim: cell.dim(),
            underlined: cell.underline(),
        }
    }
}

fn run(
    svg: &mut String,
    (row, column, cells): (u16, u16, u16),
    style: &Style,
    text: &str,
    shape: bool,
) {
    let (x, y) = (MARGIN + f64::from(column) * WIDTH, MARGIN + f64::from(row) * HEIGHT);
    let width = f64::from(cells) * WIDTH;
    if let Some(behind) = &style.behind {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{behind}\"/>"
        );
    }
    let opacity = if style.dim { " opacity=\"0.6\"" } else { "" };
    if shape {
        shapes(svg, (x, y), style, text, opacity);
    } else if !text.trim().is_empty() {
        let lead = text.len() - text.trim_start().len();
        let words = text.trim();
        let x = x + lead as f64 * WIDTH;
        let cells = words.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0));
        let length = cells.sum::<usize>() as f64 * WIDTH;
        let bold = if style.bold { " class=\"b\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text{bold} x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" fill=\"{}\"{opacity}>{}</text>",
            y + BASELINE,
            style.colour,
            escaped(words)
        );
    }
    if style.underlined {
        let y = y + HEIGHT - 1.5;
        let colour = &style.colour;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"1\" fill=\"{colour}\"/>"
        );
    }
}

/// Left, top, width and height of what fills a cell, in shares of it, and how dense that is.
fn shape(c: char) -> Option<([f64; 4], f64)> {
    Some(match c {
        '█' => ([0.0, 0.0, 1.0, 1.0], 1.0),
        '░' => ([0.0, 0.0, 1.0, 1.0], 0.3),
        '▒' => ([0.0, 0.0, 1.0, 1.0], 0.55),
        // Lower eighths.
        '▁'..='▇' => {
            let eighths = f64::from(u32::from(c) - u32::from('▁') + 1) / 8.0;
            ([0.0, 1.0 - eighths, 1.0, eighths], 1.0)
        }
        '─' => ([0.0, 0.47, 1.0, 0.08], 1.0),
        '╌' => ([0.15, 0.47, 0.7, 0.08], 1.0),
        '│' => ([0.44, 0.0, 0.14, 1.0], 1.0),
        _ => return None,
    })
}

fn is_shape(cell: &Cell) -> bool {
    cell.contents().chars().next().is_some_and(|c| shape(c).is_some())
}

fn shapes(svg: &mut String, (x, y): (f64, f64), style: &Style, text: &str, opacity: &str) {
    let cells: Vec<char> = text.chars().collect();
    let mut column = 0;
    for alike in cells.chunk_by(|a, b| a == b && !matches!(a, '│' | '╌')) {
        let Some(([left, top, width, height], density)) = shape(alike[0]) else { continue };
        let opacity =
            if density < 1.0 { format!(" opacity=\"{density}\"") } else { opacity.to_owned() };
        let (x, y) = (x + (f64::from(column) + left) * WIDTH, y + top * HEIGHT);
        let width =
            (f64::from(u16::try_from(alike.len()).unwrap_or(u16::MAX)) - 1.0 + width) * WIDTH;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{}\"{opacity}/>",
            height * HEIGHT,
            style.colour
        );
        column += u16::try_from(alike.len()).unwrap_or(u16::MAX);
    }
}

/// As SVG writes it; `None`: that of the terminal.
fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        Color::Idx(index @ 0..16) => Some(PALETTE[usize::from(index)].to_owned()),
        // A cube of six steps, then greys: as xterm has them.
        Color::Idx(index @ 16..232) => {
            let index = index - 16;
            let step = |at: u8| if at == 0 { 0 } else { 55 + at * 40 };
            let (red, green, blue) = (step(index / 36), step(index / 6 % 6), step(index % 6));
            Some(format!("#{red:02x}{green:02x}{blue:02x}"))
        }
        Color::Idx(index) => {
            let grey = 8 + (index - 232) * 10;
            Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::{Shot, session};

    fn shot(bytes: &[u8], caption: &str) -> Shot {
        let size = |number| NonZeroU16::new(number).unwrap();
        let mut parser = vt100::Parser::new(size(2), size(10), 0);
        parser.process(bytes);
        Shot { screen: parser.screen().clone(), caption: caption.to_owned() }
    }

    #[test]
    fn colours_blocks_and_text_stand_in_their_columns() {
        let svg = session(&[shot("\x1b[31ma<b\x1b[0m \x1b[7mc\x1b[0m██".as_bytes(), "n")], 1.0);
        for part in [
            "<text x=\"12.0\" y=\"25.5\" textLength=\"25.2\" fill=\"#e06c75\">a&lt;b</text>",
            "<rect x=\"45.6\" y=\"12.0\" width=\"8.4\" height=\"18\" fill=\"#d8dce3\"/>",
            "<text x=\"45.6\" y=\"25.5\" textLength=\"8.4\" fill=\"#14161b\">c</text>",
            "<rect x=\"54.0\" y=\"12.0\" width=\"16.8\" height=\"18.0\" fill=\"#d8dce3\"/>",
        ] {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
        assert!(!svg.contains("keyframes"), "one screen does not move");
    }

    #[test]
    fn screens_follow_each_other() {
        let svg = session(&[shot(b"one", "1"), shot(b"two", "2")], 3.0);
        assert!(svg.contains("animation:s 6s"), "{svg}");
        assert!(svg.contains("animation-delay:3s"), "{svg}");
    }
}
