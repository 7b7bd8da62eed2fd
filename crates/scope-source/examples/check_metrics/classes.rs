//! What other tools count beside decisions, found in our tree.

use std::collections::BTreeMap;

use scope_source::language::{Role, Slot};
use scope_source::{AstId, Cfg, CfgKind, Language, SourceFile};

use crate::compare::Rules;
use crate::tokens;

/// How much a tool's number is above ours, by reason; none is zero.
pub type Habits = BTreeMap<&'static str, i64>;

/// lizard counts words and signs of the text.
pub const LIZARD: Rules = Rules {
    // Function literals of Go are functions of their own to it.
    closures_inside: |language| language.name() != "go",
    habits: lizard,
};

/// rust-code-analysis counts tokens and nodes of its tree; closures are functions of their own.
pub const RUST_CODE_ANALYSIS: Rules =
    Rules { closures_inside: |_| false, habits: rust_code_analysis };

fn add(habits: &mut Habits, class: &'static str, count: i64) {
    let sum = habits.get(class).copied().unwrap_or_default() + count;
    match sum {
        0 => habits.remove(class),
        _ => habits.insert(class, sum),
    };
}

fn lizard(file: &SourceFile, function: AstId, cfg: &Cfg) -> Habits {
    let mut habits = Habits::new();
    let closures_inside = (LIZARD.closures_inside)(file.language());
    for token in tokens::of(file, function, closures_inside) {
        let decision = -i64::from(token.place.in_else);
        match (token.text, token.parent) {
            ("#if" | "#ifdef" | "#elif", _) => add(&mut habits, "`#if`", 1),
            ("loop" | "and" | "or", _) => {}
            (text, _) if text.starts_with('#') => {}
            _ if token.place.in_macro => add(&mut habits, "macros", 1),
            ("where", _) => add(&mut habits, "`where`", 1),
            ("for", "impl_item" | "higher_ranked_trait_bound" | "for_lifetimes") => {
                add(&mut habits, "`for` of impls and bounds", 1);
            }
            ("?", "removed_trait_bound") => add(&mut habits, "`?Sized`", 1),
            ("&&", "binary_expression" | "let_chain") | ("||", "binary_expression") => {
                add(&mut habits, "code in `#else`", decision);
            }
            ("&&", "preproc_defined" | "preproc_if") => {}
            ("&&", _) => add(&mut habits, "`&&` of references", 1),
            ("||", _) => add(&mut habits, "closures without parameters", 1),
            _ => add(&mut habits, "code in `#else`", decision),
        }
    }
    add(&mut habits, "conditions listed in a case", -listed_conditions(file, function));
    graph_habits(file, cfg, &mut habits);
    habits
}

fn rust_code_analysis(file: &SourceFile, function: AstId, cfg: &Cfg) -> Habits {
    let mut habits = Habits::new();
    let ast = file.ast();
    for token in tokens::of(file, function, false) {
        match (token.text, token.parent) {
            ("if" | "for" | "while" | "loop", _) if token.place.in_macro => {
                add(&mut habits, "macros", 1);
            }
            _ if token.place.in_macro => {}
            ("&&" | "||", _) if token.place.in_directive => {
                add(&mut habits, "operators of an `#if`", 1);
            }
            ("?", "removed_trait_bound") => add(&mut habits, "`?Sized`", 1),
            ("for", "higher_ranked_trait_bound" | "for_lifetimes") => {
                add(&mut habits, "`for` of impls and bounds", 1);
            }
            ("&&", "reference_declarator" | "abstract_reference_declarator") => {
                add(&mut habits, "`&&` of references", 1);
            }
            _ => {}
        }
    }
    let mut next = AstId(function.0 + 1);
    while next < ast.subtree_end(function) {
        let id = next;
        next = AstId(id.0 + 1);
        match (ast.node(id).role, file.kind_of(id)) {
            (Role::Function | Role::Method | Role::Impl | Role::TypeScope, _) => {
                next = ast.subtree_end(id);
            }
            (Role::Closure, kind) if kind != "async_block" => next = ast.subtree_end(id),
            (Role::Match, _) => add(&mut habits, "all arms of a `match`", 1),
            (Role::Loop, _) => add(&mut habits, "`loop`", 1),
            (Role::Let, "let_declaration") if ast.child(id, Slot::Else).is_some() => {
                add(&mut habits, "`let … else`", -1);
            }
            _ => {}
        }
    }
    graph_habits(file, cfg, &mut habits);
    habits
}

/// What both do not know of control flow.
fn graph_habits(file: &SourceFile, cfg: &Cfg, habits: &mut Habits) {
    for (at, node) in cfg.nodes.iter().enumerate() {
        let role = file.ast().node(node.ast).role;
        match node.kind {
            CfgKind::Loop if role == Role::For => add(habits, "`for` without condition", 1),
            CfgKind::Conditional => {
                let ways = cfg.successors(at as u32).len() as i64;
                add(habits, "ways around an `#if` or `#[cfg]`", 1 - ways);
            }
            CfgKind::Switch if role == Role::Select => {
                // One of the cases is always taken; of `n` ways `n − 1` are decisions.
                let ways = cfg.successors(at as u32);
                let default = ways.iter().any(|way| way.label == scope_source::EdgeLabel::Default);
                add(habits, "all cases of a `select`", i64::from(!default && !ways.is_empty()));
            }
            _ => {}
        }
    }
}

/// `case a, b:` of a `switch` without a value: conditions to us, one case to a token counter.
fn listed_conditions(file: &SourceFile, function: AstId) -> i64 {
    let ast = file.ast();
    let cases = ast.descendants(function).filter(|id| ast.node(*id).role == Role::Case);
    let listed = cases.filter_map(|case| {
        let switch = ast.parent(case)?;
        let bare = ast.node(switch).role == Role::Switch
            && ast.child(switch, Slot::Value).is_none()
            && file.kind_of(switch) == "expression_switch_statement";
        let list = ast.child(case, Slot::Value).filter(|_| bare)?;
        Some(ast.children(list).count() as i64 - 1)
    });
    listed.filter(|count| *count > 0).sum()
}

/// Constructs that lead a tool's scanner astray, by no fixed number.
pub fn astray(file: &SourceFile, function: AstId) -> Option<&'static str> {
    let ast = file.ast();
    let has = |wanted: &dyn Fn(AstId) -> bool| ast.descendants(function).any(wanted);
    let block = |id: AstId| {
        let value = ast.child(id, Slot::Value);
        ast.node(id).role == Role::Match
            && value.is_some_and(|value| file.text_of(value).contains(&b'{'))
    };
    match file.language().name() {
        "rust" if has(&|id| file.kind_of(id) == "char_literal") => {
            Some("a character taken for a lifetime")
        }
        "rust" if has(&block) => Some("a `match` over a block"),
        "cpp" if has(&|id| ast.node(id).role == Role::Initializers) => {
            Some("initialisers of a constructor")
        }
        "cpp" if has(&|id| ast.node(id).role == Role::TypeScope) => Some("a class in a function"),
        _ => None,
    }
}

/// The languages a tool reads.
pub fn reads(tool: &str, language: &Language) -> bool {
    tool != "rust-code-analysis" || language.name() != "go"
}
