//! `scope graph`: one function, who called it and what it called.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::bail;
use scope_model::{Function, FunctionId};
use scope_store::Trace;
use scope_symbols::glob::Glob;
use scope_symbols::names;
use scope_timeline::{FunctionProfile, ProfileOptions, Profiler};
use serde::Serialize;

use super::edges::{self, Along};
use super::reading::{self, Next};
use crate::cli::GraphArgs;
use crate::output;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{count, counted, duration};

/// Names that are given where a pattern fits several.
const MOST_NAMES: usize = 8;

/// Prints the function with its callers and callees.
pub fn run(args: &GraphArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let id = find(&trace, &args.function, &args.trace.display().to_string())?;
    let edges = edges::of(&trace)?;
    let mut profiler = Profiler::of(&trace, ProfileOptions::default())?;
    reading::each_event(&trace, |event| {
        profiler.push(&event);
        Ok(Next::Go)
    })?;
    let profile = profiler.finish(trace.manifest().end_ns);
    let function = profile.functions.into_iter().find(|function| function.id == id);
    let function = function.unwrap_or(FunctionProfile { id, ..FunctionProfile::default() });
    let named = |id: Option<FunctionId>, along: &Along| Neighbour {
        name: id.map(|id| reading::function_name(&trace, id)),
        id,
        along: along.clone(),
    };
    let callers = edges.iter().filter(|((_, callee), _)| *callee == id);
    let callers = sorted(callers.map(|((caller, _), along)| named(*caller, along)).collect());
    let callees = edges.iter().filter(|((caller, _), _)| *caller == Some(id));
    let callees = sorted(callees.map(|((_, callee), along)| named(Some(*callee), along)).collect());
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut out = output::stdout();
    if args.json {
        let document = Document {
            trace: trace.path().display().to_string(),
            function: Whole::new(&trace, &function),
            callers: callers.iter().take(limit).map(Row::new).collect(),
            callers_not_shown: callers.len().saturating_sub(limit),
            callees: callees.iter().take(limit).map(Row::new).collect(),
            callees_not_shown: callees.len().saturating_sub(limit),
        };
        output::json::document(&mut out, &document)?;
    } else {
        text(&mut out, &trace, &function, (&callers, &callees), limit)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The function of a name, or the one that a pattern fits.
fn find(trace: &Trace, name: &str, path: &str) -> anyhow::Result<FunctionId> {
    let exact = |function: &&Function| function.name == name || function.symbol == name;
    if let Some(function) = trace.functions().iter().find(exact) {
        return Ok(function.id);
    }
    let glob = Glob::new(name);
    let fits: Vec<&Function> = trace
        .functions()
        .iter()
        .filter(|function| names::matches(&glob, &function.name) || glob.matches(&function.symbol))
        .collect();
    match fits.as_slice() {
        [only] => Ok(only.id),
        [] => {
            let near = names::nearest(&glob, trace.functions().iter().map(|one| one.name.as_str()));
            if near.is_empty() {
                bail!("no probed function of {path} is called {name}");
            }
            bail!("no probed function of {path} is called {name}; there is {}", near.join(", "))
        }
        several => {
            let shown: Vec<&str> =
                several.iter().take(MOST_NAMES).map(|one| one.name.as_str()).collect();
            let more = several.len().saturating_sub(MOST_NAMES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            bail!("{name} fits {} functions; name one: {}{more}", several.len(), shown.join(", "))
        }
    }
}

/// A caller or a callee.
#[derive(Debug)]
struct Neighbour {
    /// `None`: no recorded function called.
    id: Option<FunctionId>,
    name: Option<String>,
    along: Along,
}

fn sorted(mut neighbours: Vec<Neighbour>) -> Vec<Neighbour> {
    neighbours.sort_by(|a, b| {
        let key = |one: &Neighbour| (Reverse(one.along.total_ns), Reverse(one.along.calls));
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)).then(a.id.cmp(&b.id))
    });
    neighbours
}

fn text(
    out: &mut dyn Write,
    trace: &Trace,
    function: &FunctionProfile,
    (callers, callees): (&[Neighbour], &[Neighbour]),
    limit: usize,
) -> io::Result<()> {
    let width = terminal_width();
    let name = reading::function_name(trace, function.id);
    writeln!(out, "{}", output::units::printable(&name))?;
    if let Some(known) = reading::function(trace, function.id)
        && let (Some(file), line) = (&known.file, known.line)
    {
        let line = line.map_or_else(String::new, |line| format!(":{line}"));
        writeln!(out, "  {}{line}", output::units::printable(file))?;
    }
    let times = &function.times;
    writeln!(
        out,
        "  {}, total {}, self {}, on-CPU {}, off-CPU {}",
        counted(function.calls, "call"),
        duration(times.total_ns),
        duration(function.self_ns),
        duration(times.on_cpu_ns),
        duration(times.off_cpu_ns),
    )?;
    for (title, neighbours) in [("called by", callers), ("calls", callees)] {
        writeln!(out)?;
        if neighbours.is_empty() {
            let nobody =
                if title == "calls" { "calls nothing that was probed" } else { "never called" };
            writeln!(out, "{nobody}")?;
            continue;
        }
        let columns = [
            ("calls", Align::Right),
            ("time", Align::Right),
            ("p50", Align::Right),
            ("p99", Align::Right),
            ("max", Align::Right),
            (title, Align::Left),
        ];
        let mut table = Table::new(&columns).give_way(&["max", "p50"]);
        for neighbour in neighbours.iter().take(limit) {
            let known = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration);
            let along = &neighbour.along;
            table.row(vec![
                count(along.calls),
                duration(along.total_ns),
                known(along.durations.quantile_ns(0.5)),
                known(along.durations.quantile_ns(0.99)),
                known(along.durations.max_ns()),
                neighbour.name.clone().unwrap_or_else(|| "(no probed function)".to_owned()),
            ]);
        }
        table.write(out, width)?;
        let hidden = neighbours.len().saturating_sub(limit) as u64;
        if hidden > 0 {
            writeln!(out, "{} more; --limit 0 shows all", count(hidden))?;
        }
    }
    out.flush()
}

/// The JSON of `scope graph`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    trace: String,
    function: Whole<'a>,
    callers: Vec<Row<'a>>,
    callers_not_shown: usize,
    callees: Vec<Row<'a>>,
    callees_not_shown: usize,
}

#[derive(Debug, Serialize)]
struct Whole<'a> {
    id: u32,
    name: String,
    file: Option<&'a str>,
    line: Option<u32>,
    calls: u64,
    total_ns: u64,
    self_ns: u64,
    on_cpu_ns: u64,
    off_cpu_ns: u64,
}

impl<'a> Whole<'a> {
    fn new(trace: &'a Trace, function: &FunctionProfile) -> Self {
        let known = reading::function(trace, function.id);
        Self {
            id: function.id.0,
            name: reading::function_name(trace, function.id),
            file: known.and_then(|known| known.file.as_deref()),
            line: known.and_then(|known| known.line),
            calls: function.calls,
            total_ns: function.times.total_ns,
            self_ns: function.self_ns,
            on_cpu_ns: function.times.on_cpu_ns,
            off_cpu_ns: function.times.off_cpu_ns,
        }
    }
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    /// Null: called by no probed function.
    id: Option<u32>,
    name: Option<&'a str>,
    calls: u64,
    total_ns: u64,
    min_ns: Option<u64>,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl<'a> Row<'a> {
    fn new(neighbour: &'a Neighbour) -> Self {
        let along = &neighbour.along;
        Self {
            id: neighbour.id.map(|id| id.0),
            name: neighbour.name.as_deref(),
            calls: along.calls,
            total_ns: along.total_ns,
            min_ns: along.durations.min_ns(),
            p50_ns: along.durations.quantile_ns(0.5),
            p99_ns: along.durations.quantile_ns(0.99),
            max_ns: along.durations.max_ns(),
        }
    }
}
