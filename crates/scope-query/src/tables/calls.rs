//! `calls`: every call, as [`scope_timeline::CallView`] says it.
//!
//! A call is of the part in which it begins. Two ways lead to its end:
//!
//! - Where it is asked how its time was spent, the part's threads are followed until its calls have ended
//!   ([`account`]).
//! - Else the calls that are open after the last block are looked for in the checkpoints: a call is in
//!   the stack of each checkpoint up to its end and in none after it, so a binary search finds the
//!   block. With functions to look for, blocks without them are left out, and the stack is taken
//!   from a checkpoint after each jump.

mod account;
mod ending;
mod given;
mod reader;
pub(crate) mod row;

pub(crate) use given::Given;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use scope_model::Tid;

use crate::QueryError;
use crate::blocks;
use crate::provider::{Partition, Reading, ScanResult, Table};
use crate::rows::{Column, Type, Wanted, column};
use crate::session::TableInfo;
use crate::source::Source;
use crate::walk;

/// The columns; the constants of [`row`] number them.
pub(crate) const COLUMNS: &[Column] = &[
    column("id", Type::Int, "its id: number of the event it begins with"),
    column("parent_id", Type::Int, "id of the call it was made by"),
    column("tid", Type::Id, "its thread"),
    column("pid", Type::Id, "its process"),
    column("function_id", Type::Id, "the called function: `functions.id`"),
    column("depth", Type::Int, "calls open around it"),
    column("start", Type::Int, "ns since the start of the trace"),
    column("duration", Type::Int, "ns; null where it is not known exactly"),
    column("elapsed", Type::Int, "ns up to its end, however it ended, or to the end of the trace"),
    column(
        "self_time",
        Type::Int,
        "ns with no recorded callee open; null where callees may be missing",
    ),
    column("on_cpu", Type::Int, "ns on a CPU"),
    column("off_cpu", Type::Int, "ns off the CPU: runnable and blocked"),
    column("runnable", Type::Int, "ns waiting for a CPU"),
    column("blocked", Type::Int, "ns waiting for anything else"),
    column("callees", Type::Int, "calls it made itself"),
    column(
        "ended",
        Type::Word,
        "how: returned, unwound, thread_ended, exec, lost, unobserved; null: open",
    ),
    column("crosses_gap", Type::Flag, "events of its thread were lost while it was open"),
    column("inherited", Type::Flag, "it was open when its process was forked: not a call made"),
    column("return_value", Type::Bits, "the raw register, where it returned"),
    column("return_address", Type::Bits, "the call site; 0 after a tail call"),
    column("end_event", Type::Int, "number of the event that ended it"),
    column("call_node_id", Type::Word, "the call expression it was made by: `nodes.id`"),
    column("call_file", Type::Word, "source of that expression"),
    column("call_line", Type::Int, "its line"),
];

/// What takes looking into the code.
pub(crate) const PLACED: &[&str] = &["call_node_id", "call_file", "call_line"];

/// What takes following every event of a thread.
const ACCOUNTED: &[&str] = &["self_time", "on_cpu", "off_cpu", "runnable", "blocked", "callees"];

/// Calls of a trace: all, or those below one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) below: Option<Below>,
}

/// The calls that were made while another was open, by its thread.
#[derive(Clone, Debug)]
pub(crate) struct Below {
    pub(crate) tid: Tid,
    /// Its id, and the number of the event that ended it.
    pub(crate) events: Range<u64>,
    /// Only those it made itself.
    pub(crate) direct: bool,
}

impl Table for Calls {
    fn info(&self) -> TableInfo {
        let name = match &self.below {
            None => "calls",
            Some(below) if below.direct => "callees",
            Some(_) => "descendants",
        };
        TableInfo { name, about: "calls of functions", columns: COLUMNS }
    }

    fn scan(&self, source: &Arc<Source>, wanted: &Wanted, parts: usize) -> ScanResult {
        let trace = &source.trace;
        let mut range = walk::range(source, wanted, row::START, row::ID)?;
        let mut threads = wanted.filter.numbers(row::TID);
        if let Some(below) = &self.below {
            threads = Some(BTreeSet::from([below.tid.0.into()]));
            let first = trace.block_of_event(below.events.start)?.unwrap_or(range.end);
            let last = trace.block_of_event(below.events.end)?;
            range.start = range.start.max(first);
            range.end = last.map_or(range.end, |last| range.end.min(last + 1));
        }
        let accounts = wanted.asks_for(ACCOUNTED);
        let places = wanted.asks_for(PLACED);
        let values = wanted.asks_for(&["return_value"]);
        let functions = wanted.filter.numbers(row::FUNCTION).filter(|_| !accounts);
        let jumps = functions.is_some();
        let range = range.start..range.end.max(range.start);
        let holders = match &threads {
            Some(threads) if !jumps => Some(walk::with_everybody(threads.clone())),
            threads => threads.clone(),
        };
        let found = blocks::holding(trace, range, holders.as_ref(), functions.as_ref())?;
        let mut made: Vec<Box<dyn Partition>> = Vec::new();
        for blocks in blocks::divide(&found, parts) {
            let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { continue };
            let mut events =
                trace.block_info(*first)?.first_event..trace.block_info(*last)?.end_event();
            if let Some(below) = &self.below {
                events.start = events.start.max(below.events.start + 1);
                events.end = events.end.min(below.events.end);
            }
            made.push(Box::new(Part {
                source: Arc::clone(source),
                choice: reader::Choice {
                    events,
                    threads: threads.clone(),
                    parent: self
                        .below
                        .as_ref()
                        .filter(|below| below.direct)
                        .map(|below| below.events.start),
                    functions: functions.clone(),
                },
                blocks,
                needs: reader::Needs { accounts, places, values, jumps },
            }));
        }
        Ok(made)
    }
}

#[derive(Debug)]
struct Part {
    source: Arc<Source>,
    choice: reader::Choice,
    blocks: Vec<usize>,
    needs: reader::Needs,
}

impl Partition for Part {
    fn read(&self) -> Result<Box<dyn Reading>, QueryError> {
        let (source, choice) = (Arc::clone(&self.source), self.choice.clone());
        Ok(Box::new(reader::Reader::new(source, choice, self.blocks.clone(), self.needs)))
    }

    fn blocks(&self) -> Option<&[usize]> {
        Some(&self.blocks)
    }
}
