//! Text for a screen of cells: what a terminal may be told, how wide it is, and numbers with units.
//!
//! Names come from files nobody vouches for: control characters never reach the terminal, and a name
//! of any length or width is cut to its place.

pub use scope_timeline::units::{count, counted, duration, moment, percent};

/// Text in lines of so many cells at most, cut between words where that is possible.
#[must_use]
pub fn wrapped(text: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= cells {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A count in so many cells: where its digits have no room, to three of them (`21.2M`).
#[must_use]
pub fn count_in(value: u64, cells: usize) -> String {
    let whole = count(value);
    if whole.len() <= cells {
        return whole;
    }
    let (mut short, mut unit) = (value as f64, "");
    for name in ["k", "M", "G", "T", "P", "E"] {
        if short < 999.5 {
            break;
        }
        (short, unit) = (short / 1_000.0, name);
    }
    let digits = if short < 9.995 { 2 } else { usize::from(short < 99.95) };
    format!("{short:.digits$}{unit}")
}
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Longest name that is looked at as a whole: beyond it, only the beginning counts.
const LONGEST: usize = 4_096;

/// Text fit for a terminal: control characters, and those that change the direction of what follows,
/// are replaced.
#[must_use]
pub fn printable(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let replaced = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns { char::REPLACEMENT_CHARACTER } else { c }
    };
    text.chars().map(replaced).collect()
}

/// How many cells a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to so many cells, the last of them `…` (or `~`) where something was cut off; never
/// half of a wide character.
#[must_use]
pub fn cut(text: &str, cells: usize, ascii: bool) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else { return String::new() };
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme.width();
        if used + wide > room {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    out.push(if ascii { '~' } else { '…' });
    out
}

/// A name cut in its middle: of long paths of names, the last part says most.
#[must_use]
pub fn shorten(name: &str, cells: usize, ascii: bool) -> String {
    if name.width() <= cells || cells < 12 {
        return cut(name, cells, ascii);
    }
    let tail_room = cells * 2 / 3;
    let mut tail: Vec<&str> = Vec::new();
    let mut used = 0;
    for grapheme in name.graphemes(true).rev() {
        let wide = grapheme.width();
        if used + wide > tail_room {
            break;
        }
        tail.push(grapheme);
        used += wide;
    }
    tail.reverse();
    let mut out = cut(name, cells - used, ascii);
    out.push_str(&tail.concat());
    out
}

/// The text in exactly so many cells: cut, or filled with spaces.
#[must_use]
pub fn fit(text: &str, cells: usize, ascii: bool) -> String {
    let mut out = cut(text, cells, ascii);
    let used = out.width();
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    out
}

/// The text at the right of so many cells.
#[must_use]
pub fn fit_right(text: &str, cells: usize, ascii: bool) -> String {
    let out = cut(text, cells, ascii);
    format!("{}{out}", " ".repeat(cells.saturating_sub(out.width())))
}

/// A duration that may not be known.
#[must_use]
pub fn known(ns: Option<u64>) -> String {
    ns.map_or_else(|| "?".to_owned(), duration)
}

/// A moment with as many digits as tell moments apart that lie `step_ns` from each other.
#[must_use]
pub fn tick(ns: i64, step_ns: u64) -> String {
    let digits = match step_ns {
        1_000_000_000.. => 0,
        _ => 9 - (step_ns.max(1).ilog10() as usize).min(9),
    };
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let (whole, fraction) = (ns / 1_000_000_000, format!("{:09}", ns % 1_000_000_000));
    match digits {
        0 => format!("{sign}{whole}s"),
        _ => format!("{sign}{whole}.{}s", &fraction[..digits]),
    }
}

#[cfg(test)]
mod tests {
    use super::{count_in, cut, duration, fit, moment, printable, shorten, tick, width, wrapped};

    #[test]
    fn counts_without_room_are_rounded() {
        assert_eq!(count_in(1_234_567, 9), "1,234,567");
        assert_eq!(count_in(1_234_567, 8), "1.23M");
        assert_eq!(count_in(21_169_623, 8), "21.2M");
        assert_eq!(count_in(999_960_000, 8), "1.00G");
        assert_eq!(count_in(u64::MAX, 8), "18.4E");
    }

    #[test]
    fn lines_end_between_words() {
        assert_eq!(
            wrapped("there is no column a; there are b, c", 12),
            ["there is no", "column a;", "there are b,", "c"]
        );
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn text_is_cut_at_whole_characters() {
        assert_eq!(cut("server::parse", 20, false), "server::parse");
        assert_eq!(cut("server::parse", 8, false), "server:…");
        assert_eq!(cut("解析器", 4, false), "解…");
        assert_eq!(cut("解析器", 5, true), "解析~");
        assert_eq!(cut("abc", 0, false), "");
        assert_eq!(fit("解析器", 4, false), "解… ");
        for cells in 0..40 {
            assert_eq!(width(&fit("a解b析c器👩‍👩‍👧e\u{301}", cells, false)), cells);
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = "alloc::collections::btree::map::BTreeMap<K,V>::insert";
        assert_eq!(shorten(name, 24, false), "alloc::…Map<K,V>::insert");
        assert!(width(&shorten(&"解".repeat(300), 30, false)) <= 30);
    }

    #[test]
    fn what_would_drive_the_terminal_is_replaced() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }

    #[test]
    fn times_have_the_digits_that_count() {
        assert_eq!(duration(999_500), "1.00ms");
        assert_eq!(moment(-5), "-0.000000005s");
        assert_eq!(tick(1_250_000_000, 10_000_000), "1.25s");
        assert_eq!(tick(1_250_000_017, 1), "1.250000017s");
        assert_eq!(tick(-3_000_000_000, 1_000_000_000), "-3s");
    }
}
