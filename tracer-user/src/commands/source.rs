//! `scope source`: the text of a function with what it cost beside the lines: its own calls and time at its
//! head, and on each line that calls recorded functions what those calls took.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use scope_code::{CallSite, CodeFunction, Freshness, Project};
use scope_model::Function;
use scope_source::{FunctionRef, NodeId, SourceFile};
use scope_timeline::{Durations, Profile, ProfileOptions, Profiler, SiteProfile, SiteProfiler};
use serde::Serialize;

use super::code::graphs::no_node;
use super::code::subject::Subject;
use super::reading::{self, Next};
use crate::cli::SourceArgs;
use crate::output::units::{count, counted, duration, printable};
use crate::output::{self, json, style};

/// The JSON of a function. Its names are a contract: fields are added, never renamed or removed. Times are
/// in ns; what is not known is null.
#[derive(Debug, Serialize)]
struct Listing {
    function: String,
    node_id: Option<NodeId>,
    file: String,
    line: u32,
    freshness: Option<Freshness>,
    /// Of all recorded functions of this node: the instances of a generic function are one here.
    calls: u64,
    total_ns: u64,
    self_ns: u64,
    #[serde(flatten)]
    latency: Latency,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    line: u32,
    text: String,
    /// Recorded calls made from here.
    calls: u64,
    /// Wall time of those whose end is known.
    total_ns: u64,
    #[serde(flatten)]
    latency: Latency,
    /// What is called from here, that with most calls first.
    called: Vec<Called>,
}

#[derive(Debug, Serialize)]
struct Called {
    function: String,
    /// The call expression; null where the call stands in inlined code, or in none.
    call_node_id: Option<NodeId>,
    calls: u64,
    total_ns: u64,
    #[serde(flatten)]
    latency: Latency,
}

#[derive(Debug, Default, Serialize)]
struct Latency {
    p50_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl Latency {
    fn of(durations: &Durations) -> Self {
        Self {
            p50_ns: durations.quantile_ns(0.5),
            p99_ns: durations.quantile_ns(0.99),
            max_ns: durations.max_ns(),
        }
    }
}

/// Calls of one function from one line.
#[derive(Debug, Default)]
struct Cost {
    calls: u64,
    total_ns: u64,
    durations: Durations,
}

impl Cost {
    fn add(&mut self, site: &SiteProfile) {
        self.calls += site.calls;
        self.total_ns = self.total_ns.saturating_add(site.total_ns);
        self.durations.add(&site.durations);
    }

    fn add_cost(&mut self, other: &Self) {
        self.calls += other.calls;
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.durations.add(&other.durations);
    }
}

/// Prints the functions.
pub fn run(args: &SourceArgs) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.trace, &scope_symbols::sources::SourceMap::default())?;
    let Some(trace) = &subject.trace else {
        bail!("{} is a program; scope source takes a trace of one", args.trace.display());
    };
    let functions = subject.find(&args.function)?;
    let chosen = subject.by_node(&functions)?;
    let project = subject.map.project()?;
    if let [(function, code)] = chosen.as_slice()
        && project.find(code).is_none()
    {
        bail!("{}", no_node(function, code));
    }
    let mut profiler = Profiler::of(trace, ProfileOptions::default())?;
    let mut sites = SiteProfiler::default();
    reading::each_event(trace, |event| {
        profiler.push(&event);
        sites.push(&event);
        Ok(Next::Go)
    })?;
    let profile = profiler.finish(trace.manifest().end_ns);
    let sites = tied(&subject, sites.finish())?;
    let mut listings = Vec::new();
    for (function, code) in &chosen {
        // Of several, those without a node are passed over: the pattern was a wide one.
        let Some(of) = project.find(code) else { continue };
        let work = Work { subject: &subject, project: &project, profile: &profile, sites: &sites };
        listings.push(work.listing(function, code, of)?);
    }
    let mut out = output::stdout();
    if args.json {
        json::document(&mut out, &listings)?;
    } else {
        for (index, listing) in listings.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write(&mut out, listing)?;
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A place that recorded calls were made from.
struct Tied {
    profile: SiteProfile,
    site: std::sync::Arc<CallSite>,
    callee: String,
}

fn tied(subject: &Subject, sites: Vec<SiteProfile>) -> anyhow::Result<Vec<Tied>> {
    let mut all = Vec::new();
    for profile in sites {
        let Some(callee) = subject.functions.get(profile.function.index()) else { continue };
        let SiteProfile { pid, first_ns, return_address, .. } = profile;
        let site = subject.map.call_site(pid, first_ns, return_address, callee)?;
        all.push(Tied { profile, site, callee: callee.name.clone() });
    }
    Ok(all)
}

struct Work<'w> {
    subject: &'w Subject,
    project: &'w Project,
    profile: &'w Profile,
    sites: &'w [Tied],
}

impl Work<'_> {
    fn listing(
        &self,
        function: &Function,
        code: &CodeFunction,
        of: FunctionRef,
    ) -> anyhow::Result<Listing> {
        let file = self.project.file(of.file).context("the source is not there")?;
        let node = &file.functions()[of.function as usize];
        let (first, last) = (node.attributes_at.line, node.span.end.line);
        let costs = self.costs(file, code, of);
        let own = self.instances(code)?;
        let mut total = Durations::default();
        let (mut calls, mut total_ns, mut self_ns) = (0, 0, 0_u64);
        for profile in self.profile.functions.iter().filter(|profile| own.contains(&profile.id)) {
            calls += profile.calls;
            total_ns += profile.times.total_ns;
            self_ns += profile.self_ns;
            total.add(&profile.durations);
        }
        let lines = (first..=last).map(|line| self.line(file, line, costs.get(&line))).collect();
        let place = code.place.as_ref();
        Ok(Listing {
            function: function.name.clone(),
            node_id: code.node_id(),
            file: place.map_or_else(String::new, |place| place.file.clone()),
            line: node.name_at.line,
            freshness: code.freshness,
            calls,
            total_ns,
            self_ns,
            latency: Latency::of(&total),
            lines,
        })
    }

    /// Recorded functions of the same node.
    fn instances(&self, code: &CodeFunction) -> anyhow::Result<BTreeSet<scope_model::FunctionId>> {
        let mut same = BTreeSet::new();
        for function in &self.subject.functions {
            // Those declared elsewhere are told apart without their source.
            let line = code.place.as_ref().map(|place| place.line);
            if function.line.is_some() && function.line != line {
                continue;
            }
            if self.subject.map.function(function)?.node_id() == code.node_id() {
                same.insert(function.id);
            }
        }
        Ok(same)
    }

    /// What is called from the lines of a function, closures in it included.
    fn costs(
        &self,
        file: &SourceFile,
        code: &CodeFunction,
        of: FunctionRef,
    ) -> BTreeMap<u32, BTreeMap<(String, Option<NodeId>), Cost>> {
        let mut costs: BTreeMap<u32, BTreeMap<_, Cost>> = BTreeMap::new();
        let node = file.functions()[of.function as usize].node;
        for tied in self.sites {
            // The innermost frame that stands in this function: calls from code inlined here are on the
            // line that called that.
            let frame = tied.site.frames.iter().find(|frame| {
                frame.source == code.source
                    && frame.node.is_some_and(|found| file.ast().contains(node, found.node))
            });
            let Some((frame, found)) = frame.and_then(|frame| Some((frame, frame.node?))) else {
                continue;
            };
            let call = found.call.filter(|_| frame.reason.is_none());
            let call = call.and_then(|index| file.calls().get(index as usize));
            let line = match (call, &frame.place) {
                (Some(call), _) => file.positions_of(call).1.line,
                (None, Some(place)) => place.line,
                (None, None) => continue,
            };
            let key = (tied.callee.clone(), call.map(|call| call.id));
            costs.entry(line).or_default().entry(key).or_default().add(&tied.profile);
        }
        costs
    }

    fn line(
        &self,
        file: &SourceFile,
        line: u32,
        costs: Option<&BTreeMap<(String, Option<NodeId>), Cost>>,
    ) -> Line {
        let range = file.lines().line(line).unwrap_or(0..0);
        let text = file.slice((range.start, range.end));
        let text = String::from_utf8_lossy(text).trim_end().to_owned();
        let mut all = Cost::default();
        let mut called = Vec::new();
        for ((function, call_node_id), cost) in costs.into_iter().flatten() {
            all.add_cost(cost);
            called.push(Called {
                function: function.clone(),
                call_node_id: *call_node_id,
                calls: cost.calls,
                total_ns: cost.total_ns,
                latency: Latency::of(&cost.durations),
            });
        }
        called.sort_by_key(|called| std::cmp::Reverse(called.calls));
        let Cost { calls, total_ns, durations } = all;
        Line { line, text, calls, total_ns, latency: Latency::of(&durations), called }
    }
}

fn write(out: &mut impl Write, listing: &Listing) -> anyhow::Result<()> {
    let head = style::HEAD;
    let dim = style::DIM;
    writeln!(out, "{head}{}{head:#}", printable(&listing.function))?;
    writeln!(
        out,
        "{}:{}: {}, total {}, self {}",
        printable(&listing.file),
        listing.line,
        counted(listing.calls, "call"),
        duration(listing.total_ns),
        duration(listing.self_ns),
    )?;
    if let Some(stale) = listing.freshness.map(Freshness::text).filter(|text| !text.is_empty()) {
        let warning = style::WARNING;
        writeln!(out, "{warning}stale{warning:#}: {stale}")?;
    }
    writeln!(
        out,
        "{dim}{:>9} {:>8} {:>8} {:>8}  {:>5}  self time at the head, below what is called there{dim:#}",
        "calls", "time", "p50", "p99", "line",
    )?;
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration);
    for line in &listing.lines {
        let own = line.line == listing.line;
        let (calls, ns, latency) = match own {
            true => (listing.calls, listing.self_ns, &listing.latency),
            false => (line.calls, line.total_ns, &line.latency),
        };
        if calls > 0 {
            write!(
                out,
                "{:>9} {:>8} {:>8} {:>8}",
                count(calls),
                duration(ns),
                time(latency.p50_ns),
                time(latency.p99_ns),
            )?;
        } else {
            write!(out, "{:36}", "")?;
        }
        let text = line.text.replace('\t', "    ");
        writeln!(out, "  {dim}{:>5}{dim:#}  {}", line.line, printable(&text))?;
    }
    Ok(())
}
