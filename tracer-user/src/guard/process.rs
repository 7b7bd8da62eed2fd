//! The guard's main loop.

use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use aya::maps::{HashMap, RingBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};
use tracer_common::Settings;

use super::Orders;
use super::remains::{self, Cleared};
use super::restore::{Request, Restorer};
use crate::probe::btf::KernelTypes;
use crate::probe::object::{Object, Size};
use crate::probe::sys::{self, UPROBE_MULTI, UprobeMulti};

/// What the guard says when its probes are in.
pub const READY: &str = "ready";

/// What the recorder says when its probes are out.
pub const OVER: &str = "over";

/// Pause between looks at the target once the probes are out.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Pause between looks whether the posts are gone.
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Runs the guard; the only output is one line: [`READY`] or why not.
///
/// # Errors
///
/// After that line: when the kernel refuses to go on.
pub fn run() -> anyhow::Result<()> {
    // Out of the terminal's reach: Ctrl-C is for the recorder.
    let _ = rustix::process::setsid();
    for signal in
        [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
    {
        crate::probe::memory::ignore_signal(signal.as_raw());
    }
    // A thread waits for every answer; failing leaves it slower, not wrong.
    let _ = rustix::process::setpriority_process(None, -20);
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("cannot read orders")?;
    let orders: Orders = serde_json::from_str(&line).context("cannot understand orders")?;
    let mut posted = match post(&orders) {
        Ok(posted) => posted,
        Err(error) => {
            println!("{}", format!("{error:#}").replace('\n', " "));
            return Ok(());
        }
    };
    let recorder = rustix::process::getppid()
        .filter(|parent| parent.as_raw_pid().cast_unsigned() == orders.recorder)
        .context("the recorder is gone")?;
    let recorder =
        pidfd_open(recorder, PidfdFlags::empty()).context("cannot watch the recorder")?;
    println!("{READY}");
    io::stdout().flush()?;
    posted.watch(&orders, &recorder)
}

/// The guard's probes and maps.
struct Posted {
    requests: RingBuf<aya::maps::MapData>,
    answers: HashMap<aya::maps::MapData, u32, u64>,
    restorer: Restorer,
    links: Vec<OwnedFd>,
    object: Object,
}

fn post(orders: &Orders) -> anyhow::Result<Posted> {
    let types = KernelTypes::load()?;
    let uprobes = types.uprobe_offsets()?;
    let settings = Settings { task: types.task_offsets()?, ..Settings::NONE };
    let mut object = Object::load(settings, uprobes, Size::Guard)?;
    remains::load(&mut object)?;
    let program = object.uprobe_program("unwind_guard", UPROBE_MULTI)?;
    let pid = if orders.children { 0 } else { orders.pid };
    let mut links = Vec::new();
    for file in &orders.files {
        let offsets: Vec<u64> = file.walks.iter().chain(&file.resumes).copied().collect();
        let cookies: Vec<u64> =
            file.walks.iter().map(|_| 0).chain(file.resumes.iter().map(|_| 1)).collect();
        if offsets.is_empty() {
            continue;
        }
        let link = sys::attach_uprobe_multi(
            program.as_fd(),
            &UprobeMulti {
                path: &file.path,
                offsets: &offsets,
                cookies: &cookies,
                pid,
                at_return: false,
                attach_type: UPROBE_MULTI,
            },
        )
        .with_context(|| format!("cannot probe the unwinder in {}", file.path))?;
        links.push(link);
    }
    Ok(Posted {
        requests: object.take_map("RESTORES")?.try_into()?,
        answers: object.take_map("RESTORED")?.try_into()?,
        restorer: Restorer::default(),
        links,
        object,
    })
}

/// How far the end of the recording has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recording {
    Runs,
    /// The recorder is dying; the kernel takes its probes out before it lets go of the process.
    Dying,
    /// No probe will be hit any more.
    Over,
}

impl Posted {
    fn watch(&mut self, orders: &Orders, recorder: &OwnedFd) -> anyhow::Result<()> {
        let stdin = io::stdin();
        let mut recording = Recording::Runs;
        let mut cleared = Cleared::default();
        loop {
            let mut fds = vec![PollFd::new(&self.requests, PollFlags::IN)];
            match recording {
                Recording::Runs => fds.push(PollFd::new(&stdin, PollFlags::IN)),
                Recording::Dying => fds.push(PollFd::new(recorder, PollFlags::IN)),
                Recording::Over => {}
            }
            match poll(&mut fds, (recording == Recording::Over).then_some(&LOOK)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let news = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
            self.answer()?;
            match recording {
                Recording::Runs if news => {
                    let mut line = String::new();
                    stdin.lock().read_line(&mut line)?;
                    recording =
                        if line.trim_end() == OVER { Recording::Over } else { Recording::Dying };
                }
                Recording::Dying if news => recording = Recording::Over,
                Recording::Over
                    if !cleared.any_remain(&mut self.object, orders, &mut self.restorer)? =>
                {
                    return self.leave();
                }
                _ => {}
            }
        }
    }

    /// Takes the posts away, serving whoever hits one until then: the kernel waits for them.
    fn leave(&mut self) -> anyhow::Result<()> {
        let links = std::mem::take(&mut self.links);
        let gone = std::thread::spawn(move || drop(links));
        while !gone.is_finished() {
            match poll(&mut [PollFd::new(&self.requests, PollFlags::IN)], Some(&SOON)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => self.answer()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Serves the threads that wait.
    fn answer(&mut self) -> anyhow::Result<()> {
        while let Some(item) = self.requests.next() {
            let Some(request) = Request::parse(&item) else { continue };
            drop(item);
            let outcome = self.restorer.answer(&request);
            // The thread waits for this; it must go on whatever the outcome.
            self.answers.insert(request.tid, request.ticket, 0)?;
            if let Err(error) = outcome {
                log::warn!("thread {}: {error}", request.tid);
            }
        }
        Ok(())
    }
}
