//! The code property graph of a function: syntax, control flow, data flow and calls in one graph
//! (Yamaguchi et al., *Modeling and Discovering Vulnerabilities with Code Property Graphs*, IEEE
//! S&P 2014), in layers that can be asked for one by one.
//!
//! Nodes are syntax nodes, plus the exit of the control flow, deferred calls as they run, and the
//! functions called. It is built for showing and exporting; analyses work on [`crate::Cfg`] and
//! [`crate::Dfg`].

mod dot;
mod ids;
mod text;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

pub use self::text::syntax_text;
use crate::ast::AstId;
use crate::call_graph::{CallGraph, CallTarget, FunctionRef};
use crate::cfg::{Cfg, CfgKind, head_of};
use crate::graphs::Graphs;
use crate::node_id::NodeId;
use crate::position::Span;
use crate::source_file::SourceFile;

/// Which edges are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Parents and children.
    pub syntax: bool,
    /// What is done after what.
    pub control: bool,
    /// Which definition a use sees.
    pub data: bool,
    /// Which function a call calls.
    pub calls: bool,
}

impl Layers {
    /// All of them.
    pub const ALL: Self = Self { syntax: true, control: true, data: true, calls: true };
    /// None of them.
    pub const NONE: Self = Self { syntax: false, control: false, data: false, calls: false };
}

/// What a node of the graph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpgRole {
    /// A syntax node; the function's own is its entry.
    Syntax,
    /// The exit of the control flow.
    Exit,
    /// A deferred call, where it runs.
    Deferred,
    /// A function that is called.
    Callee,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpgNode {
    /// What it is.
    pub role: CpgRole,
    /// The grammar's kind; `exit`, `deferred`, `function` for the others.
    pub kind: Box<str>,
    /// The beginning of its text, on one line; a callee's qualified name.
    pub text: Box<str>,
    /// Its name across builds.
    pub id: NodeId,
    /// Where it stands; nothing for callees, which may be in another file.
    pub span: Option<Span>,
    /// Nothing leads here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
}

/// Why two nodes are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpgEdgeKind {
    /// The second is a part of the first.
    Syntax,
    /// The second is done after the first.
    Control,
    /// The first defines what the second uses.
    Data,
    /// The first calls the second.
    Call,
}

/// An edge of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpgEdge {
    /// Index of the first node.
    pub from: u32,
    /// Index of the second.
    pub to: u32,
    /// Why.
    pub kind: CpgEdgeKind,
    /// The control flow's label, the variable and version, or how sure a call is.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub label: Box<str>,
    /// It closes a loop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
}

/// The graph of one function. `serde_json` gives its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodePropertyGraph {
    /// The nodes.
    pub nodes: Vec<CpgNode>,
    /// The edges, layer by layer.
    pub edges: Vec<CpgEdge>,
}

/// Linked files, for edges of calls.
#[derive(Clone, Copy, Debug)]
pub struct Linked<'a> {
    /// The files that were linked, in that order.
    pub files: &'a [&'a SourceFile],
    /// Their calls.
    pub calls: &'a CallGraph,
}

impl CodePropertyGraph {
    /// The graph of a function in a file of `linked`. `graphs` are that file's; nothing when there
    /// is no such function. Nodes that no wanted edge touches are left out.
    #[must_use]
    pub fn of_function(
        linked: Linked<'_>,
        of: FunctionRef,
        graphs: &Graphs,
        layers: Layers,
    ) -> Option<Self> {
        let file = *linked.files.get(of.file as usize)?;
        let function = file.functions().get(of.function as usize)?;
        let mut builder = Builder {
            file,
            ids: ids::of_function(file, of.function),
            nodes: FxHashMap::default(),
            graph: Self::default(),
        };
        builder.syntax(function.node);
        if layers.syntax {
            let ast = file.ast();
            for node in ast.descendants(function.node) {
                if let Some(parent) = ast.parent(node) {
                    let (from, to) = (builder.syntax(parent), builder.syntax(node));
                    builder.edge(from, to, CpgEdgeKind::Syntax, "", false);
                }
            }
        }
        if let (true, Some(cfg)) = (layers.control, graphs.control.get(of.function as usize)) {
            builder.control(cfg);
        }
        if let (true, Some(flow)) = (layers.data, graphs.data.get(of.function as usize)) {
            for local_use in &flow.uses {
                for index in flow.definitions_of(local_use) {
                    let definition = &flow.definitions[*index as usize];
                    let name = String::from_utf8_lossy(file.text_of(local_use.ast));
                    let label = format!("{name}#{}", definition.version);
                    let from = builder.syntax(definition.ast);
                    let to = builder.syntax(local_use.ast);
                    builder.edge(from, to, CpgEdgeKind::Data, &label, false);
                }
            }
        }
        if layers.calls {
            builder.calls(linked, of);
        }
        Some(builder.graph)
    }

    /// The graph in Graphviz' language, a style a layer.
    #[must_use]
    pub fn to_dot(&self) -> String {
        dot::write(self)
    }
}

struct Builder<'a> {
    file: &'a SourceFile,
    ids: FxHashMap<AstId, NodeId>,
    nodes: FxHashMap<AstId, u32>,
    graph: CodePropertyGraph,
}

impl Builder<'_> {
    fn edge(&mut self, from: u32, to: u32, kind: CpgEdgeKind, label: &str, back: bool) {
        self.graph.edges.push(CpgEdge { from, to, kind, label: label.into(), back });
    }

    fn add(&mut self, node: CpgNode) -> u32 {
        self.graph.nodes.push(node);
        self.graph.nodes.len() as u32 - 1
    }

    fn syntax(&mut self, ast: AstId) -> u32 {
        if let Some(index) = self.nodes.get(&ast) {
            return *index;
        }
        let node = self.node(ast, CpgRole::Syntax, self.file.kind_of(ast), head_of(self.file, ast));
        let index = self.add(node);
        self.nodes.insert(ast, index);
        index
    }

    fn node(&self, ast: AstId, role: CpgRole, kind: &str, text: String) -> CpgNode {
        CpgNode {
            role,
            kind: kind.into(),
            text: text.into(),
            id: self.ids.get(&ast).copied().unwrap_or_else(|| self.file.id_of(ast)),
            span: Some(self.file.span_of(ast)),
            dead: false,
        }
    }

    fn control(&mut self, cfg: &Cfg) {
        let mut indices = Vec::with_capacity(cfg.nodes.len());
        for node in &cfg.nodes {
            let index = match node.kind {
                CfgKind::Exit => {
                    let exit = self.node(node.ast, CpgRole::Exit, "exit", String::new());
                    self.add(exit)
                }
                CfgKind::Deferred => {
                    let text = head_of(self.file, node.ast);
                    let deferred = self.node(node.ast, CpgRole::Deferred, "deferred", text);
                    self.add(deferred)
                }
                _ => self.syntax(node.ast),
            };
            if node.dead {
                self.graph.nodes[index as usize].dead = true;
            }
            indices.push(index);
        }
        for edge in &cfg.edges {
            let (from, to) = (indices[edge.from as usize], indices[edge.to as usize]);
            self.edge(from, to, CpgEdgeKind::Control, edge.label.name(), edge.back);
        }
    }

    fn calls(&mut self, linked: Linked<'_>, of: FunctionRef) {
        let mut callees: FxHashMap<FunctionRef, u32> = FxHashMap::default();
        let own = self.file.functions()[of.function as usize].node;
        for edge in linked.calls.callees(of) {
            let callee = linked.files.get(edge.to.file as usize);
            let callee = callee.and_then(|file| file.functions().get(edge.to.function as usize));
            let Some(callee) = callee else { continue };
            let to = *callees.entry(edge.to).or_insert_with(|| {
                self.graph.nodes.push(CpgNode {
                    role: CpgRole::Callee,
                    kind: "function".into(),
                    text: callee.qualified_name.clone(),
                    id: callee.id,
                    span: None,
                    dead: false,
                });
                self.graph.nodes.len() as u32 - 1
            });
            let call = edge.call.and_then(|index| self.file.calls().get(index as usize));
            let from = self.syntax(call.map_or(own, |call| call.node));
            let label = match edge.target {
                CallTarget::Unique => String::new(),
                CallTarget::OneOf(many) => format!("one of {many}"),
                CallTarget::Observed => "observed".to_owned(),
            };
            self.edge(from, to, CpgEdgeKind::Call, &label, false);
        }
    }
}
