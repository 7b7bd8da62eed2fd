//! The zoom pyramid: what each thread did in buckets of time, at several sizes of bucket.
//!
//! Buckets are 2ⁿ ns long and begin at multiples of that. The finest level has about one entry for
//! sixty-four events; each further one has buckets four times as long. A bucket in which nothing
//! happens to a thread has no entry: what went on in it is what went on at the end of the entry
//! before it.
//!
//! A segment's pyramid begins at the latest time of any event before it and ends at the latest time of
//! its own, so that the pyramids of all segments together cover all time once. Which function is
//! dominant in a bucket is exact on the finest level; on others, and after a bucket was made
//! coarser, it is the one that dominates most of the buckets below.

mod builder;
mod codec;
mod overview;

use scope_model::{FunctionId, RunState, ThreadState};

pub(crate) use builder::PyramidBuilder;
pub(crate) use codec::{decode_level, encode_level};
pub use overview::{Overview, OverviewCell, ThreadOverview};
pub(crate) use overview::{Painter, Span};

/// A level has buckets 2 to the power of this times as long as the one before it.
const STEP: u32 = 2;

/// What a thread does, as far as a picture tells it apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    /// Not known, or the thread is not there.
    #[default]
    Unknown = 0,
    Running = 1,
    Runnable = 2,
    Blocked = 3,
}

/// What goes on in a thread between two of its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) doing: Doing,
    /// Calls open.
    pub(crate) depth: u32,
    /// The innermost of them.
    pub(crate) function: Option<FunctionId>,
}

impl Present {
    pub(crate) fn of(thread: &ThreadState) -> Self {
        let doing = match thread.run {
            RunState::Unknown => Doing::Unknown,
            RunState::Running { .. } => Doing::Running,
            RunState::Runnable { .. } => Doing::Runnable,
            RunState::Blocked { .. } => Doing::Blocked,
            RunState::Ended => return Self::default(),
        };
        Self {
            doing,
            depth: u32::try_from(thread.stack.len()).unwrap_or(u32::MAX),
            function: thread.stack.last().map(|call| call.function),
        }
    }
}

/// A bucket of a thread in which something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its time divided by the length of a bucket.
    pub(crate) bucket: u64,
    pub(crate) running_ns: u64,
    pub(crate) runnable_ns: u64,
    pub(crate) blocked_ns: u64,
    /// Most calls open at once.
    pub(crate) depth: u32,
    /// The function that was the innermost call longest, and how long.
    pub(crate) function: Option<FunctionId>,
    pub(crate) function_ns: u64,
    pub(crate) calls: u64,
    pub(crate) lost: u64,
    /// What goes on in it at its end, and in the buckets up to the next entry.
    pub(crate) end: Present,
}

/// The entries of one thread, and up to where they tell: the bucket in which its time ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadLevel {
    pub(crate) tid: u32,
    pub(crate) entries: Vec<Entry>,
    /// First bucket after what is told of the thread.
    pub(crate) until: u64,
}

/// One level: buckets of `1 << shift` ns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) shift: u32,
    /// By thread id.
    pub(crate) threads: Vec<ThreadLevel>,
}

impl Level {
    pub(crate) fn entries(&self) -> usize {
        self.threads.iter().map(|thread| thread.entries.len()).sum()
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.threads.as_slice()) + self.entries() * size_of::<Entry>()
    }

    /// The next level.
    pub(crate) fn coarser(&self) -> Self {
        let threads = self.threads.iter().map(|thread| ThreadLevel {
            tid: thread.tid,
            entries: coarser(&thread.entries, self.shift, thread.until),
            until: thread.until.div_ceil(1 << STEP),
        });
        Self { shift: self.shift + STEP, threads: threads.collect() }
    }
}

impl Entry {
    fn add_time(&mut self, doing: Doing, ns: u64) {
        match doing {
            Doing::Unknown => {}
            Doing::Running => self.running_ns += ns,
            Doing::Runnable => self.runnable_ns += ns,
            Doing::Blocked => self.blocked_ns += ns,
        }
    }
}

/// Time by function, of few functions.
#[derive(Clone, Debug, Default)]
struct Shares(Vec<(FunctionId, u64)>);

impl Shares {
    fn add(&mut self, function: Option<FunctionId>, ns: u64) {
        let Some(function) = function.filter(|_| ns > 0) else { return };
        match self.0.iter_mut().find(|(known, _)| *known == function) {
            Some((_, sum)) => *sum = sum.saturating_add(ns),
            None => self.0.push((function, ns)),
        }
    }

    /// The largest; of equal ones that of the lowest id.
    fn largest(&self) -> Option<(FunctionId, u64)> {
        self.0.iter().copied().max_by_key(|(function, ns)| (*ns, std::cmp::Reverse(*function)))
    }
}

/// Entries with buckets `1 << STEP` times as long.
fn coarser(entries: &[Entry], shift: u32, until: u64) -> Vec<Entry> {
    let length = 1_u64 << shift;
    let mut out: Vec<Entry> = Vec::new();
    let mut shares = Shares::default();
    let finish = |out: &mut Vec<Entry>, shares: &mut Shares| {
        if let Some(last) = out.last_mut() {
            (last.function, last.function_ns) =
                shares.largest().map_or((None, 0), |(function, ns)| (Some(function), ns));
        }
        shares.0.clear();
    };
    let mut before = Present::default();
    let mut told_until = 0;
    for (index, entry) in entries.iter().enumerate() {
        let bucket = entry.bucket >> STEP;
        if out.last().is_none_or(|last| last.bucket != bucket) {
            finish(&mut out, &mut shares);
            out.push(Entry { bucket, ..Entry::default() });
            if index > 0 {
                // Buckets without entries since the long bucket began.
                let empty = entry.bucket - told_until.max(bucket << STEP);
                pass(&mut out, &mut shares, before, empty * length);
            }
        } else {
            pass(&mut out, &mut shares, before, (entry.bucket - told_until) * length);
        }
        let Some(last) = out.last_mut() else { continue };
        last.running_ns += entry.running_ns;
        last.runnable_ns += entry.runnable_ns;
        last.blocked_ns += entry.blocked_ns;
        last.depth = last.depth.max(entry.depth);
        last.calls += entry.calls;
        last.lost = last.lost.saturating_add(entry.lost);
        last.end = entry.end;
        shares.add(entry.function, entry.function_ns);
        before = entry.end;
        told_until = entry.bucket + 1;
        // Buckets without entries up to where the long bucket ends.
        let next = entries.get(index + 1).map_or(until, |next| next.bucket);
        let end = (bucket + 1) << STEP;
        if next >= end || index + 1 == entries.len() {
            let empty = next.min(end).saturating_sub(told_until);
            pass(&mut out, &mut shares, before, empty * length);
            told_until += empty;
        }
    }
    finish(&mut out, &mut shares);
    out
}

/// Time passes in the last entry while nothing happens.
fn pass(out: &mut [Entry], shares: &mut Shares, present: Present, ns: u64) {
    let Some(last) = out.last_mut().filter(|_| ns > 0) else { return };
    last.add_time(present.doing, ns);
    last.depth = last.depth.max(present.depth);
    shares.add(present.function, ns);
}
