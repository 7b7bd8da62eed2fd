//! The guard's main loop.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use aya::maps::{HashMap, RingBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracer_common::Settings;

use super::restore::{Request, Restorer};
use super::{Orders, remains};
use crate::probe::btf::KernelTypes;
use crate::probe::object::{Object, Size};
use crate::probe::sys::{self, UPROBE_MULTI, UprobeMulti};

/// What the guard says when its probes are in.
pub const READY: &str = "ready";

/// Pause between looks at the target once the recorder is gone.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

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
    println!("{READY}");
    io::stdout().flush()?;
    posted.watch(&orders)
}

/// The guard's probes and maps.
struct Posted {
    requests: RingBuf<aya::maps::MapData>,
    answers: HashMap<aya::maps::MapData, u32, u64>,
    restorer: Restorer,
    _links: Vec<std::os::fd::OwnedFd>,
    _object: Object,
}

fn post(orders: &Orders) -> anyhow::Result<Posted> {
    let uprobes = KernelTypes::load()?.uprobe_offsets()?;
    let mut object = Object::load(Settings::NONE, uprobes, Size::Guard)?;
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
        _links: links,
        _object: object,
    })
}

impl Posted {
    fn watch(&mut self, orders: &Orders) -> anyhow::Result<()> {
        let stdin = io::stdin();
        let mut recorder_lives = true;
        loop {
            let ready = {
                let mut fds = vec![PollFd::new(&self.requests, PollFlags::IN)];
                if recorder_lives {
                    fds.push(PollFd::new(&stdin, PollFlags::IN));
                }
                let timeout = if recorder_lives { None } else { Some(&LOOK) };
                match poll(&mut fds, timeout) {
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
                fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>()
            };
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
            if recorder_lives && ready.get(1) == Some(&true) {
                recorder_lives = false;
                // Threads on their way into a call when the probes went need a moment to arrive.
                std::thread::sleep(Duration::from_millis(50));
            }
            if !recorder_lives && !remains::any(orders, &self.restorer) {
                return Ok(());
            }
        }
    }
}
