//! The program itself on a terminal of 200×60, seen from outside: how soon its screen is there, what
//! becomes of a key, what memory it takes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stage::SIZE;
use crate::bench::results::Results;
use crate::bench::sample::{Times, millis};
use crate::bench::series::Series;
use crate::pty::Pty;

/// Keys that are typed at the running program, over and over: zoom and turns, steps, panes.
const KEYS: &[u8] = b"+l+l+nnNssS+hjk+2+n3+J4+jj5k1+}+f+F-l-----0";
/// Nothing more comes after this long.
const QUIET: Duration = Duration::from_millis(60);

/// What was seen of a program's start.
#[derive(Clone, Copy, Debug)]
pub struct First {
    /// Something was on the screen.
    pub paint: Duration,
    /// All of it was.
    pub whole: Duration,
}

/// `scope replay` of a trace as a new user would start it.
pub fn replay(scope: &Path, trace: &Path) -> Command {
    let mut command = Command::new(scope);
    // A session of its own: where the one before left off must not count.
    let session = format!("bench-{}", std::process::id());
    command.arg("replay").arg(trace).args(["--session", &session]);
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command
}

/// Starts the UI and reads until all of its screen is there.
pub fn start(command: &Command) -> Result<(Pty, First)> {
    let mut pty = Pty::start(command, SIZE)?;
    let begun = pty.begun;
    pty.until("the first screen", |screen| !screen.contents().trim().is_empty())?;
    let paint = begun.elapsed();
    pty.until("the whole screen", is_whole)?;
    Ok((pty, First { paint, whole: begun.elapsed() }))
}

/// Whether nothing is still being read: the lanes and the panes say so where something is.
fn is_whole(screen: &vt100::Screen) -> bool {
    let text = screen.contents();
    text.contains("quit")
        && !text.contains("reading")
        && ["█", "─", "░", "▄"].iter().any(|g| text.contains(g))
}

/// Leaves the UI.
pub fn leave(mut pty: Pty) -> Result<()> {
    pty.send(b"q")?;
    let status = pty.wait()?;
    ensure!(status.success(), "scope ended with {status}");
    Ok(())
}

/// Measures all of it.
pub fn measure(scope: &Path, trace: &Path, rounds: u32, results: &mut Results) -> Result<()> {
    let (mut first, mut paint) = (Series::default(), Series::default());
    let (mut rss, mut with_files) = (Series::default(), Series::default());
    let mut keys = Times::default();
    for round in 1..=rounds {
        eprintln!("on a terminal: round {round} of {rounds}");
        let (mut pty, seen) = start(&replay(scope, trace))?;
        first.push(millis(seen.whole));
        paint.push(millis(seen.paint));
        let mut anonymous = 0;
        for _ in 0..3 {
            for key in KEYS {
                pty.send(&[*key])?;
                let sent = Instant::now();
                let came = pty.read(Duration::from_secs(5))?;
                ensure!(came, "nothing came of the key {}", char::from(*key));
                keys.push(sent.elapsed());
                pty.rest(QUIET)?;
                anonymous = anonymous.max(memory(pty.pid())?.anonymous_kib);
            }
        }
        rss.push(anonymous as f64 / 1024.0);
        with_files.push(memory(pty.pid())?.greatest_kib as f64 / 1024.0);
        leave(pty)?;
        forget_session(trace);
    }
    results.series("first_frame_ms", &first, "ms, from exec, all of the screen");
    results.series("first_paint_ms", &paint, "ms, from exec, anything");
    results.single("key_p50_ms", keys.millis(0.5), "ms, key to the terminal gets a frame");
    results.single("key_p99_ms", keys.millis(0.99), "ms");
    results.series("rss_mib", &rss, "MiB of no file");
    results.series("rss_with_files_mib", &with_files, "MiB, the trace's mapped pages included");
    Ok(())
}

/// Removes what the program kept of the session.
pub fn forget_session(trace: &Path) {
    let session = format!("sessions/bench-{}.json", std::process::id());
    let _ = fs::remove_file(trace.join(session));
}

/// What a process has in memory.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now, of no file.
    pub anonymous_kib: u64,
    /// The most that was resident at once.
    pub greatest_kib: u64,
}

/// What a process has in memory.
pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("it has ended")?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.with_context(|| format!("the kernel does not say {name}"))?;
        Ok(kib.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(Memory { anonymous_kib: field("RssAnon:")?, greatest_kib: field("VmHWM:")? })
}
