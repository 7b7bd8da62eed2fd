//! `scope verify`: checks a trace, repairs it first where that is wished, and explains what is there.
//! Status 1 when it is damaged.

use std::io::{self, Write};
use std::process::ExitCode;

use scope_store::{Repaired, Torn, VerifyReport};
use serde::Serialize;

use crate::cli::VerifyArgs;
use crate::output::units::{counted, printable, size};
use crate::output::{self, style};

/// Checks a trace.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let repaired = args.repair.then(|| scope_store::repair(&args.trace)).transpose()?;
    let report = scope_store::verify(&args.trace)?;
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &Document::new(args, &report, repaired.as_ref()))?;
    } else {
        if let Some(repaired) = &repaired {
            write_repair(&mut out, args, repaired)?;
        }
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
    /// What was done about it; null without `--repair`.
    repair: Option<RepairDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct RepairDocument<'a> {
    changed: bool,
    /// The first damage; null without.
    damage: Option<&'a str>,
    events_kept: u64,
    bytes_dropped: u64,
    segments_dropped: u32,
    /// The recorder had not finished.
    closed: bool,
    segments_sealed: u32,
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
    fn new(args: &VerifyArgs, report: &'a VerifyReport, repaired: Option<&'a Repaired>) -> Self {
        let repair = |repaired: &'a Repaired| RepairDocument {
            changed: repaired.changed(),
            damage: repaired.damage.as_deref(),
            events_kept: repaired.events,
            bytes_dropped: repaired.bytes_dropped,
            segments_dropped: repaired.segments_dropped,
            closed: repaired.closed,
            segments_sealed: repaired.sealed,
        };
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
            repair: repaired.map(repair),
        }
    }
}

fn write_repair(out: &mut dyn Write, args: &VerifyArgs, repaired: &Repaired) -> io::Result<()> {
    let path = args.trace.display();
    if !repaired.changed() {
        return writeln!(out, "{path}: nothing to repair");
    }
    let mut done = Vec::new();
    if repaired.damage.is_some() {
        let segments = match repaired.segments_dropped {
            0 => String::new(),
            segments => format!(", {} whole", counted(segments.into(), "segment")),
        };
        let bytes = size(repaired.bytes_dropped);
        done.push(format!("dropped {bytes} from the first damage on{segments}"));
    }
    if repaired.closed {
        done.push("closed what a killed recorder left open".to_owned());
    }
    if repaired.sealed > 0 {
        done.push(format!("sealed {}", counted(repaired.sealed.into(), "segment")));
    }
    let events = counted(repaired.events, "event");
    writeln!(out, "{path}: repaired: {}; {events} kept", done.join(", "))?;
    match &repaired.damage {
        Some(damage) => writeln!(out, "the damage was: {}", printable(damage)),
        None => Ok(()),
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
