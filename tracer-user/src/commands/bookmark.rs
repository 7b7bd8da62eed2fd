//! `scope bookmark`: names moments of a trace, lists and removes them. `@NAME` is then a moment.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use clap::error::ErrorKind;
use scope_timeline::Timeline;
use serde::Serialize;

use super::bookmarks::{Bookmark, Kept};
use super::reading;
use crate::cli::{self, BookmarkArgs};
use crate::output;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{moment, printable};

/// Does what is asked for: with a name and a moment, keeps them; with a name to remove, removes that;
/// else lists what is kept.
pub fn run(args: &BookmarkArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let kept = Kept::of(&trace)?;
    let mut out = output::stdout();
    match (&args.name, &args.time, &args.remove) {
        (Some(name), Some(place), None) => {
            if name.is_empty() || name.chars().any(char::is_control) {
                cli::wrong_usage("bookmark", ErrorKind::ValueValidation, "a name needs letters");
            }
            let at = reading::resolve(&Timeline::new(&trace), place)?;
            let t_ns = reading::since_start(&trace, at.time_ns);
            let note = args.note.clone().unwrap_or_default();
            let path = kept.put(name, Bookmark { moment: at.event, t_ns, note })?;
            let (name, at) = (printable(name), moment(t_ns));
            writeln!(out, "@{name} is {at}, kept in {}", path.display())?;
        }
        (None, None, Some(name)) => {
            if !kept.remove(name)? {
                bail!("there is no bookmark {name} of {}", args.trace.display());
            }
        }
        (None, None, None) => list(&mut out, &kept, args.json)?,
        _ => {
            let message = "give a NAME and a TIME to keep them, --remove NAME, or neither to list";
            cli::wrong_usage("bookmark", ErrorKind::MissingRequiredArgument, message);
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The JSON of `scope bookmark`, one object a line. Its names are a contract: fields are added, never
/// renamed or removed.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    t_ns: i64,
    /// The event just before; null at the start.
    after_event: Option<u64>,
    note: &'a str,
}

fn list(out: &mut dyn Write, kept: &Kept, json: bool) -> anyhow::Result<()> {
    let mut all: Vec<(String, Bookmark)> = kept.all().into_iter().collect();
    all.sort_by_key(|(_, mark)| mark.moment);
    if json {
        for (name, mark) in &all {
            let (t_ns, note) = (mark.t_ns, mark.note.as_str());
            let after_event = mark.moment.checked_sub(1);
            output::json::line(&mut &mut *out, &Line { name, t_ns, after_event, note })?;
        }
        return Ok(());
    }
    if all.is_empty() {
        writeln!(out, "no bookmarks; scope bookmark TRACE NAME TIME keeps one")?;
        return Ok(());
    }
    let columns = [("time", Align::Right), ("name", Align::Left), ("note", Align::Left)];
    let mut table = Table::new(&columns);
    for (name, mark) in all {
        table.row(vec![moment(mark.t_ns), format!("@{name}"), mark.note]);
    }
    table.write(out, terminal_width())?;
    Ok(())
}
