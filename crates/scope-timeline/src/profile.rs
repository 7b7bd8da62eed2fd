//! Where the time went: calls and times of every function and of every thread, in one pass.
//!
//! What counts as what:
//!
//! - A *call* is an `Enter` that was not inherited at a fork. It is *unfinished* when the trace, its
//!   thread or its program ended before it did, or its end was lost.
//! - *Total* is wall time from entry to end, callees included. Of a recursive function only the
//!   outermost frame of a thread counts, so that no function has more total time than its
//!   threads lived. *Self* is the part during which no probed callee was open.
//! - *On-CPU* and *off-CPU* split the total by what the scheduler did to the thread; waiting for a
//!   CPU is off-CPU. They add up to the total wherever the run state was known.
//! - An unfinished call counts in total and self up to the end of the trace, of its thread or of
//!   its program. One that was unwound counts until that was noticed.
//! - *Durations* (minimum, mean, percentiles, maximum) are of calls that were seen to return and
//!   that crossed no gap.
//!
//! Around losses nothing is made up: time inside a gap counts for no call. Time after a gap counts
//! for a call that was open at its beginning only once that call is seen to return; if it never is,
//! the call counts up to the gap. Totals near losses are therefore lower bounds.
//!
//! The run state of a thread is unknown until the scheduler first says something about it, or
//! until an event that only a running thread can cause proves that it runs; time before is
//! counted neither as on-CPU nor as off-CPU.

mod calls;
mod clock;
mod durations;
pub mod resume;
mod sites;

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, ThreadName, Tid};
use scope_store::{StoreError, Trace};

use calls::Calls;
pub use clock::CallTimes;
use clock::ThreadClock;
pub use durations::Durations;
pub use sites::{SiteProfile, SiteProfiler};

/// What a profile is split by and restricted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProfileOptions {
    /// Fill [`ThreadProfile::functions`].
    pub by_thread: bool,
    /// Only calls and times of this thread; events and losses are still counted for all.
    pub thread: Option<Tid>,
}

/// Where the time of a trace went.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// From the start of recording to its end, ns.
    pub duration_ns: u64,
    /// Events in the trace.
    pub events: u64,
    /// Events lost: entries, exits and others, of known and unknown threads.
    pub lost_events: u64,
    /// Every thread that was seen, by process and thread id. A thread id that was used again has
    /// one entry a thread.
    pub threads: Vec<ThreadProfile>,
    /// Every function that was entered, by id.
    pub functions: Vec<FunctionProfile>,
}

/// What one thread did.
#[derive(Clone, Debug, Default)]
pub struct ThreadProfile {
    /// The thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// Its latest name; empty when none was seen.
    pub name: String,
    /// Its events in the trace.
    pub events: u64,
    /// Its lost events, as far as it is known whose they were.
    pub lost_events: u64,
    /// Time on a CPU, ns.
    pub on_cpu_ns: u64,
    /// Time blocked: waiting for anything but a CPU, ns.
    pub off_cpu_ns: u64,
    /// Time waiting for a CPU, ns.
    pub runnable_ns: u64,
    /// Time between its first event and its end of which the run state is not known, ns.
    pub unknown_ns: u64,
    /// The functions it entered, by id; filled with [`ProfileOptions::by_thread`].
    pub functions: Vec<FunctionProfile>,
}

/// Calls and times of one function.
#[derive(Clone, Debug, Default)]
pub struct FunctionProfile {
    /// The function.
    pub id: FunctionId,
    /// Calls made.
    pub calls: u64,
    /// Calls without an end of their own: open when the trace, the thread or the program ended,
    /// or the end was lost.
    pub unfinished: u64,
    /// Calls that `longjmp`, an exception or a panic ended.
    pub unwound: u64,
    /// Calls whose end had no probe.
    pub unobserved: u64,
    /// Calls whose duration is unknown since events were lost while they were open.
    pub unknown_durations: u64,
    /// Inclusive wall time and its split, ns; recursion counts once.
    pub times: CallTimes,
    /// Wall time in the function itself, ns.
    pub self_ns: u64,
    /// Durations of the calls that returned and crossed no gap.
    pub durations: Durations,
}

impl FunctionProfile {
    fn new(id: FunctionId) -> Self {
        Self { id, ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.unfinished += other.unfinished;
        self.unwound += other.unwound;
        self.unobserved += other.unobserved;
        self.unknown_durations += other.unknown_durations;
        self.times += other.times;
        self.self_ns = self.self_ns.saturating_add(other.self_ns);
        self.durations.add(&other.durations);
    }
}

/// The profile of a whole trace.
///
/// # Errors
///
/// What reading the trace gives.
pub fn profile(trace: &Trace, options: ProfileOptions) -> Result<Profile, StoreError> {
    let mut profiler = Profiler::of(trace, options)?;
    for event in trace.events() {
        profiler.push(&event?);
    }
    Ok(profiler.finish(trace.manifest().end_ns))
}

/// Builds a [`Profile`] from events, fed one by one in the order of the trace.
#[derive(Debug)]
pub struct Profiler {
    options: ProfileOptions,
    start_ns: u64,
    latest_ns: u64,
    events: u64,
    lost_events: u64,
    threads: Vec<Thread>,
    /// The living thread of each id.
    thread_of: FxHashMap<Tid, usize>,
    /// Where calls are counted: one entry a function, or one a function and thread.
    functions: Vec<FunctionProfile>,
    function_of: FxHashMap<FunctionId, usize>,
    /// Losses of unknown threads, which any thread may have had: see [`ThreadClock::lost`].
    lost_everywhere: clock::LostUntil,
    /// Whether durations of calls are kept.
    durations: bool,
}

#[derive(Debug)]
struct Thread {
    tid: Tid,
    pid: Pid,
    name: ThreadName,
    events: u64,
    lost_events: u64,
    clock: ThreadClock,
    calls: Calls,
}

impl Profiler {
    /// Before the first event of a trace whose recording began at `start_ns` (`CLOCK_MONOTONIC`).
    #[must_use]
    pub fn new(start_ns: u64, options: ProfileOptions) -> Self {
        Self {
            options,
            start_ns,
            latest_ns: start_ns,
            events: 0,
            lost_events: 0,
            threads: Vec::new(),
            thread_of: FxHashMap::default(),
            functions: Vec::new(),
            function_of: FxHashMap::default(),
            lost_everywhere: clock::LostUntil::default(),
            durations: true,
        }
    }

    /// Keeps no durations of calls: for those who have far more functions to tell apart than a
    /// program has, each of which would have a histogram.
    #[must_use]
    pub fn without_durations(self) -> Self {
        Self { durations: false, ..self }
    }

    /// Before the first event that a trace still has. Of a flight recording that is not the first that
    /// was recorded: calls that were open there are known, but were made before, so they count as
    /// inherited ones do: their time from there on, no call.
    ///
    /// # Errors
    ///
    /// What reading the trace's first checkpoint gives.
    pub fn of(trace: &Trace, options: ProfileOptions) -> Result<Self, StoreError> {
        if trace.first_event() == 0 || trace.block_count()? == 0 {
            return Ok(Self::new(trace.manifest().start_ns, options));
        }
        let start_ns = trace.block_info(0)?.first_ns;
        let mut profiler = Self::new(start_ns, options);
        for thread in trace.checkpoint(0)?.threads() {
            for kind in resume::events(thread) {
                let event = Event { time_ns: start_ns, pid: thread.pid, tid: thread.tid, kind };
                profiler.push(&event);
            }
        }
        // Those were none of the trace.
        profiler.events = 0;
        for thread in &mut profiler.threads {
            thread.events = 0;
        }
        Ok(profiler)
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) {
        self.events += 1;
        self.latest_ns = self.latest_ns.max(event.time_ns);
        if let EventKind::Gap { entries, exits, others, .. } = event.kind {
            self.lost_events += u64::from(entries) + u64::from(exits) + u64::from(others);
            if event.tid == Tid(0) {
                self.gap_everywhere(event);
                return;
            }
        }
        if let EventKind::Exec { .. } = event.kind {
            self.end_other_threads(event);
        }
        if self.options.thread.is_some_and(|only| only != event.tid) {
            return;
        }
        let index = self.thread(event);
        let thread = &mut self.threads[index];
        thread.events += 1;
        thread.clock.advance(event.time_ns);
        match event.kind {
            EventKind::Enter { function, inherited, .. } => {
                let slot = match thread.calls.slot(function) {
                    Some(slot) => slot,
                    None => {
                        let totals = if self.options.by_thread {
                            self.functions.push(FunctionProfile::new(function));
                            self.functions.len() - 1
                        } else {
                            *self.function_of.entry(function).or_insert_with(|| {
                                self.functions.push(FunctionProfile::new(function));
                                self.functions.len() - 1
                            })
                        };
                        thread.calls.add_slot(function, totals)
                    }
                };
                thread.calls.enter(&thread.clock, slot, inherited, &mut self.functions);
            }
            EventKind::Leave { function, end, crosses_gap, .. } => {
                thread.calls.leave(&thread.clock, function, end, crosses_gap, &mut self.functions);
            }
            EventKind::ThreadStart { name, .. }
            | EventKind::Rename { name }
            | EventKind::Exec { name } => thread.name = name,
            EventKind::Gap { until_ns, entries, exits, others } => {
                thread.lost_events += u64::from(entries) + u64::from(exits) + u64::from(others);
                thread.lose(entries != 0 || exits != 0, others != 0, until_ns, &mut self.functions);
            }
            _ => {}
        }
        thread.clock.observe(event);
        // The last event to say so wins: a process id is never wrong for long.
        if event.pid != Pid(0) {
            thread.pid = event.pid;
        }
    }

    /// Ends the profile. `end_ns` is when recording ended; the time of the latest event where that
    /// is not known, or earlier than it.
    #[must_use]
    pub fn finish(mut self, end_ns: Option<u64>) -> Profile {
        let end_ns = end_ns.map_or(self.latest_ns, |end_ns| end_ns.max(self.latest_ns));
        for thread in &mut self.threads {
            thread.clock.advance(end_ns);
            thread.calls.leave_all(&thread.clock, CallEnd::Lost, &mut self.functions);
        }
        let mut threads: Vec<ThreadProfile> =
            self.threads.iter().map(|thread| thread.profile(&self)).collect();
        threads.sort_by_key(|thread| (thread.pid, thread.tid));
        let mut functions: Vec<FunctionProfile> = if self.options.by_thread {
            let mut merged: FxHashMap<FunctionId, FunctionProfile> = FxHashMap::default();
            for part in &self.functions {
                merged.entry(part.id).or_insert_with(|| FunctionProfile::new(part.id)).add(part);
            }
            merged.into_values().collect()
        } else {
            self.functions
        };
        functions.sort_by_key(|function| function.id);
        Profile {
            duration_ns: end_ns.saturating_sub(self.start_ns),
            events: self.events,
            lost_events: self.lost_events,
            threads,
            functions,
        }
    }

    /// The thread an event is about; a new one where its id was not seen, or begins again.
    fn thread(&mut self, event: &Event) -> usize {
        if let Some(&index) = self.thread_of.get(&event.tid) {
            let begins =
                matches!(event.kind, EventKind::ThreadStart { parent, .. } if parent.0 != 0);
            if !begins {
                return index;
            }
            // The predecessor's end was lost, or recorded long ago.
            let old = &mut self.threads[index];
            old.clock.advance(event.time_ns);
            old.calls.leave_all(&old.clock, CallEnd::Lost, &mut self.functions);
            old.clock.end();
        }
        let index = self.threads.len();
        self.threads.push(Thread {
            tid: event.tid,
            pid: event.pid,
            name: ThreadName::default(),
            events: 0,
            lost_events: 0,
            clock: ThreadClock::new(event.time_ns, self.lost_everywhere),
            calls: Calls::new(self.durations),
        });
        self.thread_of.insert(event.tid, index);
        index
    }

    /// A new program has one thread, under the id of its process; all others are gone, also the one
    /// that asked for it under an id of its own.
    fn end_other_threads(&mut self, exec: &Event) {
        for thread in &mut self.threads {
            if thread.pid == exec.pid && thread.tid != exec.tid && !thread.clock.has_ended() {
                thread.clock.advance(exec.time_ns);
                thread.calls.leave_all(&thread.clock, CallEnd::Exec, &mut self.functions);
                thread.clock.end();
            }
        }
    }

    fn gap_everywhere(&mut self, event: &Event) {
        let EventKind::Gap { until_ns, entries, exits, others } = event.kind else { return };
        let (calls, scheduler) = (entries != 0 || exits != 0, others != 0);
        self.lost_everywhere.lose(calls, scheduler, until_ns);
        for thread in self.threads.iter_mut().filter(|thread| !thread.clock.has_ended()) {
            thread.clock.advance(event.time_ns);
            thread.lose(calls, scheduler, until_ns, &mut self.functions);
        }
    }
}

impl Thread {
    fn lose(
        &mut self,
        calls: bool,
        scheduler: bool,
        until_ns: u64,
        functions: &mut [FunctionProfile],
    ) {
        if calls {
            self.calls.doubt(&self.clock, functions);
        }
        self.clock.lose(calls, scheduler, until_ns);
    }

    fn profile(&self, profiler: &Profiler) -> ThreadProfile {
        let times = self.clock.times();
        let mut functions: Vec<FunctionProfile> = if profiler.options.by_thread {
            self.calls.totals().map(|index| profiler.functions[index].clone()).collect()
        } else {
            Vec::new()
        };
        functions.sort_by_key(|function| function.id);
        ThreadProfile {
            tid: self.tid,
            pid: self.pid,
            name: self.name.text(),
            events: self.events,
            lost_events: self.lost_events,
            on_cpu_ns: times.running_ns,
            off_cpu_ns: times.blocked_ns,
            runnable_ns: times.runnable_ns,
            unknown_ns: times.unknown_ns,
            functions,
        }
    }
}

#[cfg(test)]
mod tests;
