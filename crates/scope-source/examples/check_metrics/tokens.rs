//! The tokens of a function that tools count, each with the node it stands in.
//!
//! tree-sitter's own tree is read, since ours keeps no tokens. What stands in functions that are
//! written inside is theirs.

use scope_source::language::Role;
use scope_source::{AstId, SourceFile};
use tree_sitter::Node;

/// A token that may be a decision.
pub struct Token<'t> {
    /// `if`, `&&`, …
    pub text: &'t str,
    /// Kind of the node it stands in.
    pub parent: &'t str,
    /// What it is in.
    pub place: Place,
}

/// What a token is in.
#[derive(Clone, Copy, Default)]
pub struct Place {
    /// It is in a macro's arguments or definition.
    pub in_macro: bool,
    /// It is in an `#else` or `#elif`.
    pub in_else: bool,
    /// It is in the condition of an `#if`.
    pub in_directive: bool,
}

const WORDS: [&str; 9] = ["if", "for", "while", "loop", "where", "case", "catch", "and", "or"];
const SIGNS: [&str; 3] = ["&&", "||", "?"];

/// The tokens of a function; those of its closures too, unless they are functions of their own.
pub fn of(file: &SourceFile, function: AstId, closures_inside: bool) -> Vec<Token<'_>> {
    let of_function = file.ast().node(function);
    let root = file.tree().root_node();
    let range = (of_function.start as usize, of_function.end as usize);
    let mut found = Vec::new();
    let Some(mut node) = root.descendant_for_byte_range(range.0, range.1) else { return found };
    while node.kind_id() != of_function.kind
        && let Some(parent) = node.parent()
    {
        node = parent;
    }
    let language = file.language();
    let mut cursor = node.walk();
    let mut open = vec![(node, Place::default())];
    let mut last = (0, 0_u8);
    while let Some((node, place)) = open.pop() {
        let role = language.role(node.kind_id());
        let kind = node.kind();
        let apart = match role {
            Role::Function | Role::Method => node.start_byte() != range.0,
            Role::Closure => !closures_inside && kind != "async_block",
            Role::Comment | Role::Literal | Role::Attribute => true,
            _ => false,
        };
        if apart {
            continue;
        }
        if node.child_count() > 0 {
            let condition = matches!(kind, "preproc_if" | "preproc_elif")
                .then(|| node.child_by_field_name("condition"))
                .flatten();
            let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
            open.extend(children.into_iter().rev().map(|child| {
                let inside = Place {
                    in_macro: place.in_macro || matches!(kind, "token_tree" | "macro_definition"),
                    in_else: place.in_else || matches!(kind, "preproc_else" | "preproc_elif"),
                    in_directive: place.in_directive || condition == Some(child),
                };
                (child, inside)
            }));
            continue;
        }
        let parent = node.parent().map_or("", |parent| parent.kind());
        let text = file.text().get(node.byte_range()).unwrap_or_default();
        // Two signs of one character side by side are one token to a plain scanner.
        let pair = match (text, last == (node.start_byte(), text.first().copied().unwrap_or(0))) {
            (b"&", true) => Some("&&"),
            (b"|", true) => Some("||"),
            _ => None,
        };
        last = match (text, pair) {
            ([sign], None) => (node.end_byte(), *sign),
            _ => (0, 0),
        };
        let plain = WORDS.iter().chain(&SIGNS).copied().find(|word| word.as_bytes() == text);
        let preprocessor = kind.starts_with('#').then_some(kind);
        if let Some(text) = pair.or(plain).or(preprocessor) {
            found.push(Token { text, parent, place });
        }
    }
    found
}
