//! speedscope's file format ([schema](https://www.speedscope.app/file-format-schema.json)): an evented
//! profile a thread, in nanoseconds since the start of recording.
//!
//! The format wants every frame closed. A call that is open where the export ends is closed there, and its
//! frame is another one than that of calls that end: `name (open at the end)`. Time in which events of a
//! thread were lost is a frame of its own, `(events lost)`, so that it counts for no function; a thread's
//! losses are in its profile's name as well.
//!
//! Profiles come one after the other in the file: they wait in a temporary file. Scheduling, system
//! calls and wake-ups have no place in this format.

use std::io::{self, Write};
use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};
use scope_model::{FunctionId, Tid};
use scope_timeline::Timeline;

use crate::spool::Spool;
use crate::walk::{Call, Gap, Item, Sink, Thread, walk};
use crate::{Error, Summary, Window, functions, json};

/// Writes the trace; `folder` is where the temporary file is made.
///
/// # Errors
///
/// What reading the trace and writing give.
pub fn speedscope(
    timeline: &Timeline<'_>,
    window: &Window,
    folder: &Path,
    progress: &mut dyn FnMut(u64),
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let end = timeline.state_at(window.to.event)?;
    let open = end.threads().iter().flat_map(|thread| &thread.stack).map(|call| call.id).collect();
    let mut writer = Writer {
        start_ns: timeline.trace().manifest().start_ns,
        spool: Spool::new(folder)?,
        open,
        frames: Vec::new(),
        frame_of: FxHashMap::default(),
        profiles: Vec::new(),
        living: FxHashMap::default(),
        summary: Summary::default(),
    };
    walk(timeline, window, progress, &mut writer)?;
    writer.write(timeline, out)
}

/// What a frame stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Frame {
    Function(FunctionId),
    /// A call of it that is open where the export ends.
    Open(FunctionId),
    Lost,
}

struct Writer {
    start_ns: u64,
    spool: Spool,
    /// Ids of the calls that are open where the export ends.
    open: FxHashSet<u64>,
    frames: Vec<Frame>,
    frame_of: FxHashMap<Frame, usize>,
    profiles: Vec<Profile>,
    /// Profile of each thread that lives, by [`Thread::index`].
    living: FxHashMap<usize, usize>,
    summary: Summary,
}

struct Profile {
    lane: usize,
    name: String,
    tid: Tid,
    since_ns: u64,
    until_ns: u64,
    events: u64,
    lost: u64,
    /// Open frames: a gap is above the calls that were open at its beginning.
    stack: Vec<usize>,
    /// The gap that is open, until when, ns.
    gap_until_ns: Option<u64>,
}

impl Writer {
    fn frame(&mut self, frame: Frame) -> usize {
        *self.frame_of.entry(frame).or_insert_with(|| {
            self.frames.push(frame);
            self.frames.len() - 1
        })
    }

    fn event(&mut self, profile: usize, kind: char, frame: usize, time_ns: u64) -> io::Result<()> {
        let start_ns = self.start_ns;
        let profile = &mut self.profiles[profile];
        let comma = if profile.events == 0 { "" } else { "," };
        profile.events += 1;
        profile.until_ns = profile.until_ns.max(time_ns);
        let at = functions::since(time_ns, start_ns);
        self.spool.write(profile.lane, |out| {
            write!(out, "{comma}{{\"type\":\"{kind}\",\"frame\":{frame},\"at\":{at}}}")
        })
    }

    fn enter(&mut self, profile: usize, thread: &Thread, call: &Call) -> io::Result<()> {
        let is_open = self.open.contains(&call.id);
        let frame = self.frame(match is_open {
            true => Frame::Open(call.function),
            false => Frame::Function(call.function),
        });
        self.profiles[profile].stack.push(frame);
        self.event(profile, 'O', frame, thread.now_ns)
    }

    fn leave(&mut self, profile: usize, thread: &Thread) -> io::Result<()> {
        match self.profiles[profile].stack.pop() {
            Some(frame) => self.event(profile, 'C', frame, thread.now_ns),
            None => Ok(()),
        }
    }

    /// Calls cannot begin or end in a gap's frame: it is left at the next item, and entered again
    /// after it.
    fn pause_gap(&mut self, profile: usize, now_ns: u64) -> io::Result<()> {
        let Some(until_ns) = self.profiles[profile].gap_until_ns else { return Ok(()) };
        let until_ns = until_ns.min(now_ns);
        let frame = self.frame(Frame::Lost);
        self.profiles[profile].stack.pop();
        self.event(profile, 'C', frame, until_ns)
    }

    fn resume_gap(&mut self, profile: usize, now_ns: u64) -> io::Result<()> {
        let Some(until_ns) = self.profiles[profile].gap_until_ns else { return Ok(()) };
        if until_ns <= now_ns {
            self.profiles[profile].gap_until_ns = None;
            return Ok(());
        }
        let frame = self.frame(Frame::Lost);
        self.profiles[profile].stack.push(frame);
        self.event(profile, 'O', frame, now_ns)
    }

    fn lose(&mut self, profile: usize, gap: &Gap, now_ns: u64) {
        if gap.entries != 0 || gap.exits != 0 {
            let until = &mut self.profiles[profile].gap_until_ns;
            *until = Some(until.unwrap_or(now_ns).max(gap.until_ns));
        }
    }

    fn write(mut self, timeline: &Timeline<'_>, out: &mut dyn Write) -> Result<Summary, Error> {
        let trace = timeline.trace();
        let path = trace.path();
        let label = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
        write!(
            out,
            "{{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":{},\"name\":{},\"activeProfileIndex\":{},\"profiles\":[",
            json::string(&format!("scope {}", env!("CARGO_PKG_VERSION"))),
            json::string(&label),
            self.busiest()
        )?;
        for (index, profile) in self.profiles.iter().enumerate() {
            let mut name = match profile.name.as_str() {
                "" => format!("thread {}", profile.tid),
                name => format!("{name} ({})", profile.tid),
            };
            if profile.lost > 0 {
                name.push_str(&format!(", {} events lost", profile.lost));
            }
            let start = functions::since(profile.since_ns, self.start_ns);
            let end = functions::since(profile.until_ns, self.start_ns);
            let comma = if index == 0 { "" } else { "," };
            write!(
                out,
                "{comma}\n{{\"type\":\"evented\",\"name\":{},\"unit\":\"nanoseconds\",\"startValue\":{start},\"endValue\":{end},\"events\":[",
                json::string(&name)
            )?;
            self.spool.copy(profile.lane, out)?;
            out.write_all(b"]}")?;
        }
        out.write_all(b"\n],\"shared\":{\"frames\":[")?;
        for (index, frame) in self.frames.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (id, end) = match frame {
                Frame::Lost => {
                    write!(out, "{comma}\n{{\"name\":\"(events lost)\"}}")?;
                    continue;
                }
                Frame::Function(id) => (*id, ""),
                Frame::Open(id) => (*id, " (open at the end)"),
            };
            let name = json::string(&format!("{}{end}", functions::name(trace, id)));
            write!(out, "{comma}\n{{\"name\":{name}")?;
            let function = functions::get(trace, id);
            if let Some(file) = function.and_then(|function| function.file.as_deref()) {
                write!(out, ",\"file\":{}", json::string(file))?;
            }
            if let Some(line) = function.and_then(|function| function.line) {
                write!(out, ",\"line\":{line}")?;
            }
            out.write_all(b"}")?;
        }
        out.write_all(b"\n]}}\n")?;
        Ok(self.summary)
    }

    /// The thread that is shown first.
    fn busiest(&self) -> usize {
        let most = self
            .profiles
            .iter()
            .enumerate()
            .max_by_key(|(index, profile)| (profile.events, std::cmp::Reverse(*index)));
        most.map_or(0, |(index, _)| index)
    }
}

impl Sink for Writer {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        let profile = match self.living.get(&thread.index) {
            Some(profile) => *profile,
            None => {
                let profile = self.profiles.len();
                self.profiles.push(Profile {
                    lane: self.spool.lane(),
                    name: String::new(),
                    tid: thread.tid,
                    since_ns: thread.now_ns,
                    until_ns: thread.now_ns,
                    events: 0,
                    lost: 0,
                    stack: Vec::new(),
                    gap_until_ns: None,
                });
                self.living.insert(thread.index, profile);
                profile
            }
        };
        match item {
            Item::Begins | Item::Renamed => self.profiles[profile].name = thread.name.text(),
            Item::Enter(call) => {
                self.summary.calls += 1;
                self.pause_gap(profile, thread.now_ns)?;
                self.enter(profile, thread, call)?;
                self.resume_gap(profile, thread.now_ns)?;
            }
            Item::Leave(_, ending) => {
                self.summary.open_calls += u64::from(ending.end.is_none());
                self.pause_gap(profile, thread.now_ns)?;
                self.leave(profile, thread)?;
                self.resume_gap(profile, thread.now_ns)?;
            }
            Item::Gap(gap) => {
                self.summary.lost_events += gap.total();
                self.profiles[profile].lost += gap.total();
                self.pause_gap(profile, thread.now_ns)?;
                self.lose(profile, gap, thread.now_ns);
                self.resume_gap(profile, thread.now_ns)?;
            }
            Item::Ends { .. } => {
                self.pause_gap(profile, thread.now_ns)?;
                let profile = &mut self.profiles[profile];
                profile.until_ns = profile.until_ns.max(thread.now_ns);
                self.spool.rest(profile.lane)?;
                self.living.remove(&thread.index);
            }
            _ => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.summary.lost_events += gap.total();
        if gap.tid == Tid(0) {
            // Any thread may have had them.
            let mut living: Vec<usize> = self.living.values().copied().collect();
            living.sort_unstable();
            for profile in living {
                let now_ns = self.profiles[profile].until_ns.max(gap.since_ns);
                self.pause_gap(profile, now_ns)?;
                self.lose(profile, gap, now_ns);
                self.resume_gap(profile, now_ns)?;
            }
        }
        Ok(())
    }
}
