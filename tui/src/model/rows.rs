//! The rows of the panes, as values: what they are, how many, and which one is selected.

use std::cmp::Reverse;

use scope_model::{FunctionId, OpenCall, ThreadState};
use scope_timeline::Callee;

use super::layout::first_row;
use super::{Model, Pane};
use crate::query::executions::Execution;
use crate::query::{FunctionRow, FunctionTimes};

/// So many calls of one function in a row are folded.
const FOLD_FROM: usize = 3;

/// A row of the calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallRow<'a> {
    /// A call around the focused one.
    Caller {
        /// Its index in the stack.
        index: usize,
        /// The call.
        call: &'a OpenCall,
    },
    /// The focused call.
    Focused {
        /// Its index in the stack.
        index: usize,
        /// The call.
        call: &'a OpenCall,
    },
    /// Where its time went.
    Times,
    /// A call it made.
    Callee(&'a Callee),
    /// Several calls of one function that it made, one after the other.
    Fold(&'a [Callee]),
    /// Between the calls it made before the moment and those after it.
    Now,
    /// It made more calls than are shown, before or after these.
    More {
        /// Before these.
        before: bool,
    },
}

/// A row of the states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StateRow<'a> {
    /// A thread.
    Thread(&'a ThreadState),
    /// An open call of the focused one, by its index in the stack.
    Frame(usize, &'a OpenCall),
}

/// A row of the marks and breakpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkRow<'a> {
    /// A mark, by name.
    Mark(&'a str),
    /// A breakpoint, by index.
    Breakpoint(usize),
}

/// What functions are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// Calls.
    Calls,
    /// Time from entry to end.
    #[default]
    Total,
    /// Time in the function itself.
    #[serde(rename = "self")]
    SelfTime,
    /// Median.
    P50,
    /// 99th percentile.
    P99,
    /// The longest.
    Max,
    /// Readable name.
    Name,
}

impl SortKey {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 7] =
        [Self::Calls, Self::Total, Self::SelfTime, Self::P50, Self::P99, Self::Max, Self::Name];

    /// Heading of its column.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Total => "total",
            Self::SelfTime => "self",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Name => "function",
        }
    }
}

impl Model {
    /// The rows of the calls, outermost first, and which of them is where the focus is.
    #[must_use]
    pub fn call_rows(&self) -> (Vec<CallRow<'_>>, usize) {
        let Some(answered) = &self.answers.tree else { return (Vec::new(), 0) };
        let tree = &answered.value;
        let mut rows = Vec::new();
        let stack = tree.thread.as_ref().map_or(&[] as &[_], |thread| &thread.stack);
        if let Some(frame) = tree.frame {
            for (index, call) in stack.iter().enumerate().take(frame) {
                rows.push(CallRow::Caller { index, call });
            }
            if let Some(call) = stack.get(frame) {
                rows.push(CallRow::Focused { index: frame, call });
                rows.push(CallRow::Times);
            }
        }
        let focused = rows.len().saturating_sub(2);
        if tree.more_before {
            rows.push(CallRow::More { before: true });
        }
        let (passed, coming) = tree.callees.split_at(tree.passed.min(tree.callees.len()));
        fold(passed, &mut rows);
        let now = rows.len();
        rows.push(CallRow::Now);
        fold(coming, &mut rows);
        if tree.more_after {
            rows.push(CallRow::More { before: false });
        }
        // With nothing passed, the call itself is the better place to begin.
        (rows, if passed.is_empty() && tree.frame.is_some() { focused } else { now })
    }

    /// The threads at the moment, and the open calls of the focused one under it.
    #[must_use]
    pub fn state_rows(&self) -> Vec<StateRow<'_>> {
        let Some(answered) = &self.answers.states else { return Vec::new() };
        let mut rows = Vec::new();
        for thread in answered.value.iter() {
            rows.push(StateRow::Thread(thread));
            if Some(thread.tid) == self.focus.tid {
                let frames = thread.stack.iter().enumerate().rev();
                rows.extend(frames.map(|(index, call)| StateRow::Frame(index, call)));
            }
        }
        rows
    }

    /// The row of the focused thread.
    fn focused_state(&self) -> usize {
        let focused = |row: &StateRow<'_>| matches!(row, StateRow::Thread(thread) if Some(thread.tid) == self.focus.tid);
        self.state_rows().iter().position(focused).unwrap_or_default()
    }

    /// A function's row, by its place in the order they are sorted in.
    #[must_use]
    pub fn function_row(&self, at: usize) -> Option<&FunctionRow> {
        let rows = &self.answers.functions.as_ref()?.value.rows;
        rows.get(*self.function_order.get(at)? as usize)
    }

    /// The times of a function, once all events were read.
    #[must_use]
    pub fn times(&self, function: FunctionId) -> Option<FunctionTimes> {
        self.answers.totals.as_ref()?.value.get(&function).copied()
    }

    /// The total time of a function, ns: until all events were read, the sum of the durations of its
    /// calls that returned.
    #[must_use]
    pub fn total_ns(&self, row: &FunctionRow) -> u64 {
        self.times(row.id).map_or(row.total_ns, |times| times.total_ns)
    }

    /// An execution of the function that was opened.
    #[must_use]
    pub fn execution_row(&self, at: usize) -> Option<&Execution> {
        let executions = &self.answers.executions.as_ref()?.value;
        let open = self.executions_of.as_ref() == Some(&executions.of);
        executions.calls.get(at).filter(|_| open)
    }

    /// Marks by name, then breakpoints.
    #[must_use]
    pub fn mark_rows(&self) -> Vec<MarkRow<'_>> {
        let marks = self.marks.keys().map(|name| MarkRow::Mark(name));
        marks.chain((0..self.breakpoints.len()).map(MarkRow::Breakpoint)).collect()
    }

    /// How many rows the pane with the keys has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match self.pane {
            Pane::Calls => self.call_rows().0.len(),
            Pane::Source => self.current_source().map_or(0, |source| source.lines.len()),
            Pane::State => self.state_rows().len(),
            Pane::Functions if self.executions_of.is_some() => {
                self.answers.executions.as_ref().map_or(0, |answered| answered.value.calls.len())
            }
            Pane::Functions => self.function_order.len(),
            Pane::Marks => self.mark_rows().len(),
            Pane::Queries => self.shown_rows().map_or(0, |shown| shown.rows.rows.len()),
            Pane::Health => self.health_lines().len(),
        }
    }

    /// The selected row of a pane.
    #[must_use]
    pub fn selected_row(&self, pane: Pane) -> usize {
        match pane {
            Pane::Calls => self.selected.calls.unwrap_or_else(|| self.call_rows().1),
            Pane::Source => self.selected.source.unwrap_or_else(|| {
                self.current_source()
                    .map_or(0, |source| source.node.map_or(source.at, |node| node.line))
            }),
            Pane::State => self.selected.state.unwrap_or_else(|| self.focused_state()),
            Pane::Functions if self.executions_of.is_some() => self.selected.executions,
            Pane::Functions => self.selected.functions,
            Pane::Marks => self.selected.marks,
            Pane::Queries => self.selected.queries,
            Pane::Health => self.selected.health,
        }
    }

    /// Selects a row of the pane with the keys, or the nearest there is.
    pub(super) fn select(&mut self, row: usize) {
        let row = row.min(self.row_count().saturating_sub(1));
        match self.pane {
            Pane::Calls => self.selected.calls = Some(row),
            Pane::Source => self.selected.source = Some(row),
            Pane::State => self.selected.state = Some(row),
            Pane::Functions if self.executions_of.is_some() => self.selected.executions = row,
            Pane::Functions => self.selected.functions = row,
            Pane::Marks => self.selected.marks = row,
            Pane::Queries => self.selected.queries = row,
            Pane::Health => self.selected.health = row,
        }
    }

    /// Lines of a pane that are a heading and no rows.
    #[must_use]
    pub const fn heading(pane: Pane) -> usize {
        match pane {
            Pane::Functions | Pane::Source => 1,
            Pane::Queries => 2,
            _ => 0,
        }
    }

    /// The row on a line of the pane with the keys.
    #[must_use]
    pub fn row_at(&self, line: usize) -> Option<usize> {
        let heading = Self::heading(self.pane);
        let height = self.rows_height();
        let line = line.checked_sub(heading).filter(|line| *line < height)?;
        let total = self.row_count();
        let row = first_row(self.selected_row(self.pane), total, height) + line;
        (row < total).then_some(row)
    }

    /// Lines for rows of the pane with the keys.
    #[must_use]
    pub fn rows_height(&self) -> usize {
        let height = self.regions().pane_height(self.pane);
        let foot = if self.pane == Pane::Functions { functions_foot(height) } else { 0 };
        height.saturating_sub(Self::heading(self.pane) + foot)
    }

    /// Sorts the functions anew.
    pub(super) fn sort_functions(&mut self) {
        let Some(answered) = &self.answers.functions else { return };
        let rows = &answered.value.rows;
        let before = self.function_order.get(self.selected.functions).copied();
        let mut order: Vec<u32> = (0..rows.len()).map(|at| at as u32).collect();
        let name = |id: FunctionId| self.facts.function(id).map_or("", |known| known.name.as_str());
        let of = |at: &u32| &rows[*at as usize];
        match self.sort {
            SortKey::Calls => order.sort_by_key(|at| Reverse(of(at).calls)),
            SortKey::Total => order.sort_by_key(|at| Reverse(self.total_ns(of(at)))),
            SortKey::SelfTime => {
                order.sort_by_key(|at| {
                    Reverse(self.times(of(at).id).map_or(0, |times| times.self_ns))
                });
            }
            SortKey::P50 => order.sort_by_key(|at| Reverse(of(at).p50_ns)),
            SortKey::P99 => order.sort_by_key(|at| Reverse(of(at).p99_ns)),
            SortKey::Max => order.sort_by_key(|at| Reverse(of(at).max_ns)),
            SortKey::Name => order.sort_by(|a, b| name(of(a).id).cmp(name(of(b).id))),
        }
        if self.sort_reversed {
            order.reverse();
        }
        // The selection stays on its row while the trace grows, unless it is at the top.
        if self.selected.functions > 0
            && let Some(at) = before.and_then(|row| order.iter().position(|other| *other == row))
        {
            self.selected.functions = at;
        }
        self.selected.functions = self.selected.functions.min(order.len().saturating_sub(1));
        self.function_order = order;
    }
}

/// Lines under the functions for the histogram of the selected one.
#[must_use]
pub const fn functions_foot(height: usize) -> usize {
    if height >= 9 { 3 } else { 0 }
}

fn fold<'a>(mut callees: &'a [Callee], rows: &mut Vec<CallRow<'a>>) {
    while let Some(first) = callees.first() {
        let alike = callees.iter().take_while(|callee| callee.function == first.function).count();
        let (run, rest) = callees.split_at(alike);
        if alike >= FOLD_FROM {
            rows.push(CallRow::Fold(run));
        } else {
            rows.extend(run.iter().map(CallRow::Callee));
        }
        callees = rest;
    }
}
