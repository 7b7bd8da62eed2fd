//! The guard's main loop.

use std::io::{self, Write};
use std::os::fd::AsFd;

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
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Looks in a row that must find nothing: the kernel takes the probes of a killed recorder out a
/// moment after the end of its pipe is seen here.
const CLEAR_LOOKS: u32 = 3;

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
        _links: links,
        object,
    })
}

impl Posted {
    fn watch(&mut self, orders: &Orders) -> anyhow::Result<()> {
        let stdin = io::stdin();
        let mut recorder_lives = true;
        let mut clear = 0;
        while clear < CLEAR_LOOKS {
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
            if recorder_lives {
                recorder_lives = ready.get(1) != Some(&true);
            } else if remains::any(&mut self.object, orders)? {
                clear = 0;
            } else {
                clear += 1;
            }
        }
        Ok(())
    }
}
