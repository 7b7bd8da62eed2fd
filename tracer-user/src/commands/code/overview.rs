//! `scope code TARGET`: what is known of the code as a whole.

use std::collections::BTreeMap;
use std::io::Write;

use scope_code::{Freshness, Reason};
use serde::Serialize;

use super::subject::Subject;
use crate::cli::CodeFormat;
use crate::output::units::{count, counted, printable, size};
use crate::output::{json, style};

/// The JSON. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Overview {
    target: String,
    modules: Vec<Module>,
    sources: Vec<Source>,
    functions: u64,
    /// Functions with a node of their own.
    functions_with_node: u64,
    /// Why the others have none.
    functions_without: BTreeMap<Reason, u64>,
}

#[derive(Debug, Serialize)]
struct Module {
    path: String,
    build_id: Option<String>,
    /// Null where there are no tables of it.
    tables: Option<Tables>,
}

#[derive(Debug, Serialize)]
struct Tables {
    functions: u64,
    inlined: u64,
    files: u64,
    types: u64,
    has_dwarf: bool,
    from_go_table: bool,
    /// Debug files that were not found.
    missing: Vec<String>,
    /// Entries of the debug information that are damaged.
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct Source {
    path: String,
    name: String,
    language: String,
    bytes: u64,
    freshness: Freshness,
    /// Syntax errors; null where it is not parsed.
    errors: Option<u32>,
}

/// Prints it.
pub fn write(out: &mut impl Write, subject: &Subject, format: CodeFormat) -> anyhow::Result<()> {
    let overview = overview(subject)?;
    if format == CodeFormat::Json {
        return json::document(out, &overview);
    }
    let head = style::HEAD;
    writeln!(out, "{head}{}{head:#}", printable(&overview.target))?;
    for module in &overview.modules {
        writeln!(out, "\n{head}{}{head:#}", printable(&module.path))?;
        writeln!(out, "  build id   {}", module.build_id.as_deref().unwrap_or("none"))?;
        let Some(tables) = &module.tables else {
            writeln!(out, "  no tables: the recording ended before its code was read")?;
            continue;
        };
        let from = match (tables.has_dwarf, tables.from_go_table) {
            (true, _) => "DWARF",
            (false, true) => "Go's own table",
            (false, false) => "symbols alone: no lines, no nodes",
        };
        writeln!(out, "  from       {from}")?;
        writeln!(
            out,
            "  holds      {}, {}, {}, {}",
            counted(tables.functions, "function"),
            counted(tables.inlined, "inlined instance"),
            counted(tables.files, "file"),
            counted(tables.types, "type"),
        )?;
        for missing in &tables.missing {
            writeln!(out, "  missing    {}", printable(missing))?;
        }
        if tables.dropped > 0 {
            writeln!(out, "  left out   {}", counted(tables.dropped, "damaged row"))?;
        }
    }
    sources(out, &overview.sources)?;
    writeln!(
        out,
        "\n{} of {} with a node of their own",
        count(overview.functions_with_node),
        counted(overview.functions, "function"),
    )?;
    for (reason, functions) in &overview.functions_without {
        writeln!(out, "  {} without: {}", count(*functions), reason.text())?;
    }
    out.flush()?;
    Ok(())
}

fn sources(out: &mut impl Write, sources: &[Source]) -> anyhow::Result<()> {
    let bytes = sources.iter().map(|source| source.bytes).sum();
    writeln!(out, "\n{} ({})", counted(sources.len() as u64, "source"), size(bytes))?;
    let mut languages: BTreeMap<&str, u64> = BTreeMap::new();
    for source in sources {
        *languages.entry(&source.language).or_default() += 1;
    }
    for (language, files) in languages {
        let language = if language.is_empty() { "without a grammar" } else { language };
        writeln!(out, "  {:>5} {language}", count(files))?;
    }
    let warning = style::WARNING;
    for source in sources.iter().filter(|source| source.freshness.is_stale()) {
        let why = source.freshness.text();
        writeln!(out, "  {warning}stale{warning:#} {}: {why}", printable(&source.path))?;
    }
    for source in sources.iter().filter(|source| source.errors.is_some_and(|errors| errors > 0)) {
        let errors = counted(u64::from(source.errors.unwrap_or(0)), "syntax error");
        writeln!(out, "  {} parsed with {errors}", printable(&source.path))?;
    }
    Ok(())
}

fn overview(subject: &Subject) -> anyhow::Result<Overview> {
    let mut modules = Vec::new();
    for module in &subject.modules {
        let tables = subject.map.tables(module.id)?.map(|tables| Tables {
            functions: tables.functions_with_code() as u64,
            inlined: tables.inlined_copies().len() as u64,
            files: tables.files().len() as u64,
            types: tables.types().len() as u64,
            has_dwarf: tables.facts().has_dwarf,
            from_go_table: tables.facts().from_go_table,
            missing: tables.facts().missing.clone(),
            dropped: tables.facts().dropped,
        });
        let (path, build_id) = (module.path.clone(), module.build_id.clone());
        modules.push(Module { path, build_id, tables });
    }
    let project = subject.map.project()?;
    let all = subject.map.sources()?;
    let mut sources = Vec::new();
    for (number, entry) in (0..).zip(all.entries()) {
        let parsed = project.files().binary_search_by_key(&number, |(source, _)| source.0);
        sources.push(Source {
            path: entry.path.clone(),
            name: entry.name.clone(),
            language: entry.language.clone(),
            bytes: entry.bytes,
            freshness: entry.freshness,
            errors: parsed.ok().map(|at| project.files()[at].1.errors()),
        });
    }
    let mut functions_without: BTreeMap<Reason, u64> = BTreeMap::new();
    for function in &subject.functions {
        if let Some(reason) = subject.map.function(function)?.reason {
            *functions_without.entry(reason).or_default() += 1;
        }
    }
    let functions = subject.functions.len() as u64;
    let functions_with_node = functions - functions_without.values().sum::<u64>();
    let target = subject.label.clone();
    Ok(Overview { target, modules, sources, functions, functions_with_node, functions_without })
}
