//! A running tracer: started on its CPU, stopped with SIGINT.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::TRACER_CPU;

/// How long anything may take to come up or to end.
const DEADLINE: Duration = Duration::from_secs(60);

/// A started tracer; killed when dropped.
#[derive(Debug)]
pub struct Recorder {
    child: Child,
}

/// `program`, to be run on the tracers' CPU.
pub fn on_tracer_cpu(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(TRACER_CPU.to_string()).arg(program);
    command
}

impl Recorder {
    /// Starts a tracer; its standard error goes into a file, for when it fails.
    pub fn start(command: &mut Command, errors: &Path) -> Result<Self> {
        Self::start_printing(command, Stdio::null(), errors)
    }

    /// The same for a tracer whose standard output is wanted.
    pub fn start_printing(command: &mut Command, stdout: Stdio, errors: &Path) -> Result<Self> {
        let errors = File::create(errors).context("cannot write the tracer's errors")?;
        let child = command
            .stdout(stdout)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child })
    }

    /// Starts a `scope` command and waits until it says that its probes are in: one byte to the
    /// file descriptor that `SCOPE_READY_FD` names. `None` when it ends without that; what it says goes
    /// into a folder. A shell gives it that descriptor: this program has no safe way to.
    pub fn start_scope(scope: &Path, folder: &Path, arguments: &[&str]) -> Result<Option<Self>> {
        let (mut ready, writer) = std::io::pipe().context("cannot make a pipe")?;
        let mut command = on_tracer_cpu("sh");
        command
            .args(["-c", "exec 9>&0 </dev/null; exec \"$@\"", "sh"])
            .arg(scope)
            .args(arguments)
            .env("SCOPE_READY_FD", "9")
            .stdin(writer);
        let mut recorder = Self::start(&mut command, &folder.join("scope.stderr"))?;
        // The pipe's end in `command` would keep the read below waiting for ever.
        drop(command);
        let mut byte = [0];
        if ready.read(&mut byte).context("cannot read from a pipe")? == 1 {
            return Ok(Some(recorder));
        }
        recorder.wait().context("scope does not end")?;
        Ok(None)
    }

    /// Waits for a condition; fails when the tracer ends before, or at the deadline.
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while !holds() {
            if let Some(status) = self.child.try_wait().context("cannot wait for a tracer")? {
                bail!("the tracer ended with {status} before {what}");
            }
            if Instant::now() > deadline {
                bail!("{what} takes too long");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::INT).context("the tracer is gone")
    }

    /// Ctrl-C, and waits for the end.
    pub fn stop(mut self) -> Result<()> {
        self.interrupt()?;
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().context("cannot wait for a tracer")?.is_none() {
            if Instant::now() > deadline {
                bail!("the tracer does not end");
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
