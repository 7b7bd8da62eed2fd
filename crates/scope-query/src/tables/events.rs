//! `events`: what was recorded, event by event, in stored order.
//!
//! Blocks are left out by their times, and by the threads and functions they have.

use std::sync::Arc;

use scope_model::{EventKind, Tid};

use crate::QueryError;
use crate::blocks::{self, Feed, STRIDE};
use crate::provider::{Partition, Reading, ScanResult, Table};
use crate::rows::{Cell, Column, Rows, Type, Wanted, column};
use crate::session::TableInfo;
use crate::source::Source;

const COLUMNS: &[Column] = &[
    column("event", Type::Int, "its number"),
    column("time", Type::Int, "ns since the start of the trace"),
    column("tid", Type::Id, "the thread it is about; null: not known"),
    column("pid", Type::Id, "process of the thread"),
    column("kind", Type::Word, "enter, leave, switch_in, ... as `scope dump` names them"),
    column("function_id", Type::Id, "of a call that begins or ends: `functions.id`"),
    column("ended", Type::Word, "of a call that ends: how"),
    column("return_value", Type::Bits, "of a call that returns: the raw register"),
    column("return_address", Type::Bits, "of a call that begins: where it returns to"),
    column("stack_pointer", Type::Bits, "of a call that begins"),
    column(
        "inherited",
        Type::Flag,
        "of a call that begins: it was open when its process was forked",
    ),
    column("crosses_gap", Type::Flag, "of a call that ends: events were lost while it was open"),
    column("cpu", Type::Id, "of a switch"),
    column("task_state", Type::Id, "of a switch out: the kernel's bits; 0: preempted"),
    column("waker", Type::Id, "of a wake-up: the thread that caused it"),
    column("waker_pid", Type::Id, "of a wake-up: process of that thread"),
    column("parent", Type::Id, "of a thread that starts: the one that created it"),
    column("name", Type::Text, "new name of the thread"),
    column("exit_code", Type::Id, "of a thread that ends"),
    column("syscall", Type::Id, "number of the system call"),
    column("result", Type::Int, "of a system call that ends"),
    column("until", Type::Int, "of a gap: its end, ns since the start of the trace"),
    column("lost", Type::Int, "of a gap: events lost"),
];

const TIME: usize = 1;
const TID: usize = 2;
const FUNCTION: usize = 5;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Events;

impl Table for Events {
    fn info(&self) -> TableInfo {
        let about = "what was recorded, event by event";
        TableInfo { name: "events", about, columns: COLUMNS }
    }

    fn scan(&self, source: &Arc<Source>, wanted: &Wanted, parts: usize) -> ScanResult {
        let filter = &wanted.filter;
        let (from, to) = filter.range(TIME);
        if from > to {
            return Ok(Vec::new());
        }
        let range = blocks::in_time(&source.trace, source.time_at(from), source.time_at(to))?;
        let threads = filter.numbers(TID);
        let functions = filter.numbers(FUNCTION);
        let found = blocks::holding(&source.trace, range, threads.as_ref(), functions.as_ref())?;
        let parts = blocks::divide(&found, parts).into_iter().map(|blocks| {
            let source = Arc::clone(source);
            Box::new(Part { source, blocks: blocks.into() }) as Box<dyn Partition>
        });
        Ok(parts.collect())
    }
}

#[derive(Debug)]
struct Part {
    source: Arc<Source>,
    blocks: Arc<[usize]>,
}

impl Partition for Part {
    fn read(&self) -> Result<Box<dyn Reading>, QueryError> {
        let (source, blocks) = (Arc::clone(&self.source), Arc::clone(&self.blocks));
        Ok(Box::new(Reader { source, blocks, next: 0, feed: Feed::default() }))
    }

    fn blocks(&self) -> Option<&[usize]> {
        Some(&self.blocks)
    }
}

#[derive(Debug)]
struct Reader {
    source: Arc<Source>,
    blocks: Arc<[usize]>,
    next: usize,
    feed: Feed,
}

impl Reading for Reader {
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError> {
        for _ in 0..STRIDE {
            let Some(block) = self.blocks.get(self.next) else { return Ok(false) };
            self.next += 1;
            let (first, events) = self.feed.read(&self.source.trace, *block)?;
            for (event, number) in events.iter().zip(first..) {
                let name = match event.kind {
                    EventKind::ThreadStart { name, .. }
                    | EventKind::Rename { name }
                    | EventKind::Exec { name } => Some(name.text()),
                    _ => None,
                };
                rows.push(|column| match column {
                    0 => Cell::count(number),
                    TIME => Cell::Int(self.source.since_start(event.time_ns)),
                    TID => Cell::id_if((event.tid != Tid(0)).then_some(event.tid.0)),
                    3 => Cell::Id(event.pid.0),
                    4 => Cell::Text(event.kind.name()),
                    17 => Cell::text_if(name.as_deref()),
                    21 => match event.kind {
                        EventKind::Gap { until_ns, .. } => {
                            Cell::Int(self.source.since_start(until_ns))
                        }
                        _ => Cell::Null,
                    },
                    column => detail(&event.kind, column),
                });
                if rows.is_done() {
                    return Ok(false);
                }
            }
            if rows.are_enough() {
                break;
            }
        }
        Ok(self.next < self.blocks.len())
    }
}

/// What only some kinds of events have.
fn detail(kind: &EventKind, column: usize) -> Cell<'static> {
    match (column, *kind) {
        (FUNCTION, EventKind::Enter { function, .. } | EventKind::Leave { function, .. }) => {
            Cell::Id(function.0)
        }
        (6, EventKind::Leave { end, .. }) => Cell::Text(end.name()),
        (7, EventKind::Leave { end: scope_model::CallEnd::Returned, return_value, .. }) => {
            Cell::Bits(return_value)
        }
        (8, EventKind::Enter { return_address, .. }) => Cell::Bits(return_address),
        (9, EventKind::Enter { stack_pointer, .. }) => Cell::Bits(stack_pointer),
        (10, EventKind::Enter { inherited, .. }) => Cell::Flag(inherited),
        (11, EventKind::Leave { crosses_gap, .. }) => Cell::Flag(crosses_gap),
        (12, EventKind::SwitchIn { cpu } | EventKind::SwitchOut { cpu, .. }) => {
            Cell::Id(cpu.into())
        }
        (13, EventKind::SwitchOut { state, .. }) => Cell::Id(state),
        (14, EventKind::Waking { waker, .. }) => Cell::Id(waker.0),
        (15, EventKind::Waking { waker_pid, .. }) => Cell::Id(waker_pid.0),
        (16, EventKind::ThreadStart { parent, .. }) => {
            Cell::id_if((parent != Tid(0)).then_some(parent.0))
        }
        (18, EventKind::ThreadExit { code, .. }) => Cell::Id(code),
        (19, EventKind::SyscallEnter { number } | EventKind::SyscallExit { number, .. }) => {
            Cell::Id(number)
        }
        (20, EventKind::SyscallExit { result, .. }) => Cell::Int(result),
        (22, EventKind::Gap { entries, exits, others, .. }) => {
            Cell::count(u64::from(entries) + u64::from(exits) + u64::from(others))
        }
        _ => Cell::Null,
    }
}
