//! What holds of every graph: one entry, one exit, a way on from every node, every statement in it
//! and either reached from the entry or marked dead, `E − N + 2` decisions plus one.

use scope_source::language::Role;
use scope_source::{AstId, Cfg, CfgKind, Function, SourceFile};

use crate::Drawn;

#[derive(Default)]
pub struct Shapes {
    /// Functions with a body, without closures.
    pub functions: usize,
    /// Graphs, those of closures included.
    pub graphs: usize,
    /// Statements that were looked for in them.
    pub statements: usize,
    /// Nodes marked dead.
    pub dead: usize,
    pub wrong: Vec<String>,
}

pub fn check(drawn: &[Drawn]) -> Shapes {
    let mut shapes = Shapes::default();
    for Drawn { path, file, graphs } in drawn {
        for (function, cfg) in file.functions().iter().zip(graphs) {
            if function.body.is_none() {
                continue;
            }
            shapes.functions += usize::from(crate::is_compared(function));
            shapes.graphs += 1;
            shapes.dead += cfg.nodes.iter().filter(|node| node.dead).count();
            let result = well_formed(cfg).and_then(|()| complete(file, function, cfg));
            match result {
                Ok(statements) => shapes.statements += statements,
                Err(why) => {
                    shapes.wrong.push(format!("{path}:{}: {why}", function.span.start.line));
                }
            }
        }
    }
    shapes
}

fn well_formed(cfg: &Cfg) -> Result<(), String> {
    let count = |wanted| cfg.nodes.iter().filter(|node| node.kind == wanted).count();
    if count(CfgKind::Entry) != 1 || count(CfgKind::Exit) != 1 {
        return Err("not one entry and one exit".to_owned());
    }
    if cfg.edges.iter().any(|edge| edge.to == Cfg::ENTRY || edge.from == Cfg::EXIT) {
        return Err("a way into the entry, or out of the exit".to_owned());
    }
    let mut reached = vec![false; cfg.nodes.len()];
    let mut open = vec![Cfg::ENTRY];
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut reached[at as usize], true) {
            open.extend(cfg.successors(at).iter().map(|edge| edge.to));
        }
    }
    let mut decisions = 0;
    for (at, node) in cfg.nodes.iter().enumerate() {
        if at == Cfg::EXIT as usize {
            continue;
        }
        match cfg.successors(at as u32).len() {
            0 => return Err(format!("node {at} leads nowhere")),
            ways => decisions += ways - 1,
        }
        if node.dead == reached[at] {
            return Err(format!("node {at} is dead and reached, or neither"));
        }
    }
    match cfg.cyclomatic() as usize == decisions + 1 {
        true => Ok(()),
        false => Err(format!("{} is not {decisions} decisions plus one", cfg.cyclomatic())),
    }
}

/// Looks for every statement of the function in its graph: jumps as nodes of their own, others as
/// a node, in one, or as the nodes they are made of. Returns how many there are.
fn complete(file: &SourceFile, function: &Function, cfg: &Cfg) -> Result<usize, String> {
    let ast = file.ast();
    let Some(body) = function.body else { return Ok(0) };
    if cfg.truncated {
        return Ok(0);
    }
    let first = function.node;
    let end = ast.subtree_end(first);
    // Per node of the function: a graph's node is here; one is here or below.
    let mut here = vec![false; (end.0 - first.0) as usize];
    let mut below = here.clone();
    for node in &cfg.nodes[2..] {
        let ancestors = std::iter::once(node.ast).chain(ast.ancestors(node.ast));
        for id in ancestors.take_while(|id| ast.contains(first, *id)) {
            below[(id.0 - first.0) as usize] = true;
        }
        if ast.contains(first, node.ast) {
            here[(node.ast.0 - first.0) as usize] = true;
        }
    }
    let at = |id: AstId| (id.0 - first.0) as usize;
    let mut statements = 0;
    let mut next = body;
    while next < end {
        let id = next;
        let role = ast.node(id).role;
        let apart = matches!(
            role,
            Role::Function | Role::Method | Role::Closure | Role::Item | Role::Scope
        ) || matches!(role, Role::TypeScope | Role::Impl | Role::Opaque | Role::Tokens);
        if apart && id != body {
            next = ast.subtree_end(id);
            continue;
        }
        next = AstId(id.0 + 1);
        let jump = matches!(
            role,
            Role::Return | Role::Break | Role::Continue | Role::Goto | Role::Throw | Role::Defer
        );
        let other = matches!(
            role,
            Role::Statement | Role::Let | Role::If | Role::While | Role::DoWhile | Role::For
        ) || matches!(
            role,
            Role::ForEach | Role::Loop | Role::Switch | Role::FallSwitch | Role::Match
        );
        let empty = ast.first_child(id).is_none();
        if !jump && (!other || empty) {
            continue;
        }
        statements += 1;
        let inside = ast.ancestors(id).take_while(|one| ast.contains(body, *one));
        let found =
            here[at(id)] || !jump && (below[at(id)] || inside.into_iter().any(|one| here[at(one)]));
        if !found {
            let span = file.span_of(id);
            return Err(format!("no node for {} in line {}", file.kind_of(id), span.start.line));
        }
    }
    Ok(statements)
}
