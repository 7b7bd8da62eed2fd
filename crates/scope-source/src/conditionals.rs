//! Conditional compilation where it cuts through constructs.
//!
//! A grammar without a preprocessor sees both sides of an `#if`. Where both are whole statements or
//! declarations it knows what they are; where they are halves of one (two beginnings of a call with one
//! end) it finds errors, and may lose the function around them. For those places [`without`] gives a text in
//! which only the first side is left, everything else being blanks: lines and columns stay what they are.
//! The first side is a guess: nothing here knows what was defined.

use std::ops::Range;

/// A line of the preprocessor that begins, divides or ends a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// `#if`, `#ifdef`, `#ifndef`; the mark: `#if 0`, whose first side is not compiled.
    If(bool),
    /// `#else`, `#elif` and their kin.
    Else,
    Endif,
}

/// A group with its directives, by line: the range of each with its end of line.
struct Group {
    directives: Vec<(Directive, Range<usize>)>,
}

impl Group {
    fn range(&self) -> Range<usize> {
        let ends = self.directives.first().zip(self.directives.last());
        ends.map_or(0..0, |((_, first), (_, last))| first.start..last.end)
    }

    /// Whether it begins in the middle of something, or a side opens or closes brackets of what is around.
    fn cuts(&self, text: &[u8]) -> bool {
        let lines = self.directives.windows(2);
        let mut sides = lines.map(|pair| &text[pair[0].1.end..pair[1].1.start]);
        sides.any(|side| !is_balanced(side)) || is_inside(&text[..self.range().start])
    }
}

/// The text with but the first side of each group that cuts through something and touches one of the
/// `broken` ranges; `None`: there is no such group.
pub(crate) fn without(text: &[u8], broken: &[Range<usize>]) -> Option<Vec<u8>> {
    let touched = |group: &Group| {
        let range = group.range();
        broken.iter().any(|broken| broken.start < range.end && range.start < broken.end)
    };
    let cuts = |group: &Group| touched(group) && group.cuts(text);
    let groups: Vec<Group> = groups(text).into_iter().filter(cuts).collect();
    if groups.is_empty() {
        return None;
    }
    let mut text = text.to_vec();
    for group in &groups {
        for (index, (directive, line)) in group.directives.iter().enumerate() {
            let end = group.directives.get(index + 1).map_or(line.end, |(_, next)| next.start);
            let keeps = *directive == Directive::If(false)
                || index == 1 && matches!(group.directives.first(), Some((Directive::If(true), _)));
            // What follows `#endif` is of no side.
            let end = if keeps || *directive == Directive::Endif { line.end } else { end };
            blank(&mut text[line.start..end]);
        }
    }
    Some(text)
}

/// Whether what comes after this text begins in the middle of a statement or declaration.
fn is_inside(before: &[u8]) -> bool {
    let lines = before.split(|byte| *byte == b'\n').rev().map(<[u8]>::trim_ascii);
    let Some(line) = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with(b"//"))
    else {
        return false;
    };
    let ends = matches!(line.last(), Some(b';' | b'{' | b'}' | b':' | b'/' | b'\\'));
    !ends && !line.starts_with(b"#")
}

/// Whether every bracket has its other one, strings and comments aside.
fn is_balanced(text: &[u8]) -> bool {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        at += match byte {
            b'/' if rest.starts_with(b"//") => end_of(rest, b"\n"),
            b'/' if rest.starts_with(b"/*") => 2 + end_of(&rest[2..], b"*/"),
            b'"' | b'\'' => quoted(rest, byte),
            _ => 1,
        };
        match byte {
            b'(' | b'[' | b'{' => open.push(byte),
            b')' if open.pop() != Some(b'(') => return false,
            b']' if open.pop() != Some(b'[') => return false,
            b'}' if open.pop() != Some(b'{') => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// Bytes up to and with a mark; all where there is none.
fn end_of(text: &[u8], mark: &[u8]) -> usize {
    text.windows(mark.len()).position(|part| part == mark).map_or(text.len(), |at| at + mark.len())
}

/// Length of a string or character with its quotes; it ends with its line.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += if byte == b'\\' { 2 } else { 1 };
        if byte == quote || byte == b'\n' {
            break;
        }
    }
    at
}

fn blank(text: &mut [u8]) {
    for byte in text {
        if !matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// All groups, an inner one before the one around it. What has no beginning or no end is none.
fn groups(text: &[u8]) -> Vec<Group> {
    let mut open: Vec<Group> = Vec::new();
    let mut closed = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = end_of_directive(text, start);
        match directive(&text[start..end]) {
            Some(directive @ Directive::If(_)) => {
                open.push(Group { directives: vec![(directive, start..end)] });
            }
            Some(Directive::Else) => {
                if let Some(group) = open.last_mut() {
                    group.directives.push((Directive::Else, start..end));
                }
            }
            Some(Directive::Endif) => {
                if let Some(mut group) = open.pop() {
                    group.directives.push((Directive::Endif, start..end));
                    closed.push(group);
                }
            }
            None => {}
        }
        start = end;
    }
    closed
}

/// Where a line ends, after its newline; a directive goes on after a backslash.
fn end_of_directive(text: &[u8], start: usize) -> usize {
    let is_directive = text[start..].trim_ascii_start().first() == Some(&b'#')
        && !text[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).any(|b| *b == b'\n');
    let mut end = start;
    while end < text.len() {
        end = text[end..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(text.len(), |at| end + at + 1);
        let line = text[start..end].trim_ascii_end();
        if !is_directive || !line.ends_with(b"\\") {
            break;
        }
    }
    end
}

fn directive(line: &[u8]) -> Option<Directive> {
    let line = line.trim_ascii_start().strip_prefix(b"#")?.trim_ascii_start();
    let length = line.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (name, rest) = line.split_at(length);
    match name {
        b"if" => Some(Directive::If(rest.trim_ascii() == b"0")),
        b"ifdef" | b"ifndef" => Some(Directive::If(false)),
        b"else" | b"elif" | b"elifdef" | b"elifndef" => Some(Directive::Else),
        b"endif" => Some(Directive::Endif),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn left(text: &str, broken: Range<usize>) -> Option<String> {
        without(text.as_bytes(), std::slice::from_ref(&broken))
            .map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_first_side_is_left_and_nothing_moves() {
        let text = "a(\n#if X\n  b,\n#elif Y\n  c,\n#else\n  d,\n#endif\ne);\n";
        let expected = "a(\n     \n  b,\n       \n    \n     \n    \n      \ne);\n";
        assert_eq!(left(text, 0..text.len()).as_deref(), Some(expected));
    }

    #[test]
    fn of_if_0_the_second_side_is_left() {
        let text = "#if 0\n(\n#else\n[\n#endif\n";
        assert_eq!(left(text, 0..9).as_deref(), Some("     \n \n     \n[\n      \n"));
    }

    #[test]
    fn inner_groups_go_with_their_side() {
        let text =
            "a\n#ifdef A\n# if B\nx(\n# else\ny(\n# endif\n#else\n#if C\nz(\n#endif\n#endif\nw\n";
        let left = left(text, 0..text.len()).unwrap();
        assert_eq!(left.split_ascii_whitespace().collect::<Vec<_>>(), ["a", "x(", "w"]);
        assert_eq!(left.len(), text.len());
    }

    #[test]
    fn groups_that_are_whole_stay() {
        let text = "#if A\nx(\n#else\ny(\n#endif\nbroken\n";
        assert_eq!(left(text, 25..32), None);
        let text = "f() {\n#if A\nx(\"(\", ')'); // (\n#else\ny(); /* { */\n#endif\n}\n";
        assert_eq!(left(text, 0..text.len()), None);
        assert_eq!(left("no directive\n", 0..5), None);
        assert_eq!(left("#if A\nno end\n", 0..5), None);
    }

    #[test]
    fn a_directive_may_go_on_in_the_next_line() {
        let text = "#if A && \\\n  B\nx{\n#endif\n";
        assert_eq!(left(text, 0..5).as_deref(), Some("          \n   \nx{\n      \n"));
    }

    proptest! {
        #[test]
        fn no_text_grows_or_loses_a_line(
            text in r"(#if 0?|#else|#elif x\\|#endif|\n|a|[^a]){0,60}",
            start in 0_usize..100,
            length in 0_usize..100,
        ) {
            if let Some(left) = without(text.as_bytes(), std::slice::from_ref(&(start..start + length))) {
                prop_assert_eq!(left.len(), text.len());
                let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(lines(&left), lines(text.as_bytes()));
            }
        }
    }
}
