//! The state of threads as text: a head a thread, below it its open calls, innermost first.

use std::io::{self, Write};

use scope_model::state::{CPU_UNKNOWN, Lost};
use scope_model::{OpenCall, Pid, RunState, ThreadState};
use scope_store::Trace;

use super::Found;
use crate::commands::nodes::Nodes;
use crate::commands::{dump, reading};
use crate::output::style;
use crate::output::units::{counted, duration, moment, printable};

/// Writes what every thread was doing.
pub(super) fn write(out: &mut dyn Write, found: &Found<'_>) -> io::Result<()> {
    let Found { trace, nodes, timeline, moment: at, state, ref threads } = *found;
    let place = match reading::event_before(timeline, at.event) {
        Some(event) => format!("after event #{event}"),
        None => "before the first event".to_owned(),
    };
    let time = moment(reading::since_start(trace, at.time_ns));
    writeln!(out, "{} at {time}, {place}", reading::label(trace))?;
    if threads.is_empty() {
        writeln!(out, "\nno thread is known yet")?;
    }
    for shown in threads {
        writeln!(out)?;
        thread(out, nodes, shown, at.time_ns)?;
    }
    if state.lost().total() > 0 {
        writeln!(out)?;
        losses(out, trace, state.lost(), at.time_ns, "of threads unknown ")?;
    }
    out.flush()
}

/// Writes a thread as it was at a time of `CLOCK_MONOTONIC`, ns.
pub fn thread(
    out: &mut dyn Write,
    nodes: &Nodes<'_>,
    thread: &ThreadState,
    time_ns: u64,
) -> io::Result<()> {
    let trace = nodes.trace();
    let head = style::HEAD;
    let name = thread.name.text();
    let of = if thread.pid.0 == thread.tid.0 || thread.pid.0 == 0 {
        String::new()
    } else {
        format!(" of process {}", thread.pid)
    };
    writeln!(
        out,
        "{head}thread {}{}{}{of}{head:#}: {}",
        thread.tid,
        if name.is_empty() { "" } else { " " },
        printable(&name),
        run_state(trace, thread, time_ns),
    )?;
    for call in thread.stack.iter().rev() {
        open_call(out, nodes, thread.pid, call, time_ns)?;
    }
    losses(out, trace, &thread.lost, time_ns, "")
}

fn open_call(
    out: &mut dyn Write,
    nodes: &Nodes<'_>,
    pid: Pid,
    call: &OpenCall,
    time_ns: u64,
) -> io::Result<()> {
    let note = match (call.inherited, call.crosses_gap) {
        (false, false) => "",
        (true, false) => " (inherited)",
        (false, true) => " (crosses a gap)",
        (true, true) => " (inherited, crosses a gap)",
    };
    let dim = style::DIM;
    let origin = nodes.of_call(pid, call.entered_ns, call.return_address, call.function).short();
    let origin = origin.map_or_else(String::new, |origin| format!("from {origin}  "));
    writeln!(
        out,
        "{:>10}  {}{note}  {dim}{}call:{}{dim:#}",
        duration(time_ns.saturating_sub(call.entered_ns)),
        printable(&reading::function_name(nodes.trace(), call.function)),
        printable(&origin),
        call.id,
    )
}

fn run_state(trace: &Trace, thread: &ThreadState, time_ns: u64) -> String {
    let since = duration(time_ns.saturating_sub(thread.run_since_ns));
    let within = thread.syscall.map_or_else(String::new, |call| {
        let name = reading::syscall_name(trace, call.number);
        format!(" in {}", name.map_or_else(|| format!("syscall {}", call.number), str::to_owned))
    });
    match thread.run {
        RunState::Unknown => format!("run state unknown for {since}{within}"),
        RunState::Running { cpu: CPU_UNKNOWN } => format!("running for {since}{within}"),
        RunState::Running { cpu } => format!("running on CPU {cpu} for {since}{within}"),
        RunState::Runnable { woken_by: None } => format!("waiting for a CPU for {since}{within}"),
        RunState::Runnable { woken_by: Some(waker) } => {
            format!("waiting for a CPU for {since}{within}, woken by {waker}")
        }
        RunState::Blocked { state } => match dump::task_state(state) {
            Some(does) => format!("blocked ({does}) for {since}{within}"),
            None => format!("blocked (state {state:#x}) for {since}{within}"),
        },
        RunState::Ended => format!("ended {since} ago"),
    }
}

/// What was lost; nothing where nothing was.
fn losses(
    out: &mut dyn Write,
    trace: &Trace,
    lost: &Lost,
    time_ns: u64,
    whose: &str,
) -> io::Result<()> {
    if lost.total() == 0 {
        return Ok(());
    }
    let warning = style::WARNING;
    let until_ns = lost.calls_until_ns.max(lost.others_until_ns);
    let until = moment(reading::since_start(trace, until_ns));
    let when = if until_ns > time_ns {
        format!("; some are missing here, until {until}")
    } else {
        format!(" until {until}")
    };
    let events = counted(lost.total(), "event");
    writeln!(out, "{:>10}  {warning}{events} {whose}lost{warning:#}{when}", "")
}
