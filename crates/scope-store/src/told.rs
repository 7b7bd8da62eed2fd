//! What is told of a trace without reading its events: a picture of any range of time, durations of
//! calls, gaps. From the footers of sealed segments; for hot ones it is worked out once and kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use scope_model::{EventKind, FunctionId, Tid};

use crate::durations::{CallDurations, Durations};
use crate::pyramid::{Level, Overview, Painter, Present, Span, decode_level};
use crate::sealed::{Kind, SealedReader};
use crate::summary::{GapInfo, Summary, decode_gaps};
use crate::view::Handle;
use crate::{StoreError, Trace};

/// A range of no more blocks than this is painted from its events.
const FEW_BLOCKS: usize = 4;
/// So is one of no more than this where the pyramid's buckets are wider than the columns.
const MOST_BLOCKS: usize = 48;

impl Trace {
    /// A picture of a range of time, `[start_ns, end_ns)`, in so many columns of equal width; of the
    /// threads in `threads`, or of all.
    ///
    /// Reads a number of entries in proportion to the columns, whatever the length of the range.
    /// Times, calls and losses are exact as far as column edges fall on edges of the buckets they are
    /// kept in, or where there are few events; else what a bucket holds is spread evenly over it.
    /// Sums over a range that covers the trace are exact always.
    ///
    /// # Errors
    ///
    /// Damage to what it reads.
    pub fn overview(
        &self,
        start_ns: u64,
        end_ns: u64,
        columns: usize,
        threads: Option<&[Tid]>,
    ) -> Result<Overview, StoreError> {
        let range = Span { start_ns, end_ns };
        let mut overview = Overview { start_ns, end_ns, threads: Vec::new() };
        if start_ns >= end_ns || columns == 0 {
            return Ok(overview);
        }
        let mut canvas = Canvas { range, columns, threads, painters: BTreeMap::new() };
        let first = self.block_at_time(start_ns)?;
        let end = (self.block_at_time(end_ns)? + 1).min(self.block_count()?);
        let blocks = end.saturating_sub(first);
        let column_ns = (range.length() / columns as u64).max(1);
        if blocks <= FEW_BLOCKS
            || (blocks <= MOST_BLOCKS && self.finest_bucket_ns(first, end)? > column_ns)
        {
            self.paint_events(first, end, &mut canvas)?;
        } else {
            self.paint_levels(column_ns, &mut canvas)?;
        }
        let painters = canvas.painters.into_iter();
        overview.threads = painters.map(|(tid, painter)| painter.finish(tid)).collect();
        Ok(overview)
    }

    /// How long calls of a function took, in the whole snapshot.
    ///
    /// # Errors
    ///
    /// Damage to what it reads.
    pub fn durations(&self, function: FunctionId) -> Result<CallDurations, StoreError> {
        let mut durations = CallDurations::default();
        for (segment, view) in self.segments().iter().enumerate() {
            match &view.handle {
                Handle::Sealed(reader) => {
                    let all = reader.decode(Kind::Durations, 0, Durations::decode)?;
                    all.of(function).into_iter().for_each(|of| durations.add(of));
                }
                Handle::Hot(_) => self.with_summary(segment, |summary| {
                    summary.durations.of(function).into_iter().for_each(|of| durations.add(of));
                })?,
            }
        }
        Ok(durations)
    }

    /// How long calls took, of every function that was called in the snapshot, by id. Costs no more
    /// than [`Trace::durations`] of one.
    ///
    /// # Errors
    ///
    /// Damage to what it reads.
    pub fn durations_of_all(&self) -> Result<Vec<(FunctionId, CallDurations)>, StoreError> {
        let mut sum: BTreeMap<FunctionId, CallDurations> = BTreeMap::new();
        let mut add = |durations: &Durations| {
            for (function, of) in durations.all() {
                sum.entry(*function).or_default().add(of);
            }
        };
        for (segment, view) in self.segments().iter().enumerate() {
            match &view.handle {
                Handle::Sealed(reader) => {
                    add(&reader.decode(Kind::Durations, 0, Durations::decode)?);
                }
                Handle::Hot(_) => self.with_summary(segment, |summary| add(&summary.durations))?,
            }
        }
        Ok(sum.into_iter().collect())
    }

    /// All gaps of the snapshot, in stored order.
    ///
    /// # Errors
    ///
    /// Damage to what it reads.
    pub fn gaps(&self) -> Result<Vec<GapInfo>, StoreError> {
        let mut gaps = Vec::new();
        for (segment, view) in self.segments().iter().enumerate() {
            match &view.handle {
                Handle::Sealed(reader) => gaps.extend(reader.decode(Kind::Gaps, 0, decode_gaps)?),
                Handle::Hot(_) => {
                    self.with_summary(segment, |summary| gaps.extend_from_slice(&summary.gaps))?;
                }
            }
        }
        Ok(gaps)
    }

    /// The longest of the finest buckets of the segments of some blocks, ns.
    fn finest_bucket_ns(&self, first: usize, end: usize) -> Result<u64, StoreError> {
        let mut longest = 0;
        for view in self.segments_of(first, end)? {
            if let Handle::Sealed(reader) = &view.handle {
                let finest = shifts(reader)?.into_iter().min();
                longest = longest.max(finest.map_or(0, |shift| 1 << shift));
            }
        }
        Ok(longest)
    }

    fn segments_of(
        &self,
        first: usize,
        end: usize,
    ) -> Result<&[crate::view::SegmentView], StoreError> {
        let starts = &self.layout()?.first_block;
        let from = starts.partition_point(|start| *start <= first).max(1) - 1;
        let to = starts.partition_point(|start| *start < end).min(self.segments().len());
        Ok(&self.segments()[from.min(to)..to])
    }

    /// Paints from the footers of segments.
    fn paint_levels(&self, column_ns: u64, canvas: &mut Canvas<'_>) -> Result<(), StoreError> {
        let latest_ns = &self.layout()?.latest_ns;
        for (segment, view) in self.segments().iter().enumerate() {
            let start_ns = match segment.checked_sub(1) {
                Some(before) => latest_ns[before],
                // Of a flight recording it begins where the dropped segments end.
                None if self.first_event() > 0 => self.state_before(0)?.latest_ns(),
                None if self.block_count()? > 0 => self.block_info(0)?.first_ns,
                None => 0,
            };
            // Something that happens at the very end is painted in the nanosecond after it.
            let end_ns = latest_ns[segment].saturating_add(1);
            let Some(within) = (Span { start_ns, end_ns }).clip(canvas.range) else { continue };
            let within = Span { start_ns: start_ns.min(within.start_ns), end_ns };
            match &view.handle {
                Handle::Sealed(reader) => {
                    let level = self.level(reader, column_ns)?;
                    canvas.level(&level, within);
                }
                Handle::Hot(_) => {
                    let levels = self.with_summary(segment, |summary| {
                        summary.pyramid.clone().finish(summary.state.latest_ns())
                    })?;
                    let fitting = levels.iter().rfind(|level| 1 << level.shift <= column_ns);
                    if let Some(level) = fitting.or(levels.first()) {
                        canvas.level(level, within);
                    }
                }
            }
        }
        Ok(())
    }

    /// The coarsest level whose buckets are no longer than a column, or the finest.
    fn level(&self, reader: &SealedReader, column_ns: u64) -> Result<Arc<Level>, StoreError> {
        let shifts = shifts(reader)?;
        let fitting = shifts.iter().copied().filter(|shift| 1_u64 << shift <= column_ns).max();
        let shift = fitting.or_else(|| shifts.iter().copied().min()).unwrap_or_default();
        let key = (reader.id(), shift);
        if let Some(level) = self.caches.levels().get(&key) {
            return Ok(level);
        }
        let level = Arc::new(reader.decode(Kind::Level, shift, decode_level)?);
        self.caches.levels().insert(key, Arc::clone(&level), level.bytes());
        Ok(level)
    }

    /// Paints what happens in some blocks, event by event.
    fn paint_events(
        &self,
        first: usize,
        end: usize,
        canvas: &mut Canvas<'_>,
    ) -> Result<(), StoreError> {
        if first >= self.block_count()? {
            return Ok(());
        }
        let mut state = (*self.checkpoint(first)?).clone();
        // Of each thread: since when, and what, nothing else is going on.
        let mut present: BTreeMap<Tid, (u64, Present)> = BTreeMap::new();
        let begin_ns = state.latest_ns();
        for thread in state.threads() {
            present.insert(thread.tid, (begin_ns, Present::of(thread)));
        }
        for block in first..end {
            let block = self.block(block)?;
            for (event, number) in block.events().iter().zip(block.info().first_event..) {
                state.apply(number, event);
                let everybody = matches!(event.kind, EventKind::Exec { .. })
                    || (matches!(event.kind, EventKind::Gap { .. }) && event.tid == Tid(0));
                if everybody {
                    for (tid, (since_ns, before)) in &mut present {
                        canvas.present(*tid, *before, *since_ns, event.time_ns);
                        *since_ns = event.time_ns.max(*since_ns);
                        *before = state.thread(*tid).map_or_else(Present::default, Present::of);
                    }
                }
                let fresh = (event.time_ns.max(begin_ns), Present::default());
                let (since_ns, before) = present.entry(event.tid).or_insert(fresh);
                canvas.present(event.tid, *before, *since_ns, event.time_ns);
                *since_ns = event.time_ns.max(*since_ns);
                *before = state.thread(event.tid).map_or_else(Present::default, Present::of);
                let (calls, lost) = match event.kind {
                    EventKind::Enter { inherited: false, .. } => (1, 0),
                    EventKind::Gap { entries, exits, others, .. } => {
                        (0, u64::from(entries) + u64::from(exits) + u64::from(others))
                    }
                    _ => (0, 0),
                };
                canvas.moment(event.tid, *since_ns, before.depth, calls, lost);
            }
        }
        for (tid, (since_ns, present)) in present {
            canvas.present(tid, present, since_ns, state.latest_ns());
        }
        Ok(())
    }

    /// What is told of a hot segment up to where the snapshot reaches.
    fn with_summary<T>(
        &self,
        segment: usize,
        use_summary: impl FnOnce(&Summary) -> T,
    ) -> Result<T, StoreError> {
        let layout = self.layout()?;
        let id = self.segments()[segment].id();
        let (first, end) = (layout.first_block[segment], layout.first_block[segment + 1]);
        // Taken out while it is worked on: what fails half way is forgotten.
        let known = self.caches.summaries().remove(&id);
        let mut summary = match known {
            Some(summary) => summary,
            None => {
                let before = segment.checked_sub(1).map(|before| self.segments()[before].id());
                let state = before
                    .and_then(|before| Some(self.caches.summaries().get(&before)?.state.clone()))
                    .filter(|state| state.next_event() == self.segments()[segment].first_event());
                let state = match state {
                    Some(state) => state,
                    None => (*self.state_before(segment)?).clone(),
                };
                Summary::new(state)
            }
        };
        let next = self.block_of_event(summary.state.next_event())?.unwrap_or(end).max(first);
        for block in next..end {
            let block = self.block(block)?;
            for (event, number) in block.events().iter().zip(block.info().first_event..) {
                if number >= summary.state.next_event() {
                    summary.push(number, event);
                }
            }
        }
        let result = use_summary(&summary);
        let mut summaries = self.caches.summaries();
        summaries.insert(id, summary);
        // Those of segments that are sealed by now are of no more use.
        let hot: Vec<u32> = self
            .segments()
            .iter()
            .filter(|view| !view.is_sealed())
            .map(super::view::SegmentView::id)
            .collect();
        summaries.retain(|id, _| hot.contains(id));
        Ok(result)
    }
}

/// The columns of all threads.
struct Canvas<'a> {
    range: Span,
    columns: usize,
    threads: Option<&'a [Tid]>,
    painters: BTreeMap<Tid, Painter>,
}

impl Canvas<'_> {
    fn painter(&mut self, tid: Tid) -> Option<&mut Painter> {
        if self.threads.is_some_and(|threads| !threads.contains(&tid)) {
            return None;
        }
        Some(self.painters.entry(tid).or_insert_with(|| Painter::new(self.range, self.columns)))
    }

    fn present(&mut self, tid: Tid, present: Present, start_ns: u64, end_ns: u64) {
        let Some(span) = (Span { start_ns, end_ns }).clip(self.range) else { return };
        if let Some(painter) = self.painter(tid) {
            painter.present(present, span);
        }
    }

    fn moment(&mut self, tid: Tid, time_ns: u64, depth: u32, calls: u64, lost: u64) {
        if time_ns < self.range.start_ns || time_ns >= self.range.end_ns {
            return;
        }
        if let Some(painter) = self.painter(tid) {
            painter.moment(time_ns, depth, calls, lost);
        }
    }

    fn level(&mut self, level: &Level, within: Span) {
        for thread in &level.threads {
            if let Some(painter) = self.painter(Tid(thread.tid)) {
                painter.thread(level, thread, within);
            }
        }
    }
}

/// The levels a segment has, by the logarithm of their buckets' length.
fn shifts(reader: &SealedReader) -> Result<Vec<u16>, StoreError> {
    let levels = reader.sections()?.iter().filter(|section| section.kind == Kind::Level as u16);
    Ok(levels.map(|section| section.number).filter(|shift| *shift < 63).collect())
}
