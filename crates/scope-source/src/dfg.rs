//! Data flow: which definition of a local a use may see.
//!
//! Every local is a [`Variable`]; shadowing makes another one. Every definition has a version, as
//! in static single assignment form; where ways meet, a use simply lists every definition that
//! may reach it, which is what a phi function would join. Parameters are defined at the entry;
//! what a `return` or the last expression uses is what the function returns
//! ([`Dfg::returned`]).
//!
//! Only names are followed. Members, elements and what pointers lead to are not: assigning
//! `a.b` is a use of `a`. A closure's uses of outer locals are uses where the closure is written;
//! globals are no locals.

mod events;
mod reaching;

use serde::{Deserialize, Serialize};

pub(crate) use self::events::Collector;
use crate::ast::AstId;
use crate::cfg::{Cfg, CfgIndex, CfgKind};
use crate::source_file::SourceFile;

/// A local of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Where its name is declared.
    pub declared: AstId,
    /// It is a parameter.
    pub parameter: bool,
}

/// How a local gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// By the caller.
    Parameter,
    /// By its declaration or a pattern, with or without a value.
    Declaration,
    /// By an assignment.
    Assignment,
    /// From its own value: `x += 1`.
    Update,
}

/// A place where a local gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalDefinition {
    /// The local: an index into [`Dfg::variables`].
    pub variable: u32,
    /// From 0, in source order.
    pub version: u32,
    /// The graph's node.
    pub node: CfgIndex,
    /// The name.
    pub ast: AstId,
    /// How.
    pub kind: DefinitionKind,
}

/// A place where a local is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalUse {
    /// The local: an index into [`Dfg::variables`].
    pub variable: u32,
    /// The graph's node.
    pub node: CfgIndex,
    /// The name.
    pub ast: AstId,
    /// Where its definitions begin in [`Dfg::reaching`], and end.
    pub reaching: (u32, u32),
}

/// The data flow of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dfg {
    /// The locals.
    pub variables: Vec<Variable>,
    /// Their definitions.
    pub definitions: Vec<LocalDefinition>,
    /// Their uses.
    pub uses: Vec<LocalUse>,
    /// Indices of definitions, as [`LocalUse::reaching`] cuts them.
    pub reaching: Vec<u32>,
    /// The function is too large: uses list all or no definitions of their local.
    pub truncated: bool,
}

impl Dfg {
    /// The definitions that a use may see, ascending.
    #[must_use]
    pub fn definitions_of(&self, local_use: &LocalUse) -> &[u32] {
        let (start, end) = local_use.reaching;
        self.reaching.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The uses whose value the function may return: those of its `return`s and of its last
    /// expressions.
    pub fn returned<'a>(&'a self, cfg: &'a Cfg) -> impl Iterator<Item = &'a LocalUse> {
        self.uses.iter().filter(|local_use| {
            let kind = cfg.nodes.get(local_use.node as usize).map(|node| node.kind);
            let leaves = cfg.successors(local_use.node).iter().any(|edge| edge.to == Cfg::EXIT);
            kind == Some(CfgKind::Return) || kind == Some(CfgKind::Statement) && leaves
        })
    }

    /// The data flow as text, for reading: a line a use, `NAME#VERSION, … -> LINE:COLUMN TEXT`.
    #[must_use]
    pub fn to_text(&self, file: &SourceFile) -> String {
        let mut out = String::new();
        for local_use in &self.uses {
            let name = String::from_utf8_lossy(file.text_of(local_use.ast));
            let from: Vec<String> = self
                .definitions_of(local_use)
                .iter()
                .map(|index| {
                    let definition = &self.definitions[*index as usize];
                    let at = file.span_of(definition.ast).start;
                    format!("{name}#{} {}:{}", definition.version, at.line, at.column)
                })
                .collect();
            let at = file.span_of(local_use.ast).start;
            out += &format!("{}:{} {name} <- {}\n", at.line, at.column, from.join(", "));
        }
        out
    }
}

/// The data flow of every function of a file, in their order; `graphs` are those of
/// [`crate::control_flow`].
#[must_use]
pub fn data_flow(file: &SourceFile, graphs: &[Cfg]) -> Vec<Dfg> {
    let mut collector = Collector::new(file);
    let functions = file.functions().iter().zip(graphs);
    functions.map(|(function, cfg)| collector.build(function, cfg)).collect()
}
