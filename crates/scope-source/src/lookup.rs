//! From a line of debug information to a node.
//!
//! Compilers place functions and calls by line and column, and do so loosely: a declaration line
//! may be the attribute's, a call's column that of the whole chain, of the method's name or of the
//! parenthesis. What a macro expanded to has the macro's place. So every answer says how it was
//! found ([`How`]), and nothing is answered that is not at that place.

use serde::{Deserialize, Serialize};

use crate::ast::AstId;
use crate::language::Role;
use crate::node_id::NodeId;
use crate::outline::{Call, CallKind, Function, FunctionIndex, FunctionKind, last_segment};
use crate::position::Position;
use crate::source_file::SourceFile;

/// How a node was found, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its name or beginning stands at the very place.
    Exact,
    /// The place is in the function's head: an attribute, a template's line, the return type.
    InHead,
    /// The smallest call around the place.
    Containing,
    /// The call of that name in the statement at the place.
    ByCallee,
    /// The only candidate on the line.
    OnlyOnLine,
    /// One of several at the place: the first one evaluated.
    Ambiguous,
    /// The name is there once in the file, on another line: the source may be of another build.
    ByName,
    /// The place is in a macro's invocation: the node is that invocation.
    InsideMacro,
    /// Nothing of the kind at the place: the nearest node around it.
    Enclosing,
}

/// A node that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Found {
    /// The node.
    pub node: AstId,
    /// Its id.
    pub id: NodeId,
    /// How sure it is.
    pub how: How,
    /// The function it is, or is in.
    pub function: Option<FunctionIndex>,
    /// The call it is: an index into [`SourceFile::calls`].
    pub call: Option<u32>,
}

impl SourceFile {
    /// The function declared at a line (from 1), as DWARF names it: mangling undone, with or
    /// without its scopes, template and generic arguments. Without a name the line alone decides.
    ///
    /// Nothing when the file has no such line.
    #[must_use]
    pub fn function_at(&self, line: u32, name: Option<&str>) -> Option<Found> {
        let wanted = name.map(Wanted::new);
        let named = |function: &&(FunctionIndex, &Function)| {
            wanted.as_ref().is_none_or(|wanted| wanted.is(function.1))
        };
        let near = self.functions().iter().enumerate();
        let near: Vec<(FunctionIndex, &Function)> = near
            .map(|(index, function)| (index as FunctionIndex, function))
            .filter(|(_, function)| self.head(function).contains(&line))
            .collect();
        let exact = |function: &&(FunctionIndex, &Function)| function.1.name_at.line == line;
        let mut at_name = near.iter().filter(named).filter(exact);
        if let Some((index, _)) = at_name.next() {
            let how = if at_name.next().is_some() { How::Ambiguous } else { How::Exact };
            return Some(self.found_function(*index, how));
        }
        if let Some((index, _)) = near.iter().rev().find(named) {
            return Some(self.found_function(*index, How::InHead));
        }
        if let [(index, _)] = near[..] {
            return Some(self.found_function(index, How::OnlyOnLine));
        }
        let all = self.functions().iter().enumerate();
        let mut same = all.filter(|(_, function)| {
            wanted.as_ref().is_some_and(|wanted| !wanted.closure && wanted.is(function))
        });
        if let (Some((index, _)), None) = (same.next(), same.next()) {
            return Some(self.found_function(index as FunctionIndex, How::ByName));
        }
        self.around(self.first_byte(line)?)
    }

    /// The call at a line and column (both from 1, the column in bytes; 0 where it is unknown).
    ///
    /// Nothing when the file has no such line.
    #[must_use]
    pub fn call_at(&self, line: u32, column: u32) -> Option<Found> {
        let range = self.lines().line(line)?;
        let byte = self.lines().byte(Position { line, column });
        if let Some(found) = byte.and_then(|byte| self.call_at_byte(byte)) {
            return Some(found);
        }
        let calls = self.calls().iter().enumerate();
        let mut on_line = calls.filter(|(_, call)| range.contains(&call.name.0));
        if let Some((index, _)) = on_line.next() {
            let how = if on_line.next().is_some() { How::Ambiguous } else { How::OnlyOnLine };
            return Some(self.found_call(index, how));
        }
        let first = self.first_byte(line)?;
        let calls = self.calls().iter().enumerate();
        let around = calls.filter(|(_, call)| (call.start..call.end).contains(&first));
        if let Some((index, _)) = around.min_by_key(|(_, call)| call.end - call.start) {
            return Some(self.found_call(index, How::Enclosing));
        }
        self.around(first)
    }

    /// The call at a line and column that calls a function of this name (mangling undone), as
    /// [`Self::call_at`] finds it. The name settles what compilers leave open: gcc gives calls in
    /// arguments the place of the statement, and a chain's calls may share their beginning. A
    /// call of another name is still the answer when there is none of this one: through a
    /// pointer, say; in C, one in capitals is taken for a macro.
    #[must_use]
    pub fn call_to(&self, line: u32, column: u32, callee: &str) -> Option<Found> {
        let found = self.call_at(line, column)?;
        let wanted = Wanted::new(callee);
        let is_wanted = |call: &Call| {
            let name = std::str::from_utf8(self.slice(call.name)).unwrap_or_default();
            call.kind == CallKind::Function && without_arguments(name) == wanted.name
        };
        let call = found.call.and_then(|index| self.calls().get(index as usize));
        if found.how == How::InsideMacro
            || call.is_some_and(is_wanted) && found.how != How::Ambiguous
        {
            return Some(found);
        }
        let function = self.function_of(found.node);
        let calls = || {
            let all = self.calls().iter().enumerate();
            all.filter(|(_, call)| call.function == function && is_wanted(call))
        };
        // Inside what was found first, then in the statement around it.
        let statement = self.statement_around(found.node);
        for around in [found.node, statement] {
            let mut inside = calls().filter(|(_, call)| self.ast().contains(around, call.node));
            if let Some((index, _)) = inside.next() {
                let only = inside.next().is_none();
                let how = if only { How::ByCallee } else { How::Ambiguous };
                return Some(self.found_call(index, how));
            }
        }
        let macro_name = call.is_some_and(|call| {
            let name = self.slice(call.name);
            let c_like = matches!(self.language().name(), "c" | "cpp");
            c_like && name.len() > 1 && !name.iter().any(u8::is_ascii_lowercase)
        });
        Some(if macro_name { Found { how: How::InsideMacro, ..found } } else { found })
    }

    /// The node's outermost ancestor below a block: its statement.
    fn statement_around(&self, node: AstId) -> AstId {
        let ast = self.ast();
        let mut at = node;
        for outer in ast.ancestors(node) {
            let role = ast.node(outer).role;
            if matches!(role, Role::Block | Role::Case | Role::Default | Role::Labeled)
                || matches!(role, Role::Function | Role::Method | Role::Closure)
            {
                break;
            }
            at = outer;
        }
        at
    }

    fn call_at_byte(&self, byte: u32) -> Option<Found> {
        let at = |wanted: fn(&Call) -> u32| {
            let calls = self.calls().iter().enumerate();
            let mut there: Vec<(usize, &Call)> =
                calls.filter(|(_, call)| wanted(call) == byte).collect();
            there.sort_by_key(|(_, call)| call.end - call.start);
            there
        };
        // A method's name; the whole expression; the parenthesis after the callee.
        for wanted in
            [(|call| call.name.0) as fn(&Call) -> u32, |call| call.start, |call| call.callee.1]
        {
            match at(wanted)[..] {
                [] => {}
                [(index, _)] => return Some(self.found_call(index, How::Exact)),
                [(index, _), ..] => return Some(self.found_call(index, How::Ambiguous)),
            }
        }
        let calls = self.calls().iter().enumerate();
        let around = calls.filter(|(_, call)| (call.start..call.end).contains(&byte));
        let (index, call) = around.min_by_key(|(_, call)| call.end - call.start)?;
        // A call around a statement of a closure in its arguments is not the one at that place.
        let inner = self.ast().smallest_at(byte).and_then(|node| self.function_of(node));
        (inner == call.function).then(|| self.found_call(index, How::Containing))
    }

    /// Lines of everything before the body.
    fn head(&self, function: &Function) -> std::ops::RangeInclusive<u32> {
        let body = function.body.map(|body| self.span_of(body).start.line);
        function.attributes_at.line..=body.unwrap_or(function.span.end.line)
    }

    fn first_byte(&self, line: u32) -> Option<u32> {
        let range = self.lines().line(line)?;
        let text = self.slice((range.start, range.end));
        let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        Some((range.start + blanks as u32).min(range.end))
    }

    /// The nearest node around a byte; a macro's invocation, if it is in one.
    fn around(&self, byte: u32) -> Option<Found> {
        let ast = self.ast();
        let node = ast.smallest_at(byte).or_else(|| (!ast.is_empty()).then_some(AstId::ROOT))?;
        let mut chain = std::iter::once(node).chain(ast.ancestors(node));
        let invocation = chain.find(|node| ast.node(*node).role == Role::MacroCall);
        let (node, how) = match invocation {
            Some(invocation) => (invocation, How::InsideMacro),
            None => (node, How::Enclosing),
        };
        let call = self.calls().binary_search_by_key(&node, |call| call.node).ok();
        let function = self.function_of(node);
        Some(Found { node, id: self.id_of(node), how, function, call: call.map(|at| at as u32) })
    }

    fn found_function(&self, index: FunctionIndex, how: How) -> Found {
        let function = &self.functions()[index as usize];
        Found { node: function.node, id: function.id, how, function: Some(index), call: None }
    }

    fn found_call(&self, index: usize, how: How) -> Found {
        let call = &self.calls()[index];
        let how = if call.kind == CallKind::Macro { How::InsideMacro } else { how };
        Found {
            node: call.node,
            id: call.id,
            how,
            function: call.function,
            call: Some(index as u32),
        }
    }
}

/// A name as debug information has it.
struct Wanted<'a> {
    name: &'a str,
    closure: bool,
}

impl<'a> Wanted<'a> {
    fn new(name: &'a str) -> Self {
        let bare = without_arguments(name);
        let name = last_segment(bare);
        // `{closure#0}`, `{{closure}}`, `{async_fn_env#0}`, `operator()`, `main.f.func1`.
        let numbered = name.strip_prefix("func").is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        let closure = name.starts_with('{')
            || name.starts_with("operator()")
            || numbered && bare.matches('.').count() > 1
            || name.starts_with("<lambda");
        Self { name, closure }
    }

    fn is(&self, function: &Function) -> bool {
        if self.closure && function.kind == FunctionKind::Closure {
            return true;
        }
        // A coroutine's body is named like a closure, and is the function's own.
        if self.closure && self.name.starts_with("{async") {
            return function.is_async;
        }
        without_arguments(&function.name) == self.name
    }
}

/// The name without the generic or template arguments at its end, and without parameters.
fn without_arguments(name: &str) -> &str {
    if name.contains("operator") {
        return name;
    }
    let mut depth = 0_u32;
    let mut end = name.len();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            // `(*T).f` of Go, `(anonymous namespace)::f` of C++ begin with one.
            b'(' if depth == 0 && at > 0 && !name[..at].ends_with(['.', ':']) => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let name = name[..end].trim_end();
    let name = name.trim_end_matches("[...]");
    if !name.ends_with('>') {
        return name;
    }
    let mut depth = 0_u32;
    for (at, byte) in name.bytes().enumerate().rev() {
        match byte {
            b'>' => depth += 1,
            b'<' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && at > 0 {
                    return name[..at].trim_end_matches("::");
                }
            }
            _ => {}
        }
    }
    name
}
