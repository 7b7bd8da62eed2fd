//! The report as text: threads, functions, and below them what the numbers do not include.

use std::cmp::Reverse;
use std::io::{self, Write};

use scope_store::Trace;
use scope_timeline::{FunctionProfile, Profile, ThreadProfile};

use crate::commands::reading;
use crate::output::style;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{self, count, counted, duration};

/// Writes the report of a profile whose functions are in the order to show, `limit` at most.
pub fn write(
    out: &mut dyn Write,
    trace: &Trace,
    profile: &Profile,
    limit: usize,
) -> io::Result<()> {
    let width = terminal_width();
    writeln!(
        out,
        "{}: {}, {}",
        reading::label(trace),
        duration(profile.duration_ns),
        counted(profile.events, "event"),
    )?;
    writeln!(out)?;
    threads(out, profile, limit, width)?;
    writeln!(out)?;
    let shown = profile.functions.len().min(limit);
    functions(trace, profile, &profile.functions[..shown]).write(out, width)?;
    notes(out, trace, profile, shown)?;
    out.flush()
}

/// The busiest threads first.
fn threads(
    out: &mut dyn Write,
    profile: &Profile,
    limit: usize,
    width: Option<usize>,
) -> io::Result<()> {
    let mut table = Table::new(&[
        ("on-CPU", Align::Right),
        ("blocked", Align::Right),
        ("runnable", Align::Right),
        ("events", Align::Right),
        ("lost", Align::Right),
        ("pid", Align::Right),
        ("tid", Align::Right),
        ("thread", Align::Left),
    ]);
    let mut threads: Vec<&ThreadProfile> = profile.threads.iter().collect();
    threads.sort_by_key(|thread| Reverse(thread.on_cpu_ns));
    for thread in threads.iter().take(limit) {
        table.row(vec![
            duration(thread.on_cpu_ns),
            duration(thread.off_cpu_ns),
            duration(thread.runnable_ns),
            count(thread.events),
            count(thread.lost_events),
            thread.pid.to_string(),
            thread.tid.to_string(),
            thread.name.clone(),
        ]);
    }
    table.write(out, width)?;
    match threads.len().saturating_sub(limit) {
        0 => Ok(()),
        hidden => writeln!(out, "{}; --limit 0 shows all", counted(hidden as u64, "more thread")),
    }
}

fn functions(trace: &Trace, profile: &Profile, functions: &[FunctionProfile]) -> Table {
    let mut table = Table::new(&[
        ("calls", Align::Right),
        ("total", Align::Right),
        ("self", Align::Right),
        ("on-CPU", Align::Right),
        ("off-CPU", Align::Right),
        ("p50", Align::Right),
        ("p90", Align::Right),
        ("p99", Align::Right),
        ("max", Align::Right),
        ("where", Align::Left),
        ("function", Align::Left),
    ])
    // From the one that is missed least.
    .give_way(&["where", "p90", "off-CPU", "p50", "on-CPU"]);
    for function in functions {
        let place = declared(trace, function);
        table.row(row(function, place, reading::function_name(trace, function.id)));
        for (thread, share) in super::shares(profile, function.id) {
            let name = format!("  {} {}", thread.tid, thread.name);
            table.row(row(share, String::new(), name));
        }
    }
    table
}

/// End of the path and line of a declaration.
fn declared(trace: &Trace, function: &FunctionProfile) -> String {
    let known = reading::function(trace, function.id);
    let place = known.and_then(|known| known.file.as_deref().zip(known.line));
    place.map_or_else(String::new, |(file, line)| units::place(file, line))
}

fn row(function: &FunctionProfile, place: String, name: String) -> Vec<String> {
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration);
    let durations = &function.durations;
    vec![
        count(function.calls),
        duration(function.times.total_ns),
        duration(function.self_ns),
        duration(function.times.on_cpu_ns),
        duration(function.times.off_cpu_ns),
        time(durations.quantile_ns(0.5)),
        time(durations.quantile_ns(0.9)),
        time(durations.quantile_ns(0.99)),
        time(durations.max_ns()),
        place,
        name,
    ]
}

/// What the tables do not say of themselves, each only where there is something to say.
fn notes(out: &mut dyn Write, trace: &Trace, profile: &Profile, shown: usize) -> io::Result<()> {
    let mut notes = Vec::new();
    let hidden = profile.functions.len() - shown;
    if hidden > 0 {
        notes.push(format!("{}; --limit 0 shows all", counted(hidden as u64, "more function")));
    }
    let probed = trace.functions().len() as u64;
    notes.push(format!(
        "{} of {} called",
        count(profile.functions.len() as u64),
        counted(probed, "probed function")
    ));
    let sum = |value: fn(&FunctionProfile) -> u64| profile.functions.iter().map(value).sum::<u64>();
    for (calls, meaning) in [
        (
            sum(|function| function.unfinished),
            "had not ended, or lost their end: in the totals, not in the percentiles",
        ),
        (
            sum(|function| function.unwound),
            "ended by unwinding: in the totals, not in the percentiles",
        ),
        (
            sum(|function| function.unobserved),
            "had no return probe: in the totals, not in the percentiles",
        ),
    ] {
        if calls > 0 {
            notes.push(format!("{} {meaning}", counted(calls, "call")));
        }
    }
    let left_out = trace.left_out().len() as u64;
    if left_out > 0 {
        notes.push(format!(
            "{} chosen but not probed; scope info says why",
            counted(left_out, "function")
        ));
    }
    if !trace.is_complete() {
        notes.push("the recording has not ended, or was killed".to_owned());
    }
    writeln!(out)?;
    for note in notes {
        writeln!(out, "{note}")?;
    }
    if profile.lost_events > 0 {
        let style = style::WARNING;
        let unknown = sum(|function| function.unknown_durations);
        writeln!(
            out,
            "{style}{} lost{style:#}: totals are lower bounds, {} of unknown duration",
            counted(profile.lost_events, "event"),
            counted(unknown, "call"),
        )?;
    }
    Ok(())
}
