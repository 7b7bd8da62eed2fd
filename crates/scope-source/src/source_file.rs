//! A parsed file: its tree, its functions, its calls.
//!
//! It works on bytes it is given; nothing here reads files. What does not parse gives what the
//! error-tolerant tree gives, and [`SourceFile::errors`] says so.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tree_sitter::{ParseOptions, Parser, Tree};

use crate::ast::{Ast, AstId};
use crate::conditionals;
use crate::error::Error;
use crate::language::{Language, Role};
use crate::node_id::NodeId;
use crate::outline::{Call, Function, FunctionIndex, Outline, Source};
use crate::position::{LineIndex, Position, Span};

/// What a file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes: usize,
    /// Time of its parse.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, time: Duration::from_secs(10) }
    }
}

/// A parsed file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    path: Arc<str>,
    text: Arc<[u8]>,
    language: &'static Language,
    tree: Tree,
    ast: Ast,
    one_sided: bool,
    lines: LineIndex,
    functions: Vec<Function>,
    calls: Vec<Call>,
}

impl SourceFile {
    /// Parses a file. `path` is what node ids are made of: the path relative to the crate or
    /// project, with `/`, so that another checkout gives the same ids.
    ///
    /// # Errors
    ///
    /// When the file is too large or takes too long for the default [`Limits`].
    pub fn parse(
        path: &str,
        bytes: impl Into<Arc<[u8]>>,
        language: &'static Language,
    ) -> Result<Self, Error> {
        Self::parse_within(path, bytes, language, Limits::default())
    }

    /// Parses a file within limits of its own.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::TimedOut`]; [`Error::Grammar`] cannot happen with the
    /// grammars of a release.
    pub fn parse_within(
        path: &str,
        bytes: impl Into<Arc<[u8]>>,
        language: &'static Language,
        limits: Limits,
    ) -> Result<Self, Error> {
        let text: Arc<[u8]> = bytes.into();
        // Offsets are 32 bits wide in trees.
        let limit = limits.bytes.min(u32::MAX as usize / 2);
        if text.len() > limit {
            return Err(Error::TooLarge { path: path.to_owned(), bytes: text.len(), limit });
        }
        let parsed = Parsed::best(path, &text, language, limits.time)?;
        let Parsed { tree, ast, one_sided } = parsed;
        let lines = LineIndex::new(&text);
        let source = Source { language, text: &text, ast: &ast, lines: &lines };
        let Outline { functions, calls } = Outline::find(source, path);
        Ok(Self {
            path: path.into(),
            text,
            language,
            tree,
            ast,
            one_sided,
            lines,
            functions,
            calls,
        })
    }

    /// The path given to the parse.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The language.
    #[must_use]
    pub const fn language(&self) -> &'static Language {
        self.language
    }

    /// tree-sitter's tree, for queries.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree as an array.
    #[must_use]
    pub const fn ast(&self) -> &Ast {
        &self.ast
    }

    /// Where lines begin.
    #[must_use]
    pub const fn lines(&self) -> &LineIndex {
        &self.lines
    }

    /// The functions, in the order of their beginnings.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The calls, in the order of their beginnings.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// "Parsed with N errors": nodes the parser could make nothing of, and tokens it missed.
    #[must_use]
    pub const fn errors(&self) -> u32 {
        self.ast.errors()
    }

    /// Conditional compilation cut through constructs: of those places only one side is in the tree.
    #[must_use]
    pub const fn is_one_sided(&self) -> bool {
        self.one_sided
    }

    /// The bytes of a node.
    #[must_use]
    pub fn text_of(&self, node: AstId) -> &[u8] {
        self.source().text(node)
    }

    /// The bytes of a range, such as [`Call::callee`]; empty when it is none.
    #[must_use]
    pub fn slice(&self, range: (u32, u32)) -> &[u8] {
        self.source().bytes(range.0, range.1)
    }

    /// Where a call begins, and where the name it calls does.
    #[must_use]
    pub fn positions_of(&self, call: &Call) -> (Position, Position) {
        (self.lines.position(call.start), self.lines.position(call.name.0))
    }

    /// The range of a node with its places.
    #[must_use]
    pub fn span_of(&self, node: AstId) -> Span {
        let node = self.ast.node(node);
        self.lines.span(node.start, node.end)
    }

    /// The grammar's name of a node's kind.
    #[must_use]
    pub fn kind_of(&self, node: AstId) -> &str {
        self.language.kind_name(self.ast.node(node).kind)
    }

    /// The innermost function that a node is of; a function's own node is of it.
    #[must_use]
    pub fn function_of(&self, node: AstId) -> Option<FunctionIndex> {
        // Functions are in preorder: the last one that begins at or before the node and has not
        // ended encloses it; outer ones follow through their parents.
        let before = self.functions.partition_point(|function| function.node <= node);
        let mut at = before.checked_sub(1).map(|at| at as FunctionIndex);
        while let Some(index) = at {
            let function = &self.functions[index as usize];
            if self.ast.contains(function.node, node) {
                return at;
            }
            at = function.parent;
        }
        None
    }

    /// The path of any node, as [`crate::node_id`] describes it.
    #[must_use]
    pub fn path_of(&self, node: AstId) -> String {
        let function = self.function_of(node).map(|index| &self.functions[index as usize]);
        if let Some(function) = function
            && function.node == node
        {
            return function.path.to_string();
        }
        let kind = self.ast.node(node).kind;
        // Closures have paths of their own: what stands in them does not count outside.
        let owner = self.function_of(node);
        let from = function.map_or(AstId::ROOT, |function| function.node);
        let ordinal = (from.0..node.0)
            .map(AstId)
            .filter(|other| self.ast.node(*other).kind == kind)
            .filter(|other| self.owner_of(*other) == owner)
            .count();
        let base = function.map_or(&*self.path, |function| &function.path);
        format!("{base}/{}[{ordinal}]", self.language.kind_name(kind))
    }

    /// The id of any node. Functions and calls carry theirs; this is for the others.
    #[must_use]
    pub fn id_of(&self, node: AstId) -> NodeId {
        if let Ok(at) = self.calls.binary_search_by_key(&node, |call| call.node) {
            return self.calls[at].id;
        }
        NodeId::of_path(&self.path_of(node))
    }

    /// The construct whose ordinals a node counts in: a closure counts where it stands.
    fn owner_of(&self, node: AstId) -> Option<FunctionIndex> {
        let function = self.function_of(node)?;
        let own = &self.functions[function as usize];
        if own.node == node { own.parent } else { Some(function) }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source { language: self.language, text: &self.text, ast: &self.ast, lines: &self.lines }
    }
}

/// How often conditional compilation is looked for where errors are left.
const ROUNDS: usize = 3;

/// A parsed text.
struct Parsed {
    tree: Tree,
    ast: Ast,
    one_sided: bool,
}

impl Parsed {
    /// The tree with the fewest errors, as far as conditional compilation is their cause.
    fn best(
        path: &str,
        text: &[u8],
        language: &'static Language,
        time: Duration,
    ) -> Result<Self, Error> {
        let begun = Instant::now();
        let tree = parse_tree(path, text, language, time)?;
        let mut best = Self { ast: Ast::build(&tree, language), tree, one_sided: false };
        let mut text = Cow::Borrowed(text);
        for _ in 0..ROUNDS {
            if best.ast.errors() == 0 || !language.is_preprocessed() {
                break;
            }
            let Some(left) = conditionals::without(&text, &broken(&best.tree, language)) else {
                break;
            };
            // What there is serves where the time is over.
            let rest = time.saturating_sub(begun.elapsed());
            let Ok(tree) = parse_tree(path, &left, language, rest) else { break };
            let ast = Ast::build(&tree, language);
            if ast.errors() >= best.ast.errors() {
                break;
            }
            best = Self { tree, ast, one_sided: true };
            text = Cow::Owned(left);
        }
        Ok(best)
    }
}

/// The smallest nodes with errors, but functions as a whole.
fn broken(tree: &Tree, language: &Language) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        let role = language.role(node.kind_id());
        let mut cursor = node.walk();
        let inside = node.children(&mut cursor).filter(tree_sitter::Node::has_error);
        let known = open.len();
        if !node.is_error() && !matches!(role, Role::Function | Role::Method) {
            open.extend(inside);
        }
        if open.len() == known {
            found.push(node.byte_range());
        }
    }
    found
}

/// tree-sitter's own parse, within a time.
fn parse_tree(
    path: &str,
    text: &[u8],
    language: &'static Language,
    time: Duration,
) -> Result<Tree, Error> {
    let mut parser = Parser::new();
    parser.set_language(language.grammar()).map_err(|reason| Error::Grammar {
        language: language.name(),
        reason: reason.to_string(),
    })?;
    let begun = Instant::now();
    let mut in_time = |_: &tree_sitter::ParseState| {
        if begun.elapsed() > time { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let mut read = |at: usize, _| text.get(at..).unwrap_or_default();
    parser
        .parse_with_options(&mut read, None, Some(options))
        .ok_or_else(|| Error::TimedOut { path: path.to_owned(), limit: time })
}
