//! Where the source pane gets the text of a function from.
//!
//! The pane knows no files: whoever makes the UI says where sources are. Asked on the worker thread.

use scope_model::FunctionId;

/// Sources of a trace.
pub trait SourceView: Send {
    /// The text of a function, and the node of the call that leaves it at `return_address` (in the
    /// process' address space; 0: none). `None` where there is no source of it.
    fn text(&mut self, function: FunctionId, return_address: u64) -> Option<SourceText>;
}

/// The text of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The file it is from.
    pub file: String,
    /// Line number of its first line, from 1.
    pub first_line: u32,
    /// Its lines, without their ends.
    pub lines: Vec<String>,
    /// Pieces of a line to be coloured: line index, first and last byte of it, what it is.
    pub highlights: Vec<Highlight>,
    /// The current node.
    pub node: Option<Span>,
    /// What lines cost, by line index.
    pub costs: Vec<(usize, LineCost)>,
}

/// A piece of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the line.
    pub line: usize,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

/// A coloured piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// Where.
    pub span: Span,
    /// What it is.
    pub token: Token,
}

/// What a piece of source is, as far as colours tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word of the language.
    Keyword,
    /// A type.
    Type,
    /// A function's name.
    Function,
    /// A string, character or number.
    Literal,
    /// A comment.
    Comment,
}

/// Calls made from a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCost {
    /// How many.
    pub calls: u64,
    /// Their time, ns.
    pub total_ns: u64,
    /// 99th percentile of their durations, ns.
    pub p99_ns: Option<u64>,
}

/// No sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl SourceView for NoSources {
    fn text(&mut self, _: FunctionId, _: u64) -> Option<SourceText> {
        None
    }
}
