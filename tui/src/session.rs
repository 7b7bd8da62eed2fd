//! What is kept of the UI when it ends: where somebody was, breakpoints, the layout. Marks are kept on
//! their own, so that commands know them too.
//!
//! A session is a file of the folder `sessions` in the trace's own, or of the user's state folder where
//! that cannot be written; each has a name, so that several people can have one on the same trace.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use scope_model::Tid;
use serde::{Deserialize, Serialize};

use crate::focus::Focus;
use crate::model::breakpoints::Stops;
use crate::model::{Breakpoint, Model, Pane, SortKey};

/// Version of the file.
const VERSION: u32 = 1;
/// Larger files are refused: no session is.
const MOST_BYTES: u64 = 1 << 20;
/// Breakpoints kept at most.
const MOST_BREAKPOINTS: usize = 1_000;

/// A named moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the event that comes next.
    pub moment: u64,
    /// Time of the moment since the start of the trace, ns.
    pub t_ns: i64,
    /// What somebody noted about it; may be empty.
    #[serde(default)]
    pub note: String,
}

/// Where marks are kept: those of the trace that commands know too.
pub trait Notebook: Send {
    /// Keeps a mark, in the place of one of that name, or removes it.
    ///
    /// # Errors
    ///
    /// Why it could not be kept, as a clause for a person.
    fn keep(&mut self, name: &str, mark: Option<&Mark>) -> Result<(), String>;
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    version: u32,
    moment: u64,
    time_ns: u64,
    thread: Option<u32>,
    frame: usize,
    from_ns: u64,
    until_ns: u64,
    pane: Pane,
    side: Pane,
    sort: SortKey,
    sort_reversed: bool,
    breakpoints: Vec<Kept>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    condition: String,
    function: Option<u32>,
    enabled: bool,
    hits: u64,
}

impl Session {
    pub(crate) fn of(model: &Model) -> Self {
        let kept = |breakpoint: &Breakpoint| Kept {
            condition: breakpoint.text.clone(),
            function: breakpoint.function.map(|function| function.0),
            enabled: breakpoint.enabled,
            hits: breakpoint.hits,
        };
        Self {
            version: VERSION,
            moment: model.focus.moment,
            time_ns: model.focus.time_ns,
            thread: model.focus.tid.map(|tid| tid.0),
            frame: model.focus.frame,
            from_ns: model.range.start_ns,
            until_ns: model.range.end_ns,
            pane: model.pane,
            side: model.side,
            sort: model.sort,
            sort_reversed: model.sort_reversed,
            breakpoints: model.breakpoints.iter().take(MOST_BREAKPOINTS).map(kept).collect(),
        }
    }

    pub(crate) fn apply(&self, model: &mut Model) {
        let facts = &model.facts;
        let outside = self.moment < facts.first || self.moment > facts.end;
        if !model.following && !outside {
            model.focus = Focus {
                moment: self.moment,
                time_ns: self.time_ns.clamp(facts.start_ns, facts.end_ns.max(facts.start_ns)),
                tid: self.thread.map(Tid),
                frame: self.frame,
            };
            model.show_range(self.from_ns, self.until_ns);
            model.begin_here();
        }
        model.pane = self.pane;
        model.side = match self.side {
            Pane::Calls => Pane::State,
            side => side,
        };
        model.sort = self.sort;
        model.sort_reversed = self.sort_reversed;
        for kept in self.breakpoints.iter().take(MOST_BREAKPOINTS) {
            let Ok(stops) = Stops::parse(&kept.condition) else { continue };
            model.breakpoints.push(Breakpoint {
                text: kept.condition.clone(),
                stops,
                function: kept.function.map(scope_model::FunctionId),
                enabled: kept.enabled,
                hits: kept.hits,
            });
        }
    }

    /// Reads a session; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, as a clause for a person.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let why = |error: &dyn std::fmt::Display| format!("session {}: {error}", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(why(&error)),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| why(&error))?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(why(&"it is larger than any session"));
        }
        let session: Self = serde_json::from_slice(&bytes).map_err(|error| why(&error))?;
        if session.version > VERSION {
            return Err(why(&"it is of a newer scope"));
        }
        Ok(Some(session))
    }

    /// Keeps a session in the first of these files that can be written. A file is replaced as a whole.
    ///
    /// # Errors
    ///
    /// Why the last of them could not be written, as a clause for a person.
    pub fn write(&self, paths: &[PathBuf]) -> Result<PathBuf, String> {
        let mut last = "there is no place to keep the session".to_owned();
        for path in paths {
            match self.write_to(path) {
                Ok(()) => return Ok(path.clone()),
                Err(error) => last = format!("session {}: {error}", path.display()),
            }
        }
        Err(last)
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        let temporary = path.with_extension("json.new");
        fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }
}
