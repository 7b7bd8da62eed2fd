//! `scope code TARGET --metrics`: numbers about functions.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;

use rayon::prelude::*;
use scope_source::{Graphs, Metrics, NodeId};
use serde::Serialize;

use super::subject::Subject;
use crate::cli::CodeFormat;
use crate::output::json;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{self, count, counted};

/// The JSON. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    target: &'a str,
    functions: &'a [Row<'a>],
    /// Functions without a node, or beyond the limit.
    functions_not_shown: u64,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    node_id: NodeId,
    file: String,
    line: u32,
    #[serde(flatten)]
    metrics: Metrics,
    /// Functions that call it, as far as names tell.
    fan_in: u32,
    /// Functions that it calls.
    fan_out: u32,
}

/// Prints them, the most complex first.
pub fn write(
    out: &mut impl Write,
    subject: &Subject,
    pattern: Option<&str>,
    format: CodeFormat,
    limit: usize,
) -> anyhow::Result<()> {
    let functions = subject.find_or_all(pattern)?;
    let all = functions.len() as u64;
    let functions = subject.by_node(&functions)?;
    let project = subject.map.project()?;
    let found: Vec<_> = functions
        .iter()
        .filter_map(|(function, code)| Some((*function, code, project.find(code)?)))
        .collect();
    let mut files: Vec<u32> = found.iter().map(|(_, _, of)| of.file).collect();
    files.sort_unstable();
    files.dedup();
    let metrics: HashMap<u32, Vec<Metrics>> = files
        .par_iter()
        .filter_map(|index| Some((*index, Graphs::build(project.file(*index)?).metrics)))
        .collect();
    let fans = project.calls().fans();
    let mut rows: Vec<Row<'_>> = found
        .iter()
        .filter_map(|(function, code, of)| {
            let (fan_in, fan_out) = fans.get(of).copied().unwrap_or_default();
            let place = code.place.clone()?;
            Some(Row {
                name: &function.name,
                node_id: code.node_id()?,
                file: place.file,
                line: place.line,
                metrics: *metrics.get(&of.file)?.get(of.function as usize)?,
                fan_in,
                fan_out,
            })
        })
        .collect();
    rows.sort_by_key(|row| {
        (Reverse(row.metrics.cyclomatic), Reverse(row.metrics.cognitive), row.name)
    });
    let shown = rows.len().min(if limit == 0 { usize::MAX } else { limit });
    let without_node = functions.len() - rows.len();
    if format == CodeFormat::Json {
        let functions_not_shown = all - shown as u64;
        let target = &subject.label;
        return json::document(
            out,
            &Document { target, functions: &rows[..shown], functions_not_shown },
        );
    }
    table(&rows[..shown]).write(out, terminal_width())?;
    let hidden = rows.len() - shown;
    if hidden > 0 {
        writeln!(out, "{}; --limit 0 shows all", counted(hidden as u64, "more function"))?;
    }
    if without_node > 0 {
        let without = counted(without_node as u64, "function");
        writeln!(out, "{without} without a node; scope code {} says why", subject.label)?;
    }
    out.flush()?;
    Ok(())
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new(&[
        ("cyclomatic", Align::Right),
        ("cognitive", Align::Right),
        ("nesting", Align::Right),
        ("loops", Align::Right),
        ("lines", Align::Right),
        ("calls", Align::Right),
        ("fan-in", Align::Right),
        ("fan-out", Align::Right),
        ("where", Align::Left),
        ("function", Align::Left),
    ])
    .give_way(&["calls", "where", "loops", "nesting", "fan-out", "fan-in"]);
    for row in rows {
        let Metrics { cyclomatic, cognitive, nesting, loops, calls, lines, .. } = row.metrics;
        let number = |number: u32| count(u64::from(number));
        table.row(vec![
            number(cyclomatic),
            number(cognitive),
            number(nesting),
            number(loops),
            number(lines.code),
            number(calls),
            number(row.fan_in),
            number(row.fan_out),
            units::place(&row.file, row.line),
            row.name.to_owned(),
        ]);
    }
    table
}
