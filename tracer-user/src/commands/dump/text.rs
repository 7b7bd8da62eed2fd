//! The dump as text: time, thread, kind, and what happened, indented by open calls.

use std::io::{self, Write};

use scope_model::{CallEnd, Event, EventKind};
use scope_timeline::syscall;

use super::Placed;
use crate::commands::nodes::Nodes;
use crate::commands::reading;
use crate::output::style;
use crate::output::units::{counted, duration, moment, printable};

/// Deepest indentation, in levels: deeper calls are told by a number.
const DEEPEST: usize = 40;

/// Writes one event.
pub fn line(out: &mut dyn Write, nodes: &Nodes<'_>, placed: &Placed) -> io::Result<()> {
    let event = &placed.event;
    let style = match event.kind {
        EventKind::Enter { .. } | EventKind::Leave { .. } => anstyle::Style::new(),
        EventKind::Gap { .. } => style::WARNING,
        _ => style::DIM,
    };
    let (levels, deeper) = match placed.depth {
        depth @ 0..=DEEPEST => (depth, String::new()),
        depth => (DEEPEST, format!("[{depth}] ")),
    };
    writeln!(
        out,
        "{style}{:>16}  {:>7}  {:<13}  {:indent$}{deeper}{}{style:#}",
        moment(placed.time_ns),
        event.tid.0,
        event.kind.name(),
        "",
        printable(&what(nodes, placed)),
        indent = levels * 2,
    )
}

fn what(nodes: &Nodes<'_>, placed: &Placed) -> String {
    let trace = nodes.trace();
    let call = |number| {
        reading::syscall_name(trace, number)
            .map_or_else(|| format!("syscall {number}"), str::to_owned)
    };
    match placed.event.kind {
        EventKind::Enter { function, return_address, inherited, .. } => {
            let name = reading::function_name(trace, function);
            if inherited {
                return format!("{name} (inherited)");
            }
            let Event { pid, time_ns, .. } = placed.event;
            let origin = nodes.of_call(pid, time_ns, return_address, function).short();
            origin.map_or(name.clone(), |origin| format!("{name} from {origin}"))
        }
        EventKind::Leave { function, end, crosses_gap, .. } => {
            let name = reading::function_name(trace, function);
            match (end, placed.duration_ns) {
                (CallEnd::Returned, Some(ns)) => format!("{name} {}", duration(ns)),
                (CallEnd::Returned, None) if crosses_gap => format!("{name} (crosses a gap)"),
                (CallEnd::Returned, None) => name,
                (end, _) => format!("{name} ({})", end.name().replace('_', " ")),
            }
        }
        EventKind::SwitchIn { cpu } => format!("CPU {cpu}"),
        EventKind::SwitchOut { cpu, state: 0 } => format!("CPU {cpu}, preempted"),
        EventKind::SwitchOut { cpu, state } => match task_state(state) {
            Some(does) => format!("CPU {cpu}, {does}"),
            None => format!("CPU {cpu}, blocked in state {state:#x}"),
        },
        EventKind::Waking { waker, waker_pid } => format!("by {waker} of process {waker_pid}"),
        EventKind::ThreadStart { parent, name } => match parent.0 {
            0 => format!("{name}, found"),
            parent => format!("{name}, by {parent}"),
        },
        EventKind::ThreadExit { code, last } => {
            format!("{}{}", exit_code(code), if last { ", last of its process" } else { "" })
        }
        EventKind::Rename { name } | EventKind::Exec { name } => name.text(),
        EventKind::SyscallEnter { number } => call(number),
        EventKind::SyscallExit { number, result } => match syscall::error(result) {
            Some(error) => format!("{} = {error}", call(number)),
            None => format!("{} = {result}", call(number)),
        },
        EventKind::Gap { until_ns, entries, exits, others } => format!(
            "lost {}, {}, {} until {}",
            match entries {
                1 => "1 entry".to_owned(),
                entries => format!("{entries} entries"),
            },
            counted(u64::from(exits), "exit"),
            counted(u64::from(others), "other"),
            moment(reading::since_start(trace, until_ns)),
        ),
    }
}

/// What a thread with these task state bits does (`include/linux/sched.h`), where one word says it.
pub fn task_state(state: u32) -> Option<&'static str> {
    // That a sleeper may be frozen (Linux 6.1) or killed says nothing of what it does.
    const FREEZABLE: u32 = 0x6000;
    const KILLABLE: u32 = 0x100;
    Some(match state & !(FREEZABLE | KILLABLE) {
        0x1 => "sleeping",
        0x2 => "uninterruptible",
        0x4 => "stopped",
        0x8 => "traced",
        0x10 | 0x20 | 0x40 | 0x80 => "dead",
        0x402 => "idle",
        _ => return None,
    })
}

/// An exit code as `wait` reports it: a status or a signal.
fn exit_code(code: u32) -> String {
    match code & 0x7f {
        0 => format!("status {}", code >> 8 & 0xff),
        signal => format!("signal {signal}"),
    }
}
