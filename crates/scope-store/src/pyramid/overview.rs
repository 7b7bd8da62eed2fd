//! Painting: from entries, and from what goes on between events, to columns of equal width.

use scope_model::{FunctionId, Tid};

use super::{Doing, Entry, Level, Present, Shares, ThreadLevel};

/// What threads did in a range of time, in columns of equal width; see [`crate::Trace::overview`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Where the first column begins, ns.
    pub start_ns: u64,
    /// Where the last one ends, ns.
    pub end_ns: u64,
    /// The threads that were there, by thread id.
    pub threads: Vec<ThreadOverview>,
}

/// What one thread did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadOverview {
    /// The thread; 0 for losses of threads unknown.
    pub tid: Tid,
    /// A column each.
    pub cells: Vec<OverviewCell>,
}

/// What one thread did in one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewCell {
    /// Time on a CPU, ns.
    pub running_ns: u64,
    /// Time waiting for a CPU, ns.
    pub runnable_ns: u64,
    /// Time waiting for something else, ns. What is missing to the width of the column is time in
    /// which the thread was not there or its run state not known.
    pub blocked_ns: u64,
    /// Most calls open at once.
    pub depth: u32,
    /// The function that was the innermost call longest.
    pub function: Option<FunctionId>,
    /// Calls made.
    pub calls: u64,
    /// Events lost.
    pub lost: u64,
}

/// A range of time, ns; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

impl Span {
    pub(crate) fn clip(self, to: Self) -> Option<Self> {
        let start_ns = self.start_ns.max(to.start_ns);
        let end_ns = self.end_ns.min(to.end_ns);
        (start_ns < end_ns).then_some(Self { start_ns, end_ns })
    }

    pub(crate) const fn length(self) -> u64 {
        self.end_ns - self.start_ns
    }
}

/// Fills the columns of one thread.
#[derive(Debug)]
pub(crate) struct Painter {
    range: Span,
    cells: Vec<(OverviewCell, Shares)>,
}

impl Painter {
    /// Columns over a range, which must not be empty.
    pub(crate) fn new(range: Span, columns: usize) -> Self {
        Self { range, cells: vec![Default::default(); columns] }
    }

    /// The columns, the dominant function of each chosen.
    pub(crate) fn finish(self, tid: Tid) -> ThreadOverview {
        let cells = self.cells.into_iter().map(|(cell, shares)| OverviewCell {
            function: shares.largest().map(|(function, _)| function),
            ..cell
        });
        ThreadOverview { tid, cells: cells.collect() }
    }

    /// One thing goes on during a span.
    pub(crate) fn present(&mut self, present: Present, span: Span) {
        self.each(span, |cell, shares, part| {
            let ns = part.length();
            match present.doing {
                Doing::Unknown => {}
                Doing::Running => cell.running_ns += ns,
                Doing::Runnable => cell.runnable_ns += ns,
                Doing::Blocked => cell.blocked_ns += ns,
            }
            cell.depth = cell.depth.max(present.depth);
            shares.add(present.function, ns);
        });
    }

    /// Something happens at a moment.
    pub(crate) fn moment(&mut self, time_ns: u64, depth: u32, calls: u64, lost: u64) {
        let span = Span { start_ns: time_ns, end_ns: time_ns.saturating_add(1) };
        self.each(span, |cell, _, _| {
            cell.depth = cell.depth.max(depth);
            cell.calls += calls;
            cell.lost = cell.lost.saturating_add(lost);
        });
    }

    /// What a level says of a thread within a span.
    pub(crate) fn thread(&mut self, level: &Level, thread: &ThreadLevel, within: Span) {
        let start = |bucket: u64| bucket.saturating_mul(1 << level.shift);
        let Some(wanted) = within.clip(self.range) else { return };
        // The entry before the first of the range may say what goes on at its beginning.
        let first =
            thread.entries.partition_point(|entry| start(entry.bucket + 1) <= wanted.start_ns);
        for index in first.saturating_sub(1)..thread.entries.len() {
            let entry = &thread.entries[index];
            if start(entry.bucket) >= wanted.end_ns {
                break;
            }
            let span = Span { start_ns: start(entry.bucket), end_ns: start(entry.bucket + 1) };
            if let Some(span) = span.clip(within) {
                self.entry(entry, span);
            }
            let next = thread.entries.get(index + 1).map_or(thread.until, |next| next.bucket);
            let silence = Span { start_ns: start(entry.bucket + 1), end_ns: start(next) };
            if let Some(silence) = silence.clip(within) {
                self.present(entry.end, silence);
            }
        }
    }

    /// Spreads an entry evenly over its span.
    fn entry(&mut self, entry: &Entry, span: Span) {
        let length = u128::from(span.length());
        let part_of = |value: u64, part: Span| {
            let up_to = |at_ns: u64| {
                (u128::from(value) * u128::from(at_ns - span.start_ns) / length) as u64
            };
            up_to(part.end_ns) - up_to(part.start_ns)
        };
        self.each(span, |cell, shares, part| {
            cell.running_ns += part_of(entry.running_ns, part);
            cell.runnable_ns += part_of(entry.runnable_ns, part);
            cell.blocked_ns += part_of(entry.blocked_ns, part);
            cell.depth = cell.depth.max(entry.depth);
            cell.calls += part_of(entry.calls, part);
            cell.lost = cell.lost.saturating_add(part_of(entry.lost, part));
            shares.add(entry.function, part_of(entry.function_ns, part));
        });
    }

    /// Calls `paint` for every column that a span touches, with the part of the span in it.
    fn each(&mut self, span: Span, mut paint: impl FnMut(&mut OverviewCell, &mut Shares, Span)) {
        let Some(span) = span.clip(self.range) else { return };
        let columns = self.cells.len() as u128;
        let range = u128::from(self.range.length());
        // Column n begins at the n-th part of the range, rounded up.
        let edge = |column: usize| {
            let offset = (range * column as u128).div_ceil(columns);
            self.range.start_ns + offset as u64
        };
        let mut column =
            (u128::from(span.start_ns - self.range.start_ns) * columns / range) as usize;
        let mut start_ns = span.start_ns;
        while start_ns < span.end_ns && column < self.cells.len() {
            let end_ns = edge(column + 1).min(span.end_ns);
            if end_ns > start_ns {
                let (cell, shares) = &mut self.cells[column];
                paint(cell, shares, Span { start_ns, end_ns });
                start_ns = end_ns;
            }
            column += 1;
        }
    }
}
