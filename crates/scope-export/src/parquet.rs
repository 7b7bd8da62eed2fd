//! Parquet: a folder of tables, each a folder of parts, as DuckDB, Spark, ClickHouse, pandas and others read
//! them (`read_parquet('FOLDER/calls/*.parquet')`).
//!
//! | table | a row |
//! |---|---|
//! | `calls` | a call, in the order in which calls end; `ended` is `open` where the export ends first, `duration` null unless it is known exactly |
//! | `slices` | a stretch of a thread's run state |
//! | `syscalls` | a system call |
//! | `wakeups` | a wake-up |
//! | `gaps` | lost events |
//! | `threads` | a thread |
//! | `functions` | a probed function |
//!
//! Names, and times in ns since the start of recording, are those of `scope query`'s tables. Rows wait until there are
//! enough for a row group, whose statistics let a reader pass over other times.
//!
//! Written column by column, without Arrow: the rows come one by one.

mod table;

use std::fs;
use std::io;
use std::path::Path;

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, RunState};
use scope_store::Trace;
use scope_timeline::{Timeline, syscall};

use crate::walk::{Call, Ending, Gap, Item, RunSlice, Sink, SyscallSlice, Thread, walk};
use crate::{Error, Summary, Window, functions};
use table::{Cell, Table};

const CALLS: &str = "
    required int64 id;
    optional int64 parent_id;
    required int32 tid;
    required int32 pid;
    required int32 function_id;
    required int32 depth;
    required int64 start;
    optional int64 duration;
    required int64 elapsed;
    optional int64 self_time;
    required int64 on_cpu;
    required int64 off_cpu;
    required binary ended (STRING);
    required boolean crosses_gap;
    required boolean inherited;
    required boolean began_before;
    optional int64 return_value (INTEGER(64,false));
    required int64 return_address (INTEGER(64,false));";
const SLICES: &str = "
    required int32 tid;
    required int32 pid;
    required binary state (STRING);
    required int64 start;
    required int64 duration;
    optional int32 cpu;
    optional int32 task_state;
    optional binary syscall (STRING);
    optional int32 woken_by;";
const SYSCALLS: &str = "
    required int32 tid;
    required int32 pid;
    required int32 number;
    optional binary name (STRING);
    required int64 start;
    required int64 duration;
    optional int64 result;";
const WAKEUPS: &str = "
    required int64 t;
    required int32 tid;
    required int32 pid;
    required int32 waker;";
const GAPS: &str = "
    required int32 tid;
    required int64 start;
    required int64 end;
    required int64 entries;
    required int64 exits;
    required int64 others;";
const THREADS: &str = "
    required int32 tid;
    required int32 pid;
    required binary name (STRING);
    required int64 start;
    optional int64 end;";
const FUNCTIONS: &str = "
    required int32 id;
    required binary name (STRING);
    required binary symbol (STRING);
    optional binary module (STRING);
    optional binary file (STRING);
    optional int32 line;";

/// Writes the tables into a folder, which must be empty or not there yet.
///
/// # Errors
///
/// [`Error::File`], [`Error::Parquet`]; what reading the trace gives.
pub fn parquet(
    timeline: &Timeline<'_>,
    window: &Window,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, Error> {
    let failed = |action| move |source| Error::File { action, path: folder.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(failed("make the folder"))?;
    if fs::read_dir(folder).map_err(failed("read"))?.next().is_some() {
        let source = io::Error::other("the folder is not empty; give the name of a new one");
        return Err(failed("write into")(source));
    }
    let trace = timeline.trace();
    let table = |name, columns| Table::new(folder, name, columns);
    let mut functions = table("functions", FUNCTIONS)?;
    for function in trace.functions() {
        functions.row(&[
            Cell::Int(function.id.0 as i32),
            Cell::Text(&function.name),
            Cell::Text(&function.symbol),
            functions::module(trace, function).map_or(Cell::Null, Cell::Text),
            function.file.as_deref().map_or(Cell::Null, Cell::Text),
            function.line.map_or(Cell::Null, |line| Cell::Int(line as i32)),
        ])?;
    }
    functions.finish()?;
    let mut writer = Writer {
        trace,
        start_ns: trace.manifest().start_ns,
        calls: table("calls", CALLS)?,
        slices: table("slices", SLICES)?,
        syscalls: table("syscalls", SYSCALLS)?,
        wakeups: table("wakeups", WAKEUPS)?,
        gaps: table("gaps", GAPS)?,
        threads: table("threads", THREADS)?,
        begun: FxHashMap::default(),
        summary: Summary::default(),
    };
    walk(timeline, window, progress, &mut writer)?;
    let Writer { calls, slices, syscalls, wakeups, gaps, threads, summary, .. } = writer;
    for table in [calls, slices, syscalls, wakeups, gaps, threads] {
        table.finish()?;
    }
    Ok(summary)
}

struct Writer<'t> {
    trace: &'t Trace,
    start_ns: u64,
    calls: Table,
    slices: Table,
    syscalls: Table,
    wakeups: Table,
    gaps: Table,
    threads: Table,
    /// Threads that live, by number: when they were first seen, ns.
    begun: FxHashMap<usize, u64>,
    summary: Summary,
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

impl Writer<'_> {
    fn time(&self, time_ns: u64) -> Cell<'static> {
        Cell::Long(functions::since(time_ns, self.start_ns))
    }

    fn span(&self, since_ns: u64, until_ns: u64) -> [Cell<'static>; 2] {
        [self.time(since_ns), Cell::Long(signed(until_ns.saturating_sub(since_ns)))]
    }

    fn syscall_name(&self, number: u32) -> Cell<'static> {
        let machine = &self.trace.manifest().host.machine;
        syscall::name(machine, number).map_or(Cell::Null, Cell::Fixed)
    }

    fn call(&mut self, thread: &Thread, call: &Call, ending: &Ending) -> Result<(), Error> {
        self.summary.calls += 1;
        self.summary.open_calls += u64::from(ending.end.is_none());
        let returned = ending.end == Some(CallEnd::Returned);
        let optional = |ns: Option<u64>| ns.map_or(Cell::Null, |ns| Cell::Long(signed(ns)));
        let [start, elapsed] = self.span(call.since_ns, ending.until_ns);
        let row = [
            Cell::Long(signed(call.id)),
            optional(call.parent),
            Cell::Int(thread.tid.0 as i32),
            Cell::Int(thread.pid.0 as i32),
            Cell::Int(call.function.0 as i32),
            Cell::Int(i32::try_from(call.depth).unwrap_or(i32::MAX)),
            start,
            optional(ending.duration_ns),
            elapsed,
            optional(ending.self_ns),
            Cell::Long(signed(ending.times.running_ns)),
            Cell::Long(signed(ending.times.runnable_ns + ending.times.blocked_ns)),
            Cell::Fixed(ending.end.map_or("open", CallEnd::name)),
            Cell::Bool(ending.crosses_gap),
            Cell::Bool(call.inherited),
            Cell::Bool(call.is_cut()),
            if returned { Cell::Long(ending.return_value as i64) } else { Cell::Null },
            Cell::Long(call.return_address as i64),
        ];
        self.calls.row(&row)
    }

    fn slice(&mut self, thread: &Thread, slice: &RunSlice) -> Result<(), Error> {
        let (state, cpu, task_state) = match slice.run {
            RunState::Running { cpu: scope_model::state::CPU_UNKNOWN } => {
                ("running", Cell::Null, Cell::Null)
            }
            RunState::Running { cpu } => ("running", Cell::Int(cpu.into()), Cell::Null),
            RunState::Runnable { .. } => ("runnable", Cell::Null, Cell::Null),
            RunState::Blocked { state } => ("blocked", Cell::Null, Cell::Int(state as i32)),
            RunState::Unknown | RunState::Ended => return Ok(()),
        };
        let [start, duration] = self.span(slice.since_ns, slice.until_ns);
        let row = [
            Cell::Int(thread.tid.0 as i32),
            Cell::Int(thread.pid.0 as i32),
            Cell::Fixed(state),
            start,
            duration,
            cpu,
            task_state,
            slice.syscall.map_or(Cell::Null, |number| self.syscall_name(number)),
            slice.woken_by.map_or(Cell::Null, |tid| Cell::Int(tid.0 as i32)),
        ];
        self.slices.row(&row)
    }

    fn syscall(&mut self, thread: &Thread, slice: &SyscallSlice) -> Result<(), Error> {
        let [start, duration] = self.span(slice.since_ns, slice.until_ns);
        let row = [
            Cell::Int(thread.tid.0 as i32),
            Cell::Int(thread.pid.0 as i32),
            Cell::Int(slice.number as i32),
            self.syscall_name(slice.number),
            start,
            duration,
            slice.result.map_or(Cell::Null, Cell::Long),
        ];
        self.syscalls.row(&row)
    }

    fn lost(&mut self, gap: &Gap) -> Result<(), Error> {
        self.summary.lost_events += gap.total();
        let row = [
            Cell::Int(gap.tid.0 as i32),
            self.time(gap.since_ns),
            self.time(gap.until_ns),
            Cell::Long(gap.entries.into()),
            Cell::Long(gap.exits.into()),
            Cell::Long(gap.others.into()),
        ];
        self.gaps.row(&row)
    }

    fn thread(&mut self, thread: &Thread, end_seen: bool) -> Result<(), Error> {
        let since_ns = self.begun.remove(&thread.index).unwrap_or(thread.now_ns);
        let name = thread.name.text();
        let row = [
            Cell::Int(thread.tid.0 as i32),
            Cell::Int(thread.pid.0 as i32),
            Cell::Text(&name),
            self.time(since_ns),
            if end_seen { self.time(thread.now_ns) } else { Cell::Null },
        ];
        self.threads.row(&row)
    }
}

impl Sink for Writer<'_> {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        match item {
            Item::Begins => {
                self.begun.insert(thread.index, thread.now_ns);
            }
            Item::Leave(call, ending) => self.call(thread, call, ending)?,
            Item::Run(slice) => self.slice(thread, slice)?,
            Item::Syscall(slice) => self.syscall(thread, slice)?,
            Item::Waking(waker, _) => {
                let row = [
                    self.time(thread.now_ns),
                    Cell::Int(thread.tid.0 as i32),
                    Cell::Int(thread.pid.0 as i32),
                    Cell::Int(waker.0 as i32),
                ];
                self.wakeups.row(&row)?;
            }
            Item::Gap(gap) => self.lost(gap)?,
            Item::Ends { seen } => self.thread(thread, seen)?,
            Item::Renamed | Item::Enter(_) | Item::RunBegins | Item::SyscallBegins(_) => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.lost(gap)
    }
}
