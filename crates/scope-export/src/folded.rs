//! Folded stacks (`thread;caller;callee 123`), and the flame graph drawn from them.
//!
//! A line is a stack that had time of its own, in ns: wall time, time on the CPU, or time off it (waiting for
//! one included). The first frame is the thread's name. Times are those of `scope report`: its
//! profiler counts here as well, each distinct stack as a function of its own, so that the times of all lines that
//! end in a function add up to its self time, and all that have it in them to its total. Time inside a gap
//! counts for no call.
//!
//! Folded stacks have no place for losses and for calls that never ended: [`Summary`] has them, and the flame
//! graph says them in its subtitle.
//!
//! Memory is that of the distinct stacks, of which there is a limit (see `stacks.rs`).

use std::io::Write;

use rustc_hash::FxHashMap;
use scope_model::{Event, EventKind, FunctionId, Pid, RunState, State, ThreadName, Tid};
use scope_store::Position;
use scope_timeline::profile::resume;
use scope_timeline::{Profile, ProfileOptions, Profiler, Timeline};

use crate::stacks::{Node, OTHERS, ROOT, Stacks};
use crate::{Error, Summary, Window, functions};

/// Events between two reports of progress.
const STRIDE: u64 = 1 << 14;

/// Frames of a stack that are told apart. A line has all frames of its stack, so that lines of a
/// recursion grow with the square of its depth.
const DEEPEST: u32 = 512;

/// Frames from here on are names of threads.
const FIRST_NAME: u32 = 1 << 31;

/// Of a flame graph's width, the share below which stacks are drawn together: a tenth of a pixel.
const NARROW: u64 = 20_000;

/// Which time of the calls is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Time {
    /// All of it.
    #[default]
    Wall,
    /// On a CPU.
    OnCpu,
    /// Off the CPU: blocked, or waiting for one.
    OffCpu,
}

impl Time {
    /// The name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall time",
            Self::OnCpu => "time on the CPU",
            Self::OffCpu => "time off the CPU",
        }
    }
}

/// Writes folded stacks, in the order of their frames' names.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn folded(
    timeline: &Timeline<'_>,
    window: &Window,
    time: Time,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let tree = Tree::of(timeline, window, time, progress)?;
    tree.lines(0, |line| Ok(writeln!(out, "{line}")?))?;
    Ok(tree.summary)
}

/// Draws a flame graph, as SVG.
///
/// # Errors
///
/// [`Error::NothingToDraw`]; what reading the trace and writing give.
pub fn flame_graph(
    timeline: &Timeline<'_>,
    window: &Window,
    time: Time,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let tree = Tree::of(timeline, window, time, progress)?;
    let narrow = tree.whole_ns() / NARROW;
    let mut lines = Vec::new();
    tree.lines(narrow, |line| {
        lines.push(line.to_owned());
        Ok(())
    })?;
    if lines.is_empty() {
        return Err(Error::NothingToDraw { time: time.name() });
    }
    let mut options = inferno::flamegraph::Options::default();
    options.title = format!("{}: {}", label(timeline), time.name());
    options.subtitle = caveats(&tree.summary);
    options.count_name = "ns".to_owned();
    options.no_sort = true;
    let mut picture = Vec::new();
    inferno::flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut picture)
        .map_err(|error| Error::Draw(error.to_string()))?;
    out.write_all(&picture)?;
    Ok(tree.summary)
}

fn label(timeline: &Timeline<'_>) -> String {
    let path = timeline.trace().path();
    path.file_name().unwrap_or(path.as_os_str()).display().to_string()
}

/// What the picture does not show.
fn caveats(summary: &Summary) -> Option<String> {
    let mut text = Vec::new();
    let counted = |count, noun| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    if summary.lost_events > 0 {
        let lost = counted(summary.lost_events, "event");
        text.push(format!("{lost} lost: times are lower bounds"));
    }
    if summary.open_calls > 0 {
        text.push(format!("{} open at the end", counted(summary.open_calls, "call")));
    }
    (!text.is_empty()).then(|| text.join("; "))
}

/// The stacks and their own times.
struct Tree {
    stacks: Stacks,
    /// By node.
    own_ns: Vec<u64>,
    /// Names of frames.
    names: FxHashMap<u32, String>,
    summary: Summary,
}

impl Tree {
    fn of(
        timeline: &Timeline<'_>,
        window: &Window,
        time: Time,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, Error> {
        let options = ProfileOptions { by_thread: false, thread: window.thread };
        let mut folder = Folder {
            profiler: Profiler::new(window.from.time_ns, options).without_durations(),
            only: window.thread,
            stacks: Stacks::new(DEEPEST),
            threads: FxHashMap::default(),
            thread_names: Vec::new(),
            calls: 0,
            lost_events: 0,
        };
        folder.resume(&timeline.state_at(window.from.event)?, window.from.time_ns);
        let events = timeline.trace().events_from(Position::after(window.from.event));
        for (done, event) in (1..=window.events()).zip(events) {
            folder.push(&event?);
            if done.is_multiple_of(STRIDE) {
                timeline.check_interrupt()?;
                progress(done);
            }
        }
        let open_calls: usize = folder.threads.values().map(|thread| thread.stack.len()).sum();
        let summary = Summary {
            calls: folder.calls,
            open_calls: open_calls as u64,
            lost_events: folder.lost_events,
        };
        let profile = folder.profiler.finish(Some(window.to.time_ns));
        let own_ns = own_times(&folder.stacks, &profile, time);
        let mut names = FxHashMap::default();
        for node in 1..folder.stacks.len() {
            let frame = folder.stacks.frame(node as Node);
            names.entry(frame).or_insert_with(|| match frame {
                OTHERS => "(more stacks, not told apart)".to_owned(),
                FIRST_NAME.. => folder.thread_names[(frame - FIRST_NAME) as usize].clone(),
                _ => clean(&functions::name(timeline.trace(), FunctionId(frame))),
            });
        }
        Ok(Self { stacks: folder.stacks, own_ns, names, summary })
    }

    fn whole_ns(&self) -> u64 {
        self.own_ns.iter().fold(0, |sum, ns| sum.saturating_add(*ns))
    }

    /// Hands out the lines. Stacks of less than `narrow` ns, all that they call included, are one with
    /// others of their caller.
    fn lines(
        &self,
        narrow: u64,
        mut take: impl FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = self.stacks.len();
        let mut whole_ns = self.own_ns.clone();
        let mut children: Vec<Vec<Node>> = vec![Vec::new(); count];
        for node in (1..count).rev() {
            let below = self.stacks.below(node as Node) as usize;
            whole_ns[below] = whole_ns[below].saturating_add(whole_ns[node]);
            children[below].push(node as Node);
        }
        let name =
            |node: Node| self.names.get(&self.stacks.frame(node)).map_or("?", String::as_str);
        let mut line = String::new();
        let mut rest = vec![(ROOT, 0)];
        while let Some((node, prefix)) = rest.pop() {
            line.truncate(prefix);
            if node != ROOT {
                if !line.is_empty() {
                    line.push(';');
                }
                line.push_str(name(node));
            }
            let length = line.len();
            let mut emit = |line: &mut String, ns: u64| {
                let end = line.len();
                line.push_str(&format!(" {ns}"));
                let taken = take(line);
                line.truncate(end);
                taken
            };
            let own_ns = self.own_ns[node as usize];
            if own_ns > 0 {
                emit(&mut line, own_ns)?;
            }
            let mut above = std::mem::take(&mut children[node as usize]);
            let mut narrow_ns = 0_u64;
            above.retain(|child| {
                let ns = whole_ns[*child as usize];
                if ns < narrow {
                    narrow_ns += ns;
                }
                ns > 0 && ns >= narrow
            });
            if narrow_ns > 0 {
                line.push_str(if length == 0 { "(narrow stacks)" } else { ";(narrow stacks)" });
                emit(&mut line, narrow_ns)?;
            }
            above.sort_unstable_by(|a, b| name(*b).cmp(name(*a)));
            rest.extend(above.into_iter().map(|child| (child, length)));
        }
        Ok(())
    }
}

/// The own time of each stack.
fn own_times(stacks: &Stacks, profile: &Profile, time: Time) -> Vec<u64> {
    let mut own_ns = vec![0_u64; stacks.len()];
    let mut callees_ns = vec![0_u64; stacks.len()];
    for function in &profile.functions {
        let node = function.id.index();
        let total_ns = match time {
            Time::Wall => {
                own_ns[node] = function.self_ns;
                continue;
            }
            Time::OnCpu => function.times.on_cpu_ns,
            Time::OffCpu => function.times.off_cpu_ns,
        };
        own_ns[node] = total_ns;
        let below = stacks.below(function.id.0) as usize;
        callees_ns[below] = callees_ns[below].saturating_add(total_ns);
    }
    for (own_ns, callees_ns) in own_ns.iter_mut().zip(callees_ns) {
        // A caller that lost its end in a gap has less time than what it called after that.
        *own_ns = own_ns.saturating_sub(callees_ns);
    }
    own_ns
}

/// Feeds the profiler with stacks in the place of functions.
struct Folder {
    profiler: Profiler,
    only: Option<Tid>,
    stacks: Stacks,
    threads: FxHashMap<Tid, Thread>,
    thread_names: Vec<String>,
    calls: u64,
    lost_events: u64,
}

#[derive(Default)]
struct Thread {
    pid: Pid,
    name: ThreadName,
    /// Open calls: function and stack.
    stack: Vec<(FunctionId, Node)>,
}

impl Folder {
    /// What is open where the window begins.
    fn resume(&mut self, state: &State, time_ns: u64) {
        for thread in state.sorted_threads() {
            if thread.run == RunState::Ended {
                continue;
            }
            for kind in resume::events(thread) {
                self.push(&Event { time_ns, pid: thread.pid, tid: thread.tid, kind });
            }
        }
    }

    fn push(&mut self, event: &Event) {
        if let EventKind::Gap { entries, exits, others, .. } = event.kind
            && (event.tid == Tid(0) || self.only.is_none_or(|only| only == event.tid))
        {
            self.lost_events += u64::from(entries) + u64::from(exits) + u64::from(others);
        }
        if let EventKind::Exec { .. } = event.kind {
            for (tid, thread) in &mut self.threads {
                if thread.pid == event.pid && *tid != event.tid {
                    thread.stack.clear();
                }
            }
        }
        let of_any_thread = event.tid == Tid(0) && matches!(event.kind, EventKind::Gap { .. });
        if of_any_thread || self.only.is_some_and(|only| only != event.tid) {
            self.profiler.push(event);
            return;
        }
        let thread = self.threads.entry(event.tid).or_default();
        if event.pid != Pid(0) {
            thread.pid = event.pid;
        }
        let mut event = *event;
        match &mut event.kind {
            EventKind::Enter { function, .. } => {
                let below = match thread.stack.last() {
                    Some((_, node)) => *node,
                    None => {
                        let name = thread_name(&mut self.thread_names, thread.name, event.tid);
                        self.stacks.push(ROOT, name)
                    }
                };
                self.calls += 1;
                // No table has so many functions; a damaged trace may name them all the same.
                let node = self.stacks.push(below, function.0.min(FIRST_NAME - 1));
                thread.stack.push((*function, node));
                *function = FunctionId(node);
            }
            EventKind::Leave { function, .. } => {
                // In a sound trace it is the last one; the profiler does the same.
                let open = thread.stack.iter().rposition(|(open, _)| open == function);
                let Some(index) = open else { return };
                *function = FunctionId(thread.stack[index].1);
                thread.stack.truncate(index);
            }
            EventKind::ThreadStart { parent, name } => {
                thread.name = *name;
                if parent.0 != 0 {
                    thread.stack.clear();
                }
            }
            EventKind::Rename { name } => thread.name = *name,
            EventKind::Exec { name } => {
                thread.name = *name;
                thread.stack.clear();
            }
            _ => {}
        }
        self.profiler.push(&event);
        if let EventKind::ThreadExit { .. } = event.kind {
            self.threads.remove(&event.tid);
        }
    }
}

/// The frame that stands for a thread's name.
fn thread_name(names: &mut Vec<String>, name: ThreadName, tid: Tid) -> u32 {
    let text = match name.text() {
        text if text.is_empty() => format!("thread {tid}"),
        text => clean(&text),
    };
    let known = names.iter().position(|known| *known == text);
    let index = known.unwrap_or_else(|| {
        names.push(text);
        names.len() - 1
    });
    FIRST_NAME + index as u32
}

/// A name that ends no frame and no line.
fn clean(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            ';' => ',',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
