//! Where the source pane gets the text of a function from.
//!
//! The pane knows no files: whoever makes the UI says where sources are ([`crate::code::Code`] of what a
//! trace keeps). Asked on the worker threads, never while drawing.

use scope_model::{FunctionId, Pid};
use scope_timeline::SiteProfile;

use crate::query::Facts;

/// Sources of a trace.
pub trait SourceView: Send + Sync {
    /// The text of a function, with the call expression by which it was left marked.
    ///
    /// # Errors
    ///
    /// Why there is no text, as a clause for a person.
    fn text(
        &self,
        facts: &Facts,
        function: FunctionId,
        left_at: Option<&LeftAt>,
    ) -> Result<SourceText, String>;

    /// What the calls cost that a function made, by the lines they were made from, of call sites of the
    /// whole trace. Empty where its text is not known.
    fn costs(&self, facts: &Facts, function: FunctionId, sites: &[SiteProfile]) -> Vec<LineCost>;
}

/// Where a call leaves the function that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftAt {
    /// The process.
    pub pid: Pid,
    /// When it was made, ns.
    pub time_ns: u64,
    /// To where it returns, in the address space of the process; 0 where the caller left by a tail call.
    pub return_address: u64,
    /// What was called.
    pub callee: FunctionId,
}

/// The text of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The file it is from.
    pub file: String,
    /// What is to be known of it: it is not what was compiled, or its node or call is not known.
    pub note: Option<String>,
    /// Line number of its first line, from 1.
    pub first_line: u32,
    /// Its lines, without their ends.
    pub lines: Vec<String>,
    /// Pieces of a line to be coloured, by line.
    pub highlights: Vec<Highlight>,
    /// The current node: the call expression that is being evaluated.
    pub node: Option<Span>,
    /// Index of the line to be shown where there is no current node.
    pub at: usize,
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

/// Recorded calls made from a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineCost {
    /// Number of the line, from 1.
    pub line: u32,
    /// How many.
    pub calls: u64,
    /// Their time, as far as it is known, ns.
    pub total_ns: u64,
    /// 99th percentile of their durations, ns.
    pub p99_ns: Option<u64>,
    /// What was called, and to where those calls return: what tells them from other calls.
    pub sites: Vec<(FunctionId, u64)>,
}

/// No sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSources;

impl SourceView for NoSources {
    fn text(&self, _: &Facts, _: FunctionId, _: Option<&LeftAt>) -> Result<SourceText, String> {
        Err("its source is not in the trace".to_owned())
    }

    fn costs(&self, _: &Facts, _: FunctionId, _: &[SiteProfile]) -> Vec<LineCost> {
        Vec::new()
    }
}
