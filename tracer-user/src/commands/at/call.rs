//! What `scope at --call` shows: one call, who made it, where its time went, what it called and what it
//! waited for.

use std::io::{self, Write};

use scope_model::{OpenCall, RunState, ThreadName, Tid};
use scope_store::Trace;
use scope_timeline::{CallView, Callee, Timeline, WaitSlice};
use serde::Serialize;

use super::document::{Call, Syscall};
use crate::commands::nodes::Nodes;
use crate::commands::{dump, reading};
use crate::output::style;
use crate::output::units::{counted, duration, moment, printable};

/// A call as it is shown.
pub(super) struct Shown<'a> {
    pub(super) trace: &'a Trace,
    pub(super) nodes: &'a Nodes<'a>,
    pub(super) timeline: &'a Timeline<'a>,
    pub(super) view: CallView,
    pub(super) callees: Vec<Callee>,
    pub(super) callees_left_out: u64,
}

/// The JSON of `scope at --call`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    trace: String,
    tid: u32,
    pid: u32,
    thread_name: String,
    #[serde(flatten)]
    call: Call,
    /// Open calls around it, outermost first: the last is its caller.
    callers: Vec<Call>,
    /// How it ended; null where it is open when the trace ends.
    end: Option<&'static str>,
    end_ns: Option<i64>,
    /// Number of the event that says so.
    end_event: Option<u64>,
    /// Null unless it returned.
    return_value: Option<u64>,
    /// Null where it is not known exactly.
    duration_ns: Option<u64>,
    elapsed_ns: u64,
    self_ns: Option<u64>,
    on_cpu_ns: u64,
    off_cpu_ns: u64,
    runnable_ns: u64,
    blocked_ns: u64,
    unknown_ns: u64,
    callees: Vec<CalleeDocument>,
    callees_not_shown: u64,
    waits: Vec<WaitDocument>,
    waits_not_shown: u64,
}

#[derive(Debug, Serialize)]
struct CalleeDocument {
    call: u64,
    function: u32,
    name: String,
    t_ns: i64,
    return_address: u64,
    inherited: bool,
    end: Option<&'static str>,
    duration_ns: Option<u64>,
}

#[derive(Debug, Serialize)]
struct WaitDocument {
    t_ns: i64,
    until_ns: i64,
    /// `runnable` or `blocked`.
    state: &'static str,
    task_state: Option<u32>,
    syscall: Option<Syscall>,
    woken_by: Option<u32>,
    /// The innermost open call.
    call: u64,
}

impl Shown<'_> {
    /// Its JSON.
    pub(super) fn document(&self) -> Document {
        let (trace, view) = (self.trace, &self.view);
        let times = view.times;
        let returned = view.ending.filter(|ending| ending.end.name() == "returned");
        Document {
            trace: trace.path().display().to_string(),
            tid: view.tid.0,
            pid: view.pid.0,
            thread_name: view.thread_name.text(),
            call: Call::new(self.nodes, view.pid, &view.call),
            callers: view
                .callers
                .iter()
                .map(|call| Call::new(self.nodes, view.pid, call))
                .collect(),
            end: view.ending.map(|ending| ending.end.name()),
            end_ns: view.ending.map(|ending| reading::since_start(trace, ending.time_ns)),
            end_event: view.ending.map(|ending| ending.event),
            return_value: returned.map(|ending| ending.return_value),
            duration_ns: view.duration_ns,
            elapsed_ns: view.elapsed_ns,
            self_ns: view.self_ns,
            on_cpu_ns: times.running_ns,
            off_cpu_ns: times.runnable_ns.saturating_add(times.blocked_ns),
            runnable_ns: times.runnable_ns,
            blocked_ns: times.blocked_ns,
            unknown_ns: times.unknown_ns,
            callees: self.callees.iter().map(|callee| CalleeDocument::new(trace, callee)).collect(),
            callees_not_shown: self.callees_left_out,
            waits: view.waits.iter().map(|wait| WaitDocument::new(trace, wait)).collect(),
            waits_not_shown: view.waits_left_out,
        }
    }

    /// Writes it as text.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (trace, view) = (self.trace, &self.view);
        let (head, dim) = (style::HEAD, style::DIM);
        let name = self.function(&view.call);
        let thread = named(view.tid, Some(view.thread_name));
        writeln!(
            out,
            "{head}{name}{head:#} in thread {thread}  {dim}call:{}{dim:#}",
            view.call.id
        )?;
        let call = &view.call;
        let origin =
            self.nodes.of_call(view.pid, call.entered_ns, call.return_address, call.function);
        if let (Some(file), Some(line)) = (&origin.call_file, origin.call_line) {
            writeln!(out, "  from    {}:{line}", printable(file))?;
        }
        let begin = moment(reading::since_start(trace, view.call.entered_ns));
        writeln!(out, "  began   {begin}{}", if view.call.inherited { ", inherited" } else { "" })?;
        writeln!(out, "  ended   {}", self.ending())?;
        let own = match view.self_ns {
            Some(ns) => duration(ns),
            None => "not known: events were lost meanwhile".to_owned(),
        };
        writeln!(out, "  self    {own}")?;
        writeln!(out, "  times   {}", self.times())?;
        if view.callers.is_empty() {
            writeln!(out, "  callers none that is recorded")?;
        }
        for (number, caller) in view.callers.iter().rev().enumerate() {
            let what = if number == 0 { "callers" } else { "" };
            let name = self.function(caller);
            writeln!(out, "  {what:<7} {name}  {dim}call:{}{dim:#}", caller.id)?;
        }
        self.write_callees(out)?;
        self.write_waits(out)?;
        out.flush()
    }

    fn write_callees(&self, out: &mut dyn Write) -> io::Result<()> {
        let (head, dim) = (style::HEAD, style::DIM);
        if self.callees.is_empty() && self.callees_left_out == 0 {
            return writeln!(out, "\nno recorded function was called");
        }
        writeln!(out, "\n{head}{}{head:#}", counted(self.view.callees, "call"))?;
        for callee in &self.callees {
            let took = match (callee.duration_ns, callee.ending) {
                (Some(ns), _) => duration(ns),
                (None, Some(ending)) => ending.end.name().to_owned(),
                (None, None) => "open".to_owned(),
            };
            writeln!(
                out,
                "{:>14} {took:>10}  {}  {dim}call:{}{dim:#}",
                moment(reading::since_start(self.trace, callee.entered_ns)),
                printable(&reading::function_name(self.trace, callee.function)),
                callee.id,
            )?;
        }
        left_out(out, self.callees_left_out)
    }

    fn write_waits(&self, out: &mut dyn Write) -> io::Result<()> {
        let (head, dim) = (style::HEAD, style::DIM);
        let waits = &self.view.waits;
        let all = waits.len() as u64 + self.view.waits_left_out;
        if all == 0 {
            return writeln!(out, "\nit did not wait, as far as is known");
        }
        writeln!(out, "\n{head}{}{head:#}", counted(all, "wait"))?;
        for wait in waits {
            writeln!(
                out,
                "{:>14} {:>10}  {}  {dim}call:{}{dim:#}",
                moment(reading::since_start(self.trace, wait.from_ns)),
                duration(wait.until_ns.saturating_sub(wait.from_ns)),
                self.wait(wait),
                wait.innermost,
            )?;
        }
        left_out(out, self.view.waits_left_out)
    }

    fn function(&self, call: &OpenCall) -> String {
        printable(&reading::function_name(self.trace, call.function))
    }

    /// When and how it ended.
    fn ending(&self) -> String {
        let view = &self.view;
        let elapsed = duration(view.elapsed_ns);
        let Some(ending) = view.ending else {
            return format!("never: open when the trace ends, {elapsed} later");
        };
        let at = moment(reading::since_start(self.trace, ending.time_ns));
        match (view.duration_ns, ending.end.name()) {
            (Some(ns), _) => {
                format!("{at}, returned {:#x} after {}", ending.return_value, duration(ns))
            }
            (None, "returned") => format!("{at}, returned; it crosses a gap, {elapsed} at most"),
            (None, how) => format!("{at}, {how}: noticed after {elapsed}"),
        }
    }

    fn times(&self) -> String {
        let times = self.view.times;
        let parts = [
            (times.running_ns, "on a CPU"),
            (times.blocked_ns, "blocked"),
            (times.runnable_ns, "waiting for a CPU"),
            (times.unknown_ns, "unknown"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(ns, _)| *ns > 0)
            .map(|(ns, what)| format!("{} {what}", duration(ns)))
            .collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }

    /// What a thread waited for.
    fn wait(&self, wait: &WaitSlice) -> String {
        let does = match wait.run {
            RunState::Runnable { .. } => "waiting for a CPU".to_owned(),
            RunState::Blocked { state } => match dump::task_state(state) {
                Some(does) => format!("blocked ({does})"),
                None => format!("blocked (state {state:#x})"),
            },
            _ => "waiting".to_owned(),
        };
        let within = wait.syscall.map_or_else(String::new, |call| {
            let name = reading::syscall_name(self.trace, call.number);
            format!(
                " in {}",
                name.map_or_else(|| format!("syscall {}", call.number), str::to_owned)
            )
        });
        let by = wait.woken_by.map_or_else(String::new, |tid| {
            // Its name then; one that is not recorded has none.
            let moment = self.timeline.moment_at(wait.until_ns).ok();
            let thread =
                moment.and_then(|moment| self.timeline.thread_at(moment, tid).ok()).flatten();
            format!(", woken by {}", named(tid, thread.map(|thread| thread.name)))
        });
        format!("{does}{within}{by}")
    }
}

/// A thread's number and name.
fn named(tid: Tid, name: Option<ThreadName>) -> String {
    match name.map(|name| name.text()).filter(|name| !name.is_empty()) {
        Some(name) => format!("{tid} {}", printable(&name)),
        None => tid.to_string(),
    }
}

fn left_out(out: &mut dyn Write, more: u64) -> io::Result<()> {
    match more {
        0 => Ok(()),
        more => writeln!(out, "{:>14} {:>10}  and {more} more; --limit 0 shows all", "", ""),
    }
}

impl CalleeDocument {
    fn new(trace: &Trace, callee: &Callee) -> Self {
        Self {
            call: callee.id,
            function: callee.function.0,
            name: reading::function_name(trace, callee.function),
            t_ns: reading::since_start(trace, callee.entered_ns),
            return_address: callee.return_address,
            inherited: callee.inherited,
            end: callee.ending.map(|ending| ending.end.name()),
            duration_ns: callee.duration_ns,
        }
    }
}

impl WaitDocument {
    fn new(trace: &Trace, wait: &WaitSlice) -> Self {
        let (state, task_state) = match wait.run {
            RunState::Blocked { state } => ("blocked", Some(state)),
            _ => ("runnable", None),
        };
        Self {
            t_ns: reading::since_start(trace, wait.from_ns),
            until_ns: reading::since_start(trace, wait.until_ns),
            state,
            task_state,
            syscall: wait.syscall.map(|call| Syscall::new(trace, &call)),
            woken_by: wait.woken_by.map(|tid| tid.0),
            call: wait.innermost,
        }
    }
}
