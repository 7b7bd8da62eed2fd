//! What functions of traces should say: all events in memory, the state after each, and every question
//! answered by walking them from one end to the other, as the documentation words it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use scope_model::{Event, EventKind, Pid, RunState, State, ThreadState, Tid};
use scope_store::Trace;
use scope_timeline::{Timeline, syscall};

use crate::generate::events;
use crate::relation::{Relation, Value};
use crate::store::START_NS;

/// Threads that wait for each other are followed so far.
const DEEPEST: u64 = 32;

/// A trace in memory.
#[derive(Debug)]
pub(crate) struct Model {
    /// All events that there were, those dropped from the trace among them.
    pub(crate) events: Vec<Event>,
    /// Number of the first event of the trace.
    pub(crate) first: u64,
    /// The state at each moment.
    states: Vec<State>,
}

/// A time since the start of the trace.
fn since(time_ns: u64) -> i64 {
    time_ns as i64 - START_NS as i64
}

/// Columns of `calls` that need no code.
pub(crate) const CALLS: &[&str] = &[
    "id",
    "parent_id",
    "tid",
    "pid",
    "function_id",
    "depth",
    "start",
    "duration",
    "elapsed",
    "self_time",
    "on_cpu",
    "off_cpu",
    "runnable",
    "blocked",
    "callees",
    "ended",
    "crosses_gap",
    "inherited",
    "return_value",
    "return_address",
    "end_event",
];

/// `calls`, as the timeline tells each of them.
pub(crate) fn calls(trace: &Trace) -> Relation {
    let timeline = Timeline::new(trace);
    let events = (trace.first_event()..).zip(trace.events().map(Result::unwrap));
    let enters = events.filter(|(_, event)| matches!(event.kind, EventKind::Enter { .. }));
    let row = |id: u64| -> Vec<Value> {
        let view = timeline.call(id, 0).unwrap();
        let name = view.ending.map(|ending| ending.end.name());
        let returned = view.ending.filter(|ending| ending.end.name() == "returned");
        vec![
            id.into(),
            view.callers.last().map(|caller| caller.id).into(),
            view.tid.0.into(),
            view.pid.0.into(),
            view.call.function.0.into(),
            (view.callers.len() as u64).into(),
            since(view.call.entered_ns).into(),
            view.duration_ns.into(),
            view.elapsed_ns.into(),
            view.self_ns.into(),
            view.times.running_ns.into(),
            (view.times.runnable_ns + view.times.blocked_ns).into(),
            view.times.runnable_ns.into(),
            view.times.blocked_ns.into(),
            view.callees.into(),
            name.into(),
            view.call.crosses_gap.into(),
            view.call.inherited.into(),
            returned.map(|ending| ending.return_value).into(),
            view.call.return_address.into(),
            view.ending.map(|ending| ending.event).into(),
        ]
    };
    Relation {
        name: "calls".to_owned(),
        columns: CALLS,
        rows: enters.map(|(id, _)| row(id)).collect(),
    }
}

/// The name of a run state.
pub(crate) fn state_name(run: RunState) -> &'static str {
    match run {
        RunState::Running { .. } => "running",
        RunState::Runnable { .. } => "runnable",
        RunState::Blocked { .. } => "blocked",
        RunState::Unknown => "unknown",
        RunState::Ended => "ended",
    }
}

/// Why a thread does not run; there are no other states in the traces here.
fn reason(run: RunState) -> Option<&'static str> {
    match run {
        RunState::Runnable { woken_by: Some(_) } => Some("woken"),
        RunState::Runnable { woken_by: None } => Some("preempted"),
        RunState::Blocked { state: 1 } => Some("sleeping"),
        RunState::Blocked { state: 2 } => Some("uninterruptible"),
        _ => None,
    }
}

/// What a thread was doing at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Doing {
    run: RunState,
    syscall: Option<u32>,
    innermost: Option<u64>,
}

/// A stretch of a critical path.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    tid: Tid,
    hops: u64,
    from_ns: u64,
    until_ns: u64,
    doing: Doing,
    waker: Option<Tid>,
}

impl Model {
    pub(crate) fn new(events: &[Event], trace: &Trace) -> Self {
        let mut state = State::new();
        let mut states = vec![state.clone()];
        for (number, event) in (0..).zip(events) {
            state.apply(number, event);
            states.push(state.clone());
        }
        Self { events: events.to_vec(), first: trace.first_event(), states }
    }

    /// After all events up to and at a time.
    pub(crate) fn moment_at(&self, time_ns: u64) -> u64 {
        let later = self.events.iter().position(|event| event.time_ns > time_ns);
        self.first.max(later.unwrap_or(self.events.len()) as u64)
    }

    /// The latest time before a moment.
    pub(crate) fn time_of(&self, moment: u64) -> u64 {
        let before = &self.events[..moment as usize];
        before.iter().map(|event| event.time_ns).max().unwrap_or(START_NS)
    }

    /// When the trace ends.
    pub(crate) fn end_ns(&self) -> u64 {
        self.time_of(self.events.len() as u64)
    }

    fn thread(&self, moment: u64, tid: Tid) -> Option<&ThreadState> {
        self.states[moment as usize].thread(tid)
    }

    /// The calls that were open when a call began, outermost first.
    pub(crate) fn above(&self, id: u64) -> Vec<u64> {
        let thread = self.thread(id, self.events[id as usize].tid);
        thread.map_or(Vec::new(), |thread| thread.stack.iter().map(|call| call.id).collect())
    }

    /// The calls that were made while a call was open, by its thread.
    pub(crate) fn below(&self, id: u64) -> Vec<u64> {
        let all = (0..).zip(&self.events);
        let made = all.filter(|(_, event)| matches!(event.kind, EventKind::Enter { .. }));
        made.map(|(made, _)| made).filter(|made| self.above(*made).contains(&id)).collect()
    }

    /// `stack_at` at a moment.
    pub(crate) fn stacks(&self, name: String, moment: u64, time_ns: u64) -> Relation {
        let mut rows = Vec::new();
        for thread in self.states[moment as usize].threads() {
            let head: [Value; 4] = [
                thread.tid.0.into(),
                thread.pid.0.into(),
                state_name(thread.run).into(),
                reason(thread.run).into(),
            ];
            for (depth, call) in (0_u64..).zip(&thread.stack) {
                let of_call: [Value; 5] = [
                    depth.into(),
                    call.id.into(),
                    call.function.0.into(),
                    since(call.entered_ns).into(),
                    (time_ns - call.entered_ns).into(),
                ];
                rows.push([head.as_slice(), &of_call].concat());
            }
            if thread.stack.is_empty() {
                rows.push([head.as_slice(), &[const { Value::Null }; 5]].concat());
            }
        }
        let columns = &[
            "tid",
            "pid",
            "state",
            "reason",
            "depth",
            "call_id",
            "function_id",
            "start",
            "elapsed",
        ];
        Relation { name, columns, rows }
    }

    /// `critical_path` of a call that took so long.
    pub(crate) fn critical_path(&self, id: u64, elapsed_ns: u64) -> Relation {
        let Event { time_ns, tid, .. } = self.events[id as usize];
        let path = self.path(tid, time_ns, time_ns + elapsed_ns, 0);
        let row = |(step, stretch): (u64, Stretch)| -> Vec<Value> {
            let Stretch { tid, hops, from_ns, until_ns, doing, waker } = stretch;
            vec![
                step.into(),
                tid.0.into(),
                hops.into(),
                since(from_ns).into(),
                (until_ns - from_ns).into(),
                state_name(doing.run).into(),
                reason(doing.run).into(),
                waker.map(|tid| tid.0).into(),
                doing.syscall.and_then(|number| syscall::name("x86_64", number)).into(),
                doing.innermost.into(),
            ]
        };
        Relation {
            name: format!("critical_path({id})"),
            columns: &[
                "step", "tid", "hops", "start", "duration", "state", "reason", "waker", "syscall",
                "call_id",
            ],
            rows: (1..).zip(path).map(row).collect(),
        }
    }

    /// What a thread's time was spent on, with that of others where it waited for them.
    fn path(&self, tid: Tid, from_ns: u64, until_ns: u64, hops: u64) -> Vec<Stretch> {
        let mut path = Vec::new();
        for stretch in self.stretches(tid, from_ns, until_ns, hops) {
            let Stretch { from_ns, until_ns, doing, waker, .. } = stretch;
            let waker = waker.filter(|waker| *waker != tid && *waker != Tid(0));
            let others = match (doing.run, waker) {
                (RunState::Blocked { .. }, Some(waker)) if hops < DEEPEST => {
                    self.path(waker, from_ns, until_ns, hops + 1)
                }
                _ => Vec::new(),
            };
            // Of a thread that was not recorded nothing is known but that it was waited for.
            match others.iter().any(|other| other.doing.run != RunState::Unknown) {
                true => path.extend(others),
                false => path.push(stretch),
            }
        }
        path
    }

    /// What a thread did, from one change of its run state or innermost call to the next.
    fn stretches(&self, tid: Tid, from_ns: u64, until_ns: u64, hops: u64) -> Vec<Stretch> {
        let doing = |moment: u64| {
            self.thread(moment, tid).map_or(Doing::default(), |thread| Doing {
                run: thread.run,
                syscall: thread.syscall.map(|call| call.number),
                innermost: thread.stack.last().map(|call| call.id),
            })
        };
        let begin = self.moment_at(from_ns);
        let mut changes = vec![(from_ns, doing(begin))];
        for moment in begin + 1..=self.moment_at(until_ns) {
            let (last, now) = (changes[changes.len() - 1].1, doing(moment));
            if (last.run, last.innermost) != (now.run, now.innermost) {
                changes.push((self.events[moment as usize - 1].time_ns, now));
            }
        }
        let ends = changes.iter().skip(1).map(|(at_ns, next)| (*at_ns, Some(next.run)));
        let ends = ends.chain([(until_ns, None)]);
        let stretches = changes.iter().zip(ends).map(|((from_ns, doing), (until_ns, next))| {
            let waker = match (doing.run, next) {
                (RunState::Blocked { .. }, Some(RunState::Runnable { woken_by })) => woken_by,
                _ => None,
            };
            Stretch { tid, hops, from_ns: *from_ns, until_ns, doing: *doing, waker }
        });
        stretches.filter(|stretch| stretch.from_ns < stretch.until_ns).collect()
    }
}

/// Events of threads that wait for each other.
pub(crate) fn waiting() -> impl Strategy<Value = Vec<Event>> {
    (events(), prop::collection::vec(any::<u16>(), 1..60))
        .prop_map(|(events, chances)| with_waits(&events, &chances))
}

/// Has threads wait for each other now and then, which random events seldom do: after some events of a
/// thread it sleeps, and mostly a thread that was just at work wakes it before its next.
fn with_waits(events: &[Event], chances: &[u16]) -> Vec<Event> {
    let mut waiting = BTreeSet::new();
    let mut all: Vec<Event> = Vec::new();
    for (event, chance) in events.iter().zip(chances.iter().cycle()) {
        let Event { time_ns, pid, tid, kind } = *event;
        if waiting.remove(&tid) && !chance.is_multiple_of(7) {
            let last = &all[all.len() - 1];
            let recent = &all[all.len().saturating_sub(8)..];
            let waker = recent[usize::from(*chance) / 7 % recent.len()].tid;
            let kind = EventKind::Waking { waker, waker_pid: Pid(1) };
            all.push(Event { time_ns: last.time_ns, pid, tid, kind });
        }
        all.push(*event);
        let runs = matches!(kind, EventKind::Enter { inherited: false, .. });
        if runs && chance.is_multiple_of(3) {
            let state = 1 + u32::from(chance % 2);
            all.push(Event { time_ns, pid, tid, kind: EventKind::SwitchOut { cpu: 0, state } });
            waiting.insert(tid);
        }
    }
    all
}
