//! A function's syntax as an indented list.

use std::fmt::Write;

use crate::ast::AstId;
use crate::cfg::head_of;
use crate::source_file::SourceFile;

/// Deeper nodes are not indented further.
const MOST_INDENT: usize = 40;

/// The nodes of a subtree, a line each: `LINE:COLUMN KIND`, and the text of those without parts.
#[must_use]
pub fn syntax_text(file: &SourceFile, of: AstId) -> String {
    let ast = file.ast();
    let mut out = String::new();
    let mut ends = Vec::new();
    for node in std::iter::once(of).chain(ast.descendants(of)) {
        while ends.last().is_some_and(|end| *end <= node) {
            ends.pop();
        }
        let at = file.span_of(node).start;
        let indent = ends.len().min(MOST_INDENT) * 2;
        let _ = write!(out, "{:indent$}{}:{} {}", "", at.line, at.column, file.kind_of(node));
        if ast.subtree_end(node).0 == node.0 + 1 {
            let _ = write!(out, " {}", head_of(file, node));
        }
        out.push('\n');
        ends.push(ast.subtree_end(node));
    }
    out
}
