//! The guard: a process of its own that gives unwinders the stack they expect.
//!
//! Return probes replace return addresses on the target's stacks. Whoever walks a stack (an exception,
//! a panic, a backtrace) would stop at the replaced address; C++ and Rust programs end there. The
//! guard's probes stand on the unwinders' entry points (`tracer-ebpf/src/guard.rs`), and this process
//! writes the addresses back while the thread waits, and puts the probes' addresses in again once the
//! exception has been caught.
//!
//! It outlives the recorder, also a SIGKILLed one, until no replaced address is left on any stack of
//! the target: calls that were open when recording ended still return through the kernel's probe.

pub mod posts;
pub mod process;
pub mod remains;
pub mod restore;

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};

use serde::{Deserialize, Serialize};

/// What a guard is told when it starts: one line of JSON on its standard input. A second line,
/// [`process::OVER`], tells it that the probes are out; the end of the input without it, that the recorder
/// is dying.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// Process id of the recorder.
    pub recorder: u32,
    /// The target.
    pub pid: u32,
    /// Children of the target too.
    pub children: bool,
    /// Where to stand.
    pub files: Vec<FileOrders>,
}

/// Where to stand in one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileOrders {
    /// A path that opens the file; it need not be a name.
    pub path: String,
    /// File offsets of functions that walk the stack.
    pub walks: Vec<u64>,
    /// File offsets reached when the walk is over and calls go on.
    pub resumes: Vec<u64>,
}

/// A running guard, as its recorder holds it. Dropped, it waits for the recorder's end.
#[derive(Debug)]
pub struct Guard {
    orders: ChildStdin,
}

impl Guard {
    /// Starts a guard and waits until its probes are in.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or says why it cannot stand guard.
    pub fn start(orders: &Orders) -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg0_guard()
            .arg("guard")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let no_pipe = || io::Error::other("the guard has no pipe");
        let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        serde_json::to_writer(&mut stdin, orders)?;
        stdin.write_all(b"\n")?;
        let mut answer = String::new();
        BufReader::new(stdout).read_line(&mut answer)?;
        match answer.trim_end() {
            process::READY => Ok(Self { orders: stdin }),
            "" => Err(io::Error::other("the guard ended before it was ready")),
            why => Err(io::Error::other(why.to_owned())),
        }
    }

    /// Tells it that the probes are out: it stays for the calls that are still open, and no longer.
    pub fn dismiss(mut self) {
        // A guard that is gone needs no word.
        let _ = writeln!(self.orders, "{}", process::OVER);
    }
}

trait Arg0 {
    fn arg0_guard(&mut self) -> &mut Self;
}

impl Arg0 for Command {
    /// The name that process lists show.
    fn arg0_guard(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, "scope-guard")
    }
}
