//! What sealed segments say of their events, held against the events: checkpoints, sets of blocks,
//! durations, gaps, pictures, the last state. It is made again and must be the same.

use std::sync::Arc;

use scope_model::{Event, EventKind, State};

use super::Problems;
use crate::pyramid::encode_level;
use crate::sealed::bytes::Decoded;
use crate::sealed::{Dictionary, Kind, SealedReader, SetsBuilder};
use crate::summary::{Summary, encode_gaps};
use crate::view::{Handle, SegmentView};
use crate::{StoreError, Trace};

/// Follows the events of a trace.
pub(super) struct SealedCheck<'a> {
    trace: &'a Trace,
    /// Segments not yet begun.
    segments: std::slice::Iter<'a, SegmentView>,
    current: Option<Current<'a>>,
    /// After the segments before, unless one of them could not be followed.
    state: Option<State>,
}

struct Current<'a> {
    /// Number of the first event after it, as far as it is known.
    end: Option<u64>,
    summary: Summary,
    sealed: Option<Sealed<'a>>,
}

struct Sealed<'a> {
    reader: &'a SealedReader,
    dictionary: Arc<Dictionary>,
    /// The block that comes next, and its first event.
    next_block: usize,
    next_event: Option<u64>,
    functions: SetsBuilder,
    threads: SetsBuilder,
}

impl<'a> SealedCheck<'a> {
    pub(super) fn new(trace: &'a Trace) -> Self {
        let state = match trace.first_event() {
            0 => Some(State::new()),
            // What was before is known from the first checkpoint alone.
            _ => trace.state_before(0).ok().map(|state| (*state).clone()),
        };
        Self { trace, segments: trace.segments().iter(), current: None, state }
    }

    /// Takes the next event.
    pub(super) fn check(&mut self, number: u64, event: &Event, problems: &mut Problems) {
        while self.current.as_ref().is_none_or(|current| current.end == Some(number)) {
            self.leave(problems);
            let Some(view) = self.segments.next() else { return };
            self.enter(view, problems);
        }
        let Some(current) = &mut self.current else { return };
        if let Some(sealed) = &mut current.sealed {
            sealed.check(number, event, &current.summary.state, problems);
        }
        current.summary.push(number, event);
    }

    /// No more events can be read.
    pub(super) fn finish(mut self, problems: &mut Problems) {
        let complete = self
            .current
            .as_ref()
            .is_some_and(|current| current.end == Some(current.summary.state.next_event()));
        if complete {
            self.leave(problems);
        }
    }

    fn enter(&mut self, view: &'a SegmentView, problems: &mut Problems) {
        let end = view.closed.and_then(|closed| view.first_event().checked_add(closed.events));
        let sealed = match &view.handle {
            Handle::Hot(_) => None,
            Handle::Sealed(reader) => self.trace.dictionary(reader).ok().map(|dictionary| {
                if let Err(error) = reader.check_sections() {
                    problems.add(|| error.to_string());
                }
                Sealed {
                    reader,
                    dictionary,
                    next_block: 0,
                    next_event: Some(view.first_event()),
                    functions: SetsBuilder::default(),
                    threads: SetsBuilder::default(),
                }
            }),
        };
        let summary = Summary::new(self.state.take().unwrap_or_default());
        self.current = Some(Current { end, summary, sealed });
    }

    fn leave(&mut self, problems: &mut Problems) {
        let Some(Current { summary, sealed, .. }) = self.current.take() else { return };
        let state = summary.state.clone();
        if let Some(sealed) = sealed {
            sealed.finish(summary, problems);
        }
        self.state = Some(state);
    }
}

impl Sealed<'_> {
    /// What the segment says of the state before the next block.
    fn checkpoint(&self) -> Result<State, StoreError> {
        let group = self.reader.group(self.reader.group_of(self.next_block)?)?;
        self.reader.checkpoint(self.next_block, &group, &self.dictionary)
    }

    fn check(&mut self, number: u64, event: &Event, state: &State, problems: &mut Problems) {
        if self.next_event == Some(number) {
            match self.checkpoint() {
                Ok(found) if found == *state => {}
                Ok(_) => self.wrong(problems, || format!("the checkpoint of event {number}")),
                Err(error) => problems.add(|| error.to_string()),
            }
            self.next_block += 1;
            let next = self.reader.block(self.next_block);
            self.next_event = next.ok().map(|block| block.info.first_event);
        }
        let block = (self.next_block - 1) as u32;
        self.threads.add(event.tid.0, block);
        if let EventKind::Enter { function, .. } | EventKind::Leave { function, .. } = event.kind {
            self.functions.add(function.0, block);
        }
    }

    fn finish(self, summary: Summary, problems: &mut Problems) {
        match self.reader.end_state(&self.dictionary) {
            Ok(state) if state == summary.state => {}
            Ok(_) => self.wrong(problems, || "the last state".to_owned()),
            Err(error) => problems.add(|| error.to_string()),
        }
        let mut content = Vec::new();
        self.functions.encode(&mut content);
        self.same(Kind::Functions, 0, &mut content, "the index of functions", problems);
        self.threads.encode(&mut content);
        self.same(Kind::Threads, 0, &mut content, "the index of threads", problems);
        summary.durations.encode(&mut content);
        self.same(Kind::Durations, 0, &mut content, "the durations of calls", problems);
        encode_gaps(&summary.gaps, &mut content);
        self.same(Kind::Gaps, 0, &mut content, "the list of gaps", problems);
        for level in summary.pyramid.finish(summary.state.latest_ns()) {
            encode_level(&level, &mut content);
            let number = level.shift as u16;
            self.same(Kind::Level, number, &mut content, "a level of the pyramid", problems);
        }
    }

    /// A section must have this content.
    fn same(
        &self,
        kind: Kind,
        number: u16,
        content: &mut Vec<u8>,
        what: &str,
        problems: &mut Problems,
    ) {
        let same = |found: &[u8]| -> Decoded<bool> { Ok(found == content.as_slice()) };
        let found: Result<bool, StoreError> = self.reader.decode(kind, number, same);
        match found {
            Ok(true) => {}
            Ok(false) => self.wrong(problems, || what.to_owned()),
            Err(error) => problems.add(|| error.to_string()),
        }
        content.clear();
    }

    fn wrong(&self, problems: &mut Problems, what: impl FnOnce() -> String) {
        let segment = self.reader.id();
        problems.add(|| format!("segment {segment}: {} does not agree with the events", what()));
    }
}
