//! Numbers about functions.
//!
//! Cyclomatic complexity is `E − N + 2` of the function's own graph; closures have graphs of
//! their own. Cognitive complexity follows SonarSource (G. A. Campbell, *Cognitive Complexity: a
//! new way of measuring understandability*, 1.7, 2023): it counts closures into the function they
//! stand in; of recursion it sees the direct one. What the paper does not know is counted by its
//! spirit: `let … else` as an `if`, `match` and `select` as a `switch`; guards and `?` are free.

pub(crate) mod cognitive;
mod lines;

use serde::{Deserialize, Serialize};

use self::lines::LineKinds;
pub use self::lines::Lines;
use crate::ast::AstId;
use crate::cfg::Cfg;
use crate::language::Role;
use crate::outline::FunctionIndex;
use crate::source_file::SourceFile;

/// The numbers of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// McCabe: decisions plus one.
    pub cyclomatic: u32,
    /// SonarSource's cognitive complexity.
    pub cognitive: u32,
    /// How deep control structures stand in each other.
    pub nesting: u32,
    /// Loops.
    pub loops: u32,
    /// `return`s.
    pub returns: u32,
    /// Parameters, a receiver included.
    pub parameters: u32,
    /// Calls, macros included.
    pub calls: u32,
    /// Lines.
    pub lines: Lines,
}

/// The numbers of all functions of a file, in their order; `graphs` are those of
/// [`crate::control_flow`].
#[must_use]
pub fn metrics(file: &SourceFile, graphs: &[Cfg]) -> Vec<Metrics> {
    let kinds = LineKinds::of(file);
    let functions = file.functions();
    let mut all: Vec<Metrics> = functions
        .iter()
        .enumerate()
        .map(|(index, function)| Metrics {
            cyclomatic: graphs.get(index).map_or(1, Cfg::cyclomatic),
            parameters: function.parameter_count,
            lines: kinds.between(function.span.start.line, function.span.end.line),
            ..Metrics::default()
        })
        .collect();
    count(file, &mut all);
    cognitive::count(file, &mut all);
    for call in file.calls() {
        if let Some(of) = call.function.and_then(|index| all.get_mut(index as usize)) {
            of.calls += 1;
        }
    }
    all
}

/// Counts loops and returns for the innermost function they stand in.
fn count(file: &SourceFile, all: &mut [Metrics]) {
    let mut owners = Owners::new(file);
    for (at, node) in file.ast().nodes().iter().enumerate() {
        let owner = owners.of(AstId(at as u32));
        let Some(of) = owner.and_then(|index| all.get_mut(index as usize)) else { continue };
        match node.role {
            Role::While | Role::DoWhile | Role::For | Role::ForEach | Role::Loop => of.loops += 1,
            Role::Return => of.returns += 1,
            _ => {}
        }
    }
}

/// Tells the innermost function of nodes that are asked for in preorder.
pub(crate) struct Owners<'a> {
    file: &'a SourceFile,
    open: Vec<FunctionIndex>,
    next: usize,
}

impl<'a> Owners<'a> {
    pub(crate) const fn new(file: &'a SourceFile) -> Self {
        Self { file, open: Vec::new(), next: 0 }
    }

    pub(crate) fn of(&mut self, id: AstId) -> Option<FunctionIndex> {
        let functions = self.file.functions();
        while let Some(innermost) = self.open.last()
            && self.file.ast().subtree_end(functions[*innermost as usize].node) <= id
        {
            self.open.pop();
        }
        while let Some(function) = functions.get(self.next)
            && function.node <= id
        {
            if self.file.ast().contains(function.node, id) {
                self.open.push(self.next as FunctionIndex);
            }
            self.next += 1;
        }
        self.open.last().copied()
    }
}
