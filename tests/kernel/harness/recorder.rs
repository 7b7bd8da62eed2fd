//! A running `scope trace`, and `scope` commands that run to their end.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::machine::{deadline, folder, wait_until};
use super::program::Program;
use super::target::{Ended, Owned, Target};
use super::trace::Trace;

/// Arguments that choose every function of a workload's own sources, also those that the default leaves
/// out for what they cost; with rings that a busy machine does not fill either.
pub const EVERY: &[&str] = &["--all", "--file", "*/workloads/*", "--ring-size", "32M"];

/// A running recorder. Its standard error is kept in a file beside the trace.
#[derive(Debug)]
pub struct Recorder {
    child: Owned,
    folder: TempDir,
    mark: String,
    ended: Option<ExitStatus>,
}

impl Recorder {
    /// Attaches to a process and waits until every probe is in.
    pub fn attach(pid: u32, arguments: &[&str]) -> Self {
        let pid = pid.to_string();
        let arguments: Vec<&str> =
            [pid.as_str()].into_iter().chain(arguments.iter().copied()).collect();
        let recorder = Self::start_and_wait(&arguments);
        assert!(
            recorder.ended.is_none(),
            "scope trace {arguments:?} ended with {:?}: {}",
            recorder.ended,
            recorder.stderr()
        );
        recorder
    }

    /// Starts `scope trace` with these arguments and waits until every probe is in or it has ended.
    pub fn start_and_wait(arguments: &[&str]) -> Self {
        let (mut reader, writer) = std::io::pipe().expect("there are file descriptors left");
        let mut recorder = Self::start_in_shell(arguments, true, |command| {
            command.stdin(writer).env("SCOPE_READY_FD", "9");
        });
        let (sender, ready) = channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            let _ = sender.send(matches!(reader.read(&mut byte), Ok(1)) && byte == *b"R");
        });
        match ready.recv_timeout(deadline()) {
            Ok(true) => {}
            Ok(false) | Err(RecvTimeoutError::Disconnected) => {
                recorder.ended = Some(recorder.wait_for_end());
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("scope does not become ready: {}", recorder.stderr())
            }
        }
        recorder
    }

    /// Starts `scope trace` with these arguments; `set_up` may change the command.
    pub fn start(arguments: &[&str], set_up: impl FnOnce(&mut Command)) -> Self {
        Self::start_in_shell(arguments, false, set_up)
    }

    fn start_in_shell(arguments: &[&str], ready: bool, set_up: impl FnOnce(&mut Command)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = folder();
        let mark = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let errors =
            std::fs::File::create(folder.path().join("stderr")).expect("the folder is new");
        // The shell hands on its standard input as descriptor 9, the other end of the pipe above.
        let script = if ready { "exec \"$@\" 9>&0 </dev/null" } else { "exec \"$@\"" };
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(scope_tests::scope_binary());
        command.arg("trace").arg("--no-tui").arg("--quiet");
        command.arg("-o").arg(folder.path().join("out.scope")).args(arguments);
        command.env("SCOPE_TEST_MARK", &mark).stdin(Stdio::null());
        // Not into the cache of whoever runs the tests.
        command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
        command.stdout(Stdio::null()).stderr(errors);
        // A group of its own, as a shell gives a job: Ctrl-C goes to the group.
        command.process_group(0);
        set_up(&mut command);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        drop(command);
        Self { child: Owned(child), folder, mark, ended: None }
    }

    /// Where it writes its trace.
    pub fn trace_path(&self) -> PathBuf {
        self.folder.path().join("out.scope")
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The process started; streams that `set_up` piped can be taken from it.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child.0
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child.0), signal);
    }

    /// Sends its process group a signal, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(Pid::from_child(&self.child.0), signal);
    }

    /// Waits until it has ended by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        let mut status = None;
        wait_until("the end of scope trace", || {
            status = self.child.0.try_wait().expect("it is a child");
            status.is_some()
        });
        self.ended = status;
        status.expect("it has been waited for")
    }

    /// Waits until it has ended by itself with status 0 and nobody of it is left; its trace.
    pub fn finish(mut self) -> Trace {
        let status = self.wait_for_end();
        assert!(status.success(), "scope trace ended with {status}: {}", self.stderr());
        self.into_trace()
    }

    /// As [`Self::finish`], with something done before all of it must be gone: a target that goes on
    /// keeps the guard.
    pub fn finish_and(mut self, done: impl FnOnce()) -> Trace {
        let status = self.wait_for_end();
        assert!(status.success(), "scope trace ended with {status}: {}", self.stderr());
        done();
        self.into_trace()
    }

    /// Ctrl-C; then as [`Self::finish`].
    pub fn interrupt(self) -> Trace {
        self.signal_group(Signal::INT);
        self.finish()
    }

    /// SIGKILL, at once; its trace, however torn.
    pub fn kill(mut self) -> Trace {
        self.signal(Signal::KILL);
        self.wait_for_end();
        self.into_trace()
    }

    /// The trace of a recorder that has ended; fails when a process of it is left.
    pub fn into_trace(self) -> Trace {
        let mark = self.mark.clone();
        wait_until("the end of scope's own processes", || !has_processes(&mark));
        Trace::new(self.trace_path(), self.folder)
    }
}

/// Starts a workload, attaches to it, tells it to go and records it to its end.
pub fn record(program: &Program, arguments: &[&str], scope_arguments: &[&str]) -> (Ended, Trace) {
    let mut target = Target::start(program, arguments);
    let recorder = Recorder::attach(target.pid(), scope_arguments);
    target.go();
    let ended = target.end();
    (ended, recorder.finish())
}

/// Whether a `scope` process lives whose environment carries the mark.
fn has_processes(mark: &str) -> bool {
    let scope = std::fs::canonicalize(scope_tests::scope_binary()).ok();
    let wanted = format!("SCOPE_TEST_MARK={mark}");
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let path = process.path();
        std::fs::read_link(path.join("exe")).ok() == scope
            && std::fs::read(path.join("environ")).is_ok_and(|text| {
                text.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes())
            })
    })
}

/// Runs `scope` to its end, which must come in time.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    let mut command = Command::new(scope_tests::scope_binary());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_child(&child);
    let (sender, done) = channel();
    std::thread::spawn(move || {
        let _ = sender.send(child.wait_with_output());
    });
    match done.recv_timeout(deadline().max(Duration::from_secs(60))) {
        Ok(output) => output.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        Err(_) => {
            let _ = kill_process(pid, Signal::KILL);
            panic!("{command:?} does not end");
        }
    }
}

/// Runs `scope`, which must succeed; its standard output.
pub fn scope<S: AsRef<OsStr> + std::fmt::Debug>(arguments: &[S]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "scope {arguments:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("scope prints UTF-8")
}

/// Runs `scope`, which must fail with status 1; what it says.
pub fn scope_fails<S: AsRef<OsStr> + std::fmt::Debug>(arguments: &[S]) -> String {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "scope {arguments:?} said: {text}");
    text
}
