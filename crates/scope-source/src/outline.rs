//! The functions and calls of a file, with their names and ids, found in one pass over its tree.
//!
//! No recursion: open constructs are a stack, the path of the innermost is one growing string.

mod names;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use self::names::{Declared, declared, preprocessor_condition, scope_name};
use crate::ast::{Ast, AstId};
use crate::language::{Language, Role, Slot};
use crate::node_id::{NodeId, TextHash, text_hash};
use crate::position::{LineIndex, Position, Span};

pub(crate) use self::names::{callee_name, cfg_condition, last_segment};

/// Index of a function in [`crate::SourceFile::functions`].
pub type FunctionIndex = u32;

/// What kind of function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionKind {
    /// In a module, namespace or file.
    Function,
    /// In a class, trait or impl, or with a receiver.
    Method,
    /// A closure, lambda, function literal or async block.
    Closure,
}

/// A function of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name across builds.
    pub id: NodeId,
    /// What [`Function::id`] is the hash of.
    pub path: Box<str>,
    /// The last part of its name; `{closure#N}` for closures.
    pub name: Box<str>,
    /// Its name with modules, types and enclosing functions.
    pub qualified_name: Box<str>,
    /// What kind of function.
    pub kind: FunctionKind,
    /// The function it is written in.
    pub parent: Option<FunctionIndex>,
    /// Its node.
    pub node: AstId,
    /// The body's node; a declaration without body has none.
    pub body: Option<AstId>,
    /// Its parameters' node.
    pub parameters: Option<AstId>,
    /// How many parameters, a receiver included.
    pub parameter_count: u32,
    /// It is marked `async`, or is an async block.
    pub is_async: bool,
    /// Where it stands, without attributes and comments before it.
    pub span: Span,
    /// Where its name stands.
    pub name_at: Position,
    /// Where attributes right before it begin; the span's start without any.
    pub attributes_at: Position,
    /// Fingerprint of its text, the same for every layout ([`text_hash`]).
    pub text_hash: TextHash,
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// A function or method.
    Function,
    /// A macro: what it expands to is not known.
    Macro,
    /// A constructor, by `new`.
    New,
}

/// A call expression. Its text is in the file ([`crate::SourceFile::text_of`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its name across builds.
    pub id: NodeId,
    /// Its node.
    pub node: AstId,
    /// What kind.
    pub kind: CallKind,
    /// How many nodes of its grammar kind stand before it in its construct.
    pub ordinal: u32,
    /// The function it stands in.
    pub function: Option<FunctionIndex>,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Bytes of the whole callee: `self.map.get`.
    pub callee: (u32, u32),
    /// Bytes of the name that is called: `get`.
    pub name: (u32, u32),
}

/// What one pass finds.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub functions: Vec<Function>,
    pub calls: Vec<Call>,
}

/// What everything here reads.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub language: &'a Language,
    pub text: &'a [u8],
    pub ast: &'a Ast,
    pub lines: &'a LineIndex,
}

impl<'a> Source<'a> {
    pub(crate) fn bytes(&self, start: u32, end: u32) -> &'a [u8] {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(crate) fn text(&self, id: AstId) -> &'a [u8] {
        let node = self.ast.node(id);
        self.bytes(node.start, node.end)
    }
}

impl Outline {
    pub(crate) fn find(source: Source<'_>, file: &str) -> Self {
        let mut ambiguous = FxHashSet::default();
        let mut pass = Pass::new(source, file, &ambiguous);
        pass.run();
        if !pass.repeated.is_empty() {
            ambiguous = std::mem::take(&mut pass.repeated);
            pass = Pass::new(source, file, &ambiguous);
            pass.run();
        }
        pass.outline
    }
}

/// A construct that encloses the node at hand.
struct Open {
    end: u32,
    path: usize,
    qualified: usize,
    function: Option<FunctionIndex>,
    in_type: bool,
    /// It is a function or the file: nodes inside count here.
    counts: bool,
    /// Nodes of a kind so far.
    ordinals: Vec<(u16, u32)>,
}

struct Pass<'a> {
    source: Source<'a>,
    ambiguous: &'a FxHashSet<String>,
    outline: Outline,
    path: String,
    qualified: String,
    open: Vec<Open>,
    /// `cfg` conditions right before the item at hand, and where the first attribute began.
    attributes: String,
    attributes_start: Option<u32>,
    seen: FxHashMap<String, u32>,
    repeated: FxHashSet<String>,
    /// Comments and literals, in order, for text hashes.
    pieces: Vec<(u32, u32, bool)>,
    buffer: Vec<u8>,
}

impl<'a> Pass<'a> {
    fn new(source: Source<'a>, file: &str, ambiguous: &'a FxHashSet<String>) -> Self {
        let whole = Open {
            end: u32::MAX,
            path: file.len(),
            qualified: 0,
            function: None,
            in_type: false,
            counts: true,
            ordinals: Vec::new(),
        };
        Self {
            source,
            ambiguous,
            outline: Outline::default(),
            path: file.to_owned(),
            qualified: String::new(),
            open: vec![whole],
            attributes: String::new(),
            attributes_start: None,
            seen: FxHashMap::default(),
            repeated: FxHashSet::default(),
            pieces: Vec::new(),
            buffer: Vec::new(),
        }
    }

    fn run(&mut self) {
        let nodes = self.source.ast.nodes();
        self.pieces = nodes
            .iter()
            .filter(|node| matches!(node.role, Role::Comment | Role::Literal))
            .map(|node| (node.start, node.end, node.role == Role::Literal))
            .collect();
        for (at, node) in nodes.iter().enumerate() {
            let id = AstId(at as u32);
            while self.open.len() > 1 && self.open.last().is_some_and(|open| open.end <= id.0) {
                self.close();
            }
            match node.role {
                Role::Attribute => {
                    self.attributes_start.get_or_insert(node.start);
                    if let Some(condition) = cfg_condition(self.source.text(id)) {
                        self.attributes.push_str(&condition);
                    }
                    continue;
                }
                Role::Comment => continue,
                Role::Function | Role::Method => self.function(id),
                Role::Closure => self.closure(id),
                Role::Scope | Role::TypeScope | Role::Impl => self.scope(id),
                Role::Call | Role::MacroCall | Role::New => self.call(id),
                _ => {}
            }
            self.attributes.clear();
            self.attributes_start = None;
        }
    }

    fn close(&mut self) {
        self.open.pop();
        if let Some(open) = self.open.last() {
            self.path.truncate(open.path);
            self.qualified.truncate(open.qualified);
        }
    }

    fn enter(&mut self, id: AstId, function: Option<FunctionIndex>, in_type: bool) {
        let counts = function.is_some();
        let function = function.or_else(|| self.open.last().and_then(|open| open.function));
        self.open.push(Open {
            end: self.source.ast.subtree_end(id).0,
            path: self.path.len(),
            qualified: self.qualified.len(),
            function,
            in_type,
            counts,
            ordinals: Vec::new(),
        });
    }

    /// Makes `name` the next part of both names; `condition` tells the path alone.
    fn push(&mut self, name: &str, condition: &str) {
        self.path.push_str("::");
        self.path.push_str(name);
        self.path.push_str(condition);
        if !self.qualified.is_empty() {
            self.qualified.push_str(self.source.language.definition().separator);
        }
        self.qualified.push_str(name);
    }

    fn scope(&mut self, id: AstId) {
        // A class without body is a mention of a type.
        if self.source.ast.child(id, Slot::Body).is_none() {
            return;
        }
        let name = scope_name(self.source, id);
        let condition = std::mem::take(&mut self.attributes);
        self.push(&name, &condition);
        let in_type = self.source.ast.node(id).role != Role::Scope;
        self.enter(id, None, in_type);
    }

    fn function(&mut self, id: AstId) {
        let found = declared(self.source, id);
        let Some(declared) = found else { return };
        let parent = self.open.last().and_then(|open| open.function);
        let in_type = self.open.last().is_some_and(|open| open.in_type);
        let condition = std::mem::take(&mut self.attributes);
        if let Some(receiver) = &declared.receiver {
            // `(*T).f` as Go prints it; whether it is a pointer is not part of the identity.
            self.path.push_str("::");
            self.path.push_str(receiver.trim_matches(['(', ')', '*']));
            self.qualified.push_str(receiver);
        }
        self.push(&declared.name, &condition);
        if let Some(types) = &declared.types
            && self.source.language.definition().overloads
        {
            self.path.push_str(types);
        }
        self.tell_apart(id, &declared);
        let method = in_type || declared.receiver.is_some();
        let kind = if method { FunctionKind::Method } else { FunctionKind::Function };
        let short = last_segment(&declared.name).to_owned();
        self.add(id, &declared, kind, &short, parent);
    }

    /// Appends what tells this function from others of the same path.
    fn tell_apart(&mut self, id: AstId, declared: &Declared) {
        let first = *self.seen.entry(self.path.clone()).and_modify(|n| *n += 1).or_insert(1) == 1;
        if !first {
            self.repeated.insert(self.path.clone());
        }
        if !self.ambiguous.contains(&self.path) {
            return;
        }
        if let Some(condition) = preprocessor_condition(self.source, id) {
            self.path.push_str(&condition);
        }
        if let Some(types) = &declared.types {
            self.path.push_str(types);
        }
        let same = *self.seen.entry(self.path.clone()).and_modify(|n| *n += 1).or_insert(1);
        if same > 1 {
            self.path.push_str(&format!("#{same}"));
        }
    }

    fn closure(&mut self, id: AstId) {
        let parent = self.open.last().and_then(|open| open.function);
        let kind = self.source.ast.node(id).kind;
        let ordinal = self.ordinal(kind);
        let name = format!("{{closure#{ordinal}}}");
        let kind_name = self.source.language.kind_name(kind);
        self.path.push_str(&format!("/{kind_name}[{ordinal}]"));
        if !self.qualified.is_empty() {
            self.qualified.push_str(self.source.language.definition().separator);
        }
        self.qualified.push_str(&name);
        let declared = names::closure(self.source, id);
        self.add(id, &declared, FunctionKind::Closure, &name, parent);
    }

    fn add(
        &mut self,
        id: AstId,
        declared: &Declared,
        kind: FunctionKind,
        name: &str,
        parent: Option<FunctionIndex>,
    ) {
        let Source { ast, lines, .. } = self.source;
        let node = ast.node(id);
        let first = self.pieces.partition_point(|piece| piece.0 < node.start);
        let pieces = self.pieces[first..].iter().take_while(|piece| piece.1 <= node.end);
        let relative = pieces.map(|piece| (piece.0 - node.start, piece.1 - node.start, piece.2));
        let hash = text_hash(self.source.text(id), relative, &mut self.buffer);
        let index = self.outline.functions.len() as FunctionIndex;
        self.outline.functions.push(Function {
            id: NodeId::of_path(&self.path),
            path: self.path.as_str().into(),
            name: name.into(),
            qualified_name: self.qualified.as_str().into(),
            kind,
            parent,
            node: id,
            body: declared.body,
            parameters: declared.parameters,
            parameter_count: declared.parameter_count,
            is_async: declared.is_async,
            span: lines.span(node.start, node.end),
            name_at: lines.position(declared.name_start),
            attributes_at: lines.position(self.attributes_start.unwrap_or(node.start)),
            text_hash: hash,
        });
        self.enter(id, Some(index), false);
    }

    fn call(&mut self, id: AstId) {
        let node = self.source.ast.node(id);
        let ordinal = self.ordinal(node.kind);
        let (callee, name) = callee_name(self.source.ast, id);
        let function = self.open.last().and_then(|open| open.function);
        let kind_name = self.source.language.kind_name(node.kind);
        let counting = self.open.iter().rev().find(|open| open.counts);
        let path = &self.path[..counting.map_or(0, |open| open.path).min(self.path.len())];
        self.outline.calls.push(Call {
            id: NodeId::below(path, kind_name, ordinal, &mut self.buffer),
            node: id,
            kind: match node.role {
                Role::MacroCall => CallKind::Macro,
                Role::New => CallKind::New,
                _ => CallKind::Function,
            },
            ordinal,
            function,
            start: node.start,
            end: node.end,
            callee,
            name,
        });
    }

    /// How many nodes of the kind the open construct had before, counting this one from now on.
    fn ordinal(&mut self, kind: u16) -> u32 {
        // Scopes do not count: what stands in no function counts through the file.
        let Some(open) = self.open.iter_mut().rev().find(|open| open.counts) else { return 0 };
        match open.ordinals.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                open.ordinals.push((kind, 1));
                0
            }
        }
    }
}
