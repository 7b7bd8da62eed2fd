//! What is told of a segment beside its events: kept while they pass, by the sealer for its footer
//! and by a reader for the segments that are not sealed yet.

use scope_model::{Event, EventKind, State, Tid};

use crate::durations::Durations;
use crate::pyramid::PyramidBuilder;
use crate::sealed::bytes::{Corrupt, Decoded, Reader, difference, moved, put};

/// Losses of a thread, and where they stand in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapInfo {
    /// Number of the `Gap` event.
    pub event: u64,
    /// The thread; 0: of threads unknown.
    pub tid: Tid,
    /// Time of the first loss, ns.
    pub first_ns: u64,
    /// Time of the last loss, ns.
    pub until_ns: u64,
    /// Entries lost.
    pub entries: u32,
    /// Exits lost.
    pub exits: u32,
    /// Other events lost.
    pub others: u32,
}

/// A segment so far.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) state: State,
    pub(crate) pyramid: PyramidBuilder,
    pub(crate) durations: Durations,
    pub(crate) gaps: Vec<GapInfo>,
}

impl Summary {
    /// Of a segment that begins with a state.
    pub(crate) fn new(state: State) -> Self {
        let pyramid = PyramidBuilder::new(&state);
        Self { state, pyramid, durations: Durations::default(), gaps: Vec::new() }
    }

    /// Takes the next event.
    pub(crate) fn push(&mut self, number: u64, event: &Event) {
        let ended = self.state.apply(number, event);
        self.durations.push(event, ended.as_ref());
        self.pyramid.push(event, &self.state);
        if let EventKind::Gap { until_ns, entries, exits, others } = event.kind {
            self.gaps.push(GapInfo {
                event: number,
                tid: event.tid,
                first_ns: event.time_ns,
                until_ns,
                entries,
                exits,
                others,
            });
        }
    }
}

/// Writes a list of gaps.
pub(crate) fn encode_gaps(gaps: &[GapInfo], out: &mut Vec<u8>) {
    put(out, gaps.len() as u64);
    let (mut event, mut first_ns) = (0, 0);
    for gap in gaps {
        put(out, difference(event, gap.event));
        put(out, gap.tid.0.into());
        put(out, difference(first_ns, gap.first_ns));
        put(out, difference(gap.first_ns, gap.until_ns));
        for count in [gap.entries, gap.exits, gap.others] {
            put(out, count.into());
        }
        (event, first_ns) = (gap.event, gap.first_ns);
    }
}

/// Reads a list of gaps.
pub(crate) fn decode_gaps(bytes: &[u8]) -> Decoded<Vec<GapInfo>> {
    let mut reader = Reader::new(bytes);
    let count = reader.count()?;
    if count > bytes.len() / 7 {
        return Err(Corrupt("a count is larger than what follows"));
    }
    let mut gaps = Vec::with_capacity(count);
    let (mut event, mut first_ns) = (0, 0);
    for _ in 0..count {
        event = moved(event, reader.number()?);
        let tid = Tid(reader.u32()?);
        first_ns = moved(first_ns, reader.number()?);
        gaps.push(GapInfo {
            event,
            tid,
            first_ns,
            until_ns: moved(first_ns, reader.number()?),
            entries: reader.u32()?,
            exits: reader.u32()?,
            others: reader.u32()?,
        });
    }
    reader.end()?;
    Ok(gaps)
}
