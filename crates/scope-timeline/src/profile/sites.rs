//! Calls by where they were made: by return address, callee and calling function.

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, Tid};

use super::Durations;

/// The calls of one function from one place.
#[derive(Clone, Debug)]
pub struct SiteProfile {
    /// The process that made them.
    pub pid: Pid,
    /// When the first was made, ns: an address means something only while a program runs.
    pub first_ns: u64,
    /// Return address in the process; 0 where the caller left by a tail call.
    pub return_address: u64,
    /// What was called.
    pub function: FunctionId,
    /// The innermost recorded call around them: not always the function that holds the address.
    pub caller: Option<FunctionId>,
    /// Calls made.
    pub calls: u64,
    /// Wall time of those that ended without crossing a gap, callees included, ns. Calls of a recursive
    /// function count each by itself.
    pub total_ns: u64,
    /// Durations of those that returned and crossed no gap.
    pub durations: Durations,
}

/// Gathers [`SiteProfile`]s in one pass over the events of a trace.
#[derive(Debug, Default)]
pub struct SiteProfiler {
    sites: Vec<SiteProfile>,
    index: FxHashMap<Key, usize>,
    threads: FxHashMap<Tid, Vec<OpenCall>>,
    /// How many programs each process has begun since recording began.
    programs: FxHashMap<Pid, u32>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    pid: Pid,
    program: u32,
    return_address: u64,
    function: FunctionId,
    caller: Option<FunctionId>,
}

#[derive(Debug)]
struct OpenCall {
    function: FunctionId,
    entered_ns: u64,
    /// Index in [`SiteProfiler::sites`]; a call inherited at a fork was made by nobody here.
    site: Option<usize>,
}

impl SiteProfiler {
    /// Takes the next event.
    pub fn push(&mut self, event: &Event) {
        match event.kind {
            EventKind::Enter { function, return_address, inherited, .. } => {
                let stack = self.threads.entry(event.tid).or_default();
                let caller = stack.last().map(|call| call.function);
                let site = (!inherited).then(|| {
                    let pid = event.pid;
                    let program = self.programs.get(&pid).copied().unwrap_or(0);
                    let key = Key { pid, program, return_address, function, caller };
                    *self.index.entry(key).or_insert_with(|| {
                        self.sites.push(SiteProfile {
                            pid,
                            first_ns: event.time_ns,
                            return_address,
                            function,
                            caller,
                            calls: 0,
                            total_ns: 0,
                            durations: Durations::default(),
                        });
                        self.sites.len() - 1
                    })
                });
                if let Some(site) = site.and_then(|index| self.sites.get_mut(index)) {
                    site.calls += 1;
                }
                stack.push(OpenCall { function, entered_ns: event.time_ns, site });
            }
            EventKind::Leave { end, crosses_gap, .. } => {
                // A call that began before the trace did has no beginning here.
                let Some(call) = self.threads.entry(event.tid).or_default().pop() else { return };
                let Some(site) = call.site.and_then(|index| self.sites.get_mut(index)) else {
                    return;
                };
                if !crosses_gap && end != CallEnd::Lost {
                    let took_ns = event.time_ns.saturating_sub(call.entered_ns);
                    site.total_ns = site.total_ns.saturating_add(took_ns);
                    if end == CallEnd::Returned {
                        site.durations.record(took_ns);
                    }
                }
            }
            EventKind::Exec { .. } => *self.programs.entry(event.pid).or_default() += 1,
            EventKind::ThreadExit { .. } => {
                self.threads.remove(&event.tid);
            }
            _ => {}
        }
    }

    /// What was gathered so far, in the order in which the sites were first seen.
    #[must_use]
    pub fn sites(&self) -> &[SiteProfile] {
        &self.sites
    }

    /// What was gathered, in the order in which the sites were first seen.
    #[must_use]
    pub fn finish(self) -> Vec<SiteProfile> {
        self.sites
    }
}

#[cfg(test)]
mod tests {
    use scope_model::ThreadName;

    use super::*;

    fn event(time_ns: u64, kind: EventKind) -> Event {
        Event { time_ns, pid: Pid(1), tid: Tid(1), kind }
    }

    fn enter(time_ns: u64, function: u32, return_address: u64) -> Event {
        let function = FunctionId(function);
        let (stack_pointer, inherited) = (0, false);
        event(time_ns, EventKind::Enter { function, return_address, stack_pointer, inherited })
    }

    fn leave(time_ns: u64, function: u32, end: CallEnd, crosses_gap: bool) -> Event {
        let function = FunctionId(function);
        event(time_ns, EventKind::Leave { function, end, return_value: 0, crosses_gap })
    }

    /// Return address, callee, caller, calls, total, durations known.
    type Row = (u64, u32, Option<u32>, u64, u64, u64);

    fn rows(events: &[Event]) -> Vec<Row> {
        let mut profiler = SiteProfiler::default();
        events.iter().for_each(|event| profiler.push(event));
        let row = |site: &SiteProfile| {
            let caller = site.caller.map(|caller| caller.0);
            let known = site.durations.count();
            (site.return_address, site.function.0, caller, site.calls, site.total_ns, known)
        };
        profiler.finish().iter().map(row).collect()
    }

    #[test]
    fn calls_are_told_apart_by_place_callee_and_caller() {
        use CallEnd::Returned;
        let events = [
            enter(0, 0, 0x10),
            enter(10, 1, 0x20),
            leave(15, 1, Returned, false),
            enter(20, 1, 0x20),
            leave(27, 1, Returned, false),
            enter(30, 1, 0x30),
            leave(31, 1, Returned, false),
            leave(40, 0, Returned, false),
            enter(50, 1, 0x20),
        ];
        let expected = [
            (0x10, 0, None, 1, 40, 1),
            (0x20, 1, Some(0), 2, 12, 2),
            (0x30, 1, Some(0), 1, 1, 1),
            (0x20, 1, None, 1, 0, 0),
        ];
        assert_eq!(rows(&events), expected);
    }

    #[test]
    fn a_duration_counts_where_it_is_known() {
        let events = [
            enter(0, 0, 0x10),
            leave(5, 0, CallEnd::Unwound, false),
            enter(10, 0, 0x10),
            leave(15, 0, CallEnd::Returned, true),
            enter(20, 0, 0x10),
            leave(29, 0, CallEnd::Lost, false),
            leave(30, 0, CallEnd::Returned, false),
        ];
        assert_eq!(rows(&events), [(0x10, 0, None, 3, 5, 0)]);
    }

    #[test]
    fn the_same_address_in_another_program_is_another_place() {
        let name = ThreadName::new("next");
        let events = [
            enter(0, 0, 0x10),
            leave(1, 0, CallEnd::Exec, false),
            event(1, EventKind::Exec { name }),
            enter(2, 0, 0x10),
        ];
        assert_eq!(rows(&events), [(0x10, 0, None, 1, 1, 0), (0x10, 0, None, 1, 0, 0)]);
    }
}
