//! What a query alone cannot say about its match.

use crate::ast::AstId;
use crate::language::{Role, Slot};
use crate::metrics::cognitive::calls_itself;
use crate::outline::{CallKind, FunctionKind};
use crate::source_file::SourceFile;

/// A condition that a pattern's header may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `in-loop`: it is in the body of a loop, of the same function.
    InLoop,
    /// `in-async`: the function around it is async.
    InAsync,
    /// `not-in-test`: neither it nor what is around it is named or marked as a test.
    NotInTest,
    /// `calls-itself`: it is a call of the function around it.
    CallsItself,
    /// `call-before-release`: after it, in its block, something is called before what
    /// `@variable` holds is released. Calls on the variable itself do not count.
    CallBeforeRelease,
    /// `await-before-release`: the same of an await.
    AwaitBeforeRelease,
}

/// Names of functions that give up what is held.
const RELEASES: [&[u8]; 9] = [
    b"drop",
    b"unlock",
    b"Unlock",
    b"RUnlock",
    b"pthread_mutex_unlock",
    b"pthread_rwlock_unlock",
    b"pthread_spin_unlock",
    b"mtx_unlock",
    b"release",
];

impl Condition {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::InLoop,
        Self::InAsync,
        Self::NotInTest,
        Self::CallsItself,
        Self::CallBeforeRelease,
        Self::AwaitBeforeRelease,
    ];

    /// The name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InLoop => "in-loop",
            Self::InAsync => "in-async",
            Self::NotInTest => "not-in-test",
            Self::CallsItself => "calls-itself",
            Self::CallBeforeRelease => "call-before-release",
            Self::AwaitBeforeRelease => "await-before-release",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.name() == name)
    }

    pub(super) fn holds(self, file: &SourceFile, node: AstId, variable: Option<&[u8]>) -> bool {
        match self {
            Self::InLoop => in_loop(file, node),
            Self::InAsync => {
                let function = file.function_of(node);
                function.is_some_and(|index| file.functions()[index as usize].is_async)
            }
            Self::NotInTest => !in_test(file, node),
            Self::CallsItself => itself(file, node),
            Self::CallBeforeRelease => before_release(file, node, variable, is_call),
            Self::AwaitBeforeRelease => before_release(file, node, variable, |file, node| {
                file.ast().node(node).role == Role::Await
            }),
        }
    }
}

fn in_loop(file: &SourceFile, node: AstId) -> bool {
    let ast = file.ast();
    let mut inner = node;
    for outer in ast.ancestors(node) {
        match ast.node(outer).role {
            Role::Function | Role::Method | Role::Closure => return false,
            Role::While | Role::DoWhile | Role::For | Role::ForEach | Role::Loop
                if ast.node(inner).slot == Slot::Body =>
            {
                return true;
            }
            _ => inner = outer,
        }
    }
    false
}

/// Tests are told by attributes (`#[test]`), modules (`tests`), names (`TestX`, `test_x`) and
/// files (`x_test.go`).
fn in_test(file: &SourceFile, node: AstId) -> bool {
    let path = file.path();
    let stem = path.rsplit('/').next().unwrap_or(path).split('.').next().unwrap_or_default();
    if path.split('/').any(|part| part == "tests" || part == "test")
        || stem.ends_with("_test")
        || stem == "tests"
    {
        return true;
    }
    let mut at = file.function_of(node);
    while let Some(index) = at {
        let function = &file.functions()[index as usize];
        let scopes = function.path.rsplit("::").skip(1);
        let named = function.name.starts_with("test_") || function.name.starts_with("Test");
        let in_module = scopes.into_iter().any(|part| part.split('#').next() == Some("tests"));
        if named || in_module || function.path.contains("#[cfg(test)]") {
            return true;
        }
        let start = function.attributes_at;
        let from = file.lines().byte(start).unwrap_or(function.span.start_byte);
        let head = String::from_utf8_lossy(file.slice((from, function.span.start_byte)));
        if head.contains("test]") || head.contains("test(") {
            return true;
        }
        at = function.parent;
    }
    false
}

fn itself(file: &SourceFile, node: AstId) -> bool {
    let Ok(at) = file.calls().binary_search_by_key(&node, |call| call.node) else { return false };
    let call = &file.calls()[at];
    let mut function = call.function;
    while let Some(index) = function {
        let of = &file.functions()[index as usize];
        if of.kind != FunctionKind::Closure {
            return calls_itself(file, of, call);
        }
        function = of.parent;
    }
    false
}

fn is_call(file: &SourceFile, node: AstId) -> bool {
    let at = file.calls().binary_search_by_key(&node, |call| call.node);
    at.is_ok_and(|at| file.calls()[at].kind != CallKind::Macro)
}

/// Whether `wanted` comes after the node, in its block, before the variable is released.
fn before_release(
    file: &SourceFile,
    node: AstId,
    variable: Option<&[u8]>,
    wanted: fn(&SourceFile, AstId) -> bool,
) -> bool {
    let ast = file.ast();
    let block = ast.ancestors(node).find(|outer| ast.node(*outer).role == Role::Block);
    let Some(block) = block else { return false };
    let mut at = ast.subtree_end(node);
    let end = ast.subtree_end(block);
    while at < end {
        let role = ast.node(at).role;
        // What is put aside, and what a closure does, happens at another time.
        if matches!(role, Role::Closure | Role::Function | Role::Defer | Role::Item) {
            at = ast.subtree_end(at);
            continue;
        }
        if let Ok(index) = file.calls().binary_search_by_key(&at, |call| call.node) {
            let call = &file.calls()[index];
            let name = file.slice(call.name);
            let text = file.slice((call.start, call.end));
            let mentions = variable.is_none_or(|name| mentions(text, name));
            if RELEASES.contains(&name) && mentions {
                return false;
            }
            let own = variable.is_some_and(|name| starts_with_word(text, name));
            if !own && wanted(file, at) {
                return true;
            }
        } else if wanted(file, at) {
            return true;
        }
        at = AstId(at.0 + 1);
    }
    false
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    text.starts_with(word) && !is_word(text.get(word.len()))
}

fn mentions(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty()
        && (0..text.len())
            .any(|at| starts_with_word(&text[at..], word) && !(at > 0 && is_word(text.get(at - 1))))
}
