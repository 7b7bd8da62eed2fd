//! `cargo xtask screens`: the pictures of the documents, taken from `scope replay` on a fresh recording
//! of the demo. Keys are pressed on a terminal, and what it shows is written as SVG.
//!
//! Times and thread ids are those of the machine it runs on: no two recordings are the same, so there is
//! no check that says a picture is out of date.

mod svg;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::demo;
use crate::project::{root, run as run_command};
use crate::pty::Pty;
use svg::Shot;

/// Columns and rows: what a page of documents has room for, with one pane.
const SIZE: (u16, u16) = (116, 34);
/// Each screen of the session is shown for so long.
const SECONDS: f64 = 4.0;
/// Nothing more comes after this long; shorter than the UI's own beat, four times a second.
const QUIET: Duration = Duration::from_millis(120);

/// What is done, what must be on the screen then, and what is said of it.
const SESSION: [(&str, &str, &str); 8] = [
    ("", "worker-", "scope replay demo.scope: who ran and who waited, all of the recording"),
    ("4", "demo::risk::simulate", "4: all functions and how long their calls took"),
    (
        "/audit\r1",
        "demo::ledger::Ledger::audit",
        "/audit Enter, 1: the first call of Ledger::audit",
    ),
    (
        "Bwithin=*::lock thread=worker-* state=blocked\rc",
        "breakpoint hit 1",
        "B…, c: run to where a worker blocks while it takes the lock",
    ),
    ("3", "blocked", "3: what every thread was doing then"),
    ("/auditor\ru2", "checksum", "/auditor Enter, u, 2: who has the lock, and its source"),
    ("1z", "checksum", "1, z: the calls again, and the timeline zoomed to that call"),
    ("N", "checksum", "N: one step back in time"),
];
/// The screen of the session that is shown alone too.
const STILL: usize = 5;

/// Takes all pictures.
pub fn run() -> Result<()> {
    // The screen shows where sources are: not where somebody keeps this project.
    let sources = std::env::temp_dir().join("order-service");
    run_command(Command::new("cp").arg("-r").arg(root().join(demo::WORKLOAD)).arg(&sources))?;
    let recorded = demo::recorded(&sources);
    fs::remove_dir_all(&sources).context("cannot remove the copy of the demo's sources")?;
    let (scope, trace) = recorded?;
    let shots = session(&scope, &trace)?;
    let folder = root().join("docs/images");
    fs::create_dir_all(&folder).context("cannot make a folder for pictures")?;
    let still = shots.get(STILL).context("the session has that screen")?.clone();
    for (name, shots) in [("session.svg", &shots[..]), ("replay.svg", &[still][..])] {
        let file = folder.join(name);
        fs::write(&file, svg::session(shots, SECONDS))
            .with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}

/// Presses the keys of the session; its screens.
fn session(scope: &Path, trace: &Path) -> Result<Vec<Shot>> {
    let mut command = Command::new(scope);
    // In its folder: the first line shows the name alone, and nobody's settings count.
    command.arg("replay").arg(trace).args(["--session", "screens"]);
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    let mut pty = Pty::start(&command, SIZE)?;
    let mut shots = Vec::new();
    for (keys, wanted, caption) in SESSION {
        pty.send(keys.as_bytes())?;
        pty.until(caption, |screen| {
            let text = screen.contents();
            text.contains(wanted) && text.contains("complete") && !text.contains("reading")
        })?;
        pty.rest(QUIET)?;
        shots.push(Shot { screen: pty.screen().clone(), caption: caption.to_owned() });
    }
    pty.send(b"q")?;
    ensure!(pty.wait()?.success(), "scope replay failed");
    // The recording is left as one that nobody looked at.
    let _ = fs::remove_file(trace.join("sessions/screens.json"));
    Ok(shots)
}
