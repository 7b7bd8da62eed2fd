//! A graph as text, for reading and for tests: a line a node.

use std::fmt::Write;

use super::{Cfg, CfgIndex, CfgKind, EdgeLabel};
use crate::ast::AstId;
use crate::language::{Role, Slot};
use crate::source_file::SourceFile;

/// Longer texts of nodes are cut.
const WIDTH: usize = 60;
/// Bytes that are read for a line: blanks and comments take their part.
const MOST_READ: u32 = 512;

impl Cfg {
    /// The graph as text: `NUMBER KIND TEXT -> TARGET LABEL, …`; `*` after a label closes a loop,
    /// `(dead)` follows what cannot be reached.
    #[must_use]
    pub fn to_text(&self, file: &SourceFile) -> String {
        let mut out = String::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let index = index as CfgIndex;
            let _ = write!(out, "{index} {}", node.kind.name());
            if index > Self::EXIT {
                let _ = write!(out, " {}", head_of(file, node.ast));
            }
            for (at, edge) in self.successors(index).iter().enumerate() {
                let arrow = if at == 0 { " ->" } else { "," };
                let _ = write!(out, "{arrow} {}", edge.to);
                if edge.label != EdgeLabel::Next {
                    let _ = write!(out, " {}", edge.label.name());
                }
                if edge.back {
                    out.push('*');
                }
            }
            out.push_str(if node.dead { " (dead)\n" } else { "\n" });
        }
        out
    }
}

/// The first line of a node's text before its body.
#[must_use]
pub fn head_of(file: &SourceFile, id: AstId) -> String {
    let ast = file.ast();
    let node = ast.node(id);
    let body = match node.role {
        Role::Let | Role::Labeled | Role::Arm | Role::Conditional => None,
        _ => ast
            .child(id, Slot::Body)
            .or_else(|| ast.child_of_role(id, Role::Block))
            .or_else(|| ast.child_of_role(id, Role::Case))
            .or_else(|| ast.child_of_role(id, Role::Default)),
    };
    let end = match body {
        Some(body) => ast.node(body).start,
        None if node.role == Role::Labeled => {
            ast.child(id, Slot::Label).map_or(node.end, |label| ast.node(label).end)
        }
        None => node.end,
    };
    // A part of a large construct is enough: a line of it is shown.
    let end = end.min(node.start.saturating_add(MOST_READ));
    let text = String::from_utf8_lossy(file.slice((node.start, end)));
    let first = text.lines().next().unwrap_or_default();
    let text = if node.role == Role::Conditional { first } else { &*text };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches(['{', ' ']);
    match line.char_indices().nth(WIDTH) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

impl CfgKind {
    /// The kind as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Exit => "exit",
            Self::Statement => "stmt",
            Self::Condition => "cond",
            Self::Loop => "loop",
            Self::Each => "each",
            Self::Switch => "switch",
            Self::Match => "match",
            Self::Arm => "arm",
            Self::Return => "return",
            Self::Break => "break",
            Self::Continue => "continue",
            Self::Goto => "goto",
            Self::Label => "label",
            Self::Throw => "throw",
            Self::Propagate => "propagate",
            Self::Try => "try",
            Self::Catch => "catch",
            Self::Defer => "defer",
            Self::Deferred => "deferred",
            Self::Conditional => "conditional",
        }
    }
}

impl EdgeLabel {
    /// The label as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::True => "true",
            Self::False => "false",
            Self::Iterate => "iterate",
            Self::Done => "done",
            Self::Case => "case",
            Self::Default => "default",
            Self::Arm => "arm",
            Self::Fallthrough => "fallthrough",
            Self::Break => "break",
            Self::Continue => "continue",
            Self::Return => "return",
            Self::Propagate => "?",
            Self::Throw => "throw",
            Self::Unmatched => "unmatched",
            Self::Goto => "goto",
            Self::Defer => "defer",
            Self::Alternative => "alternative",
        }
    }
}
