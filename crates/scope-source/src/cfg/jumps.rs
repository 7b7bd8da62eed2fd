//! Statements that send control elsewhere.

use rustc_hash::FxHashMap;

use super::builder::{Builder, End, FrameKind};
use super::{Cfg, CfgEdge, CfgIndex, CfgKind, CfgNode, EdgeLabel};
use crate::ast::AstId;
use crate::language::{Role, Slot};

/// Computed `goto`s times labels; more of them lead to the exit instead.
const MOST_COMPUTED: usize = 1 << 16;

impl Builder<'_> {
    pub(super) fn jump(&mut self, id: AstId) {
        match self.role(id) {
            Role::Labeled => return self.labeled(id),
            Role::Fallthrough => {
                for end in &mut self.ends {
                    end.label = EdgeLabel::Fallthrough;
                }
                return;
            }
            _ => {}
        }
        self.parts(id);
        match self.role(id) {
            Role::Return => {
                let from = self.add(CfgKind::Return, id);
                self.edge(from, Cfg::EXIT, EdgeLabel::Return);
            }
            Role::TryOperator => {
                let from = self.step(CfgKind::Propagate, id);
                self.edge(from, Cfg::EXIT, EdgeLabel::Propagate);
            }
            Role::Break => {
                let from = self.add(CfgKind::Break, id);
                self.leave_frame(id, End { from, label: EdgeLabel::Break });
            }
            Role::Continue => {
                let from = self.add(CfgKind::Continue, id);
                self.leave_frame(id, End { from, label: EdgeLabel::Continue });
            }
            Role::Throw => {
                let from = self.add(CfgKind::Throw, id);
                let end = End { from, label: EdgeLabel::Throw };
                let around = self.frames.iter_mut().rev();
                match around.into_iter().find(|frame| frame.kind == FrameKind::Try) {
                    Some(frame) => frame.breaks.push(end),
                    None => self.edge(from, Cfg::EXIT, EdgeLabel::Throw),
                }
            }
            Role::Goto => {
                let from = self.add(CfgKind::Goto, id);
                let label = self.label_of(id);
                self.gotos.push((from, label));
            }
            Role::Defer => {
                self.step(CfgKind::Defer, id);
                self.deferred.push(id);
            }
            _ => {}
        }
    }

    fn label_of(&self, id: AstId) -> Option<(u32, u32)> {
        let label = self
            .ast
            .child(id, Slot::Label)
            .or_else(|| self.ast.child_of_role(id, Role::LabelName))?;
        let node = self.ast.node(label);
        Some((node.start, node.end))
    }

    /// `break` and `continue`: to the frame with the label, or the innermost that takes them.
    /// Without any (a broken file) the function ends there.
    fn leave_frame(&mut self, id: AstId, end: End) {
        let label = self.label_of(id);
        let source = self.source;
        let text = |range: (u32, u32)| source.bytes(range.0, range.1);
        let is_break = end.label == EdgeLabel::Break;
        let frame = self.frames.iter_mut().rev().find(|frame| match (label, frame.label) {
            (Some(wanted), Some(own)) => text(wanted) == text(own),
            (Some(_), None) => false,
            (None, _) => {
                frame.kind == FrameKind::Loop || frame.kind == FrameKind::Switch && is_break
            }
        });
        match frame {
            Some(frame) if is_break => frame.breaks.push(end),
            Some(frame) => frame.continues.push(end),
            None => self.edge(end.from, Cfg::EXIT, end.label),
        }
    }

    fn labeled(&mut self, id: AstId) {
        let node = self.step(CfgKind::Label, id);
        let label = self.label_of(id);
        if let Some(label) = label {
            self.labels.push((label, node));
        }
        let ast = self.ast;
        for child in ast.children(id) {
            let takes = matches!(
                self.role(child),
                Role::While
                    | Role::DoWhile
                    | Role::For
                    | Role::ForEach
                    | Role::FallSwitch
                    | Role::Switch
                    | Role::Select
            );
            self.pending_label = label.filter(|_| takes);
            self.statement(child);
        }
        self.pending_label = None;
    }

    /// Lets every `goto` lead to its label; a computed one to all labels; a broken one to the exit.
    pub(super) fn resolve_gotos(&mut self) {
        if self.gotos.is_empty() {
            return;
        }
        let source = self.source;
        let text = |range: (u32, u32)| source.bytes(range.0, range.1);
        let by_name: FxHashMap<&[u8], CfgIndex> =
            self.labels.iter().map(|(label, node)| (text(*label), *node)).collect();
        let ways = self.gotos.len().saturating_mul(self.labels.len());
        let gotos = std::mem::take(&mut self.gotos);
        for &(from, label) in &gotos {
            let one;
            let every: Vec<CfgIndex>;
            let targets: &[CfgIndex] = match label {
                Some(label) => {
                    one = by_name.get(text(label)).copied();
                    one.as_slice()
                }
                None if ways <= MOST_COMPUTED => {
                    every = self.labels.iter().map(|(_, node)| *node).collect();
                    &every
                }
                None => &[],
            };
            for &to in targets {
                let back = to < from;
                self.cfg.edges.push(CfgEdge { from, to, label: EdgeLabel::Goto, back });
            }
            if targets.is_empty() {
                self.edge(from, Cfg::EXIT, EdgeLabel::Goto);
            }
        }
        self.gotos = gotos;
    }

    /// Puts the deferred calls, last first, before the exit.
    pub(super) fn run_deferred(&mut self) {
        if self.deferred.is_empty() {
            return;
        }
        let first = self.next_index();
        for edge in &mut self.cfg.edges {
            if edge.to == Cfg::EXIT {
                edge.to = first;
            }
        }
        let deferred = std::mem::take(&mut self.deferred);
        for (at, ast) in deferred.iter().rev().enumerate() {
            let from = self.next_index();
            self.cfg.nodes.push(CfgNode { kind: CfgKind::Deferred, ast: *ast, dead: false });
            let to = if at + 1 < deferred.len() { from + 1 } else { Cfg::EXIT };
            self.edge(from, to, EdgeLabel::Defer);
        }
        self.deferred = deferred;
    }
}
