//! Builds one graph after another, in one pass over each function's nodes in source order.
//!
//! The builder keeps the *ends*: edges that wait for the next node. A statement takes all ends as
//! its incoming edges and leaves its own. Recursion follows nested constructs alone, to
//! [`MAX_DEPTH`]; parts of the tree without control flow are not entered at all.

use super::{Cfg, CfgEdge, CfgIndex, CfgKind, CfgNode, EdgeLabel};
use crate::ast::{Ast, AstId, ERROR};
use crate::language::{Mark, Role, Slot};
use crate::outline::{Function, Source, cfg_condition};

/// Constructs nested deeper are single statements: the stack must hold on hostile sources.
const MAX_DEPTH: u32 = 400;

/// An edge that waits for its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub from: CfgIndex,
    pub label: EdgeLabel,
}

/// What a jump may leave or go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Loop,
    Switch,
    LabeledBlock,
    Try,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub kind: FrameKind,
    /// Bytes of the label.
    pub label: Option<(u32, u32)>,
    /// The switch's node.
    pub node: CfgIndex,
    pub has_default: bool,
    pub breaks: Vec<End>,
    pub continues: Vec<End>,
}

/// Builds the graphs of a file's functions.
pub(crate) struct Builder<'a> {
    pub(super) source: Source<'a>,
    pub(super) ast: &'a Ast,
    /// For each node: control flow begins at it or below it, within the same function.
    control: Vec<bool>,
    pub(super) cfg: Cfg,
    pub(super) ends: Vec<End>,
    pub(super) frames: Vec<Frame>,
    pub(super) labels: Vec<((u32, u32), CfgIndex)>,
    pub(super) gotos: Vec<(CfgIndex, Option<(u32, u32)>)>,
    pub(super) deferred: Vec<AstId>,
    /// The label right before the construct at hand.
    pub(super) pending_label: Option<(u32, u32)>,
    depth: u32,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self {
            source,
            ast: source.ast,
            control: find_control(source.ast),
            cfg: Cfg::default(),
            ends: Vec::new(),
            frames: Vec::new(),
            labels: Vec::new(),
            gotos: Vec::new(),
            deferred: Vec::new(),
            pending_label: None,
            depth: 0,
        }
    }

    pub(crate) fn build(&mut self, function: &Function) -> Cfg {
        self.labels.clear();
        self.gotos.clear();
        self.deferred.clear();
        self.frames.clear();
        self.ends.clear();
        self.cfg = Cfg::default();
        for kind in [CfgKind::Entry, CfgKind::Exit] {
            self.cfg.nodes.push(CfgNode { kind, ast: function.node, dead: false });
        }
        self.ends.push(End { from: Cfg::ENTRY, label: EdgeLabel::Next });
        if let Some(body) = function.body {
            if let Some(first) = self.ast.child_of_role(function.node, Role::Initializers) {
                self.statement(first);
            }
            self.statement(body);
        }
        self.connect(Cfg::EXIT, false);
        self.resolve_gotos();
        self.run_deferred();
        let mut cfg = std::mem::take(&mut self.cfg);
        cfg.edges.sort_by_key(|edge| edge.from);
        cfg.mark_dead();
        cfg
    }

    /// Goes a level down, unless that is too deep.
    pub(super) fn deeper(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            self.cfg.truncated = true;
            return false;
        }
        self.depth += 1;
        true
    }

    pub(super) const fn shallower(&mut self) {
        self.depth -= 1;
    }

    /// Whether control flow begins at the node or below it.
    pub(super) fn has_control(&self, id: AstId) -> bool {
        self.control[id.index()]
    }

    pub(super) fn role(&self, id: AstId) -> Role {
        self.ast.node(id).role
    }

    /// The index that the next node will have.
    pub(super) fn next_index(&self) -> CfgIndex {
        self.cfg.nodes.len() as CfgIndex
    }

    /// Adds a node that all ends lead to; none is left.
    pub(super) fn add(&mut self, kind: CfgKind, ast: AstId) -> CfgIndex {
        let index = self.next_index();
        self.cfg.nodes.push(CfgNode { kind, ast, dead: false });
        self.connect(index, false);
        index
    }

    /// Adds a node with one way on.
    pub(super) fn step(&mut self, kind: CfgKind, ast: AstId) -> CfgIndex {
        let index = self.add(kind, ast);
        self.leave(index, EdgeLabel::Next);
        index
    }

    pub(super) fn leave(&mut self, from: CfgIndex, label: EdgeLabel) {
        self.ends.push(End { from, label });
    }

    /// Lets all ends lead to a node.
    pub(super) fn connect(&mut self, to: CfgIndex, back: bool) {
        let Self { ends, cfg, .. } = self;
        cfg.edges.extend(ends.drain(..).map(|end| CfgEdge {
            from: end.from,
            to,
            label: end.label,
            back,
        }));
    }

    pub(super) fn edge(&mut self, from: CfgIndex, to: CfgIndex, label: EdgeLabel) {
        self.cfg.edges.push(CfgEdge { from, to, label, back: false });
    }

    /// What stands where a statement may stand. A node of its own, unless it only holds others.
    pub(super) fn statement(&mut self, id: AstId) {
        if self.deeper() {
            self.statement_at(id);
            self.shallower();
        } else {
            self.step(CfgKind::Statement, id);
        }
    }

    fn statement_at(&mut self, id: AstId) {
        let node = self.ast.node(id);
        match node.role {
            Role::Comment
            | Role::Attribute
            | Role::Opaque
            | Role::LabelName
            | Role::Item
            | Role::Function
            | Role::Method
            | Role::Scope
            | Role::TypeScope
            | Role::Impl => {}
            Role::Block => self.block(id),
            Role::Statement => match self.ast.first_child(id) {
                None => {}
                Some(inner) if self.stands_alone(inner) => self.statement(inner),
                Some(_) => self.simple(id),
            },
            Role::Plain if node.kind == ERROR || self.only_holds_block(id) => self.each(id),
            _ if self.is_construct(id) => self.construct(id),
            _ => self.simple(id),
        }
    }

    /// A statement after whatever control flow its parts have.
    fn simple(&mut self, id: AstId) {
        self.parts(id);
        self.step(CfgKind::Statement, id);
    }

    /// An expression, of which only control flow matters: its value is of the node around it.
    pub(super) fn expression(&mut self, id: AstId) {
        if !self.has_control(id) || !self.deeper() {
            return;
        }
        if self.is_construct(id) {
            self.construct(id);
        } else if !is_boundary(self.role(id)) {
            self.parts(id);
        }
        self.shallower();
    }

    /// The parts of an expression, in source order.
    pub(super) fn parts(&mut self, id: AstId) {
        if !self.has_control(id) {
            return;
        }
        let ast = self.ast;
        for child in ast.children(id) {
            self.expression(child);
        }
    }

    fn each(&mut self, id: AstId) {
        let ast = self.ast;
        let mut condition = None;
        for child in ast.children(id) {
            match condition.take() {
                _ if self.role(child) == Role::Attribute => {
                    let is_condition = cfg_condition(self.source.text(child)).is_some();
                    condition = is_condition.then_some(child);
                }
                Some(attribute) => self.configured(attribute, child),
                None => self.statement(child),
            }
        }
    }

    fn block(&mut self, id: AstId) {
        let Some(label) = self.ast.child_of_role(id, Role::LabelName) else {
            self.each(id);
            return;
        };
        let node = self.ast.node(label);
        self.frames.push(Frame::new(FrameKind::LabeledBlock, Some((node.start, node.end)), 0));
        self.each(id);
        if let Some(frame) = self.frames.pop() {
            self.ends.extend(frame.breaks);
        }
    }

    /// `unsafe { … }` and the like.
    fn only_holds_block(&self, id: AstId) -> bool {
        let mut children = self.ast.children(id);
        children.next().is_some_and(|child| self.role(child) == Role::Block)
            && children.next().is_none()
    }

    /// Whether an expression that is a statement needs no node around its own.
    fn stands_alone(&self, id: AstId) -> bool {
        self.is_construct(id) && !matches!(self.role(id), Role::Binary | Role::Let)
            || self.role(id) == Role::Block
            || self.role(id) == Role::Plain && self.only_holds_block(id)
    }

    fn is_construct(&self, id: AstId) -> bool {
        let node = self.ast.node(id);
        begins_control(node.role, node.mark)
            || node.role == Role::Let && self.ast.child(id, Slot::Else).is_some()
    }

    fn construct(&mut self, id: AstId) {
        match self.role(id) {
            Role::If | Role::Ternary => self.selection(id),
            Role::Binary | Role::AndChain => self.short_circuit(id),
            Role::Let => self.let_else(id),
            Role::While => self.while_loop(id),
            Role::DoWhile => self.do_while(id),
            Role::For => self.for_loop(id),
            Role::ForEach => self.for_each(id, id),
            Role::Loop => self.endless_loop(id),
            Role::FallSwitch => self.fall_switch(id),
            Role::Switch | Role::Select => self.switch(id),
            Role::Case | Role::Default => self.fall_case(id),
            Role::Match => self.match_arms(id),
            Role::TryBlock => self.try_block(id),
            Role::Conditional => self.conditional(id),
            Role::Block => self.block(id),
            Role::Return
            | Role::Break
            | Role::Continue
            | Role::Goto
            | Role::Labeled
            | Role::Throw
            | Role::TryOperator
            | Role::Fallthrough
            | Role::Defer => self.jump(id),
            _ => self.simple(id),
        }
    }
}

impl Frame {
    pub(super) const fn new(kind: FrameKind, label: Option<(u32, u32)>, node: CfgIndex) -> Self {
        Self { kind, label, node, has_default: false, breaks: Vec::new(), continues: Vec::new() }
    }
}

/// Whether a node of this role is a function of its own, or an item.
const fn is_boundary(role: Role) -> bool {
    matches!(
        role,
        Role::Function
            | Role::Method
            | Role::Closure
            | Role::Item
            | Role::Impl
            | Role::Scope
            | Role::TypeScope
    )
}

/// Whether the node itself makes control part or jump, or holds statements.
const fn begins_control(role: Role, mark: Mark) -> bool {
    match role {
        Role::Binary => matches!(mark, Mark::And | Mark::Or),
        _ => matches!(
            role,
            Role::Block
                | Role::If
                | Role::Ternary
                | Role::While
                | Role::DoWhile
                | Role::For
                | Role::ForEach
                | Role::Loop
                | Role::FallSwitch
                | Role::Switch
                | Role::Select
                | Role::Match
                | Role::Case
                | Role::Default
                | Role::Fallthrough
                | Role::Return
                | Role::Break
                | Role::Continue
                | Role::Goto
                | Role::Labeled
                | Role::Throw
                | Role::TryOperator
                | Role::TryBlock
                | Role::Defer
                | Role::AndChain
                | Role::Conditional
        ),
    }
}

/// For each node whether control flow begins at it or below it; functions keep theirs.
fn find_control(ast: &Ast) -> Vec<bool> {
    let mut control = vec![false; ast.len()];
    for (at, node) in ast.nodes().iter().enumerate().rev() {
        if begins_control(node.role, node.mark) {
            control[at] = true;
        }
        // A function's own flow is of its own graph: from outside it has none.
        if is_boundary(node.role) {
            control[at] = false;
        }
        if control[at]
            && let Some(parent) = ast.parent(AstId(at as u32))
        {
            control[parent.index()] = true;
        }
    }
    control
}
