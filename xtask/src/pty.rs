//! A program on a terminal of its own, and what is on its screen.
//!
//! The terminal is a pseudo-terminal of the kernel whose other end is read here and interpreted by
//! `vt100`: what a person would see, with the time at which it could be seen.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long a program may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program and its terminal; killed when dropped.
pub struct Pty {
    child: Child,
    terminal: File,
    parser: vt100::Parser,
    /// When it was started.
    pub begun: Instant,
}

impl Pty {
    /// Starts a program on a terminal of so many columns and rows that has all colours.
    pub fn start(command: &Command, (columns, rows): (u16, u16)) -> Result<Self> {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .context("there is no pseudo-terminal")?;
        grantpt(&terminal).and_then(|()| unlockpt(&terminal)).context("no pseudo-terminal")?;
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).context("a terminal takes no size")?;
        let name = ptsname(&terminal, Vec::new()).context("a terminal has no name")?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside: File =
            rustix::fs::open(&name, flags, Mode::empty()).context("cannot open a terminal")?.into();
        let another = || inside.try_clone().context("no descriptors are left");
        // The terminal belongs to a session of its own, as a terminal window's does.
        let mut setsid = Command::new("setsid");
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
        setsid.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8");
        setsid.env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => setsid.env(name, value),
                None => setsid.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            setsid.current_dir(folder);
        }
        setsid.stdin(another()?).stdout(another()?).stderr(another()?);
        let begun = Instant::now();
        let child = setsid.spawn().context("cannot run setsid")?;
        let at_least_one = |number| NonZeroU16::new(number).context("a terminal has some size");
        let parser = vt100::Parser::new(at_least_one(rows)?, at_least_one(columns)?, 0);
        Ok(Self { child, terminal: terminal.into(), parser, begun })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.terminal.write_all(bytes).context("the terminal takes no keys")
    }

    /// Takes what the program has written, waiting for it so long at most. Returns whether there was
    /// something; nothing comes from a program that has ended.
    pub fn read(&mut self, patience: Duration) -> Result<bool> {
        let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
        let limit = Timespec { tv_sec: seconds, tv_nsec: i64::from(patience.subsec_nanos()) };
        let mut polled = [PollFd::new(&self.terminal, PollFlags::IN)];
        match poll(&mut polled, Some(&limit)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(false),
            result => result.context("cannot wait for a terminal")?,
        };
        let mut bytes = [0; 1 << 16];
        // An error is how the kernel says that nobody has the terminal open any more.
        let Ok(count @ 1..) = self.terminal.read(&mut bytes) else { return Ok(false) };
        self.parser.process(&bytes[..count]);
        Ok(true)
    }

    /// Reads until the screen is as wanted; fails when it does not become so.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(self.parser.screen()) {
            if self.read(Duration::from_millis(100))? {
                continue;
            }
            let ended = self.child.try_wait().context("cannot wait for a program")?;
            if ended.is_some() && !self.read(Duration::ZERO)? {
                bail!("the program ended before {what}:\n{}", self.text());
            }
            if Instant::now() > deadline {
                bail!("{what} does not come:\n{}", self.text());
            }
        }
        Ok(())
    }

    /// Reads until nothing was written for so long.
    pub fn rest(&mut self, quiet: Duration) -> Result<()> {
        while self.read(quiet)? {}
        Ok(())
    }

    /// What is on the screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// The same as text, a line a row.
    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for a program")? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("the program does not end:\n{}", self.text());
            }
            // What nobody reads would keep it from ending.
            self.read(Duration::from_millis(20))?;
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::Pty;

    #[test]
    fn a_program_has_a_terminal_of_the_size_and_keys_reach_it() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "stty size; read line; echo \"[$line]\""]);
        let mut pty = Pty::start(&shell, (93, 17)).unwrap();
        pty.until("its size", |screen| screen.contents().contains("17 93")).unwrap();
        pty.send(b"words\r").unwrap();
        pty.until("what was typed", |screen| screen.contents().contains("[words]")).unwrap();
        assert!(pty.wait().unwrap().success());
    }

    #[test]
    fn a_program_that_ends_too_early_is_said() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo bye"]);
        let mut pty = Pty::start(&shell, (80, 24)).unwrap();
        let error = pty.until("more", |screen| screen.contents().contains("more")).unwrap_err();
        assert!(error.to_string().contains("ended before more:\nbye"), "{error}");
    }
}
