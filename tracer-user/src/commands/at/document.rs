//! The JSON of `scope at`. Its names are a contract: fields are added, never renamed or removed.

use scope_model::state::{CPU_UNKNOWN, Lost};
use scope_model::{OpenCall, OpenSyscall, Pid, RunState, ThreadState};
use scope_source::NodeId;
use scope_store::Trace;
use serde::Serialize;

use super::Found;
use crate::commands::nodes::{CallOrigin, Nodes};
use crate::commands::reading;

/// The document. Times are in ns since the start of the trace; what is not known is null.
#[derive(Debug, Serialize)]
pub struct At {
    trace: String,
    t_ns: i64,
    /// The event just before; null at the start.
    after_event: Option<u64>,
    threads: Vec<Thread>,
    /// Lost so far, of threads unknown.
    lost_events: u64,
    /// Up to when events of any thread may be missing, where that is later than the moment.
    missing_until_ns: Option<i64>,
}

/// A thread at a moment.
#[derive(Debug, Serialize)]
pub struct Thread {
    tid: u32,
    pid: u32,
    name: String,
    state: &'static str,
    state_since_ns: i64,
    /// Null unless it runs on a CPU that is known.
    cpu: Option<u16>,
    /// Null unless it is runnable and somebody was seen to wake it.
    woken_by: Option<u32>,
    /// Task state bits; null unless it is blocked.
    task_state: Option<u32>,
    /// Null unless it is in one.
    syscall: Option<Syscall>,
    /// Open calls, outermost first.
    stack: Vec<Call>,
    lost_events: u64,
    /// Up to when events of it are missing, where that is later than the moment.
    missing_until_ns: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Syscall {
    number: u32,
    name: Option<&'static str>,
    since_ns: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Call {
    /// Its id: the number of the event that began it.
    call: u64,
    function: u32,
    name: String,
    t_ns: i64,
    return_address: u64,
    stack_pointer: u64,
    inherited: bool,
    crosses_gap: bool,
    /// Where the function is declared; null where that is not known.
    file: Option<String>,
    line: Option<u32>,
    /// Its node; null where that is not known.
    node_id: Option<NodeId>,
    #[serde(flatten)]
    origin: CallOrigin,
}

impl At {
    pub(super) fn new(found: &Found<'_>) -> Self {
        let Found { trace, nodes, timeline, moment, state, ref threads } = *found;
        Self {
            trace: trace.path().display().to_string(),
            t_ns: reading::since_start(trace, moment.time_ns),
            after_event: reading::event_before(timeline, moment.event),
            threads: threads
                .iter()
                .map(|thread| Thread::new(nodes, thread, moment.time_ns))
                .collect(),
            lost_events: state.lost().total(),
            missing_until_ns: missing_until(trace, state.lost(), moment.time_ns),
        }
    }
}

impl Thread {
    /// A thread at a time of `CLOCK_MONOTONIC`, ns.
    pub fn new(nodes: &Nodes<'_>, thread: &ThreadState, time_ns: u64) -> Self {
        let trace = nodes.trace();
        let (state, cpu, woken_by, task_state) = match thread.run {
            RunState::Unknown => ("unknown", None, None, None),
            RunState::Running { cpu } => {
                ("running", Some(cpu).filter(|cpu| *cpu != CPU_UNKNOWN), None, None)
            }
            RunState::Runnable { woken_by } => ("runnable", None, woken_by, None),
            RunState::Blocked { state } => ("blocked", None, None, Some(state)),
            RunState::Ended => ("ended", None, None, None),
        };
        Self {
            tid: thread.tid.0,
            pid: thread.pid.0,
            name: thread.name.text(),
            state,
            state_since_ns: reading::since_start(trace, thread.run_since_ns),
            cpu,
            woken_by: woken_by.map(|tid| tid.0),
            task_state,
            syscall: thread.syscall.map(|call| Syscall::new(trace, &call)),
            stack: thread.stack.iter().map(|call| Call::new(nodes, thread.pid, call)).collect(),
            lost_events: thread.lost.total(),
            missing_until_ns: missing_until(trace, &thread.lost, time_ns),
        }
    }
}

impl Syscall {
    pub(super) fn new(trace: &Trace, call: &OpenSyscall) -> Self {
        Self {
            number: call.number,
            name: reading::syscall_name(trace, call.number),
            since_ns: reading::since_start(trace, call.since_ns),
        }
    }
}

impl Call {
    pub(super) fn new(nodes: &Nodes<'_>, pid: Pid, call: &OpenCall) -> Self {
        let trace = nodes.trace();
        let known = reading::function(trace, call.function);
        Self {
            call: call.id,
            function: call.function.0,
            name: reading::function_name(trace, call.function),
            t_ns: reading::since_start(trace, call.entered_ns),
            return_address: call.return_address,
            stack_pointer: call.stack_pointer,
            inherited: call.inherited,
            crosses_gap: call.crosses_gap,
            file: known.and_then(|known| known.file.clone()),
            line: known.and_then(|known| known.line),
            node_id: nodes.of_function(call.function),
            origin: nodes.of_call(pid, call.entered_ns, call.return_address, call.function),
        }
    }
}

fn missing_until(trace: &Trace, lost: &Lost, time_ns: u64) -> Option<i64> {
    let until_ns = lost.calls_until_ns.max(lost.others_until_ns);
    (until_ns > time_ns).then(|| reading::since_start(trace, until_ns))
}
