//! How constructs are called: functions through their declarators, scopes, impls, callees.

use super::Source;
use crate::ast::{Ast, AstId};
use crate::language::{Mark, Role, Slot};
use crate::node_id::squeeze;

/// Longer names are cut: a name is for reading, and a broken file may call half of itself a name.
const LONGEST_NAME: usize = 512;
/// Bytes of a directive that are read: layouts differ in blanks.
const LONGEST_DIRECTIVE: usize = 8 * LONGEST_NAME;

/// What a function's node says of it.
pub(super) struct Declared {
    pub name: String,
    pub name_start: u32,
    /// `(*T)`, of a Go method.
    pub receiver: Option<String>,
    pub body: Option<AstId>,
    pub parameters: Option<AstId>,
    pub parameter_count: u32,
    /// The parameters' types, in parentheses, without names and defaults.
    pub types: Option<String>,
    pub is_async: bool,
}

/// The text without white space and without what would make it longer than a name.
fn tidy(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len().min(LONGEST_NAME));
    squeeze(&text[..text.len().min(LONGEST_NAME)], &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn declared(source: Source<'_>, id: AstId) -> Option<Declared> {
    let ast = source.ast;
    let (start, end, declarator) = match ast.child(id, Slot::Name) {
        Some(name) => (ast.node(name).start, ast.node(name).end, None),
        None => declarator_name(source, ast.child(id, Slot::Declarator)?),
    };
    let parameters = declarator
        .and_then(|declarator| ast.child(declarator, Slot::Parameters))
        .or_else(|| ast.child(id, Slot::Parameters));
    let receiver = ast.child(id, Slot::Receiver);
    let is_async = ast
        .children(id)
        .take_while(|child| ast.node(*child).slot != Slot::Body)
        .any(|child| ast.node(child).mark == Mark::Async);
    let name = tidy(source.bytes(start, end));
    if name.is_empty() || source.language.definition().no_names.contains(&name.as_str()) {
        return None;
    }
    Some(Declared {
        name,
        name_start: start,
        receiver: receiver.and_then(|list| receiver_type(source, list)),
        body: ast.child(id, Slot::Body),
        parameters,
        parameter_count: count_parameters(ast, parameters) + u32::from(receiver.is_some()),
        types: parameters.map(|list| {
            let end = declarator.map_or(0, |declarator| ast.node(declarator).end);
            parameter_types(source, list) + &qualifiers(source.bytes(ast.node(list).end, end))
        }),
        is_async,
    })
}

pub(super) fn closure(source: Source<'_>, id: AstId) -> Declared {
    let ast = source.ast;
    let parameters = ast.child(id, Slot::Parameters).or_else(|| {
        let declarator = ast.child_of_role(id, Role::FunctionDeclarator)?;
        ast.child(declarator, Slot::Parameters)
    });
    let body = ast.child(id, Slot::Body).or_else(|| ast.child_of_role(id, Role::Block));
    Declared {
        name: String::new(),
        name_start: ast.node(id).start,
        receiver: None,
        body,
        parameters,
        parameter_count: count_parameters(ast, parameters),
        types: None,
        is_async: ast.node(id).mark == Mark::Async,
    }
}

/// Bytes of the name inside a declarator, and the function declarator around it.
fn declarator_name(source: Source<'_>, outermost: AstId) -> (u32, u32, Option<AstId>) {
    let ast = source.ast;
    let mut at = outermost;
    let mut function = None;
    let mut operator = None;
    loop {
        let node = ast.node(at);
        if node.role == Role::Plain {
            operator.get_or_insert(node.start);
        }
        if node.role == Role::FunctionDeclarator {
            function = Some(at);
        }
        let inner = ast.child(at, Slot::Declarator).or_else(|| match node.role {
            Role::InnerDeclarator | Role::FunctionDeclarator => {
                ast.children(at).find(|child| is_declarator(ast.node(*child).role))
            }
            _ => None,
        });
        match inner {
            // A conversion operator's name is the text before its parameters.
            Some(inner)
                if ast.node(inner).role == Role::FunctionDeclarator && node.role == Role::Plain =>
            {
                let start = operator.unwrap_or(node.start);
                return (start, ast.node(inner).start, Some(inner));
            }
            Some(inner) => at = inner,
            None => {
                let node = ast.node(at);
                let end = if function.is_some() { node.end } else { before_parameters(source, at) };
                return (node.start, end, function);
            }
        }
    }
}

const fn is_declarator(role: Role) -> bool {
    matches!(role, Role::Name | Role::Path | Role::InnerDeclarator | Role::FunctionDeclarator)
}

/// The end of a name that swallowed its parameters (`T::operator bool() const`).
fn before_parameters(source: Source<'_>, id: AstId) -> u32 {
    let node = source.ast.node(id);
    let length = source.text(id).iter().position(|byte| *byte == b'(');
    length.map_or(node.end, |length| node.start + length as u32)
}

fn count_parameters(ast: &Ast, list: Option<AstId>) -> u32 {
    let Some(list) = list else { return 0 };
    ast.children(list)
        .filter(|child| !matches!(ast.node(*child).role, Role::Comment | Role::Attribute))
        .filter(|child| ast.node(*child).role != Role::Parameter || !is_void(ast, *child))
        .map(|child| names_of(ast, child).max(1))
        .sum()
}

/// `a, b int` declares two.
fn names_of(ast: &Ast, parameter: AstId) -> u32 {
    ast.children(parameter)
        .filter(|part| ast.node(*part).slot == Slot::Name && ast.node(*part).role == Role::Name)
        .count() as u32
}

/// `(void)` declares none: a lone type of four letters is taken for it.
fn is_void(ast: &Ast, parameter: AstId) -> bool {
    let node = ast.node(parameter);
    let lone = ast.children(parameter).count() == 1 && node.end - node.start == 4;
    let parent = ast.parent(parameter);
    lone && ast.child(parameter, Slot::Type).is_some()
        && parent.is_some_and(|parent| ast.children(parent).count() == 1)
        && ast.child(parameter, Slot::Type).is_some_and(|kind| ast.node(kind).role == Role::Plain)
}

/// `(int,const char*)`: the text of the list without the names it declares and their defaults.
fn parameter_types(source: Source<'_>, list: AstId) -> String {
    let ast = source.ast;
    let mut types = String::from("(");
    for parameter in ast.children(list) {
        let node = ast.node(parameter);
        if matches!(node.role, Role::Comment | Role::Attribute) {
            continue;
        }
        if types.len() > 1 {
            types.push(',');
        }
        if types.len() > LONGEST_NAME {
            break;
        }
        // What stands between the pieces left out: declared names, then defaults.
        let mut kept = Vec::new();
        let mut at = node.start;
        for part in ast.descendants(parameter) {
            let inner = ast.node(part);
            let is_name = inner.role == Role::Name
                && (matches!(inner.slot, Slot::Declarator | Slot::Name | Slot::Pattern)
                    || in_unnamed_declarator(ast, part));
            let is_default = inner.slot == Slot::Value;
            if (is_name || is_default || inner.role == Role::Comment) && inner.start >= at {
                kept.extend_from_slice(source.bytes(at, inner.start));
                kept.push(b' ');
                at = inner.end;
            }
        }
        kept.extend_from_slice(source.bytes(at, node.end));
        let text = tidy(&kept);
        types.push_str(text.trim_end_matches('=').trim_end_matches(':').trim_start_matches(':'));
    }
    types.push(')');
    if types == "(void)" { "()".to_owned() } else { types }
}

/// `const`, `&`, `&&` after the parameters: they make another function.
fn qualifiers(after: &[u8]) -> String {
    let text = tidy(after);
    let rest = text.strip_prefix("const").unwrap_or(&text);
    let constant = if rest.len() < text.len() { "const" } else { "" };
    let reference = ["&&", "&"].into_iter().find(|sign| rest.starts_with(sign)).unwrap_or("");
    format!("{constant}{reference}")
}

/// `&a` in `int &a` has its name in no field.
fn in_unnamed_declarator(ast: &Ast, name: AstId) -> bool {
    ast.parent(name).is_some_and(|parent| ast.node(parent).role == Role::InnerDeclarator)
}

/// `(*T)` or `T` of a receiver's list.
fn receiver_type(source: Source<'_>, list: AstId) -> Option<String> {
    let parameter = source.ast.child_of_role(list, Role::Parameter)?;
    let kind = source.ast.child(parameter, Slot::Type)?;
    let text = tidy(source.text(kind));
    let bare = text.split('[').next().unwrap_or(&text);
    Some(if bare.starts_with('*') { format!("({bare})") } else { bare.to_owned() })
}

/// The name of a module, class or impl.
pub(super) fn scope_name(source: Source<'_>, id: AstId) -> String {
    let ast = source.ast;
    let text = |slot| ast.child(id, slot).map(|child| tidy(source.text(child)));
    if ast.node(id).role == Role::Impl {
        let of = text(Slot::Type).unwrap_or_default();
        return match text(Slot::Trait) {
            Some(of_trait) => format!("<{of} as {of_trait}>"),
            None => of,
        };
    }
    text(Slot::Name).unwrap_or_else(|| "(anonymous)".to_owned())
}

/// The condition of a `#[cfg(…)]`, as it is put behind a name.
pub(crate) fn cfg_condition(attribute: &[u8]) -> Option<String> {
    let text = tidy(attribute);
    text.starts_with("#[cfg(").then_some(text)
}

/// The conditions of the preprocessor that a function stands under, as they are put behind its
/// name. The head of each is its first line.
pub(super) fn preprocessor_condition(source: Source<'_>, id: AstId) -> Option<String> {
    let ast = source.ast;
    let mut text = String::new();
    for outer in ast.ancestors(id) {
        let node = ast.node(outer);
        if !matches!(node.role, Role::Conditional | Role::ConditionalElse) {
            continue;
        }
        text.push_str(&tidy(&directive(source.bytes(node.start, node.end))));
    }
    (!text.is_empty()).then_some(text)
}

/// The first line, with those that a backslash continues it on, without comments and superfluous
/// blanks: formatters move all of these.
fn directive(text: &[u8]) -> Vec<u8> {
    let mut line = Vec::new();
    for part in text[..text.len().min(LONGEST_DIRECTIVE)].split(|byte| *byte == b'\n') {
        let part = part.trim_ascii_end();
        let continued = part.strip_suffix(b"\\");
        line.extend_from_slice(continued.unwrap_or(part));
        if continued.is_none() {
            break;
        }
        line.push(b' ');
    }
    let mut out = Vec::new();
    let mut rest = &line[..];
    while let Some(at) = rest.windows(2).position(|two| two == b"/*" || two == b"//") {
        squeeze(&rest[..at], &mut out);
        let comment = &rest[at + 2..];
        let closed = comment.windows(2).position(|two| two == b"*/");
        rest = match closed.filter(|_| rest[at + 1] == b'*') {
            Some(end) => &comment[end + 2..],
            None => &[],
        };
    }
    squeeze(rest, &mut out);
    out
}

/// Bytes of a call's whole callee, and of the name in it that is called.
pub(crate) fn callee_name(ast: &Ast, call: AstId) -> ((u32, u32), (u32, u32)) {
    let whole = ast
        .child(call, Slot::Callee)
        .or_else(|| ast.child(call, Slot::Type))
        .or_else(|| ast.first_child(call))
        .unwrap_or(call);
    let mut at = whole;
    while let Some(inner) = ast
        .child(at, Slot::Member)
        .or_else(|| ast.child(at, Slot::Name))
        .or_else(|| ast.child(at, Slot::Callee).filter(|_| ast.node(at).role != Role::Call))
        .filter(|_| !matches!(ast.node(at).role, Role::Closure | Role::Call))
    {
        at = inner;
    }
    let bytes = |id| (ast.node(id).start, ast.node(id).end);
    (bytes(whole), bytes(at))
}

/// The last part of a qualified name; what stands in `<…>` does not part it.
pub(crate) fn last_segment(name: &str) -> &str {
    // An operator's own signs are no brackets.
    let plain = name.rfind("operator").filter(|at| name[..*at].ends_with("::") || *at == 0);
    if let Some(at) = plain {
        return &name[at..];
    }
    let mut depth = 0_u32;
    for (at, byte) in name.bytes().enumerate().rev() {
        match byte {
            b'>' => depth += 1,
            b'<' => depth = depth.saturating_sub(1),
            b':' | b'.' if depth == 0 => return &name[at + 1..],
            _ => {}
        }
    }
    name
}
