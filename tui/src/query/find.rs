//! Fuzzy search over names: functions, source files, threads.

use std::cmp::Reverse;

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use rustc_hash::FxHashMap;
use scope_model::{FunctionId, Tid};
use scope_timeline::{Timeline, TimelineError};

/// Hits that are kept, the best first.
pub const MOST: usize = 200;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finds {
    /// The best hits first.
    pub rows: Vec<FindRow>,
    /// All hits.
    pub count: usize,
}

/// One hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindRow {
    /// Its name.
    pub text: String,
    /// What it is.
    pub kind: FindKind,
}

/// What a hit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKind {
    /// A function: to its next call.
    Function(FunctionId),
    /// A source file: to the next call of the first of its functions.
    File(FunctionId),
    /// A thread.
    Thread(Tid),
}

/// Finds names. An empty text finds everything, in the order of the tables.
///
/// # Errors
///
/// What reading the trace gives.
pub fn find(timeline: &Timeline<'_>, text: &str) -> Result<Finds, TimelineError> {
    let trace = timeline.trace();
    let mut candidates: Vec<FindRow> = Vec::new();
    let mut files: FxHashMap<&str, FunctionId> = FxHashMap::default();
    let mut in_order: Vec<&str> = Vec::new();
    for function in trace.functions() {
        let kind = FindKind::Function(function.id);
        candidates.push(FindRow { text: function.name.clone(), kind });
        if let Some(file) = &function.file {
            files.entry(file).or_insert_with(|| {
                in_order.push(file);
                function.id
            });
        }
    }
    for file in in_order {
        if let Some(id) = files.get(file) {
            candidates.push(FindRow { text: file.to_owned(), kind: FindKind::File(*id) });
        }
    }
    for thread in timeline.state_at(timeline.end()?)?.sorted_threads() {
        let text = format!("{} {}", thread.name, thread.tid);
        candidates.push(FindRow { text, kind: FindKind::Thread(thread.tid) });
    }
    Ok(best(candidates, text))
}

fn best(candidates: Vec<FindRow>, text: &str) -> Finds {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(text, CaseMatching::Smart, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, FindRow)> = candidates
        .into_iter()
        .filter_map(|row| {
            let score = pattern.score(Utf32Str::new(&row.text, &mut buffer), &mut matcher)?;
            Some((score, row))
        })
        .collect();
    let count = scored.len();
    // Stable: equals stay in the order of the tables. Of equal scores the shorter name is nearer.
    if !text.trim().is_empty() {
        scored.sort_by_key(|(score, row)| (Reverse(*score), row.text.len()));
    }
    let rows = scored.into_iter().take(MOST).map(|(_, row)| row).collect();
    Finds { rows, count }
}
