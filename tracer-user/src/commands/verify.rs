//! `scope verify`: checks a trace and explains what is there. Status 1 when it is damaged.

use std::io::{self, Write};
use std::process::ExitCode;

use scope_store::{Torn, VerifyReport};
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::output::units::{counted, printable, size};
use crate::output::{self, style};

/// Checks a trace.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let report = scope_store::verify(&args.trace)?;
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &Document::new(args, &report))?;
    } else {
        write(&mut out, args, &report)?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The JSON of `scope verify`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document<'a> {
    trace: String,
    sound: bool,
    /// The recorder finished.
    complete: bool,
    events: u64,
    segments: u64,
    blocks: u64,
    bytes: u64,
    /// Null unless bytes are damaged.
    torn: Option<TornDocument<'a>>,
    problems: &'a [String],
}

#[derive(Debug, Serialize)]
struct TornDocument<'a> {
    file: String,
    what: &'a str,
    events_kept: u64,
    bytes_lost: u64,
    /// Null where it is not known.
    events_lost: Option<u64>,
}

impl<'a> Document<'a> {
    fn new(args: &VerifyArgs, report: &'a VerifyReport) -> Self {
        let torn = |torn: &'a Torn| TornDocument {
            file: torn.file.display().to_string(),
            what: &torn.what,
            events_kept: torn.events_kept,
            bytes_lost: torn.bytes_lost,
            events_lost: torn.events_lost,
        };
        Self {
            trace: args.trace.display().to_string(),
            sound: report.is_sound(),
            complete: report.complete,
            events: report.events,
            segments: report.segments,
            blocks: report.blocks,
            bytes: report.bytes,
            torn: report.torn.as_ref().map(torn),
            problems: &report.problems,
        }
    }
}

fn write(out: &mut dyn Write, args: &VerifyArgs, report: &VerifyReport) -> io::Result<()> {
    let path = args.trace.display();
    let head = if report.is_sound() { style::HEAD } else { style::ERROR };
    let verdict = match (report.is_sound(), report.complete) {
        (true, true) => "sound and complete",
        (true, false) => "sound as far as it goes: still recording, or the recorder was killed",
        (false, _) => "damaged",
    };
    writeln!(out, "{path}: {head}{verdict}{head:#}")?;
    writeln!(
        out,
        "{} in {} of {}, {}",
        counted(report.events, "event"),
        counted(report.blocks, "block"),
        counted(report.segments, "segment"),
        size(report.bytes),
    )?;
    if let Some(torn) = &report.torn {
        writeln!(out, "{}", printable(&torn.what))?;
        let events = torn
            .events_lost
            .map_or_else(String::new, |events| format!(", {}", counted(events, "event")));
        writeln!(
            out,
            "before the damage: {}; from there on: {}{events}",
            counted(torn.events_kept, "event"),
            size(torn.bytes_lost),
        )?;
    }
    for problem in &report.problems {
        writeln!(out, "{}", printable(problem))?;
    }
    out.flush()
}
