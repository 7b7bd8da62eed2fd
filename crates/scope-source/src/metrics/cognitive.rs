//! Cognitive complexity and nesting, in one pass over the file's nodes.

use super::{Metrics, Owners};
use crate::ast::{Ast, AstId};
use crate::language::{Mark, Role, Slot};
use crate::outline::{FunctionIndex, FunctionKind};
use crate::source_file::SourceFile;

/// Closures further out than this are not counted into: a hostile file could nest thousands.
const MOST_CLOSURES: usize = 64;

/// What a construct costs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// One, and one for each level it stands in.
    Nested,
    /// One.
    Flat,
    Free,
}

pub(super) fn count(file: &SourceFile, all: &mut [Metrics]) {
    let ast = file.ast();
    let functions = file.functions();
    let mut levels: Vec<u32> = Vec::with_capacity(ast.len());
    let mut owners = Owners::new(file);
    for at in 0..ast.len() {
        let id = AstId(at as u32);
        let level = match ast.parent(id) {
            Some(parent) => levels[parent.index()] + u32::from(deepens(ast, parent, id)),
            None => 0,
        };
        levels.push(level);
        let cost = cost_of(ast, id);
        let mut owner = owners.of(id);
        if cost == Cost::Free {
            continue;
        }
        for _ in 0..MOST_CLOSURES {
            let Some(index) = owner else { break };
            let function = &functions[index as usize];
            let depth = level.saturating_sub(levels[function.node.index()]);
            // The body of the function is a level itself.
            let depth = depth.saturating_sub(u32::from(function.kind == FunctionKind::Closure));
            let of = &mut all[index as usize];
            match cost {
                Cost::Nested => {
                    of.cognitive += 1 + depth;
                    of.nesting = of.nesting.max(depth + 1);
                }
                Cost::Flat => of.cognitive += 1,
                Cost::Free => {}
            }
            owner = function.parent.filter(|_| function.kind == FunctionKind::Closure);
        }
    }
    recursion(file, all);
}

/// Whether the child stands a level deeper than its parent.
fn deepens(ast: &Ast, parent: AstId, child: AstId) -> bool {
    let (outer, inner) = (ast.node(parent), ast.node(child));
    match outer.role {
        Role::If | Role::Ternary => match inner.slot {
            Slot::Then => true,
            // An `else if` stands beside its `if`; the clause around an `else` decides below.
            Slot::Else => !matches!(inner.role, Role::If | Role::Else),
            _ => false,
        },
        Role::Else => inner.role != Role::If,
        Role::While | Role::DoWhile | Role::For | Role::ForEach | Role::Loop | Role::Catch => {
            inner.slot == Slot::Body
        }
        Role::FallSwitch | Role::Match => inner.slot == Slot::Body,
        Role::Switch | Role::Select => matches!(inner.role, Role::Case | Role::Default),
        Role::Let => inner.slot == Slot::Else,
        Role::Closure => inner.slot == Slot::Body || inner.role == Role::Block,
        _ => false,
    }
}

fn cost_of(ast: &Ast, id: AstId) -> Cost {
    let node = ast.node(id);
    match node.role {
        Role::If if is_else_if(ast, id) => Cost::Flat,
        Role::If
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
        | Role::Catch => Cost::Nested,
        Role::Let if ast.child(id, Slot::Else).is_some() => Cost::Nested,
        // The clause of an `else if` is free: its `if` costs.
        Role::Else => {
            let is_if = ast.first_child(id).is_some_and(|inner| ast.node(inner).role == Role::If);
            if is_if { Cost::Free } else { Cost::Flat }
        }
        Role::Block if is_bare_else(ast, id) => Cost::Flat,
        Role::Goto => Cost::Flat,
        Role::Break | Role::Continue if ast.child_of_role(id, Role::LabelName).is_some() => {
            Cost::Flat
        }
        Role::AndChain => Cost::Flat,
        Role::Binary if begins_sequence(ast, id) => Cost::Flat,
        _ => Cost::Free,
    }
}

fn is_else_if(ast: &Ast, id: AstId) -> bool {
    let Some(parent) = ast.parent(id) else { return false };
    let outer = ast.node(parent).role;
    outer == Role::Else || outer == Role::If && ast.node(id).slot == Slot::Else
}

/// The block of an `else` that has no clause around it (Go).
fn is_bare_else(ast: &Ast, id: AstId) -> bool {
    let parent = ast.parent(id).map(|parent| ast.node(parent).role);
    ast.node(id).slot == Slot::Else && parent == Some(Role::If)
}

/// The outermost of a sequence of one operator; parentheses do not part it.
fn begins_sequence(ast: &Ast, id: AstId) -> bool {
    let mark = ast.node(id).mark;
    if !matches!(mark, Mark::And | Mark::Or) {
        return false;
    }
    let outer = ast.ancestors(id).map(|outer| ast.node(outer));
    let outer = outer.into_iter().find(|outer| outer.role != Role::Wrapper);
    outer.is_none_or(|outer| match outer.role {
        Role::Binary => outer.mark != mark,
        Role::AndChain => mark != Mark::And,
        _ => true,
    })
}

/// One for each function that calls itself by name.
fn recursion(file: &SourceFile, all: &mut [Metrics]) {
    let mut counted: Option<FunctionIndex> = None;
    for call in file.calls() {
        let Some(mut index) = call.function else { continue };
        // A closure's call is its function's.
        for _ in 0..MOST_CLOSURES {
            let function = &file.functions()[index as usize];
            match function.parent {
                Some(parent) if function.kind == FunctionKind::Closure => index = parent,
                _ => break,
            }
        }
        let function = &file.functions()[index as usize];
        if counted != Some(index) && calls_itself(file, function, call) {
            all[index as usize].cognitive += 1;
            counted = Some(index);
        }
    }
}

/// Whether a call in a function names that function: plainly for a function, on its receiver for
/// a method.
pub(crate) fn calls_itself(
    file: &SourceFile,
    function: &crate::Function,
    call: &crate::Call,
) -> bool {
    if file.slice(call.name) != function.name.as_bytes() || call.kind != crate::CallKind::Function {
        return false;
    }
    let before = file.slice((call.callee.0, call.name.0));
    match function.kind {
        FunctionKind::Method => {
            matches!(before, b"self." | b"Self::" | b"this->") || before.is_empty()
        }
        _ => before.is_empty(),
    }
}
