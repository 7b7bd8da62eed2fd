//! `scope code TARGET --patterns`: places that deserve a look.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::PathBuf;

use scope_source::{NodeId, Patterns, load};
use serde::Serialize;

use super::subject::Subject;
use crate::cli::CodeFormat;
use crate::output::units::{counted, printable};
use crate::output::{json, style};

/// The JSON. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    target: &'a str,
    findings: &'a [Row],
}

#[derive(Debug, Serialize)]
struct Row {
    pattern: String,
    title: String,
    why: String,
    node_id: NodeId,
    file: String,
    line: u32,
    column: u32,
    /// Null outside of functions.
    function: Option<String>,
    function_node_id: Option<NodeId>,
}

/// Prints what is found in the functions that a pattern names, or in all; `folders` hold patterns of
/// the user's own.
pub fn write(
    out: &mut impl Write,
    subject: &Subject,
    pattern: Option<&str>,
    folders: &[PathBuf],
    format: CodeFormat,
) -> anyhow::Result<()> {
    let mut patterns = Patterns::builtin()?;
    for folder in folders {
        load::patterns(folder, &mut patterns)?;
    }
    let functions = subject.by_node(&subject.find_or_all(pattern)?)?;
    let wanted: BTreeSet<NodeId> =
        functions.iter().filter_map(|(_, code)| code.node_id()).collect();
    let files: BTreeSet<_> = functions.iter().filter_map(|(_, code)| code.source).collect();
    let told: HashMap<&str, (&str, &str)> =
        patterns.iter().map(|pattern| (&*pattern.id, (&*pattern.title, &*pattern.why))).collect();
    let mut rows = Vec::new();
    for source in files {
        let Some(file) = subject.map.parsed(source)? else { continue };
        let entry = subject.map.sources()?.entry(source);
        let path = entry.map_or_else(String::new, |entry| entry.path.clone());
        for finding in patterns.find(&file) {
            let function = finding.function.map(|index| &file.functions()[index as usize]);
            // What stands in a closure is also in the function around it.
            let around = std::iter::successors(function, |function| {
                Some(&file.functions()[function.parent? as usize])
            });
            if !around.into_iter().any(|function| wanted.contains(&function.id)) {
                continue;
            }
            let (title, why) = told.get(&*finding.pattern).copied().unwrap_or_default();
            rows.push(Row {
                pattern: finding.pattern.to_string(),
                title: title.to_owned(),
                why: why.to_owned(),
                node_id: finding.id,
                file: path.clone(),
                line: finding.span.start.line,
                column: finding.span.start.column,
                function: function.map(|function| function.qualified_name.to_string()),
                function_node_id: function.map(|function| function.id),
            });
        }
    }
    if format == CodeFormat::Json {
        return json::document(out, &Document { target: &subject.label, findings: &rows });
    }
    let dim = style::DIM;
    for row in &rows {
        let within = row.function.as_deref().map_or_else(String::new, |name| format!(" in {name}"));
        writeln!(
            out,
            "{}:{}:{}: {}{}  {dim}{}{dim:#}",
            printable(&row.file),
            row.line,
            row.column,
            row.title,
            printable(&within),
            row.pattern,
        )?;
    }
    writeln!(out, "{}", counted(rows.len() as u64, "finding"))?;
    out.flush()?;
    Ok(())
}
