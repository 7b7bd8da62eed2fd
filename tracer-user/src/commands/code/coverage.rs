//! `scope code TRACE --coverage`: how many of the recorded calls are tied to nodes, and why the others
//! are not.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use scope_code::Reason;
use scope_timeline::SiteProfiler;
use serde::Serialize;

use super::subject::Subject;
use crate::cli::CodeFormat;
use crate::commands::reading::{self, Next};
use crate::output::json;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{self, count, counted};

/// The JSON. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Coverage {
    target: String,
    calls: u64,
    /// Different places that calls were made from.
    sites: u64,
    /// Calls of a function that has a node.
    with_function_node: u64,
    /// Why the others have none.
    without_function_node: BTreeMap<Reason, u64>,
    /// Calls made by a call expression that is known.
    with_call_node: u64,
    /// Of these, calls made by inlined code whose own source is not known: the expression is the one
    /// that was inlined.
    through_inlined_code: u64,
    /// Why the others have none.
    without_call_node: BTreeMap<Reason, u64>,
    /// Places without a call expression, those with most calls first; at most so many.
    places_without: Vec<Place>,
}

/// Most places that are listed.
const MOST_PLACES: usize = 20;

#[derive(Debug, Serialize)]
struct Place {
    calls: u64,
    /// What was called.
    function: String,
    /// Where; null where that is not known.
    file: Option<String>,
    line: Option<u32>,
    reason: Reason,
}

/// Prints it.
pub fn write(out: &mut impl Write, subject: &Subject, format: CodeFormat) -> anyhow::Result<()> {
    let coverage = coverage(subject)?;
    if format == CodeFormat::Json {
        return json::document(out, &coverage);
    }
    let Coverage { calls, sites, .. } = coverage;
    writeln!(out, "{} from {}", counted(calls, "call"), counted(sites, "place"))?;
    for (what, with, without) in [
        ("of a function with a node", coverage.with_function_node, &coverage.without_function_node),
        ("by a call expression", coverage.with_call_node, &coverage.without_call_node),
    ] {
        writeln!(out, "\n{:>7}  {} {what}", share(with, calls), count(with))?;
        let mut reasons: Vec<_> = without.iter().collect();
        reasons.sort_by_key(|(_, calls)| std::cmp::Reverse(**calls));
        for (reason, of) in reasons {
            writeln!(out, "{:>7}  {} {}", share(*of, calls), count(*of), reason.text())?;
        }
    }
    if coverage.through_inlined_code > 0 {
        let through = coverage.through_inlined_code;
        writeln!(
            out,
            "\n{:>7}  {} made by inlined code of unknown source: tied to what was inlined",
            share(through, calls),
            count(through),
        )?;
    }
    if !coverage.places_without.is_empty() {
        writeln!(out)?;
        let mut table = Table::new(&[
            ("calls", Align::Right),
            ("without since", Align::Left),
            ("place", Align::Left),
            ("called", Align::Left),
        ]);
        for place in &coverage.places_without {
            let at = place.file.as_deref().zip(place.line);
            table.row(vec![
                count(place.calls),
                place.reason.text().to_owned(),
                at.map_or_else(|| "-".to_owned(), |(file, line)| units::place(file, line)),
                place.function.clone(),
            ]);
        }
        table.write(out, terminal_width())?;
    }
    out.flush()?;
    Ok(())
}

fn share(part: u64, whole: u64) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole.max(1) as f64)
}

fn coverage(subject: &Subject) -> anyhow::Result<Coverage> {
    let trace =
        subject.trace.as_ref().context("--coverage is of a trace: a binary has no calls")?;
    let mut profiler = SiteProfiler::default();
    reading::each_event(trace, |event| {
        profiler.push(&event);
        Ok(Next::Go)
    })?;
    let sites = profiler.finish();
    let mut coverage = Coverage {
        target: subject.label.clone(),
        calls: 0,
        sites: sites.len() as u64,
        with_function_node: 0,
        without_function_node: BTreeMap::new(),
        with_call_node: 0,
        through_inlined_code: 0,
        without_call_node: BTreeMap::new(),
        places_without: Vec::new(),
    };
    for site in &sites {
        coverage.calls += site.calls;
        let Some(callee) = trace.functions().get(site.function.index()) else {
            *coverage.without_function_node.entry(Reason::NoFunction).or_default() += site.calls;
            *coverage.without_call_node.entry(Reason::NoFunction).or_default() += site.calls;
            continue;
        };
        match subject.map.function(callee)?.reason {
            None => coverage.with_function_node += site.calls,
            Some(why) => *coverage.without_function_node.entry(why).or_default() += site.calls,
        }
        let made = subject.map.call_site(site.pid, site.first_ns, site.return_address, callee)?;
        match made.reason {
            None => {
                coverage.with_call_node += site.calls;
                if made.is_through_inlined_code() {
                    coverage.through_inlined_code += site.calls;
                }
            }
            Some(reason) => {
                *coverage.without_call_node.entry(reason).or_default() += site.calls;
                coverage.places_without.push(Place {
                    calls: site.calls,
                    function: callee.name.clone(),
                    file: made.place().map(|place| place.file.clone()),
                    line: made.place().map(|place| place.line),
                    reason,
                });
            }
        }
    }
    coverage.places_without.sort_by_key(|place| std::cmp::Reverse(place.calls));
    coverage.places_without.truncate(MOST_PLACES);
    Ok(coverage)
}
