//! Conditions: `if`, `?:`, `&&`, `||`, `let … else`.

use super::builder::{Builder, End};
use super::{CfgKind, EdgeLabel};
use crate::ast::AstId;
use crate::language::{Mark, Role, Slot};

/// The ways out of a condition.
pub(super) struct Outcome {
    pub yes: Vec<End>,
    pub no: Vec<End>,
}

impl Builder<'_> {
    /// A condition: all ends lead into it, none is left but those it returns.
    pub(super) fn condition(&mut self, outer: AstId) -> Outcome {
        let mut id = outer;
        let mut negated = false;
        loop {
            let node = self.ast.node(id);
            let inner = match node.role {
                Role::Wrapper => {
                    if let Some(init) = self.ast.child(id, Slot::Init) {
                        self.statement(init);
                    }
                    self.ast.child(id, Slot::Value).or_else(|| self.ast.first_child(id))
                }
                Role::Unary if node.mark == Mark::Not && self.has_control(id) => {
                    negated = !negated;
                    self.ast.first_child(id)
                }
                _ => None,
            };
            match inner {
                Some(inner) => id = inner,
                None => break,
            }
        }
        let outcome = match self.operands(id) {
            Some((Mark::Or, operands)) => self.any(&operands),
            Some((_, operands)) => self.all(&operands),
            None => {
                self.expression(id);
                self.test(id)
            }
        };
        if negated { Outcome { yes: outcome.no, no: outcome.yes } } else { outcome }
    }

    /// One test, both ways out.
    pub(super) fn test(&mut self, id: AstId) -> Outcome {
        let from = self.add(CfgKind::Condition, id);
        Outcome {
            yes: vec![End { from, label: EdgeLabel::True }],
            no: vec![End { from, label: EdgeLabel::False }],
        }
    }

    /// The operands of a chain of one short-circuit operator, first to last. Chains lean to the
    /// left and may be long: they are followed in a loop.
    fn operands(&self, id: AstId) -> Option<(Mark, Vec<AstId>)> {
        let node = self.ast.node(id);
        if node.role == Role::AndChain {
            let parts = self.ast.children(id).filter(|part| self.role(*part) != Role::Comment);
            return Some((Mark::And, parts.collect()));
        }
        let short = |id: AstId, mark: Mark| {
            let node = self.ast.node(id);
            node.role == Role::Binary && node.mark == mark
        };
        let mark = node.mark;
        if !(short(id, Mark::And) || short(id, Mark::Or)) {
            return None;
        }
        let mut operands = Vec::new();
        let mut at = id;
        while short(at, mark)
            && let (Some(left), Some(right)) =
                (self.ast.child(at, Slot::Left), self.ast.child(at, Slot::Right))
        {
            operands.push(right);
            at = left;
        }
        if at == id {
            return None;
        }
        operands.push(at);
        operands.reverse();
        Some((mark, operands))
    }

    fn all(&mut self, operands: &[AstId]) -> Outcome {
        let mut no = Vec::new();
        for operand in operands {
            let outcome = self.nested(*operand);
            no.extend(outcome.no);
            self.ends = outcome.yes;
        }
        Outcome { yes: std::mem::take(&mut self.ends), no }
    }

    pub(super) fn any(&mut self, operands: &[AstId]) -> Outcome {
        let mut yes = Vec::new();
        for operand in operands {
            let outcome = self.nested(*operand);
            yes.extend(outcome.yes);
            self.ends = outcome.no;
        }
        Outcome { yes, no: std::mem::take(&mut self.ends) }
    }

    /// An operand of a condition, as a condition, unless it is nested too deep.
    fn nested(&mut self, id: AstId) -> Outcome {
        if !self.deeper() {
            return self.test(id);
        }
        let outcome = self.condition(id);
        self.shallower();
        outcome
    }

    /// `a && b` as a value: the last operand is a node of its own, both ways meet after it.
    pub(super) fn short_circuit(&mut self, id: AstId) {
        let Some((mark, operands)) = self.operands(id) else {
            self.parts(id);
            return;
        };
        let Some((last, before)) = operands.split_last() else { return };
        let outcome = if mark == Mark::Or { self.any(before) } else { self.all(before) };
        let (on, around) =
            if mark == Mark::Or { (outcome.no, outcome.yes) } else { (outcome.yes, outcome.no) };
        self.ends = on;
        self.statement(*last);
        self.ends.extend(around);
    }

    /// `if` with all its `else if`s, and `?:`.
    pub(super) fn selection(&mut self, id: AstId) {
        let mut out = Vec::new();
        let mut at = id;
        loop {
            if let Some(init) = self.ast.child(at, Slot::Init) {
                self.statement(init);
            }
            let outcome = match self.ast.child(at, Slot::Condition) {
                Some(condition) => self.condition(condition),
                None => self.test(at),
            };
            self.ends = outcome.yes;
            if let Some(then) = self.ast.child(at, Slot::Then) {
                self.statement(then);
            }
            out.append(&mut self.ends);
            self.ends = outcome.no;
            let other = self.ast.child(at, Slot::Else).and_then(|other| match self.role(other) {
                Role::Else => self.ast.first_child(other),
                _ => Some(other),
            });
            match other {
                Some(next) if self.role(next) == Role::If => at = next,
                Some(other) => {
                    self.statement(other);
                    break;
                }
                None => break,
            }
        }
        self.ends.append(&mut out);
    }

    /// `let P = e else { … };`
    pub(super) fn let_else(&mut self, id: AstId) {
        if let Some(value) = self.ast.child(id, Slot::Value) {
            self.expression(value);
        }
        let outcome = self.test(id);
        self.ends = outcome.no;
        if let Some(other) = self.ast.child(id, Slot::Else) {
            self.statement(other);
        }
        self.ends.extend(outcome.yes);
    }

    /// Alternatives of the preprocessor. Without an `#else` the text is taken as it stands, unless it
    /// ends in a jump: what follows is not dead then.
    pub(super) fn conditional(&mut self, id: AstId) {
        if self.ast.child(id, Slot::Else).is_none() {
            match self.ast.children(id).last().is_some_and(|last| self.jumps(last)) {
                true => self.optional(id, |this| this.alternative(id)),
                false => self.alternative(id),
            }
            return;
        }
        let from = self.add(CfgKind::Conditional, id);
        let way = End { from, label: EdgeLabel::Alternative };
        let mut out = Vec::new();
        let mut at = Some(id);
        let mut has_else = false;
        while let Some(part) = at {
            self.ends = vec![way];
            self.alternative(part);
            out.append(&mut self.ends);
            at = self.ast.child(part, Slot::Else);
            // An `#else` alone has neither condition nor name.
            has_else = self.ast.child(part, Slot::Condition).is_none()
                && self.ast.child(part, Slot::Name).is_none();
        }
        self.ends = out;
        if !has_else {
            self.ends.push(way);
        }
    }

    /// A statement that is there in some builds: with an attribute `#[cfg(…)]` before it.
    pub(super) fn configured(&mut self, attribute: AstId, id: AstId) {
        match self.jumps(id) {
            true => self.optional(attribute, |this| this.statement(id)),
            false => self.statement(id),
        }
    }

    /// What may be there or not: a way to it, and a way past it.
    fn optional(&mut self, id: AstId, text: impl FnOnce(&mut Self)) {
        let from = self.add(CfgKind::Conditional, id);
        let way = End { from, label: EdgeLabel::Alternative };
        self.ends.push(way);
        text(self);
        self.ends.push(way);
    }

    /// Whether a statement is a jump, or a block that ends in one.
    fn jumps(&self, id: AstId) -> bool {
        let mut at = id;
        loop {
            let last = match self.role(at) {
                Role::Return | Role::Break | Role::Continue | Role::Goto | Role::Throw => {
                    return true;
                }
                Role::Block | Role::Statement => self.ast.children(at).last(),
                _ => None,
            };
            let Some(last) = last else { return false };
            at = last;
        }
    }

    fn alternative(&mut self, id: AstId) {
        let ast = self.ast;
        for child in ast.children(id) {
            if !matches!(ast.node(child).slot, Slot::Condition | Slot::Name | Slot::Else) {
                self.statement(child);
            }
        }
    }
}
