//! How fast probes come and go on a program of many functions.
//!
//! Both are seen from outside. Attaching is the time from the start of `scope trace` until it says
//! that its probes are in, less that of a `--dry-run`, which reads the same symbols and stops there.
//! Detaching is the time from Ctrl-C until the target's code in memory is what it was before.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::programs::{MANY, Programs};
use super::recorder::on_tracer_cpu;
use super::target::Target;
use super::tracers::start_scope_trace;
use crate::bench::results::Results;
use crate::bench::series::Series;
use crate::project::output;

/// Measures both.
pub fn measure(programs: &Programs, rounds: u32, results: &mut Results) -> Result<()> {
    let (mut attach, mut detach) = (Series::default(), Series::default());
    let (mut plan, mut ready) = (Series::default(), Series::default());
    let target = Target::start(&mut Command::new(&programs.many))?;
    let pid = target.pid().to_string();
    let code = Code::of(&target)?;
    for round in 1..=rounds {
        eprintln!("attaching to {MANY} functions: round {round} of {rounds}");
        let begin = Instant::now();
        let mut dry_run = on_tracer_cpu(&programs.scope);
        dry_run.args(["trace", &pid, "--function", "f_*", "--dry-run"]).stdin(Stdio::null());
        output(&mut dry_run)?;
        let planned = begin.elapsed().as_secs_f64();

        let begin = Instant::now();
        let trace = programs.folder.join("attach.scope");
        let mut recorder = start_scope_trace(programs, &trace, &[&pid, "--function", "f_*"])?;
        let attached = begin.elapsed().as_secs_f64();
        let probed = code.changed_bytes()?;
        if probed < MANY {
            bail!("{MANY} functions were to be probed, but {probed} bytes of code changed");
        }
        let begin = Instant::now();
        recorder.interrupt()?;
        // The recorder may end before or after the last probe is gone: the code tells.
        while code.changed_bytes()? > 0 {
            if begin.elapsed().as_secs() > 60 {
                bail!("the probes do not go");
            }
        }
        detach.push(begin.elapsed().as_secs_f64());
        recorder.wait()?;
        plan.push(planned);
        ready.push(attached);
        attach.push((attached - planned).max(0.0));
    }
    target.finish()?;
    results.series("dry_run_3000_s", &plan, "s, start to plan printed");
    results.series("ready_3000_s", &ready, "s, start to probes in");
    results.series("attach_3000_s", &attach, "s, the difference");
    results.series("detach_3000_s", &detach, "s, Ctrl-C to the last probe gone");
    Ok(())
}

/// The code of the target's executable as it was before any probe.
struct Code {
    memory: File,
    start: u64,
    original: Vec<u8>,
}

impl Code {
    fn of(target: &Target) -> Result<Self> {
        let pid = target.pid();
        let exe = fs::read_link(format!("/proc/{pid}/exe")).context("the target is gone")?;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the target is gone")?;
        let line = maps
            .lines()
            .find(|line| line.contains(" r-xp ") && line.ends_with(&*exe.to_string_lossy()))
            .context("the target has no code")?;
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let (start, end) =
            range.and_then(|(a, b)| Some((hex(a)?, hex(b)?))).context("a mapping has a range")?;
        let memory =
            File::open(format!("/proc/{pid}/mem")).context("cannot open the target's memory")?;
        let length = usize::try_from(end - start).context("code fits into memory")?;
        let mut code = Self { memory, start, original: vec![0; length] };
        code.original = code.now()?;
        Ok(code)
    }

    fn now(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.original.len()];
        self.memory
            .read_exact_at(&mut bytes, self.start)
            .context("cannot read the target's code")?;
        Ok(bytes)
    }

    fn changed_bytes(&self) -> Result<usize> {
        let now = self.now()?;
        Ok(now.iter().zip(&self.original).filter(|(now, then)| now != then).count())
    }
}
