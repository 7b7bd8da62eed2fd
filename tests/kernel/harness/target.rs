//! A running workload: told to go, listened to, waited for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use super::machine::deadline;
use super::program::Program;

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Owned(pub Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running target, killed when dropped.
#[derive(Debug)]
pub struct Target {
    child: Owned,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// What a workload said of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// Calls by function, as the workload counted them.
    pub calls: BTreeMap<String, u64>,
    /// Other facts by name.
    pub facts: BTreeMap<String, i64>,
}

/// A target that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Lines it printed after `ready`.
    pub lines: Vec<String>,
    /// What they say.
    pub truth: Truth,
}

impl Target {
    /// Starts a workload and waits until it is ready.
    pub fn start(program: &Program, arguments: &[&str]) -> Self {
        Self::start_command(Command::new(program.path()).args(arguments))
    }

    /// The same for a command that ends up as a workload.
    pub fn start_command(command: &mut Command) -> Self {
        let target = Self::spawn(command);
        assert_eq!(target.line().as_deref(), Some("ready"), "{command:?}");
        target
    }

    /// Starts a command that need not say anything.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child: Owned(child), stdin, lines }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.0.try_wait().expect("it is a child").is_none()
    }

    /// The next line of its output; `None` at the end.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(deadline()) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the target says nothing"),
        }
    }

    /// Waits until it has printed so many lines from now on.
    pub fn wait_for_lines(&self, count: usize) {
        while self.lines.try_recv().is_ok() {}
        for _ in 0..count {
            assert!(self.line().is_some(), "the target ended");
        }
    }

    /// Tells it to work.
    pub fn go(&mut self) {
        let stdin = self.stdin.as_mut().expect("its input is open until the end");
        stdin.write_all(b"g").expect("it reads its input");
    }

    /// Ends its input and waits for its end.
    pub fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            lines.push(line);
        }
        let status = self.child.0.wait().expect("it is a child");
        Ended { status, truth: Truth::from_lines(&lines), lines }
    }
}

impl Ended {
    /// Fails unless it ended with status 0.
    pub fn success(self) -> Self {
        assert!(self.status.success(), "the target ended with {}: {:?}", self.status, self.lines);
        self
    }
}

impl Truth {
    /// Reads what a workload printed; lines that are no JSON objects are its ordinary output.
    pub fn from_lines<S: AsRef<str>>(lines: &[S]) -> Self {
        let mut truth = Self::default();
        for line in lines {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(line.as_ref()) else {
                continue;
            };
            if let (Some(name), Some(calls)) = (value["function"].as_str(), value["calls"].as_u64())
            {
                truth.calls.insert(name.to_owned(), calls);
            }
            if let (Some(name), Some(number)) = (value["fact"].as_str(), value["value"].as_i64()) {
                truth.facts.insert(name.to_owned(), number);
            }
        }
        truth
    }

    /// A fact it must have told.
    pub fn fact(&self, name: &str) -> i64 {
        *self.facts.get(name).unwrap_or_else(|| panic!("no fact {name} in {self:?}"))
    }
}
