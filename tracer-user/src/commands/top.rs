//! `scope top`: the functions that threads spend their time in, in the latest stretch of a trace, also
//! while it is recorded.
//!
//! A function's time here is that in which its call is the innermost open one; time without any open call
//! counts for none. It is read from the checkpoint before the stretch on, so that it costs as much as
//! the stretch is long, wherever in the trace it is.

use std::cmp::Reverse;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rustc_hash::FxHashMap;
use scope_model::{EventKind, FunctionId, RunState, State, ThreadState, Tid};
use scope_store::Trace;
use serde::Serialize;

use super::reading;
use crate::cli::TopArgs;
use crate::output;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{count, counted, duration, moment, percent, printable};

/// Shorter looks at a growing trace would mostly look at each other.
const SHORTEST: Duration = Duration::from_millis(100);

/// Prints the functions, again and again with `--follow`.
pub fn run(args: &TopArgs) -> anyhow::Result<ExitCode> {
    let mut trace = reading::open(&args.trace)?;
    let clears = args.follow && !args.json && io::stdout().is_terminal();
    loop {
        let latest = latest(&trace, args.interval)?;
        {
            let mut out = output::stdout();
            if args.json {
                output::json::line(&mut out, &Document::new(&trace, &latest, args.limit))?;
            } else {
                if clears {
                    // Home, and the rest of the screen erased.
                    write!(out, "\x1b[H\x1b[J")?;
                }
                text(&mut out, &trace, &latest, args.limit)?;
            }
            out.flush()?;
        }
        if !args.follow || trace.is_complete() {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            thread::sleep(args.interval.max(SHORTEST));
            if trace.refresh()? || trace.is_complete() {
                break;
            }
        }
    }
}

/// What happened in a stretch of time.
#[derive(Debug, Default)]
struct Stretch {
    from_ns: u64,
    until_ns: u64,
    functions: Vec<(FunctionId, Spent)>,
    /// Events lost, as far as the gaps began in the stretch.
    lost: u64,
}

/// What a function had of it.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    calls: u64,
    self_ns: u64,
    on_cpu_ns: u64,
    off_cpu_ns: u64,
}

/// The latest stretch of a trace, of this length where it is as long.
fn latest(trace: &Trace, length: Duration) -> anyhow::Result<Stretch> {
    let Some(last) = trace.block_count()?.checked_sub(1) else { return Ok(Stretch::default()) };
    let until_ns = trace.checkpoint(last + 1)?.latest_ns();
    let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let from_ns = until_ns.saturating_sub(length_ns).max(trace.manifest().start_ns);
    let first = trace.block_at_time(from_ns)?.min(last);
    let mut state = State::clone(&*trace.checkpoint(first)?);
    let mut clock = Clock { from_ns, since: FxHashMap::default(), spent: FxHashMap::default() };
    let mut stretch = Stretch { from_ns, until_ns, ..Stretch::default() };
    for block in first..=last {
        let block = trace.block(block)?;
        for (event, number) in block.events().iter().zip(block.info().first_event..) {
            let all = event.tid == Tid(0) || matches!(event.kind, EventKind::Exec { .. });
            if all {
                state.threads().iter().for_each(|thread| clock.pass(thread, event.time_ns));
            } else if let Some(thread) = state.thread(event.tid) {
                clock.pass(thread, event.time_ns);
            }
            state.apply(number, event);
            if event.time_ns < from_ns {
                continue;
            }
            match event.kind {
                EventKind::Enter { function, inherited: false, .. } => {
                    clock.spent.entry(function).or_default().calls += 1;
                }
                EventKind::Gap { entries, exits, others, .. } => {
                    stretch.lost += u64::from(entries) + u64::from(exits) + u64::from(others);
                }
                _ => {}
            }
        }
    }
    state.threads().iter().for_each(|thread| clock.pass(thread, until_ns));
    stretch.functions = clock.spent.into_iter().collect();
    stretch
        .functions
        .sort_by_key(|(id, spent)| (Reverse(spent.self_ns), Reverse(spent.calls), *id));
    Ok(stretch)
}

/// Gives time to the innermost calls.
struct Clock {
    from_ns: u64,
    /// Up to when each thread's time was given.
    since: FxHashMap<Tid, u64>,
    spent: FxHashMap<FunctionId, Spent>,
}

impl Clock {
    fn pass(&mut self, thread: &ThreadState, time_ns: u64) {
        let since = self.since.entry(thread.tid).or_insert(self.from_ns);
        let passed = time_ns.saturating_sub(*since);
        *since = time_ns.max(*since);
        let Some(call) = thread.stack.last().filter(|_| passed > 0) else { return };
        // A thread that began in between has no call from before it.
        let passed = passed.min(time_ns.saturating_sub(call.entered_ns));
        let spent = self.spent.entry(call.function).or_default();
        spent.self_ns += passed;
        match thread.run {
            RunState::Running { .. } => spent.on_cpu_ns += passed,
            RunState::Runnable { .. } | RunState::Blocked { .. } => spent.off_cpu_ns += passed,
            RunState::Unknown | RunState::Ended => {}
        }
    }
}

fn text(out: &mut dyn Write, trace: &Trace, stretch: &Stretch, limit: usize) -> io::Result<()> {
    let length_ns = stretch.until_ns.saturating_sub(stretch.from_ns);
    let from = moment(reading::since_start(trace, stretch.from_ns.max(trace.manifest().start_ns)));
    let state = if trace.is_complete() { "" } else { ", recording" };
    writeln!(
        out,
        "{}: {} from {from}{state}",
        printable(&reading::label(trace)),
        duration(length_ns)
    )?;
    if stretch.lost > 0 {
        writeln!(out, "{} lost", counted(stretch.lost, "event"))?;
    }
    writeln!(out)?;
    let columns = [
        ("self", Align::Right),
        ("share", Align::Right),
        ("on-CPU", Align::Right),
        ("off-CPU", Align::Right),
        ("calls", Align::Right),
        ("function", Align::Left),
    ];
    let mut table = Table::new(&columns).give_way(&["off-CPU", "on-CPU"]);
    let limit = if limit == 0 { usize::MAX } else { limit };
    for (id, spent) in stretch.functions.iter().take(limit) {
        table.row(vec![
            duration(spent.self_ns),
            percent(spent.self_ns, length_ns),
            duration(spent.on_cpu_ns),
            duration(spent.off_cpu_ns),
            count(spent.calls),
            reading::function_name(trace, *id),
        ]);
    }
    table.write(out, terminal_width())?;
    match stretch.functions.len().saturating_sub(limit) {
        0 => Ok(()),
        hidden => writeln!(out, "{}; --limit 0 shows all", counted(hidden as u64, "more function")),
    }
}

/// The JSON of `scope top`, one a line. Its names are a contract: fields are added, never renamed or
/// removed.
#[derive(Debug, Serialize)]
struct Document {
    trace: String,
    /// Since the start of the trace.
    from_ns: i64,
    until_ns: i64,
    recording: bool,
    lost_events: u64,
    functions: Vec<Row>,
    functions_not_shown: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    id: u32,
    name: String,
    calls: u64,
    self_ns: u64,
    on_cpu_ns: u64,
    off_cpu_ns: u64,
}

impl Document {
    fn new(trace: &Trace, stretch: &Stretch, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let start_ns = trace.manifest().start_ns;
        let row = |(id, spent): &(FunctionId, Spent)| Row {
            id: id.0,
            name: reading::function_name(trace, *id),
            calls: spent.calls,
            self_ns: spent.self_ns,
            on_cpu_ns: spent.on_cpu_ns,
            off_cpu_ns: spent.off_cpu_ns,
        };
        Self {
            trace: trace.path().display().to_string(),
            from_ns: reading::since_start(trace, stretch.from_ns.max(start_ns)),
            until_ns: reading::since_start(trace, stretch.until_ns.max(start_ns)),
            recording: !trace.is_complete(),
            lost_events: stretch.lost,
            functions: stretch.functions.iter().take(limit).map(row).collect(),
            functions_not_shown: stretch.functions.len().saturating_sub(limit),
        }
    }
}
