//! Control flow: one graph a function.
//!
//! Nodes are statements, conditions and the places where paths part; straight code inside a
//! statement is one node. Every graph has one entry and one exit ([`Cfg::ENTRY`], [`Cfg::EXIT`]),
//! every other node at least one way on, so that McCabe's `E − N + 2` counts decisions plus one,
//! also where the exit cannot be reached. The operands of `&&`, `||` and `?:` are nodes: they
//! are decisions.
//!
//! What syntax cannot tell is drawn as follows. A failed guard goes to the next arm, though a
//! later one may match. An exception leaves a `try` at its beginning, to its first handler, and a
//! handler that does not match hands on to the next one; only `throw` itself shows elsewhere.
//! Panics, `longjmp` and functions that never return are not seen. Both sides of an `#if` with
//! alternatives are ways of one node; an `#if` without one is straight text, and so is a statement
//! under `#[cfg]`, unless it ends in a jump: then there is a way past it. Deferred calls run, last first, on every way out, even when
//! their `defer` was not reached.

mod builder;
mod conditions;
mod jumps;
mod loops;
mod reach;
mod selections;
mod text;

use serde::{Deserialize, Serialize};

pub(crate) use self::builder::Builder;
pub use self::text::head_of;
use crate::ast::AstId;

/// Index of a node in its [`Cfg`].
pub type CfgIndex = u32;

/// What a node of a graph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CfgKind {
    /// The function begins; parameters are defined here.
    Entry,
    /// The function ends.
    Exit,
    /// A statement, or an operand that is evaluated only on some ways.
    Statement,
    /// A test with a true and a false way.
    Condition,
    /// The head of a loop without condition.
    Loop,
    /// The head of a loop over elements.
    Each,
    /// Where a switch parts.
    Switch,
    /// Where a match parts.
    Match,
    /// The pattern of an arm.
    Arm,
    /// `return`.
    Return,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `goto`.
    Goto,
    /// A label.
    Label,
    /// `throw`.
    Throw,
    /// `e?`.
    Propagate,
    /// A `try` begins.
    Try,
    /// A handler begins.
    Catch,
    /// `defer`: the call is put aside.
    Defer,
    /// The call that was put aside runs.
    Deferred,
    /// Alternatives that the preprocessor chooses from.
    Conditional,
}

/// Why control goes that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeLabel {
    /// One after the other.
    Next,
    /// The condition holds; the pattern of a `let … else` matches.
    True,
    /// It does not.
    False,
    /// There is a next element.
    Iterate,
    /// There is none.
    Done,
    /// A case is chosen.
    Case,
    /// The default is chosen, or no case.
    Default,
    /// An arm is chosen.
    Arm,
    /// The case before ran on.
    Fallthrough,
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `return`.
    Return,
    /// `?` found an error or nothing.
    Propagate,
    /// An exception.
    Throw,
    /// A handler does not take the exception.
    Unmatched,
    /// `goto`.
    Goto,
    /// The function ends: what was deferred runs.
    Defer,
    /// One of the preprocessor's alternatives.
    Alternative,
}

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CfgNode {
    /// What it is.
    pub kind: CfgKind,
    /// Its syntax node; the function's own for entry and exit.
    pub ast: AstId,
    /// No way from the entry leads here.
    pub dead: bool,
}

/// A way from a node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CfgEdge {
    /// From.
    pub from: CfgIndex,
    /// To.
    pub to: CfgIndex,
    /// Why.
    pub label: EdgeLabel,
    /// It closes a loop.
    pub back: bool,
}

/// The control flow of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cfg {
    /// Entry, exit, then the others in source order.
    pub nodes: Vec<CfgNode>,
    /// Edges by `from`, in the order of evaluation.
    pub edges: Vec<CfgEdge>,
    /// Constructs nested deeper than the limit are drawn as single statements.
    pub truncated: bool,
}

impl Cfg {
    /// The entry of every graph.
    pub const ENTRY: CfgIndex = 0;
    /// The exit of every graph.
    pub const EXIT: CfgIndex = 1;

    /// McCabe's cyclomatic complexity, `E − N + 2` (McCabe, *A Complexity Measure*, IEEE TSE 1976).
    #[must_use]
    pub fn cyclomatic(&self) -> u32 {
        (self.edges.len() + 2).saturating_sub(self.nodes.len()) as u32
    }

    /// The edges out of a node.
    #[must_use]
    pub fn successors(&self, node: CfgIndex) -> &[CfgEdge] {
        let start = self.edges.partition_point(|edge| edge.from < node);
        let end = self.edges.partition_point(|edge| edge.from <= node);
        &self.edges[start..end]
    }
}

/// The control flow of every function of a file, in the order of [`crate::SourceFile::functions`];
/// a function without body has a graph of entry and exit.
#[must_use]
pub fn control_flow(file: &crate::SourceFile) -> Vec<Cfg> {
    let mut builder = Builder::new(file.source());
    file.functions().iter().map(|function| builder.build(function)).collect()
}
