//! Chrome's JSON trace format, as `chrome://tracing`, Perfetto and many others read it
//! ([format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU)).
//!
//! Calls are `B` and `E` of their thread; one that is open where the export ends has no `E`, which viewers
//! show as not finished. `E` says how the call ended unless it returned, and whether events were lost
//! meanwhile. What is not a call is no slice of the thread's own row, since it need not nest with the calls: waits (`sched`),
//! system calls (`syscall`) and lost events (`gap`) are `b` and `e` of rows beside it. A wake-up is a flow between the calls that
//! are open in both threads.
//!
//! Times are microseconds since the start of recording, exact to the nanosecond.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, FunctionId, RunState, Tid};
use scope_timeline::{Timeline, syscall};

use crate::walk::{Call, Ending, Gap, Item, RunSlice, Sink, SyscallSlice, Thread, walk};
use crate::{Error, Summary, Window, functions, json};

/// Writes the trace.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn chrome(
    timeline: &Timeline<'_>,
    window: &Window,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let mut writer = Writer {
        timeline,
        start_ns: timeline.trace().manifest().start_ns,
        out,
        names: FxHashMap::default(),
        written: 0,
        flows: 0,
        gaps: 0,
        summary: Summary::default(),
    };
    walk(timeline, window, progress, &mut writer)?;
    let summary = writer.summary;
    let manifest = timeline.trace().manifest();
    write!(
        out,
        "\n],\"otherData\":{{\"scope_version\":{},\"command\":{},\"lost_events\":{},\"open_calls\":{}}}}}\n",
        json::string(&manifest.scope_version),
        json::string(&manifest.target.command.join(" ")),
        summary.lost_events,
        summary.open_calls
    )?;
    Ok(summary)
}

struct Writer<'w> {
    timeline: &'w Timeline<'w>,
    start_ns: u64,
    out: &'w mut dyn Write,
    /// Names of functions, as JSON.
    names: FxHashMap<FunctionId, String>,
    written: u64,
    flows: u64,
    gaps: u64,
    summary: Summary,
}

impl Writer<'_> {
    /// Begins an event: its phase, thread and time. What follows closes it.
    fn event(&mut self, phase: &str, pid: u32, tid: u32, time_ns: u64) -> io::Result<()> {
        let comma = if self.written == 0 { "" } else { "," };
        self.written += 1;
        write!(self.out, "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{pid},\"tid\":{tid},\"ts\":")?;
        json::decimal(self.out, functions::since(time_ns, self.start_ns), 3)
    }

    fn of(&mut self, phase: &str, thread: &Thread, time_ns: u64) -> io::Result<()> {
        self.event(phase, thread.pid.0, thread.tid.0, time_ns)
    }

    fn name(&mut self, thread: &Thread) -> io::Result<()> {
        let name = json::string(&thread.name.text());
        self.of("M", thread, thread.now_ns)?;
        write!(self.out, ",\"name\":\"thread_name\",\"args\":{{\"name\":{name}}}}}")
    }

    fn enter(&mut self, thread: &Thread, call: &Call) -> io::Result<()> {
        self.of("B", thread, call.since_ns)?;
        let name = self.names.entry(call.function).or_insert_with(|| {
            json::string(&functions::name(self.timeline.trace(), call.function))
        });
        write!(self.out, ",\"cat\":\"call\",\"name\":{name},\"args\":{{\"call\":{}", call.id)?;
        if call.inherited {
            self.out.write_all(b",\"inherited\":true")?;
        }
        if call.is_cut() {
            self.out.write_all(b",\"began_us\":")?;
            json::decimal(self.out, functions::since(call.entered_ns, self.start_ns), 3)?;
        }
        self.out.write_all(b"}}")
    }

    fn leave(&mut self, thread: &Thread, ending: &Ending) -> io::Result<()> {
        let Some(end) = ending.end else { return Ok(()) };
        self.of("E", thread, ending.until_ns)?;
        self.out.write_all(b",\"args\":{")?;
        match end {
            CallEnd::Returned => write!(self.out, "\"value\":\"{:#x}\"", ending.return_value)?,
            end => write!(self.out, "\"end\":\"{}\"", end.name())?,
        }
        if ending.crosses_gap {
            self.out.write_all(b",\"crosses_gap\":true")?;
        }
        self.out.write_all(b"}}")
    }

    /// Begins or ends an interval of a row beside the thread's.
    fn beside(
        &mut self,
        phase: &str,
        thread: &Thread,
        category: &str,
        name: &str,
        time_ns: u64,
    ) -> io::Result<()> {
        self.of(phase, thread, time_ns)?;
        let id = thread.index;
        write!(self.out, ",\"cat\":\"{category}\",\"id\":\"{category} {id}\",\"name\":{name}")
    }

    fn run(&mut self, thread: &Thread, slice: &RunSlice) -> io::Result<()> {
        let name = match slice.run {
            RunState::Runnable { .. } => "\"runnable\"",
            RunState::Blocked { .. } => "\"blocked\"",
            _ => return Ok(()),
        };
        self.beside("b", thread, "sched", name, slice.since_ns)?;
        self.out.write_all(b",\"args\":{")?;
        if let RunState::Blocked { state } = slice.run {
            write!(self.out, "\"task_state\":{state}")?;
            if let Some(number) = slice.syscall {
                write!(self.out, ",\"syscall\":{}", self.syscall_name(number))?;
            }
            if let Some(waker) = slice.woken_by {
                write!(self.out, ",\"woken_by\":{waker}")?;
            }
        }
        self.out.write_all(b"}}")?;
        self.beside("e", thread, "sched", name, slice.until_ns)?;
        self.out.write_all(b"}")
    }

    fn syscall_name(&self, number: u32) -> String {
        let machine = &self.timeline.trace().manifest().host.machine;
        match syscall::name(machine, number) {
            Some(name) => json::string(name),
            None => json::string(&format!("syscall {number}")),
        }
    }

    fn syscall(&mut self, thread: &Thread, slice: &SyscallSlice) -> io::Result<()> {
        let name = self.syscall_name(slice.number);
        self.beside("b", thread, "syscall", &name, slice.since_ns)?;
        match slice.result {
            Some(result) => write!(self.out, ",\"args\":{{\"result\":{result}}}}}")?,
            None => self.out.write_all(b",\"args\":{\"end\":\"not seen\"}}")?,
        }
        self.beside("e", thread, "syscall", &name, slice.until_ns)?;
        self.out.write_all(b"}")
    }

    /// From the call that woke to the call that waited: a flow cannot begin or end elsewhere.
    fn waking(&mut self, thread: &Thread, waker: &Thread) -> io::Result<()> {
        if thread.calls.is_empty() || waker.calls.is_empty() {
            return Ok(());
        }
        let id = self.flows;
        self.flows += 1;
        let end = ",\"cat\":\"wake-up\",\"name\":\"wake-up\",\"id\":";
        // The waker's slices may have been seen up to a later time than this, but not ended.
        self.of("s", waker, thread.now_ns)?;
        write!(self.out, "{end}{id}}}")?;
        self.of("f", thread, thread.now_ns)?;
        write!(self.out, "{end}{id},\"bp\":\"e\"}}")
    }

    fn lost(&mut self, pid: u32, tid: u32, gap: &Gap) -> io::Result<()> {
        let id = self.gaps;
        self.gaps += 1;
        let total = gap.total();
        let what = if gap.tid == Tid(0) { "lost, of any thread" } else { "lost" };
        for (phase, time_ns) in [("b", gap.since_ns), ("e", gap.until_ns)] {
            self.event(phase, pid, tid, time_ns)?;
            write!(
                self.out,
                ",\"cat\":\"gap\",\"id\":\"gap {id}\",\"name\":\"{total} events {what}\",\"args\":{{\"entries\":{},\"exits\":{},\"others\":{}}}}}",
                gap.entries, gap.exits, gap.others
            )?;
        }
        Ok(())
    }
}

impl Sink for Writer<'_> {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        match item {
            Item::Begins | Item::Renamed => self.name(thread)?,
            Item::Enter(call) => {
                self.summary.calls += 1;
                self.enter(thread, call)?;
            }
            Item::Leave(_, ending) => {
                self.summary.open_calls += u64::from(ending.end.is_none());
                self.leave(thread, ending)?;
            }
            Item::Run(slice) => self.run(thread, slice)?,
            Item::Syscall(slice) => self.syscall(thread, slice)?,
            Item::Waking(_, Some(waker)) => self.waking(thread, waker)?,
            Item::Gap(gap) => {
                self.summary.lost_events += gap.total();
                self.lost(thread.pid.0, thread.tid.0, gap)?;
            }
            Item::RunBegins
            | Item::SyscallBegins(_)
            | Item::Waking(_, None)
            | Item::Ends { .. } => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.summary.lost_events += gap.total();
        // A process that is not known is the one that was attached to.
        let target = self.timeline.trace().manifest().target.pid;
        let pid = if gap.pid.0 == 0 { target } else { gap.pid.0 };
        Ok(self.lost(pid, gap.tid.0, gap)?)
    }
}
