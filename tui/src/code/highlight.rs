//! Colours of a text by its syntax tree, for any language: what the tree says of a token is enough.
//!
//! Words that have no node of their own are keywords; kinds that are called a type, a number, a string
//! are what they are called. So a language needs no table here.

use scope_source::{Position, SourceFile};

use crate::source::{Highlight, Span, Token};

/// Pieces of one text: more than this are of a file made by a program.
const MOST: usize = 200_000;

/// The coloured pieces of some lines (from 1, the last one included), in order.
pub(super) fn highlights(file: &SourceFile, first: u32, last: u32) -> Vec<Highlight> {
    let mut found = Vec::new();
    let Some(start) = file.lines().line(first).map(|line| line.start as usize) else {
        return found;
    };
    let end = file.lines().line(last).map_or(start, |line| line.end as usize);
    let mut cursor = file.tree().walk();
    loop {
        let node = cursor.node();
        let outside = node.end_byte() <= start || node.start_byte() >= end;
        let token = if outside {
            None
        } else {
            token_of(file, node.kind(), node.is_named(), node.start_byte())
        };
        let whole = matches!(token, Some(Token::Comment | Token::Literal));
        if let Some(token) = token.filter(|_| whole || node.child_count() == 0) {
            let range = (node.start_byte() as u32, node.end_byte() as u32);
            push(file, range, token, (first, last), &mut found);
        }
        if found.len() >= MOST {
            break;
        }
        if !outside && !whole && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                names(file, (first, last), &mut found);
                return found;
            }
        }
    }
    found
}

fn token_of(file: &SourceFile, kind: &str, named: bool, start: usize) -> Option<Token> {
    if !named {
        let word = kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        return (word && kind.len() > 1).then_some(Token::Keyword);
    }
    let has = |part: &str| kind.contains(part);
    if has("comment") {
        return Some(Token::Comment);
    }
    if has("literal") && !has("compound") && !has("composite") && !has("func")
        || has("number")
        || kind == "char"
    {
        return Some(Token::Literal);
    }
    if has("type_identifier") || has("primitive_type") || has("sized_type") {
        return Some(Token::Type);
    }
    // `self`, `crate`, `true`: named where a word of the language stands.
    let word = kind.bytes().all(|byte| byte.is_ascii_lowercase());
    let stands = || file.text().get(start..).is_some_and(|text| text.starts_with(kind.as_bytes()));
    (word && stands()).then_some(Token::Keyword)
}

/// Names of functions where they are declared and called.
fn names(file: &SourceFile, lines: (u32, u32), found: &mut Vec<Highlight>) {
    let within = |line: u32| (lines.0..=lines.1).contains(&line);
    for function in file.functions().iter().filter(|function| within(function.name_at.line)) {
        let Some(start) = file.lines().byte(function.name_at) else { continue };
        let name = function.name.as_bytes();
        if file.slice((start, start.saturating_add(name.len() as u32))) == name {
            push(file, (start, start + name.len() as u32), Token::Function, lines, found);
        }
    }
    for call in file.calls() {
        if found.len() >= MOST {
            return;
        }
        if within(file.lines().position(call.name.0).line) {
            push(file, call.name, Token::Function, lines, found);
        }
    }
}

/// A range of bytes as pieces of lines.
fn push(
    file: &SourceFile,
    (start, end): (u32, u32),
    token: Token,
    (first, last): (u32, u32),
    found: &mut Vec<Highlight>,
) {
    let (from, to) = (file.lines().position(start), file.lines().position(end));
    for line in from.line.max(first)..=to.line.min(last) {
        let Some(range) = file.lines().line(line) else { return };
        let column = |position: Position| position.column.saturating_sub(1) as usize;
        let begin = if line == from.line { column(from) } else { 0 };
        let until = if line == to.line { column(to) } else { (range.end - range.start) as usize };
        if begin < until {
            let span = Span { line: (line - first) as usize, start: begin, end: until };
            found.push(Highlight { span, token });
        }
    }
}
