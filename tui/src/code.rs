//! Sources as a trace keeps them: text, trees and call sites from `scope-code`.
//!
//! Nothing is read before it is asked for. The code of a recording that goes on is written while it
//! runs: what is missing of it is looked for again, but not at every question.

mod highlight;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use scope_code::{CallSite, CodeError, CodeFunction, CodeMap, Freshness};
use scope_model::FunctionId;
use scope_source::SourceFile;
use scope_store::Trace;
use scope_timeline::{Durations, SiteProfile};

use crate::query::Facts;
use crate::source::{LeftAt, LineCost, SourceText, SourceView, Span};

/// Least time between two looks for what a growing trace did not have yet.
const AGAIN: Duration = Duration::from_secs(1);
/// Lines of a text that are shown at most: no function is longer.
const MOST_LINES: u32 = 20_000;

/// The code of a trace.
#[derive(Debug)]
pub struct Code {
    path: PathBuf,
    opened: Mutex<Option<Opened>>,
}

#[derive(Clone, Debug)]
struct Opened {
    map: Arc<CodeMap>,
    complete: bool,
    at: Instant,
}

impl Code {
    /// Of the trace at a path; nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, opened: Mutex::new(None) }
    }

    /// The code as it was opened last; with `again`, as it is now, where that may be more.
    fn opened(&self, again: bool) -> Result<Opened, String> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let outdated = |known: &Opened| again && !known.complete && known.at.elapsed() > AGAIN;
        if let Some(known) = opened.as_ref().filter(|known| !outdated(known)) {
            return Ok(known.clone());
        }
        let trace = Trace::open(&self.path).map_err(|error| error.to_string())?;
        let map = Arc::new(CodeMap::of_trace(&trace));
        let now = Opened { map, complete: trace.is_complete(), at: Instant::now() };
        Ok(opened.insert(now).clone())
    }
}

impl SourceView for Code {
    fn text(
        &self,
        facts: &Facts,
        function: FunctionId,
        left_at: Option<&LeftAt>,
    ) -> Result<SourceText, String> {
        let known = self.opened(false)?;
        let found = text(&known.map, facts, function, left_at);
        let whole = found.as_ref().is_ok_and(|text| left_at.is_none() || text.node.is_some());
        if whole || known.complete {
            return found;
        }
        let newer = self.opened(true)?;
        if Arc::ptr_eq(&newer.map, &known.map) {
            return found;
        }
        text(&newer.map, facts, function, left_at)
    }

    fn costs(&self, facts: &Facts, function: FunctionId, sites: &[SiteProfile]) -> Vec<LineCost> {
        // Why there is no text is said where the text would be.
        let found = self.opened(false).map(|opened| costs(&opened.map, facts, function, sites));
        found.ok().and_then(Result::ok).unwrap_or_default()
    }
}

fn text(
    map: &CodeMap,
    facts: &Facts,
    function: FunctionId,
    left_at: Option<&LeftAt>,
) -> Result<SourceText, String> {
    let said = |error: CodeError| error.to_string();
    let recorded = facts.function(function).ok_or("the trace does not say which function it is")?;
    let code = map.function(recorded).map_err(said)?;
    let why = || code.reason.map_or("its source is not known", |reason| reason.text()).to_owned();
    let source = code.source.ok_or_else(why)?;
    let entry = map.sources().map_err(said)?.entry(source).ok_or_else(why)?;
    let file = map.parsed(source).map_err(said)?;
    let declared = code.place.as_ref().map_or(1, |place| place.line);
    let mut notes = Vec::new();
    notes.extend(
        code.freshness.map(Freshness::text).filter(|text| !text.is_empty()).map(str::to_owned),
    );
    notes.extend(code.reason.map(|reason| reason.text().to_owned()));
    let Some(file) = file else {
        let bytes = map.sources().map_err(said)?.text(source).map_err(said)?;
        let lines = String::from_utf8_lossy(&bytes);
        let first = declared.saturating_sub(MOST_LINES / 2).max(1);
        let lines = lines.lines().skip(first as usize - 1).take(MOST_LINES as usize);
        return Ok(SourceText {
            file: entry.path.clone(),
            note: joined(&notes),
            first_line: first,
            lines: lines.map(str::to_owned).collect(),
            at: declared.saturating_sub(first) as usize,
            ..SourceText::default()
        });
    };
    let (first, last) = match own(&code, &file) {
        Some(node) => (node.attributes_at.line, node.span.end.line),
        None => (declared.saturating_sub(MOST_LINES / 2).max(1), file.lines().lines()),
    };
    let last = last.min(first.saturating_add(MOST_LINES));
    let lines: Vec<String> = (first..=last).filter_map(|line| line_of(&file, line)).collect();
    let node = match left_at {
        None => None,
        Some(left_at) => match mark(map, facts, left_at, &code, &file).map_err(said)? {
            Ok((line, start, end)) if (first..=last).contains(&line) => {
                Some(Span { line: (line - first) as usize, start, end })
            }
            Ok((line, ..)) => {
                notes.push(format!("the call is made at line {line}"));
                None
            }
            Err(why) => {
                notes.push(why);
                None
            }
        },
    };
    Ok(SourceText {
        file: entry.path.clone(),
        note: joined(&notes),
        first_line: first,
        highlights: highlight::highlights(&file, first, last),
        lines,
        node,
        at: declared.saturating_sub(first) as usize,
    })
}

fn joined(notes: &[String]) -> Option<String> {
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// The function's own node.
fn own<'f>(code: &CodeFunction, file: &'f SourceFile) -> Option<&'f scope_source::Function> {
    let found = code.node.filter(|_| code.reason.is_none())?;
    file.functions().get(found.function? as usize)
}

/// A line without its end.
fn line_of(file: &SourceFile, line: u32) -> Option<String> {
    let range = file.lines().line(line)?;
    let text = String::from_utf8_lossy(file.slice((range.start, range.end)));
    Some(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// Line, first byte and end in it of the call expression; or why it is not known.
type Marked = Result<(u32, usize, usize), String>;

fn mark(
    map: &CodeMap,
    facts: &Facts,
    left_at: &LeftAt,
    code: &CodeFunction,
    file: &SourceFile,
) -> Result<Marked, CodeError> {
    let unknown = |why: &str| Ok(Err(format!("the call expression is not known: {why}")));
    let Some(callee) = facts.function(left_at.callee) else {
        return unknown("the trace does not say what was called");
    };
    let LeftAt { pid, time_ns, return_address, .. } = *left_at;
    let site = map.call_site(pid, time_ns, return_address, callee)?;
    let Some(frame) = within(&site, code, file) else {
        return match (site.reason, site.place()) {
            (Some(reason), _) => unknown(reason.text()),
            (None, Some(place)) => {
                let name = place.file.rsplit('/').next().unwrap_or(&place.file);
                unknown(&format!("it is made in inlined code, at {name}:{}", place.line))
            }
            (None, None) => unknown("nothing stands there"),
        };
    };
    let call = frame.node.and_then(|found| found.call).filter(|_| frame.reason.is_none());
    let Some(call) = call.and_then(|index| file.calls().get(index as usize)) else {
        let Some(place) = &frame.place else { return unknown("no line is known") };
        // The line is known at least.
        let text = line_of(file, place.line).unwrap_or_default();
        let start = text.len() - text.trim_start().len();
        return Ok(Ok((place.line, start, text.trim_end().len())));
    };
    // Of a chain of calls the part from the called name on.
    let name = file.lines().position(call.name.0);
    let line_end = file.lines().line(name.line).map_or(call.name.1, |line| line.end);
    let end = if call.end <= line_end { call.end } else { call.name.1 };
    let start = name.column.saturating_sub(1) as usize;
    Ok(Ok((name.line, start, start + end.saturating_sub(call.name.0) as usize)))
}

/// The frame of a call site that stands in a function: calls from code that was inlined here are made by
/// what called that.
fn within<'s>(
    site: &'s CallSite,
    code: &CodeFunction,
    file: &SourceFile,
) -> Option<&'s scope_code::SiteFrame> {
    let own = own(code, file).map(|function| function.node);
    site.frames.iter().find(|frame| {
        let inside = |node| own.is_none_or(|own| file.ast().contains(own, node));
        frame.source == code.source && frame.node.is_some_and(|found| inside(found.node))
    })
}

#[derive(Default)]
struct Cost {
    calls: u64,
    total_ns: u64,
    durations: Durations,
    sites: Vec<(FunctionId, u64)>,
}

fn costs(
    map: &CodeMap,
    facts: &Facts,
    function: FunctionId,
    sites: &[SiteProfile],
) -> Result<Vec<LineCost>, CodeError> {
    let Some(recorded) = facts.function(function) else { return Ok(Vec::new()) };
    let code = map.function(recorded)?;
    let Some(source) = code.source else { return Ok(Vec::new()) };
    let Some(file) = map.parsed(source)? else { return Ok(Vec::new()) };
    let mut lines: BTreeMap<u32, Cost> = BTreeMap::new();
    for profile in sites.iter().filter(|profile| profile.caller == Some(function)) {
        let Some(callee) = facts.function(profile.function) else { continue };
        let SiteProfile { pid, first_ns, return_address, .. } = *profile;
        let site = map.call_site(pid, first_ns, return_address, callee)?;
        let Some(frame) = within(&site, &code, &file) else { continue };
        let call = frame.node.and_then(|found| found.call).filter(|_| frame.reason.is_none());
        let call = call.and_then(|index| file.calls().get(index as usize));
        let line = match (call, &frame.place) {
            (Some(call), _) => file.positions_of(call).1.line,
            (None, Some(place)) => place.line,
            (None, None) => continue,
        };
        let cost = lines.entry(line).or_default();
        cost.calls = cost.calls.saturating_add(profile.calls);
        cost.total_ns = cost.total_ns.saturating_add(profile.total_ns);
        cost.durations.add(&profile.durations);
        cost.sites.push((profile.function, profile.return_address));
    }
    let line = |(line, cost): (u32, Cost)| LineCost {
        line,
        calls: cost.calls,
        total_ns: cost.total_ns,
        p99_ns: cost.durations.quantile_ns(0.99),
        sites: cost.sites,
    };
    Ok(lines.into_iter().map(line).collect())
}
