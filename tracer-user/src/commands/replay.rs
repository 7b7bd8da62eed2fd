//! `scope replay`: a trace in the terminal, recorded or still growing.
//!
//! Its marks are the bookmarks of `scope bookmark`: each knows those of the other.

use std::path::PathBuf;
use std::process::ExitCode;

use scope_tui::session::{Mark, Notebook};
use scope_tui::source::NoSources;
use scope_tui::{Options, TuiError};

use super::bookmarks::{Bookmark, Kept};
use super::reading;
use crate::cli::ReplayArgs;

/// Shows the trace until its user leaves.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let marks = Kept::of(&trace)?.all().into_iter().map(|(name, mark)| (name, to_mark(mark)));
    let session = match &args.session {
        Some(name) => name.clone(),
        None => std::env::var("USER").unwrap_or_else(|_| "default".to_owned()),
    };
    let options = Options {
        path: args.trace.clone(),
        sources: Box::new(NoSources),
        marks: marks.collect(),
        notebook: Box::new(Bookmarks { trace: args.trace.clone() }),
        session,
    };
    match scope_tui::run(options) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(TuiError::Trace(error)) => Err(reading::travel_error(&trace, error)),
        Err(error) => Err(error.into()),
    }
}

/// The bookmarks of a trace.
struct Bookmarks {
    trace: PathBuf,
}

impl Notebook for Bookmarks {
    fn keep(&mut self, name: &str, mark: Option<&Mark>) -> Result<(), String> {
        // Read anew: somebody else may have kept some meanwhile.
        let kept = || Kept::of(&reading::open(&self.trace)?);
        let done = match mark {
            Some(mark) => kept().and_then(|kept| kept.put(name, from_mark(mark)).map(drop)),
            None => kept().and_then(|kept| kept.remove(name).map(drop)),
        };
        done.map_err(|error| format!("{error:#}"))
    }
}

fn to_mark(bookmark: Bookmark) -> Mark {
    Mark { moment: bookmark.moment, t_ns: bookmark.t_ns, note: bookmark.note }
}

fn from_mark(mark: &Mark) -> Bookmark {
    Bookmark { moment: mark.moment, t_ns: mark.t_ns, note: mark.note.clone() }
}
