//! `scope code TARGET FUNCTION --callers`, `--callees`: who calls whom, by name in the sources and, in a
//! trace, as it was seen.

use std::collections::BTreeMap;
use std::io::Write;

use scope_code::{CodeFunction, Project};
use scope_source::{CallTarget, FunctionRef, NodeId};
use scope_timeline::SiteProfiler;
use serde::Serialize;

use super::graphs::no_node;
use super::subject::Subject;
use crate::cli::{CodeFormat, CodeView};
use crate::commands::reading::{self, Next};
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{self, count, duration, printable};
use crate::output::{json, style};

/// The JSON of a function. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document {
    function: String,
    node_id: Option<NodeId>,
    /// `callers` or `callees`.
    direction: &'static str,
    calls: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// The other function.
    function: String,
    node_id: Option<NodeId>,
    /// Where the call stands; null where that is not known.
    file: Option<String>,
    line: Option<u32>,
    call_node_id: Option<NodeId>,
    /// The sources have such a call.
    in_source: bool,
    /// Functions of that name that it may call; null where it is only known from run time.
    candidates: Option<u32>,
    /// Recorded calls; null in a binary.
    calls: Option<u64>,
    /// Wall time of those whose end is known, ns.
    total_ns: Option<u64>,
}

/// Who is on the other end of a call, and which call expression it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    other: Other,
    /// The function it stands in, and the index of the call there.
    place: Option<(FunctionRef, Option<u32>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Other {
    Node(FunctionRef),
    /// Without a node: by name.
    Name(String),
}

#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    candidates: Option<u32>,
    calls: u64,
    total_ns: u64,
}

/// A recorded call, tied to the sources as far as possible.
struct Seen {
    caller: Other,
    callee: Other,
    place: Option<(FunctionRef, Option<u32>)>,
    calls: u64,
    total_ns: u64,
}

/// Prints the callers or callees of the functions that a pattern names.
pub fn write(
    out: &mut impl Write,
    subject: &Subject,
    pattern: &str,
    view: CodeView,
    format: CodeFormat,
) -> anyhow::Result<()> {
    let functions = subject.by_node(&subject.find(pattern)?)?;
    let project = subject.map.project()?;
    let seen = seen(subject, &project)?;
    let mut documents = Vec::new();
    for (function, code) in &functions {
        let of = project.find(code);
        if of.is_none() && subject.trace.is_none() {
            anyhow::bail!("{}", no_node(function, code));
        }
        let own = of.map_or_else(|| Other::Name(function.name.clone()), Other::Node);
        let edges = edges(&project, of, &own, &seen, view);
        let direction = if view == CodeView::Callers { "callers" } else { "callees" };
        let recorded = subject.trace.is_some();
        let mut calls: Vec<Row> = edges
            .into_iter()
            .map(|(key, edge)| row(subject, &project, key, edge, recorded))
            .collect::<anyhow::Result<_>>()?;
        calls.sort_by(|a, b| {
            let key = |row: &Row| (std::cmp::Reverse(row.calls), row.file.clone(), row.line);
            key(a).cmp(&key(b)).then_with(|| a.function.cmp(&b.function))
        });
        let node_id = code.node_id();
        documents.push(Document { function: function.name.clone(), node_id, direction, calls });
    }
    match format {
        CodeFormat::Json => return json::document(out, &documents),
        CodeFormat::Dot => dot(out, &documents)?,
        CodeFormat::Text => text(out, &documents)?,
    }
    out.flush()?;
    Ok(())
}

fn edges(
    project: &Project,
    of: Option<FunctionRef>,
    own: &Other,
    seen: &[Seen],
    view: CodeView,
) -> BTreeMap<Key, Edge> {
    let mut edges: BTreeMap<Key, Edge> = BTreeMap::new();
    let callers = view == CodeView::Callers;
    let known: Vec<_> = match (of, callers) {
        (None, _) => Vec::new(),
        (Some(of), true) => project.calls().callers(of).copied().collect(),
        (Some(of), false) => project.calls().callees(of).to_vec(),
    };
    for edge in known {
        let other = Other::Node(if callers { edge.from } else { edge.to });
        let key = Key { other, place: Some((edge.from, edge.call)) };
        edges.entry(key).or_default().candidates = match edge.target {
            CallTarget::Unique => Some(1),
            CallTarget::OneOf(count) => Some(count),
            CallTarget::Observed => None,
        };
    }
    for call in seen {
        let (this, other) =
            if callers { (&call.callee, &call.caller) } else { (&call.caller, &call.callee) };
        if this == own {
            let key = Key { other: other.clone(), place: call.place };
            let edge = edges.entry(key).or_default();
            edge.calls += call.calls;
            edge.total_ns += call.total_ns;
        }
    }
    edges
}

/// The recorded calls of a trace.
fn seen(subject: &Subject, project: &Project) -> anyhow::Result<Vec<Seen>> {
    let Some(trace) = &subject.trace else { return Ok(Vec::new()) };
    let mut profiler = SiteProfiler::default();
    reading::each_event(trace, |event| {
        profiler.push(&event);
        Ok(Next::Go)
    })?;
    let mut seen = Vec::new();
    for site in profiler.finish() {
        let Some(callee) = trace.functions().get(site.function.index()) else { continue };
        let other = |code: &CodeFunction, name: &str| {
            project.find(code).map_or_else(|| Other::Name(name.to_owned()), Other::Node)
        };
        let made = subject.map.call_site(site.pid, site.first_ns, site.return_address, callee)?;
        let found = made.frames.first().and_then(|frame| {
            let source = frame.source?;
            let index = project.files().binary_search_by_key(&source, |(number, _)| *number);
            let node = frame.node?;
            let from = FunctionRef { file: index.ok()? as u32, function: node.function? };
            Some((from, node.call.filter(|_| frame.reason.is_none())))
        });
        let caller = match (found, made.frames.first(), site.caller) {
            (Some((from, _)), ..) => Other::Node(from),
            (None, Some(frame), _) => Other::Name(frame.function.clone()),
            (None, None, Some(around)) => {
                Other::Name(format!("below {}", reading::function_name(trace, around)))
            }
            (None, None, None) => {
                Other::Name(made.reason.map_or("unknown", |reason| reason.text()).to_owned())
            }
        };
        seen.push(Seen {
            caller,
            callee: other(&subject.map.function(callee)?, &callee.name),
            place: found,
            calls: site.calls,
            total_ns: site.total_ns,
        });
    }
    Ok(seen)
}

fn row(
    subject: &Subject,
    project: &Project,
    key: Key,
    edge: Edge,
    recorded: bool,
) -> anyhow::Result<Row> {
    let (function, node_id) = match &key.other {
        Other::Name(name) => (name.clone(), None),
        Other::Node(of) => {
            let found =
                project.file(of.file).and_then(|file| file.functions().get(of.function as usize));
            let name = found.map_or_else(String::new, |node| node.qualified_name.to_string());
            (name, found.map(|node| node.id))
        }
    };
    let place = key.place.and_then(|(from, call)| {
        let (source, file) = project.files().get(from.file as usize)?;
        let call = file.calls().get(call? as usize)?;
        Some((*source, file.positions_of(call).1.line, call.id))
    });
    let file = match place {
        Some((source, ..)) => subject.map.sources()?.entry(source).map(|entry| entry.path.clone()),
        None => None,
    };
    Ok(Row {
        function,
        node_id,
        file,
        line: place.map(|(_, line, _)| line),
        call_node_id: place.map(|(.., id)| id),
        in_source: edge.candidates.is_some(),
        candidates: edge.candidates,
        calls: recorded.then_some(edge.calls),
        total_ns: recorded.then_some(edge.total_ns),
    })
}

fn text(out: &mut impl Write, documents: &[Document]) -> anyhow::Result<()> {
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let head = style::HEAD;
        let (name, direction) = (printable(&document.function), document.direction);
        writeln!(out, "{head}{direction} of {name}{head:#}")?;
        if document.calls.is_empty() {
            writeln!(out, "none known")?;
            continue;
        }
        let mut table = Table::new(&[
            ("calls", Align::Right),
            ("total", Align::Right),
            ("known", Align::Left),
            ("call", Align::Left),
            ("function", Align::Left),
        ]);
        for row in &document.calls {
            let place = row
                .file
                .as_deref()
                .zip(row.line)
                .map_or_else(String::new, |(file, line)| units::place(file, line));
            table.row(vec![
                row.calls.map_or_else(|| "-".to_owned(), count),
                row.total_ns
                    .filter(|_| row.calls > Some(0))
                    .map_or_else(|| "-".to_owned(), duration),
                known(row),
                place,
                row.function.clone(),
            ]);
        }
        table.write(out, terminal_width())?;
    }
    Ok(())
}

/// How a call is known.
fn known(row: &Row) -> String {
    match (row.candidates, row.calls) {
        (None, _) => "seen".to_owned(),
        (Some(0 | 1), Some(1..)) => "source, seen".to_owned(),
        (Some(0 | 1), _) => "source".to_owned(),
        (Some(several), Some(1..)) => format!("source (1 of {several}), seen"),
        (Some(several), _) => format!("source (1 of {several})"),
    }
}

fn dot(out: &mut impl Write, documents: &[Document]) -> anyhow::Result<()> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    writeln!(out, "digraph calls {{\n  node [shape=box, fontname=monospace];")?;
    for document in documents {
        for row in &document.calls {
            let (from, to) = match document.direction {
                "callers" => (&row.function, &document.function),
                _ => (&document.function, &row.function),
            };
            let label = match row.calls {
                Some(calls @ 1..) => format!("{} calls", count(calls)),
                _ => String::new(),
            };
            let line = if row.in_source { "solid" } else { "dashed" };
            writeln!(
                out,
                "  {} -> {} [label={}, style={line}];",
                quoted(from),
                quoted(to),
                quoted(&label)
            )?;
        }
    }
    writeln!(out, "}}")?;
    Ok(())
}
