//! Choices among many: switches, matches, handlers.

use super::builder::{Builder, End, Frame, FrameKind};
use super::{Cfg, CfgKind, EdgeLabel};
use crate::ast::AstId;
use crate::language::{Mark, Role, Slot};

impl Builder<'_> {
    /// A switch whose cases are labels: they may stand anywhere in its body.
    pub(super) fn fall_switch(&mut self, id: AstId) {
        let label = self.take_label(id);
        if let Some(value) = self.ast.child(id, Slot::Condition) {
            if let Some(init) = self.ast.child(value, Slot::Init) {
                self.statement(init);
            }
            self.parts(value);
        }
        let node = self.add(CfgKind::Switch, id);
        self.frames.push(Frame::new(FrameKind::Switch, label, node));
        if let Some(body) = self.ast.child(id, Slot::Body) {
            self.statement(body);
        }
        if let Some(frame) = self.frames.pop() {
            self.ends.extend(frame.breaks);
            if !frame.has_default {
                self.leave(node, EdgeLabel::Default);
            }
        }
    }

    /// A case label and the statements after it.
    pub(super) fn fall_case(&mut self, id: AstId) {
        let is_default = self.ast.node(id).mark == Mark::Default || self.role(id) == Role::Default;
        let frame = self.frames.iter_mut().rev().find(|frame| frame.kind == FrameKind::Switch);
        if let Some(frame) = frame {
            frame.has_default |= is_default;
            let from = frame.node;
            for end in &mut self.ends {
                if end.label == EdgeLabel::Next {
                    end.label = EdgeLabel::Fallthrough;
                }
            }
            let label = if is_default { EdgeLabel::Default } else { EdgeLabel::Case };
            self.leave(from, label);
        }
        self.case_body(id);
    }

    fn case_body(&mut self, id: AstId) {
        let ast = self.ast;
        for child in ast.children(id) {
            if !matches!(ast.node(child).slot, Slot::Value | Slot::Type) {
                self.statement(child);
            }
        }
    }

    /// A switch whose cases end by themselves.
    pub(super) fn switch(&mut self, id: AstId) {
        let label = self.take_label(id);
        if let Some(init) = self.ast.child(id, Slot::Init) {
            self.statement(init);
        }
        let value = self.ast.child(id, Slot::Value);
        let cases = self.ast.children(id);
        let cases: Vec<AstId> =
            cases.filter(|case| matches!(self.role(*case), Role::Case | Role::Default)).collect();
        if self.role(id) == Role::Switch && value.is_none() {
            self.condition_switch(label, &cases);
            return;
        }
        if let Some(value) = value {
            self.expression(value);
        }
        let node = self.add(CfgKind::Switch, id);
        self.frames.push(Frame::new(FrameKind::Switch, label, node));
        let mut out = Vec::new();
        let mut on = Vec::new();
        let mut has_default = false;
        for case in cases {
            let is_default = self.role(case) == Role::Default;
            has_default |= is_default;
            self.ends = std::mem::take(&mut on);
            self.leave(node, if is_default { EdgeLabel::Default } else { EdgeLabel::Case });
            self.case_body(case);
            self.keep_fallthrough(&mut on, &mut out);
        }
        self.ends = out;
        self.ends.extend(on);
        if let Some(frame) = self.frames.pop() {
            self.ends.extend(frame.breaks);
        }
        if !has_default && self.role(id) != Role::Select {
            self.leave(node, EdgeLabel::Default);
        } else if self.ends.is_empty() && !self.cfg.edges.iter().any(|edge| edge.from == node) {
            // A choice of nothing waits for ever.
            self.leave(node, EdgeLabel::Next);
            self.connect(node, true);
        }
    }

    /// A switch without value: a chain of conditions.
    fn condition_switch(&mut self, label: Option<(u32, u32)>, cases: &[AstId]) {
        self.frames.push(Frame::new(FrameKind::Switch, label, Cfg::ENTRY));
        let mut out = Vec::new();
        let mut on = Vec::new();
        let (defaults, tested): (Vec<AstId>, Vec<AstId>) =
            cases.iter().partition(|case| self.role(**case) == Role::Default);
        let mut otherwise = std::mem::take(&mut self.ends);
        for case in tested {
            self.ends = otherwise;
            let ast = self.ast;
            let values: Vec<AstId> = match ast.child(case, Slot::Value) {
                Some(list) => ast.children(list).collect(),
                None => vec![case],
            };
            let outcome = self.any(&values);
            otherwise = outcome.no;
            self.ends = outcome.yes;
            self.ends.append(&mut on);
            self.case_body(case);
            self.keep_fallthrough(&mut on, &mut out);
        }
        self.ends = otherwise;
        self.ends.append(&mut on);
        for case in defaults {
            self.case_body(case);
        }
        self.ends.append(&mut out);
        if let Some(frame) = self.frames.pop() {
            self.ends.extend(frame.breaks);
        }
    }

    /// Parts the ends of a case: what falls through goes on in the next case.
    fn keep_fallthrough(&mut self, on: &mut Vec<End>, out: &mut Vec<End>) {
        for end in self.ends.drain(..) {
            if end.label == EdgeLabel::Fallthrough { on.push(end) } else { out.push(end) }
        }
    }

    pub(super) fn match_arms(&mut self, id: AstId) {
        if let Some(value) = self.ast.child(id, Slot::Value) {
            self.expression(value);
        }
        let node = self.add(CfgKind::Match, id);
        let ast = self.ast;
        let mut out = Vec::new();
        let mut failed = Vec::new();
        let mut any = false;
        for arm in ast.children(ast.child(id, Slot::Body).unwrap_or(id)) {
            if self.role(arm) != Role::Arm {
                continue;
            }
            any = true;
            self.ends = std::mem::take(&mut failed);
            self.leave(node, EdgeLabel::Arm);
            let pattern = ast.child(arm, Slot::Pattern);
            self.step(CfgKind::Arm, pattern.unwrap_or(arm));
            if let Some(guard) = pattern.and_then(|pattern| ast.child(pattern, Slot::Condition)) {
                let outcome = self.condition(guard);
                self.ends = outcome.yes;
                failed = outcome.no;
            }
            if let Some(value) = ast.child(arm, Slot::Value) {
                self.statement(value);
            }
            out.append(&mut self.ends);
        }
        self.ends = out;
        self.ends.append(&mut failed);
        if !any {
            self.leave(node, EdgeLabel::Next);
        }
    }

    pub(super) fn try_block(&mut self, id: AstId) {
        let node = self.step(CfgKind::Try, id);
        self.frames.push(Frame::new(FrameKind::Try, None, node));
        if let Some(body) = self.ast.child(id, Slot::Body) {
            self.statement(body);
        }
        let thrown = self.frames.pop().map(|frame| frame.breaks).unwrap_or_default();
        let mut out = std::mem::take(&mut self.ends);
        let ast = self.ast;
        let handlers: Vec<AstId> =
            ast.children(id).filter(|part| self.role(*part) == Role::Catch).collect();
        self.ends = thrown;
        if !handlers.is_empty() {
            self.leave(node, EdgeLabel::Throw);
        }
        for (at, handler) in handlers.iter().enumerate() {
            let caught = self.step(CfgKind::Catch, *handler);
            if let Some(body) = ast.child(*handler, Slot::Body) {
                self.statement(body);
            }
            out.append(&mut self.ends);
            if at + 1 < handlers.len() {
                self.leave(caught, EdgeLabel::Unmatched);
            }
        }
        self.connect(Cfg::EXIT, false);
        self.ends = out;
    }
}
