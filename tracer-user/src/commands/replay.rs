//! `scope replay`: a trace in the terminal, recorded or still growing.
//!
//! Its marks are the bookmarks of `scope bookmark`: each knows those of the other.

#[cfg(feature = "sql")]
mod engine;
mod exports;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use scope_tui::code::Code;
use scope_tui::session::{Mark, Notebook};
use scope_tui::sql::Engine;
use scope_tui::{Options, TuiError};

use self::exports::Exports;
use super::bookmarks::{Bookmark, Kept};
use super::reading;
use crate::cli::ReplayArgs;

/// Shows the trace until its user leaves.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    match scope_tui::run(options(&args.trace, args.session.as_deref())?) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(explained(&args.trace, error)),
    }
}

/// An error of the UI, as other commands tell it.
pub fn explained(path: &Path, error: TuiError) -> anyhow::Error {
    match error {
        TuiError::Trace(error) => match reading::open(path) {
            Ok(trace) => reading::travel_error(&trace, error),
            Err(error) => error,
        },
        error => error.into(),
    }
}

/// What the UI shows of a trace, with the session of a name, or of the user's.
///
/// # Errors
///
/// When the trace or its bookmarks cannot be read.
pub fn options(path: &Path, session: Option<&str>) -> anyhow::Result<Options> {
    let trace = reading::open(path)?;
    let marks = Kept::of(&trace)?.all().into_iter().map(|(name, mark)| (name, to_mark(mark)));
    let session = match session {
        Some(name) => name.to_owned(),
        None => std::env::var("USER").unwrap_or_else(|_| "default".to_owned()),
    };
    Ok(Options {
        path: path.to_path_buf(),
        sources: Arc::new(Code::new(path.to_path_buf())),
        marks: marks.collect(),
        notebook: Box::new(Bookmarks { trace: path.to_path_buf() }),
        session,
        recorder: None,
        engine: engine(path),
        exporter: Some(Arc::new(Exports { trace: path.to_path_buf() })),
        leave: Arc::default(),
    })
}

/// What answers statements in SQL.
#[cfg(feature = "sql")]
fn engine(path: &Path) -> Option<Box<dyn Engine>> {
    Some(Box::new(engine::Queries::new(path.to_path_buf())))
}

/// This build has nothing that answers statements in SQL.
#[cfg(not(feature = "sql"))]
fn engine(_: &Path) -> Option<Box<dyn Engine>> {
    None
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
