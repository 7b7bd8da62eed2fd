//! Loops.

use super::builder::{Builder, End, Frame, FrameKind};
use super::{CfgIndex, CfgKind, EdgeLabel};
use crate::ast::AstId;
use crate::language::{Role, Slot};

impl Builder<'_> {
    pub(super) fn while_loop(&mut self, id: AstId) {
        let label = self.take_label(id);
        let head = self.next_index();
        let outcome = match self.ast.child(id, Slot::Condition) {
            Some(condition) => self.condition(condition),
            None => self.test(id),
        };
        self.ends = outcome.yes;
        let (continues, breaks) = self.body(id, label);
        self.ends.extend(continues);
        self.connect(head, true);
        self.ends = outcome.no;
        self.ends.extend(breaks);
    }

    pub(super) fn do_while(&mut self, id: AstId) {
        let label = self.take_label(id);
        let head = self.next_index();
        let (continues, breaks) = self.body(id, label);
        self.ends.extend(continues);
        let outcome = match self.ast.child(id, Slot::Condition) {
            Some(condition) => self.condition(condition),
            None => self.test(id),
        };
        self.ends = outcome.yes;
        self.connect(head, true);
        self.ends = outcome.no;
        self.ends.extend(breaks);
    }

    /// `for` with three parts, with a condition alone (Go), over a range (Go), or with nothing.
    pub(super) fn for_loop(&mut self, id: AstId) {
        if let Some(range) = self.ast.child_of_role(id, Role::RangeClause) {
            self.for_each(id, range);
            return;
        }
        let label = self.take_label(id);
        let parts = self.ast.child_of_role(id, Role::ForClause).unwrap_or(id);
        if let Some(init) = self.ast.child(parts, Slot::Init) {
            self.statement(init);
        }
        let head = self.next_index();
        let condition = self.ast.child(parts, Slot::Condition).or_else(|| {
            let other = |part: &AstId| {
                let node = self.ast.node(*part);
                node.slot == Slot::None && node.role != Role::Comment
            };
            self.ast.children(id).find(other).filter(|_| parts == id)
        });
        let past = match condition {
            Some(condition) => {
                let outcome = self.condition(condition);
                self.ends = outcome.yes;
                outcome.no
            }
            None => {
                self.step(CfgKind::Loop, id);
                Vec::new()
            }
        };
        let (continues, breaks) = self.body(id, label);
        self.ends.extend(continues);
        if let Some(update) = self.ast.child(parts, Slot::Update) {
            self.statement(update);
        }
        self.connect(head, true);
        self.ends = past;
        self.ends.extend(breaks);
    }

    /// `for` over elements; `header` holds what is iterated over.
    pub(super) fn for_each(&mut self, id: AstId, header: AstId) {
        let label = self.take_label(id);
        let ast = self.ast;
        for part in ast.children(header) {
            match ast.node(part).slot {
                Slot::Body => {}
                Slot::Init => self.statement(part),
                _ => self.expression(part),
            }
        }
        let head = self.add(CfgKind::Each, id);
        self.leave(head, EdgeLabel::Iterate);
        let (continues, breaks) = self.body(id, label);
        self.ends.extend(continues);
        self.connect(head, true);
        self.leave(head, EdgeLabel::Done);
        self.ends.extend(breaks);
    }

    pub(super) fn endless_loop(&mut self, id: AstId) {
        let label = self.take_label(id);
        let head: CfgIndex = self.step(CfgKind::Loop, id);
        let (continues, breaks) = self.body(id, label);
        self.ends.extend(continues);
        self.connect(head, true);
        self.ends = breaks;
    }

    /// The body, from all ends on; what `continue` and `break` in it leave.
    fn body(&mut self, id: AstId, label: Option<(u32, u32)>) -> (Vec<End>, Vec<End>) {
        self.frames.push(Frame::new(FrameKind::Loop, label, 0));
        if let Some(body) = self.ast.child(id, Slot::Body) {
            self.statement(body);
        }
        self.frames.pop().map(|frame| (frame.continues, frame.breaks)).unwrap_or_default()
    }

    /// The label of a construct: its own, or the one of the statement that it is.
    pub(super) fn take_label(&mut self, id: AstId) -> Option<(u32, u32)> {
        let before = self.pending_label.take();
        let own = self.ast.child_of_role(id, Role::LabelName).map(|label| self.ast.node(label));
        own.map(|node| (node.start, node.end)).or(before)
    }
}
