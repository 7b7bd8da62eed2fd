//! `scope diff`: what changed between two traces, by function or by caller and callee.
//!
//! Functions are the same where their readable names are; several of one name are taken together.
//! Whether durations differ is judged by the two-sample Kolmogorov-Smirnov test, which needs no
//! assumption on how durations are distributed, with the level divided by the number of comparisons
//! (Bonferroni).

mod significance;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use scope_store::Trace;
use scope_timeline::{Durations, ProfileOptions, Profiler};
use serde::Serialize;

use super::edges;
use super::reading::{self, Next};
use crate::cli::{DiffArgs, DiffKey};
use crate::output;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{count, counted, duration, printable};

/// Chance at which any of all comparisons is called significant though nothing changed.
const LEVEL: f64 = 0.01;

/// What is compared: a function, or a caller and its callee.
type Key = (Option<String>, String);

/// Prints the differences.
pub fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let (before, after) = (reading::open(&args.before)?, reading::open(&args.after)?);
    let collect = if args.edges { by_edge } else { by_function };
    let mut rows = compare(collect(&before)?, collect(&after)?);
    if args.significant {
        rows.retain(|row| row.significant || row.before.is_none() || row.after.is_none());
    }
    sort(&mut rows, args.sort);
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let hidden = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    let mut out = output::stdout();
    if args.json {
        let document = Document {
            a: before.path().display().to_string(),
            b: after.path().display().to_string(),
            rows: rows.iter().map(|row| Line::new(row, args.edges)).collect(),
            not_shown: hidden,
        };
        output::json::document(&mut out, &document)?;
    } else {
        text(&mut out, &rows, hidden, args.edges, (&before, &after))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What one trace says of a function or an edge.
#[derive(Clone, Debug, Default)]
struct Side {
    calls: u64,
    /// Time in the function itself; of an edge, the time of its calls.
    time_ns: u64,
    durations: Durations,
}

impl Side {
    fn value(&self, key: DiffKey) -> Option<u64> {
        match key {
            DiffKey::SelfTime => Some(self.time_ns),
            DiffKey::Calls => Some(self.calls),
            DiffKey::P50 => self.durations.quantile_ns(0.5),
            DiffKey::P99 => self.durations.quantile_ns(0.99),
        }
    }
}

/// A comparison.
#[derive(Debug)]
struct Row {
    key: Key,
    before: Option<Side>,
    after: Option<Side>,
    /// How likely durations this different are by chance; `None` without durations on both sides.
    chance: Option<f64>,
    significant: bool,
}

impl Row {
    /// How far a value moved, and how much it was; what is not there counts as 0.
    fn moved(&self, key: DiffKey) -> (i128, u64) {
        let value =
            |side: &Option<Side>| side.as_ref().and_then(|side| side.value(key)).unwrap_or(0);
        let (before, after) = (value(&self.before), value(&self.after));
        (i128::from(after) - i128::from(before), before)
    }
}

fn by_function(trace: &Trace) -> anyhow::Result<BTreeMap<Key, Side>> {
    let mut profiler = Profiler::of(trace, ProfileOptions::default())?;
    reading::each_event(trace, |event| {
        profiler.push(&event);
        Ok(Next::Go)
    })?;
    let profile = profiler.finish(trace.manifest().end_ns);
    let mut sides: BTreeMap<Key, Side> = BTreeMap::new();
    for function in &profile.functions {
        let side = sides.entry((None, reading::function_name(trace, function.id))).or_default();
        side.calls += function.calls;
        side.time_ns = side.time_ns.saturating_add(function.self_ns);
        side.durations.add(&function.durations);
    }
    Ok(sides)
}

fn by_edge(trace: &Trace) -> anyhow::Result<BTreeMap<Key, Side>> {
    let mut sides: BTreeMap<Key, Side> = BTreeMap::new();
    for ((caller, callee), along) in edges::of(trace)? {
        let caller = caller.map(|id| reading::function_name(trace, id));
        let side = sides.entry((caller, reading::function_name(trace, callee))).or_default();
        side.calls += along.calls;
        side.time_ns = side.time_ns.saturating_add(along.total_ns);
        side.durations.add(&along.durations);
    }
    Ok(sides)
}

fn compare(before: BTreeMap<Key, Side>, mut after: BTreeMap<Key, Side>) -> Vec<Row> {
    let row = |key, before: Option<Side>, after: Option<Side>| {
        let chance = before
            .as_ref()
            .zip(after.as_ref())
            .and_then(|(before, after)| significance::chance(&before.durations, &after.durations));
        Row { key, before, after, chance, significant: false }
    };
    let mut rows: Vec<Row> = before
        .into_iter()
        .map(|(key, side)| {
            let other = after.remove(&key);
            row(key, Some(side), other)
        })
        .collect();
    rows.extend(after.into_iter().map(|(key, side)| row(key, None, Some(side))));
    let comparisons = rows.iter().filter(|row| row.chance.is_some()).count().max(1);
    for row in &mut rows {
        row.significant = row.chance.is_some_and(|chance| chance * (comparisons as f64) < LEVEL);
    }
    rows
}

fn sort(rows: &mut [Row], key: DiffKey) {
    rows.sort_by(|a, b| {
        let order = |row: &Row| Reverse(row.moved(key).0.unsigned_abs());
        order(a).cmp(&order(b)).then_with(|| a.key.cmp(&b.key))
    });
}

fn text(
    out: &mut dyn Write,
    rows: &[Row],
    hidden: usize,
    edges: bool,
    (before, after): (&Trace, &Trace),
) -> io::Result<()> {
    let (a, b) = (reading::label(before), reading::label(after));
    writeln!(out, "from {} to {}", printable(&a), printable(&b))?;
    writeln!(out)?;
    if rows.is_empty() {
        writeln!(out, "nothing differs")?;
        return out.flush();
    }
    let time = if edges { "time" } else { "self" };
    let mut table = Table::new(&[
        ("calls", Align::Right),
        ("change", Align::Right),
        (time, Align::Right),
        ("change", Align::Right),
        ("p50", Align::Right),
        ("change", Align::Right),
        ("p99", Align::Right),
        ("change", Align::Right),
        ("", Align::Left),
        (if edges { "caller → callee" } else { "function" }, Align::Left),
    ]);
    for row in rows {
        let mut cells = Vec::new();
        let keys = [DiffKey::Calls, DiffKey::SelfTime, DiffKey::P50, DiffKey::P99];
        for (number, key) in keys.into_iter().enumerate() {
            let now = row.after.as_ref().and_then(|side| side.value(key));
            let show = if number == 0 { count } else { duration };
            cells.push(now.map_or_else(|| "-".to_owned(), show));
            cells.push(change(row, key));
        }
        let mark = match (&row.before, &row.after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ if row.significant => "!",
            _ => "",
        };
        cells.push(mark.to_owned());
        cells.push(match &row.key {
            (None, name) if edges => format!("(no probed function) → {name}"),
            (None, name) => name.clone(),
            (Some(caller), name) => format!("{caller} → {name}"),
        });
        table.row(cells);
    }
    table.write(out, terminal_width())?;
    if rows.iter().any(|row| row.significant) {
        writeln!(out, "\n!: its calls take a different time, beyond chance")?;
    }
    if hidden > 0 {
        writeln!(out, "{}; --limit 0 shows all", counted(hidden as u64, "more"))?;
    }
    out.flush()
}

/// By how much a value moved, in percent, or how many times it is.
fn change(row: &Row, key: DiffKey) -> String {
    let known = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.value(key).is_some());
    if !known(&row.before) || !known(&row.after) {
        return String::new();
    }
    match row.moved(key) {
        (0, _) => "=".to_owned(),
        (_, 0) => "+".to_owned(),
        (moved, before) => {
            let share = moved as f64 / before as f64;
            if share >= 9.0 {
                format!("×{:.0}", share + 1.0)
            } else {
                format!("{:+.0}%", share * 100.0)
            }
        }
    }
}

/// The JSON of `scope diff`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    a: String,
    b: String,
    /// Functions, or edges with `--edges`.
    rows: Vec<Line<'a>>,
    not_shown: usize,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    /// With `--edges`; null: called by no probed function.
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Option<&'a str>>,
    function: &'a str,
    /// Null: not in that trace.
    a: Option<Numbers>,
    b: Option<Numbers>,
    /// How likely durations this different are by chance.
    p_value: Option<f64>,
    significant: bool,
}

#[derive(Debug, Serialize)]
struct Numbers {
    calls: u64,
    /// Of functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_ns: Option<u64>,
    /// Of edges.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_ns: Option<u64>,
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
}

impl<'a> Line<'a> {
    fn new(row: &'a Row, edges: bool) -> Self {
        let numbers = |side: &Side| Numbers {
            calls: side.calls,
            self_ns: (!edges).then_some(side.time_ns),
            total_ns: edges.then_some(side.time_ns),
            p50_ns: side.durations.quantile_ns(0.5),
            p99_ns: side.durations.quantile_ns(0.99),
        };
        Self {
            caller: edges.then_some(row.key.0.as_deref()),
            function: &row.key.1,
            a: row.before.as_ref().map(numbers),
            b: row.after.as_ref().map(numbers),
            p_value: row.chance,
            significant: row.significant,
        }
    }
}
