//! Who calls whom: what the sources say by name, and what was recorded, tied together where the places
//! of the calls are known.

use std::collections::BTreeMap;

use scope_code::{CodeFunction, Project};
use scope_source::{CallTarget, FunctionRef};
use scope_store::Trace;
use scope_timeline::SiteProfiler;

use super::Code;
use crate::QueryError;

/// The calls from one place to one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    pub(crate) caller: End,
    pub(crate) callee: End,
    /// The call expression; nothing where it is not known.
    pub(crate) call_node_id: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    /// Functions of the sources that the call may mean by its name; `None`: the sources have no such call.
    pub(crate) candidates: Option<u32>,
    /// Calls recorded.
    pub(crate) calls: u64,
    /// Wall time of those whose end is known, ns.
    pub(crate) total_ns: u64,
}

/// A function at one end of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    pub(crate) name: String,
    pub(crate) node_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    caller: Function,
    callee: Function,
    /// The function the call stands in, and its index in the calls of the file.
    place: Option<(FunctionRef, Option<u32>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Function {
    Node(FunctionRef),
    /// Without a node: by name.
    Name(String),
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    candidates: Option<u32>,
    calls: u64,
    total_ns: u64,
}

pub(super) fn all(code: &Code, trace: &Trace) -> Result<Vec<Edge>, QueryError> {
    let mut edges: BTreeMap<Key, Known> = BTreeMap::new();
    let project = code.project();
    for edge in project.iter().flat_map(|project| &project.calls().edges) {
        let key = Key {
            caller: Function::Node(edge.from),
            callee: Function::Node(edge.to),
            place: Some((edge.from, edge.call)),
        };
        edges.entry(key).or_default().candidates = match edge.target {
            CallTarget::Unique => Some(1),
            CallTarget::OneOf(count) => Some(count),
            CallTarget::Observed => None,
        };
    }
    let mut profiler = SiteProfiler::default();
    for event in trace.events() {
        profiler.push(&event?);
    }
    for site in profiler.finish() {
        let Some(callee) = trace.functions().get(site.function.index()) else { continue };
        let (caller, place) = caller(code, project, &site, callee);
        let own = code.functions().get(site.function.index());
        let callee = function(project, own, &callee.name);
        let known = edges.entry(Key { caller, callee, place }).or_default();
        known.calls = known.calls.saturating_add(site.calls);
        known.total_ns = known.total_ns.saturating_add(site.total_ns);
    }
    Ok(edges.into_iter().map(|(key, known)| edge(code, project, key, known)).collect())
}

/// Who made a recorded call, and where it stands.
fn caller(
    code: &Code,
    project: Option<&Project>,
    site: &scope_timeline::SiteProfile,
    callee: &scope_model::Function,
) -> (Function, Option<(FunctionRef, Option<u32>)>) {
    let made = code.noted(code.map.call_site(site.pid, site.first_ns, site.return_address, callee));
    let frame = made.as_ref().and_then(|made| made.frames.first());
    let place = frame.and_then(|frame| {
        let source = frame.source?;
        let files = project?.files();
        let index = files.binary_search_by_key(&source, |(number, _)| *number).ok()?;
        let node = frame.node?;
        let from = FunctionRef { file: u32::try_from(index).ok()?, function: node.function? };
        Some((from, node.call.filter(|_| frame.reason.is_none())))
    });
    let by_name = || {
        if let Some(frame) = frame {
            return frame.function.clone();
        }
        match site.caller.and_then(|id| code.trace.functions().get(id.index())) {
            Some(around) => format!("below {}", around.name),
            None => {
                let reason = made.as_ref().and_then(|made| made.reason);
                reason.map_or("unknown", |reason| reason.text()).to_owned()
            }
        }
    };
    let caller = match place {
        Some((from, _)) => Function::Node(from),
        None => Function::Name(by_name()),
    };
    (caller, place)
}

fn function(project: Option<&Project>, code: Option<&CodeFunction>, name: &str) -> Function {
    let node = project.zip(code).and_then(|(project, code)| project.find(code));
    node.map_or_else(|| Function::Name(name.to_owned()), Function::Node)
}

fn edge(code: &Code, project: Option<&Project>, key: Key, known: Known) -> Edge {
    let end = |function: Function| match function {
        Function::Name(name) => End { name, node_id: None },
        Function::Node(of) => {
            let file = project.and_then(|project| project.file(of.file));
            let found = file.and_then(|file| file.functions().get(of.function as usize));
            found.map_or_else(End::default, |found| End {
                name: found.qualified_name.to_string(),
                node_id: Some(found.id.to_string()),
            })
        }
    };
    let place = key.place.and_then(|(from, call)| {
        let (source, file) = project?.files().get(from.file as usize)?;
        let call = file.calls().get(call? as usize)?;
        Some((*source, file.positions_of(call).1.line, call.id.to_string()))
    });
    let file = place.as_ref().and_then(|(source, ..)| {
        let sources = code.noted(code.map.sources())?;
        Some(sources.entry(*source)?.path.clone())
    });
    Edge {
        caller: end(key.caller),
        callee: end(key.callee),
        line: place.as_ref().map(|(_, line, _)| *line),
        call_node_id: place.map(|(.., id)| id),
        file,
        candidates: known.candidates,
        calls: known.calls,
        total_ns: known.total_ns,
    }
}
