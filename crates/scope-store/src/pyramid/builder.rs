//! Building the finest level of a pyramid while events pass.

use rustc_hash::FxHashMap;
use scope_model::{Event, EventKind, State, Tid};

use super::{Entry, Level, Present, STEP, Shares, ThreadLevel, coarser};

/// Buckets are at first 2 to the power of this long, ns.
const FIRST_SHIFT: u32 = 14;
/// Longest a bucket gets.
const LAST_SHIFT: u32 = 60;
/// Entries that are kept whatever the number of events.
const LEAST_ENTRIES: u64 = 1024;
/// Events for one entry, at least, beyond those.
const EVENTS_PER_ENTRY: u64 = 72;

/// Follows the threads of a segment.
#[derive(Clone, Debug)]
pub(crate) struct PyramidBuilder {
    shift: u32,
    threads: Vec<Thread>,
    index: FxHashMap<Tid, u32>,
    latest: usize,
    /// Entries of all threads, the open ones aside.
    closed: u64,
    events: u64,
    /// Where the segment begins.
    start_ns: u64,
}

#[derive(Clone, Debug)]
struct Thread {
    tid: Tid,
    /// Up to where its time is accounted for, ns.
    now_ns: u64,
    present: Present,
    entries: Vec<Entry>,
    open: Option<(Entry, Shares)>,
}

impl PyramidBuilder {
    /// For a segment that begins with a state.
    pub(crate) fn new(state: &State) -> Self {
        let mut builder = Self {
            shift: FIRST_SHIFT,
            threads: Vec::new(),
            index: FxHashMap::default(),
            latest: 0,
            closed: 0,
            events: 0,
            start_ns: state.latest_ns(),
        };
        for thread in state.sorted_threads() {
            let index = builder.thread(thread.tid, 0);
            builder.threads[index].present = Present::of(thread);
        }
        builder
    }

    /// Takes an event, and the state after it.
    pub(crate) fn push(&mut self, event: &Event, after: &State) {
        self.events += 1;
        let everybody = match event.kind {
            EventKind::Gap { .. } => event.tid == Tid(0),
            EventKind::Exec { .. } => true,
            _ => false,
        };
        if everybody {
            // Threads other than the event's may have changed or gone.
            for index in 0..self.threads.len() {
                self.advance(index, event.time_ns);
                let thread = &mut self.threads[index];
                let present = after.thread(thread.tid).map_or_else(Present::default, Present::of);
                thread.change(present, self.shift, &mut self.closed);
            }
        }
        let index = match self.threads.get(self.latest) {
            Some(thread) if thread.tid == event.tid => self.latest,
            _ => self.thread(event.tid, event.time_ns),
        };
        self.latest = index;
        self.advance(index, event.time_ns);
        let present = after.thread(event.tid).map_or_else(Present::default, Present::of);
        let entry = self.threads[index].change(present, self.shift, &mut self.closed);
        entry.depth = entry.depth.max(present.depth);
        match event.kind {
            EventKind::Enter { inherited: false, .. } => entry.calls += 1,
            EventKind::Gap { entries, exits, others, .. } => {
                let lost = u64::from(entries) + u64::from(exits) + u64::from(others);
                entry.lost = entry.lost.saturating_add(lost);
            }
            _ => {}
        }
        let most = LEAST_ENTRIES + self.events / EVENTS_PER_ENTRY;
        while self.closed > most.max(2 * self.threads.len() as u64) && self.shift < LAST_SHIFT {
            self.coarsen();
        }
    }

    /// All levels, of a segment that ends at a time.
    pub(crate) fn finish(mut self, end_ns: u64) -> Vec<Level> {
        for index in 0..self.threads.len() {
            self.advance(index, end_ns);
        }
        let shift = self.shift;
        let mut threads: Vec<ThreadLevel> = self
            .threads
            .into_iter()
            .map(|mut thread| {
                thread.close();
                let until = thread.until(shift);
                ThreadLevel { tid: thread.tid.0, entries: thread.entries, until }
            })
            .filter(|thread| !thread.entries.is_empty())
            .collect();
        threads.sort_unstable_by_key(|thread| thread.tid);
        let mut levels = vec![Level { shift, threads }];
        while let Some(last) = levels.last()
            && last.entries() > 3 * last.threads.len()
            && last.shift < LAST_SHIFT
        {
            let next = last.coarser();
            levels.push(next);
        }
        levels
    }

    fn thread(&mut self, tid: Tid, time_ns: u64) -> usize {
        // Thread ids are of 32 bits, so that there are no more threads than that.
        let next = self.threads.len() as u32;
        let index = *self.index.entry(tid).or_insert(next);
        if index == next {
            self.threads.push(Thread {
                tid,
                now_ns: time_ns.max(self.start_ns),
                present: Present::default(),
                entries: Vec::new(),
                open: None,
            });
        }
        index as usize
    }

    /// Time passes for a thread. Times that run backward do not count.
    fn advance(&mut self, index: usize, to_ns: u64) {
        let thread = &mut self.threads[index];
        while thread.now_ns < to_ns {
            let bucket = thread.now_ns >> self.shift;
            let end_ns =
                (bucket + 1).checked_shl(self.shift).filter(|end| end >> self.shift > bucket);
            let end_ns = end_ns.unwrap_or(u64::MAX);
            let until_ns = to_ns.min(end_ns);
            let ns = until_ns - thread.now_ns;
            let present = thread.present;
            let (entry, shares) = thread.open(self.shift, &mut self.closed);
            entry.add_time(present.doing, ns);
            shares.add(present.function, ns);
            thread.now_ns = until_ns;
            // Buckets in which nothing happens are passed over.
            thread.now_ns = thread.now_ns.max(if until_ns == end_ns {
                to_ns >> self.shift << self.shift
            } else {
                0
            });
        }
    }

    fn coarsen(&mut self) {
        self.closed = 0;
        for thread in &mut self.threads {
            thread.close();
            let until = thread.until(self.shift);
            thread.entries = coarser(&thread.entries, self.shift, until);
            self.closed += thread.entries.len() as u64;
        }
        self.shift += STEP;
    }
}

impl Thread {
    /// The entry of the present bucket.
    fn open(&mut self, shift: u32, closed: &mut u64) -> &mut (Entry, Shares) {
        let bucket = self.now_ns >> shift;
        if self.open.as_ref().is_some_and(|(entry, _)| entry.bucket != bucket) {
            self.close();
            *closed += 1;
        }
        let Self { open, entries, present, .. } = self;
        open.get_or_insert_with(|| match entries.pop_if(|last| last.bucket == bucket) {
            Some(entry) => {
                *closed -= 1;
                let mut shares = Shares::default();
                shares.add(entry.function, entry.function_ns);
                (entry, shares)
            }
            None => (Entry { bucket, depth: present.depth, ..Entry::default() }, Shares::default()),
        })
    }

    /// Something else goes on from now on; returns the entry of the present bucket. It is opened
    /// first: what went on before is what went on in the buckets passed over.
    fn change(&mut self, present: Present, shift: u32, closed: &mut u64) -> &mut Entry {
        self.open(shift, closed);
        self.present = present;
        &mut self.open(shift, closed).0
    }

    fn close(&mut self) {
        if let Some((mut entry, shares)) = self.open.take() {
            (entry.function, entry.function_ns) =
                shares.largest().map_or((None, 0), |(function, ns)| (Some(function), ns));
            entry.end = self.present;
            self.entries.push(entry);
        }
    }

    /// First bucket of which nothing is told.
    fn until(&self, shift: u32) -> u64 {
        let told = self.now_ns.div_ceil(1 << shift);
        self.entries.last().map_or(told, |last| told.max(last.bucket + 1))
    }
}
