//! `scope code TARGET FUNCTION`: what is known of a function.

use std::io::Write;

use scope_code::{CodeFunction, Freshness, Reason};
use scope_model::Function;
use scope_source::{Graphs, How, Metrics, NodeId, TextHash};
use scope_symbols::CodeTables;
use scope_symbols::code::{TypeKind, TypeNumber};
use serde::Serialize;

use super::subject::Subject;
use crate::cli::CodeFormat;
use crate::output::units::{counted, printable, size};
use crate::output::{json, style};

/// The JSON of a function. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document {
    name: String,
    symbol: String,
    module: Option<String>,
    address: u64,
    size: u64,
    file: Option<String>,
    line: Option<u32>,
    /// Null where there is no source.
    freshness: Option<Freshness>,
    node_id: Option<NodeId>,
    /// What the id is the hash of.
    node_path: Option<String>,
    node_kind: Option<String>,
    /// How the node was found.
    how: Option<How>,
    /// Why there is no node of its own.
    reason: Option<Reason>,
    text_hash: Option<TextHash>,
    /// Null where no debug information tells.
    parameters: Option<Vec<Parameter>>,
    returns: Option<String>,
    /// The generic function that it is an instance of.
    instance_of: Option<String>,
    inlined_copies: u32,
    metrics: Option<Metrics>,
}

#[derive(Debug, Serialize)]
struct Parameter {
    name: String,
    #[serde(rename = "type")]
    type_name: String,
}

/// Prints the functions that a pattern names.
pub fn write(
    out: &mut impl Write,
    subject: &Subject,
    pattern: &str,
    format: CodeFormat,
) -> anyhow::Result<()> {
    let mut documents = Vec::new();
    for function in subject.find(pattern)? {
        documents.push(document(subject, function)?);
    }
    if format == CodeFormat::Json {
        return json::document(out, &documents);
    }
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        text(out, document)?;
    }
    out.flush()?;
    Ok(())
}

fn document(subject: &Subject, function: &Function) -> anyhow::Result<Document> {
    let code = subject.map.function(function)?;
    let node = match (code.source, code.node) {
        (Some(source), Some(found)) => subject.map.parsed(source)?.map(|file| {
            let metrics = found
                .function
                .filter(|_| code.reason.is_none())
                .and_then(|index| Graphs::build(&file).metrics.get(index as usize).copied());
            (file.path_of(found.node), file.kind_of(found.node).to_owned(), metrics)
        }),
        _ => None,
    };
    let (node_path, node_kind, metrics) = match node {
        Some((path, kind, metrics)) => (Some(path), Some(kind), metrics),
        None => (None, None, None),
    };
    let tables = subject.map.tables(function.module)?;
    let signature = tables.and_then(|tables| Signature::of(tables, function));
    let CodeFunction { place, freshness, node, text_hash, reason, .. } = &code;
    let (parameters, returns, instance_of) = match signature {
        Some(signature) => (Some(signature.parameters), signature.returns, signature.instance_of),
        None => (None, None, None),
    };
    Ok(Document {
        name: function.name.clone(),
        symbol: function.symbol.clone(),
        module: subject.module(function).map(str::to_owned),
        address: function.address,
        size: function.size,
        file: place.as_ref().map(|place| place.file.clone()),
        line: place.as_ref().map(|place| place.line),
        freshness: *freshness,
        node_id: code.node_id(),
        node_path,
        node_kind,
        how: node.map(|found| found.how),
        reason: *reason,
        text_hash: *text_hash,
        parameters,
        returns,
        instance_of,
        inlined_copies: function.inlined_copies,
        metrics,
    })
}

/// What the debug information says of parameters and result.
struct Signature {
    parameters: Vec<Parameter>,
    returns: Option<String>,
    instance_of: Option<String>,
}

impl Signature {
    fn of(tables: &CodeTables, function: &Function) -> Option<Self> {
        let found = tables.function_at(function.address).filter(|found| found.from_dwarf)?;
        let parameters = tables
            .parameters_of(found.number)
            .map(|parameter| Parameter {
                name: parameter.name.to_owned(),
                type_name: parameter
                    .value_type
                    .map_or_else(|| "?".to_owned(), |number| type_name(tables, number, 0)),
            })
            .collect();
        let generic = found.generic.and_then(|generic| tables.generic(generic));
        Some(Self {
            parameters,
            returns: found.returns.map(|number| type_name(tables, number, 0)),
            instance_of: generic.map(|generic| generic.name.to_owned()),
        })
    }
}

/// Most types of types that are followed: damaged tables may go round.
const DEEPEST: u32 = 16;

/// A type as C writes it, where it has no name of its own.
fn type_name(tables: &CodeTables, number: TypeNumber, depth: u32) -> String {
    let Some(found) = tables.type_at(number).filter(|_| depth < DEEPEST) else {
        return "?".to_owned();
    };
    if !found.name.is_empty() {
        return found.name.to_owned();
    }
    let target = match found.target {
        Some(target) => type_name(tables, target, depth + 1),
        None => "void".to_owned(),
    };
    match found.kind {
        TypeKind::Pointer => format!("{target}*"),
        TypeKind::Reference => format!("{target}&"),
        TypeKind::RvalueReference => format!("{target}&&"),
        TypeKind::MemberPointer => format!("{target}::*"),
        TypeKind::Array => format!("{target}[]"),
        TypeKind::Const => format!("const {target}"),
        TypeKind::Volatile => format!("volatile {target}"),
        TypeKind::Restrict => format!("{target} restrict"),
        TypeKind::Atomic => format!("_Atomic {target}"),
        TypeKind::Function => format!("{target} (…)"),
        TypeKind::Struct => "struct {…}".to_owned(),
        TypeKind::Union => "union {…}".to_owned(),
        TypeKind::Enum => "enum {…}".to_owned(),
        _ => "?".to_owned(),
    }
}

fn text(out: &mut impl Write, document: &Document) -> anyhow::Result<()> {
    let head = style::HEAD;
    writeln!(out, "{head}{}{head:#}", printable(&document.name))?;
    let mut line = |name: &str, value: &str| writeln!(out, "  {name:<10} {}", printable(value));
    if document.symbol != document.name {
        line("symbol", &document.symbol)?;
    }
    let module = document.module.as_deref().unwrap_or("an unknown module");
    let bytes = size(document.size);
    line("code", &format!("{bytes} at {:#x} in {module}", document.address))?;
    match (&document.file, document.line) {
        (Some(file), Some(number)) => line("where", &format!("{file}:{number}"))?,
        _ => line("where", "not known")?,
    }
    if let Some(stale) = document.freshness.map(Freshness::text).filter(|text| !text.is_empty()) {
        line("stale", stale)?;
    }
    if let Some(path) = &document.node_path {
        let kind = document.node_kind.as_deref().unwrap_or_default();
        line("node", &format!("{path} ({kind})"))?;
    }
    if let Some(id) = document.node_id {
        line("node id", &id.to_string())?;
    }
    if let Some(reason) = document.reason {
        line("no node", reason.text())?;
    }
    if let Some(hash) = document.text_hash {
        line("text hash", &hash.to_string())?;
    }
    if let Some(parameters) = &document.parameters {
        let parameters: Vec<String> = parameters
            .iter()
            .map(|parameter| format!("{}: {}", parameter.name, parameter.type_name))
            .collect();
        let returns =
            document.returns.as_ref().map_or_else(String::new, |name| format!(" -> {name}"));
        line("signature", &format!("({}){returns}", parameters.join(", ")))?;
    }
    if let Some(generic) = &document.instance_of {
        line("instance", &format!("of {generic}"))?;
    }
    if document.inlined_copies > 0 {
        let copies = counted(u64::from(document.inlined_copies), "time");
        line("inlined", &format!("{copies}: those calls are not seen"))?;
    }
    if let Some(metrics) = document.metrics {
        let Metrics { cyclomatic, cognitive, nesting, loops, calls, lines, .. } = metrics;
        let code = lines.code;
        line(
            "metrics",
            &format!(
                "cyclomatic {cyclomatic}, cognitive {cognitive}, nesting {nesting}, loops {loops}, \
                 calls {calls}, lines of code {code}"
            ),
        )?;
    }
    Ok(())
}
