//! Sources: syntax trees, stable names of nodes, control flow, data flow, calls, metrics and
//! patterns.
//!
//! A [`SourceFile`] is parsed from bytes ([`SourceFile::parse`]) with the grammar of its
//! [`Language`]; nothing but [`load`] reads files. Everything in a file is found by walking one
//! array ([`Ast`]), and nothing panics or recurses on what it reads: sources are untrusted.
//!
//! It does not preprocess, expand macros or know types: what only a compiler can say is not said.

mod ast;
pub mod call_graph;
pub mod cfg;
mod conditionals;
pub mod cpg;
pub mod dfg;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod graphs;
pub mod language;
mod languages;
pub mod load;
pub mod lookup;
pub mod metrics;
pub mod node_id;
pub mod origin;
mod outline;
pub mod patterns;
mod position;
mod source_file;

pub use ast::{Ast, AstId, AstNode, Children};
pub use call_graph::{CallEdge, CallGraph, CallTarget, FunctionRef};
pub use cfg::{Cfg, CfgEdge, CfgIndex, CfgKind, CfgNode, EdgeLabel, control_flow};
pub use cpg::{CodePropertyGraph, CpgEdge, CpgEdgeKind, CpgNode, CpgRole, Layers, Linked};
pub use dfg::{DefinitionKind, Dfg, LocalDefinition, LocalUse, Variable, data_flow};
pub use error::Error;
pub use graphs::Graphs;
pub use language::Language;
pub use lookup::{Found, How};
pub use metrics::{Lines, Metrics, metrics};
pub use node_id::{NodeId, TextHash};
pub use origin::project_path;
pub use outline::{Call, CallKind, Function, FunctionIndex, FunctionKind};
pub use patterns::{Finding, Pattern, Patterns};
pub use position::{LineIndex, Position, Span};
pub use source_file::{Limits, SourceFile};
