//! `critical_path(call_id)`: what the time of a call was spent on. Where its thread was blocked until another
//! one woke it, that other's time in the same stretch takes its place, and so on through the wake-ups.
//!
//! A stretch ends where a thread's run state changes or another call becomes its innermost one. The stretches follow each other from the begin of the call to its end without overlap, so that their
//! durations add up to the call's.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use scope_model::{RunState, ThreadState, Tid};
use scope_store::ThreadEvents;
use scope_timeline::Timeline;

use super::argument::Asked;
use crate::QueryError;
use crate::blocks;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;
use crate::tables::slices::{reason, state_name};
use crate::walk::with_everybody;

/// Threads that wait for each other are followed so far.
const DEEPEST: u32 = 32;
/// A path of more stretches is no answer to anybody.
const LONGEST: usize = 1 << 20;

pub(crate) fn register(context: &SessionContext, asked: &Asked) {
    asked.register(context, "critical_path", |argument, _| {
        Ok(Arc::new(CriticalPath { call: argument.call()? }))
    });
}

#[derive(Clone, Debug)]
struct CriticalPath {
    call: u64,
}

/// A stretch of one thread.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    tid: Tid,
    from_ns: u64,
    until_ns: u64,
    run: RunState,
    waker: Option<Tid>,
    syscall: Option<u32>,
    call: Option<u64>,
    /// How many wake-ups lead to it.
    hops: u32,
}

impl Small for CriticalPath {
    const NAME: &'static str = "critical_path";
    const ABOUT: &'static str = "what the time of a call was spent on";
    const COLUMNS: &'static [Column] = &[
        column("step", Type::Int, "number of the stretch, from 1"),
        column("tid", Type::Id, "the thread whose time it is"),
        column("hops", Type::Int, "wake-ups between the call's thread and this one"),
        column("start", Type::Int, "ns since the start of the trace"),
        column("duration", Type::Int, "ns"),
        column("state", Type::Word, "running, runnable, blocked or unknown"),
        column("reason", Type::Word, "why it did not run"),
        column("waker", Type::Id, "blocked: who ended it"),
        column("syscall", Type::Word, "the system call it was in"),
        column("call_id", Type::Int, "the innermost open call"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        let view = Timeline::new(&source.trace).call(self.call, 0)?;
        let from_ns = view.call.entered_ns;
        let mut path = Vec::new();
        follow(source, view.tid, from_ns, from_ns.saturating_add(view.elapsed_ns), 0, &mut path)?;
        for (step, stretch) in (1_u64..).zip(&path) {
            rows.push(|column| match column {
                0 => Cell::count(step),
                1 => Cell::Id(stretch.tid.0),
                2 => Cell::count(stretch.hops.into()),
                3 => Cell::Int(source.since_start(stretch.from_ns)),
                4 => Cell::count(stretch.until_ns - stretch.from_ns),
                5 => Cell::Text(state_name(stretch.run)),
                6 => Cell::text_if(reason(stretch.run)),
                7 => Cell::id_if(stretch.waker.map(|tid| tid.0)),
                8 => Cell::text_if(stretch.syscall.and_then(|number| source.syscall(number))),
                _ => Cell::count_if(stretch.call),
            });
        }
        Ok(())
    }
}

/// Adds what a thread's time was spent on from one time to another.
fn follow(
    source: &Source,
    tid: Tid,
    from_ns: u64,
    until_ns: u64,
    hops: u32,
    path: &mut Vec<Stretch>,
) -> Result<(), QueryError> {
    for stretch in stretches(source, tid, from_ns, until_ns)? {
        let waker = stretch.waker.filter(|waker| *waker != tid && *waker != Tid(0));
        if let (RunState::Blocked { .. }, Some(waker)) = (stretch.run, waker)
            && hops < DEEPEST
        {
            let before = path.len();
            follow(source, waker, stretch.from_ns, stretch.until_ns, hops + 1, path)?;
            let known = path[before..].iter().any(|found| found.run != RunState::Unknown);
            if known {
                continue;
            }
            // A thread that was not recorded: nothing is known but that it was waited for.
            path.truncate(before);
        }
        if path.len() >= LONGEST {
            let what =
                format!("critical_path: more than {LONGEST} stretches; ask for a shorter call");
            return Err(QueryError::Engine(what));
        }
        path.push(Stretch { hops, ..stretch });
    }
    Ok(())
}

/// What a thread did from one time to another, without holes.
fn stretches(
    source: &Source,
    tid: Tid,
    from_ns: u64,
    until_ns: u64,
) -> Result<Vec<Stretch>, QueryError> {
    let trace = &source.trace;
    let blank = Stretch {
        tid,
        from_ns,
        until_ns,
        run: RunState::Unknown,
        waker: None,
        syscall: None,
        call: None,
        hops: 0,
    };
    let of = |thread: Option<&ThreadState>, from_ns: u64| match thread {
        None => Stretch { from_ns, ..blank },
        Some(thread) => Stretch {
            from_ns,
            run: thread.run,
            syscall: thread.syscall.map(|call| call.number),
            call: thread.stack.last().map(|call| call.id),
            ..blank
        },
    };
    let range = blocks::about_time(trace, from_ns, until_ns)?;
    let threads = with_everybody(BTreeSet::from([tid.0.into()]));
    let holding = blocks::holding(trace, range.clone(), Some(&threads), None)?;
    let mut found: Vec<Stretch> = Vec::new();
    let mut current = of(trace.checkpoint_of(range.start, tid)?.thread(tid), from_ns);
    for block in holding {
        let ThreadEvents { before: mut state, events } = trace.thread_in(block, tid)?;
        for (number, event) in &events {
            state.apply(*number, event);
            let thread = state.thread(tid);
            let next = of(thread, event.time_ns.clamp(from_ns, until_ns));
            // What began before the time that is asked about is what it was then.
            if event.time_ns <= from_ns {
                current = Stretch { from_ns, ..next };
                continue;
            }
            let same = next.run == current.run && next.call == current.call;
            if same || event.time_ns > until_ns {
                continue;
            }
            let waker = match (current.run, next.run) {
                (RunState::Blocked { .. }, RunState::Runnable { woken_by }) => woken_by,
                _ => None,
            };
            found.push(Stretch { until_ns: next.from_ns, waker, ..current });
            current = next;
        }
    }
    found.push(Stretch { until_ns, ..current });
    found.retain(|stretch| stretch.from_ns < stretch.until_ns);
    Ok(found)
}
