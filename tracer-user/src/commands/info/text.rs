//! `scope info` as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use scope_store::Trace;

use super::Facts;
use crate::commands::reading;
use crate::output::style;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{count, counted, duration, percent, printable, size};

/// Functions left out that are named; the rest is counted.
const LEFT_OUT_SHOWN: usize = 20;

pub(super) fn write(out: &mut dyn Write, trace: &Trace, facts: &Facts) -> io::Result<()> {
    let manifest = trace.manifest();
    let profile = &facts.profile;
    let target = &manifest.target;
    let host = &manifest.host;
    let mut line = |head: &str, text: String| {
        writeln!(out, "{}{head:<11}{:#}{}", style::HEAD, style::HEAD, printable(&text))
    };
    line("trace", format!("{}, format {}", reading::label(trace), manifest.format_version))?;
    line(
        "target",
        format!(
            "{} (pid {}{})",
            target.command.join(" "),
            target.pid,
            if target.started_by_scope { ", started by scope" } else { "" }
        ),
    )?;
    line(
        "host",
        format!(
            "{}, Linux {}, {}, {}",
            host.hostname,
            host.kernel,
            host.machine,
            counted(u64::from(host.cpus), "CPU")
        ),
    )?;
    line("duration", format!("{}, {}", duration(profile.duration_ns), ending(trace)))?;
    line("events", counts(profile.events, &facts.kinds))?;
    line("lost", lost(facts))?;
    let each =
        facts.bytes_per_event(trace).map_or(String::new(), |each| format!(", {each} an event"));
    line("size", format!("{}{each}", size(trace.bytes())))?;
    line("functions", counts(trace.functions().len() as u64, &facts.site_classes))?;
    if let Some(recorder) = &manifest.recorder {
        line(
            "recorder",
            format!(
                "{} of CPU time, {} of the duration; {}; returns: {}",
                duration(recorder.cpu_ns),
                percent(recorder.cpu_ns, profile.duration_ns),
                recorder.attach_mechanism,
                recorder.return_probes,
            ),
        )?;
    }
    writeln!(out)?;
    threads(facts).write(out, terminal_width())?;
    left_out(out, trace)?;
    for warning in &facts.warnings {
        let style = style::WARNING;
        writeln!(out, "\n{style}warning{style:#}: {}", printable(warning))?;
    }
    out.flush()
}

fn ending(trace: &Trace) -> String {
    let reason = trace.manifest().end_reason.as_deref();
    match (trace.is_complete(), reason) {
        (true, Some(reason)) => format!("ended: {reason}"),
        (true, None) => "ended".to_owned(),
        (false, _) => "not ended: still recording, or the recorder was killed".to_owned(),
    }
}

fn lost(facts: &Facts) -> String {
    match facts.profile.lost_events {
        0 => "nothing".to_owned(),
        all => {
            let lost = facts.lost;
            let parts = [("entries", lost.entries), ("exits", lost.exits), ("others", lost.others)];
            counts(all, &parts.into_iter().filter(|(_, number)| *number > 0).collect())
        }
    }
}

/// `3 (a 1, b 2)`.
fn counts(all: u64, parts: &BTreeMap<&'static str, u64>) -> String {
    let parts: Vec<String> =
        parts.iter().map(|(name, number)| format!("{name} {}", count(*number))).collect();
    match parts.is_empty() {
        true => count(all),
        false => format!("{} ({})", count(all), parts.join(", ")),
    }
}

fn threads(facts: &Facts) -> Table {
    let mut table = Table::new(&[
        ("events", Align::Right),
        ("lost", Align::Right),
        ("pid", Align::Right),
        ("tid", Align::Right),
        ("thread", Align::Left),
    ]);
    for thread in &facts.profile.threads {
        table.row(vec![
            count(thread.events),
            count(thread.lost_events),
            thread.pid.to_string(),
            thread.tid.to_string(),
            thread.name.clone(),
        ]);
    }
    table
}

fn left_out(out: &mut dyn Write, trace: &Trace) -> io::Result<()> {
    let left_out = trace.left_out();
    if left_out.is_empty() {
        return Ok(());
    }
    let style = style::HEAD;
    let number = counted(left_out.len() as u64, "function");
    writeln!(out, "\n{style}{number} left out{style:#}")?;
    for function in left_out.iter().take(LEFT_OUT_SHOWN) {
        writeln!(out, "  {}: {}", printable(&function.name), printable(&function.reason))?;
    }
    if left_out.len() > LEFT_OUT_SHOWN {
        let more = count((left_out.len() - LEFT_OUT_SHOWN) as u64);
        writeln!(out, "  and {more} more; --json names them all")?;
    }
    Ok(())
}
