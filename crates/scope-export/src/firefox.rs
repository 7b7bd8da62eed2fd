//! The Firefox Profiler's processed profile, version 70
//! ([format](https://github.com/firefox-devtools/profiler/blob/main/src/types/profile.ts)).
//!
//! The format is one of samples. A trace is not sampled: each stretch in which a thread's stack stayed the same is
//! one sample, whose weight is how long that was (`weightType` `tracing-ms`), so that call tree, flame graph and stack
//! chart show true times. `threadCPUDelta` is the time on the CPU. Waits, system calls and lost events are markers; a call that
//! is open where the export ends is a marker that begins and does not end. Time in which calls were lost is below a function of its
//! own, `(events lost)`.
//!
//! The crates that write this format hold it in memory. Here the columns of each thread wait in a temporary
//! file; memory is that of the distinct stacks, of which there is a limit (see `stacks.rs`).

mod tables;

use std::io::{self, Write};
use std::path::Path;

use rustc_hash::FxHashMap;
use scope_model::{Pid, RunState, Tid};
use scope_timeline::{Timeline, syscall};

use crate::spool::Spool;
use crate::stacks::{Node, ROOT, Stacks};
use crate::walk::{Gap, Item, RunSlice, Sink, SyscallSlice, Thread, walk};
use crate::{Error, Summary, Window, functions, json};
use tables::{LOST, Strings};

/// Phases of a marker: it has a begin and an end, or only a begin.
const INTERVAL: u8 = 1;
const INTERVAL_START: u8 = 2;

/// Writes the profile; `folder` is where the temporary file is made.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn firefox(
    timeline: &Timeline<'_>,
    window: &Window,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let mut writer = Writer {
        timeline,
        start_ns: timeline.trace().manifest().start_ns,
        spool: Spool::new(folder)?,
        stacks: Stacks::new(u32::MAX),
        strings: Strings::default(),
        threads: Vec::new(),
        living: FxHashMap::default(),
        summary: Summary::default(),
    };
    walk(timeline, window, progress, &mut writer)?;
    writer.write(window, out)
}

struct Writer<'t> {
    timeline: &'t Timeline<'t>,
    start_ns: u64,
    spool: Spool,
    stacks: Stacks,
    strings: Strings,
    threads: Vec<Profiled>,
    /// Place of each thread that lives, by [`Thread::index`].
    living: FxHashMap<usize, usize>,
    summary: Summary,
}

/// Lanes of a thread's columns.
#[derive(Clone, Copy)]
struct Lanes {
    /// `stack`, `time`, `weight`, `threadCPUDelta`
    samples: [usize; 4],
    /// `data`, `name`, `startTime`, `endTime`, `phase`, `category`
    markers: [usize; 6],
}

const SAMPLES: [&str; 4] = ["stack", "time", "weight", "threadCPUDelta"];
const MARKERS: [&str; 6] = ["data", "name", "startTime", "endTime", "phase", "category"];

struct Profiled {
    lanes: Lanes,
    tid: Tid,
    pid: Pid,
    name: String,
    since_ns: u64,
    /// When it ended, if that was seen, ns.
    ended_ns: Option<u64>,
    samples: u64,
    markers: u64,
    /// Stacks of the open calls.
    stack: Vec<Node>,
    /// Up to when samples were written, and the time on the CPU up to then, ns.
    done_ns: u64,
    running_ns: u64,
    /// Time on the CPU from the latest sample on, ns: it belongs to the one that comes next.
    running_since_ns: u64,
    /// Calls are missing up to here, ns.
    gap_until_ns: u64,
}

/// A marker.
struct Marker<'a> {
    name: &'a str,
    phase: u8,
    since_ns: u64,
    until_ns: u64,
    /// Fields of its data, as JSON, after its type.
    data: &'a str,
    kind: &'a str,
}

impl Writer<'_> {
    fn place(&mut self, thread: &Thread) -> usize {
        if let Some(place) = self.living.get(&thread.index) {
            return *place;
        }
        let lanes = Lanes {
            samples: std::array::from_fn(|_| self.spool.lane()),
            markers: std::array::from_fn(|_| self.spool.lane()),
        };
        self.threads.push(Profiled {
            lanes,
            tid: thread.tid,
            pid: thread.pid,
            name: String::new(),
            since_ns: thread.now_ns,
            ended_ns: None,
            samples: 0,
            markers: 0,
            stack: Vec::new(),
            done_ns: thread.now_ns,
            running_ns: thread.times.running_ns,
            running_since_ns: 0,
            gap_until_ns: 0,
        });
        self.living.insert(thread.index, self.threads.len() - 1);
        self.threads.len() - 1
    }

    /// The stack stayed the same up to now.
    fn advance(&mut self, place: usize, now_ns: u64, running_ns: u64) -> io::Result<()> {
        let thread = &self.threads[place];
        let stack = thread.stack.last().copied().unwrap_or(ROOT);
        let lost_until_ns = thread.gap_until_ns.min(now_ns);
        let mut passed_ns = running_ns - thread.running_ns;
        self.threads[place].running_ns = running_ns;
        let since_ns = self.threads[place].done_ns;
        if lost_until_ns > since_ns {
            let lost = self.stacks.push(stack, LOST);
            self.sample(place, lost, since_ns, lost_until_ns, passed_ns)?;
            passed_ns = 0;
        }
        let since_ns = since_ns.max(lost_until_ns);
        if since_ns < now_ns || self.threads[place].done_ns == now_ns {
            self.sample(place, stack, since_ns, now_ns, passed_ns)?;
        }
        self.threads[place].done_ns = now_ns;
        Ok(())
    }

    fn sample(
        &mut self,
        place: usize,
        stack: Node,
        since_ns: u64,
        until_ns: u64,
        running_ns: u64,
    ) -> io::Result<()> {
        let thread = &mut self.threads[place];
        let comma = if thread.samples == 0 { "" } else { "," };
        thread.samples += 1;
        let cpu_ns = std::mem::replace(&mut thread.running_since_ns, running_ns);
        let [stacks, times, weights, cpu] = thread.lanes.samples;
        let at_ns = functions::since(since_ns, self.start_ns);
        self.spool.write(stacks, |out| match stack {
            ROOT => write!(out, "{comma}null"),
            // The empty stack is no row of the table.
            stack => write!(out, "{comma}{}", stack - 1),
        })?;
        self.spool.write(times, |out| {
            out.write_all(comma.as_bytes())?;
            json::decimal(out, at_ns, 6)
        })?;
        self.spool.write(weights, |out| {
            out.write_all(comma.as_bytes())?;
            json::decimal(out, functions::since(until_ns, since_ns), 6)
        })?;
        self.spool.write(cpu, |out| write!(out, "{comma}{cpu_ns}"))
    }

    fn marker(&mut self, place: usize, marker: &Marker<'_>) -> io::Result<()> {
        let name = self.strings.get(marker.name);
        let thread = &mut self.threads[place];
        let comma = if thread.markers == 0 { "" } else { "," };
        thread.markers += 1;
        let [data, names, starts, ends, phases, categories] = thread.lanes.markers;
        let start_ns = self.start_ns;
        self.spool.write(data, |out| {
            write!(out, "{comma}{{\"type\":\"{}\"{}}}", marker.kind, marker.data)
        })?;
        self.spool.write(names, |out| write!(out, "{comma}{name}"))?;
        self.spool.write(starts, |out| {
            out.write_all(comma.as_bytes())?;
            json::decimal(out, functions::since(marker.since_ns, start_ns), 6)
        })?;
        self.spool.write(ends, |out| match marker.phase {
            INTERVAL_START => write!(out, "{comma}null"),
            _ => {
                out.write_all(comma.as_bytes())?;
                json::decimal(out, functions::since(marker.until_ns, start_ns), 6)
            }
        })?;
        self.spool.write(phases, |out| write!(out, "{comma}{}", marker.phase))?;
        self.spool.write(categories, |out| write!(out, "{comma}0"))
    }

    fn run(&mut self, place: usize, slice: &RunSlice) -> io::Result<()> {
        let name = match slice.run {
            RunState::Blocked { .. } => "blocked",
            RunState::Runnable { .. } => "runnable",
            _ => return Ok(()),
        };
        let mut data = String::new();
        if let Some(number) = slice.syscall {
            let name = json::string(&self.syscall_name(number));
            data.push_str(&format!(",\"syscall\":{name}"));
        }
        if let Some(tid) = slice.woken_by {
            data.push_str(&format!(",\"waker\":{tid}"));
        }
        let (since_ns, until_ns) = (slice.since_ns, slice.until_ns);
        let kind = "wait";
        let marker = Marker { name, phase: INTERVAL, since_ns, until_ns, data: &data, kind };
        self.marker(place, &marker)
    }

    fn syscall_name(&self, number: u32) -> String {
        let machine = &self.timeline.trace().manifest().host.machine;
        syscall::name(machine, number).map_or_else(|| format!("syscall {number}"), str::to_owned)
    }

    fn syscall(&mut self, place: usize, slice: &SyscallSlice) -> io::Result<()> {
        let name = self.syscall_name(slice.number);
        let data = match slice.result {
            Some(result) => format!(",\"result\":{result}"),
            None => String::new(),
        };
        let (since_ns, until_ns) = (slice.since_ns, slice.until_ns);
        let kind = "syscall";
        let marker = Marker { name: &name, phase: INTERVAL, since_ns, until_ns, data: &data, kind };
        self.marker(place, &marker)
    }

    fn lost(&mut self, place: usize, gap: &Gap) -> io::Result<()> {
        let (entries, exits, others) = (gap.entries, gap.exits, gap.others);
        let data = format!(",\"entries\":{entries},\"exits\":{exits},\"others\":{others}");
        let name = if gap.tid == Tid(0) { "events lost, of any thread" } else { "events lost" };
        if entries != 0 || exits != 0 {
            let until_ns = &mut self.threads[place].gap_until_ns;
            *until_ns = gap.until_ns.max(*until_ns);
        }
        let (since_ns, until_ns) = (gap.since_ns, gap.until_ns);
        let kind = "gap";
        self.marker(place, &Marker { name, phase: INTERVAL, since_ns, until_ns, data: &data, kind })
    }

    fn write(mut self, window: &Window, out: &mut dyn Write) -> Result<Summary, Error> {
        let executable = &self.timeline.trace().manifest().target.executable;
        let process = json::string(executable.rsplit('/').next().unwrap_or_default());
        out.write_all(b"{\"threads\":[")?;
        for (index, thread) in self.threads.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let ms = |out: &mut dyn Write, time_ns: Option<u64>| match time_ns {
                Some(time_ns) => json::decimal(out, functions::since(time_ns, self.start_ns), 6),
                None => out.write_all(b"null"),
            };
            write!(
                out,
                "{comma}\n{{\"processType\":\"default\",\"processStartupTime\":0,\"processShutdownTime\":null,\"pausedRanges\":[],\"showMarkersInTimeline\":true,\"processName\":{process},\"name\":{},\"isMainThread\":{},\"pid\":\"{}\",\"tid\":{},\"registerTime\":",
                json::string(&thread.name),
                thread.tid.0 == thread.pid.0,
                thread.pid,
                thread.tid
            )?;
            ms(out, Some(thread.since_ns))?;
            out.write_all(b",\"unregisterTime\":")?;
            ms(out, thread.ended_ns)?;
            write!(
                out,
                ",\"samples\":{{\"weightType\":\"tracing-ms\",\"length\":{}",
                thread.samples
            )?;
            columns(&mut self.spool, out, &SAMPLES, &thread.lanes.samples)?;
            write!(out, "}},\"markers\":{{\"length\":{}", thread.markers)?;
            columns(&mut self.spool, out, &MARKERS, &thread.lanes.markers)?;
            out.write_all(b"}}")?;
        }
        out.write_all(b"\n],\n\"shared\":")?;
        let trace = self.timeline.trace();
        tables::shared(out, trace, &self.stacks, &mut self.strings)?;
        out.write_all(b",\n\"meta\":")?;
        tables::meta(out, trace, window, &self.summary)?;
        out.write_all(b",\n\"libs\":[],\"pages\":[],\"counters\":[]}\n")?;
        Ok(self.summary)
    }
}

fn columns(
    spool: &mut Spool,
    out: &mut dyn Write,
    names: &[&str],
    lanes: &[usize],
) -> io::Result<()> {
    for (name, lane) in names.iter().zip(lanes) {
        write!(out, ",\"{name}\":[")?;
        spool.copy(*lane, out)?;
        out.write_all(b"]")?;
    }
    Ok(())
}

impl Sink for Writer<'_> {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        let place = self.place(thread);
        match item {
            Item::Begins | Item::Renamed => {
                let profiled = &mut self.threads[place];
                (profiled.name, profiled.pid) = (thread.name.text(), thread.pid);
            }
            Item::Enter(call) => {
                self.summary.calls += 1;
                self.advance(place, thread.now_ns, thread.times.running_ns)?;
                let below = self.threads[place].stack.last().copied().unwrap_or(ROOT);
                // No table has so many functions; a damaged trace may name them all the same.
                let stack = self.stacks.push(below, call.function.0.min(LOST - 1));
                self.threads[place].stack.push(stack);
            }
            Item::Leave(call, ending) => {
                self.advance(place, thread.now_ns, thread.times.running_ns)?;
                self.threads[place].stack.pop();
                if ending.end.is_none() {
                    self.summary.open_calls += 1;
                    let name = functions::name(self.timeline.trace(), call.function);
                    let marker = Marker {
                        name: "open at the end",
                        phase: INTERVAL_START,
                        since_ns: call.since_ns,
                        until_ns: ending.until_ns,
                        data: &format!(
                            ",\"function\":{},\"call\":{}",
                            json::string(&name),
                            call.id
                        ),
                        kind: "call",
                    };
                    self.marker(place, &marker)?;
                }
            }
            Item::Run(slice) => self.run(place, slice)?,
            Item::Syscall(slice) => self.syscall(place, slice)?,
            Item::Gap(gap) => {
                self.summary.lost_events += gap.total();
                self.advance(place, thread.now_ns, thread.times.running_ns)?;
                self.lost(place, gap)?;
            }
            Item::Ends { seen } => {
                self.advance(place, thread.now_ns, thread.times.running_ns)?;
                let profiled = &mut self.threads[place];
                profiled.ended_ns = seen.then_some(thread.now_ns);
                let lanes = profiled.lanes;
                for lane in lanes.samples.into_iter().chain(lanes.markers) {
                    self.spool.rest(lane)?;
                }
                self.living.remove(&thread.index);
            }
            Item::RunBegins | Item::SyscallBegins(_) | Item::Waking(..) => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.summary.lost_events += gap.total();
        if gap.tid == Tid(0) {
            let mut living: Vec<usize> = self.living.values().copied().collect();
            living.sort_unstable();
            for place in living {
                let now_ns = self.threads[place].done_ns.max(gap.since_ns);
                let running_ns = self.threads[place].running_ns;
                self.advance(place, now_ns, running_ns)?;
                self.lost(place, gap)?;
            }
        }
        Ok(())
    }
}
