//! The JSON of `scope dump`, one object a line. Its names are a contract: fields are added, never
//! renamed or removed.

use scope_model::EventKind;
use scope_source::NodeId;
use serde::Serialize;

use scope_timeline::syscall;

use super::Placed;
use crate::commands::nodes::{CallOrigin, Nodes};
use crate::commands::reading;

/// One event.
#[derive(Debug, Serialize)]
pub struct Line {
    t_ns: i64,
    tid: u32,
    pid: u32,
    kind: &'static str,
    #[serde(flatten)]
    detail: Detail,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Detail {
    Enter {
        function: u32,
        name: String,
        depth: usize,
        return_address: u64,
        stack_pointer: u64,
        inherited: bool,
        /// Where the function is declared; null where that is not known.
        file: Option<String>,
        line: Option<u32>,
        /// Its node; null where that is not known.
        node_id: Option<NodeId>,
        #[serde(flatten)]
        origin: CallOrigin,
    },
    Leave {
        function: u32,
        name: String,
        depth: usize,
        end: &'static str,
        /// Null where it is not known.
        duration_ns: Option<u64>,
        return_value: u64,
        crosses_gap: bool,
    },
    SwitchIn {
        cpu: u16,
    },
    SwitchOut {
        cpu: u16,
        /// Task state bits; 0: preempted.
        state: u32,
        preempted: bool,
    },
    Waking {
        waker: u32,
        waker_pid: u32,
    },
    ThreadStart {
        parent: u32,
        thread_name: String,
    },
    ThreadExit {
        code: u32,
        last: bool,
    },
    Named {
        thread_name: String,
    },
    SyscallEnter {
        number: u32,
        /// Null where the number has no name.
        syscall: Option<&'static str>,
    },
    SyscallExit {
        number: u32,
        syscall: Option<&'static str>,
        result: i64,
        /// Null unless the call failed.
        error: Option<&'static str>,
    },
    Gap {
        until_ns: i64,
        entries: u32,
        exits: u32,
        others: u32,
    },
}

impl Line {
    /// The line of an event.
    pub fn new(nodes: &Nodes<'_>, placed: &Placed) -> Self {
        let trace = nodes.trace();
        let event = placed.event;
        let depth = placed.depth;
        let detail = match placed.event.kind {
            EventKind::Enter { function, return_address, stack_pointer, inherited } => {
                let known = reading::function(trace, function);
                Detail::Enter {
                    file: known.and_then(|known| known.file.clone()),
                    line: known.and_then(|known| known.line),
                    node_id: nodes.of_function(function),
                    origin: nodes.of_call(event.pid, event.time_ns, return_address, function),
                    function: function.0,
                    name: reading::function_name(trace, function),
                    depth,
                    return_address,
                    stack_pointer,
                    inherited,
                }
            }
            EventKind::Leave { function, end, return_value, crosses_gap } => Detail::Leave {
                function: function.0,
                name: reading::function_name(trace, function),
                depth,
                end: end.name(),
                duration_ns: placed.duration_ns,
                return_value,
                crosses_gap,
            },
            EventKind::SwitchIn { cpu } => Detail::SwitchIn { cpu },
            EventKind::SwitchOut { cpu, state } => {
                Detail::SwitchOut { cpu, state, preempted: state == 0 }
            }
            EventKind::Waking { waker, waker_pid } => {
                Detail::Waking { waker: waker.0, waker_pid: waker_pid.0 }
            }
            EventKind::ThreadStart { parent, name } => {
                Detail::ThreadStart { parent: parent.0, thread_name: name.text() }
            }
            EventKind::ThreadExit { code, last } => Detail::ThreadExit { code, last },
            EventKind::Rename { name } | EventKind::Exec { name } => {
                Detail::Named { thread_name: name.text() }
            }
            EventKind::SyscallEnter { number } => {
                Detail::SyscallEnter { number, syscall: reading::syscall_name(trace, number) }
            }
            EventKind::SyscallExit { number, result } => Detail::SyscallExit {
                number,
                syscall: reading::syscall_name(trace, number),
                result,
                error: syscall::error(result),
            },
            EventKind::Gap { until_ns, entries, exits, others } => Detail::Gap {
                until_ns: reading::since_start(trace, until_ns),
                entries,
                exits,
                others,
            },
        };
        Self {
            t_ns: placed.time_ns,
            tid: placed.event.tid.0,
            pid: placed.event.pid.0,
            kind: placed.event.kind.name(),
            detail,
        }
    }
}
