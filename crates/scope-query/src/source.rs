//! A trace that is asked: its snapshot, the name it goes by, and the bookmarks somebody made in it.

use std::sync::{Arc, OnceLock};

use scope_store::Trace;
use scope_timeline::{Profile, ProfileOptions, profile, syscall};

use crate::QueryError;
use crate::code::Code;
use crate::notes::Notes;

/// A moment of a trace that somebody gave a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// The name.
    pub name: String,
    /// Number of the event that comes next.
    pub event: u64,
    /// Time since the start of the trace, ns.
    pub time_ns: i64,
    /// What was noted about it.
    pub note: String,
}

/// One trace of a query, as it was at one moment.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) bookmarks: Vec<Bookmark>,
    /// Made when it is first asked for.
    profile: OnceLock<Profile>,
    code: Code,
}

impl Source {
    pub(crate) fn new(
        name: Arc<str>,
        trace: Trace,
        bookmarks: Vec<Bookmark>,
        notes: Notes,
    ) -> Self {
        let trace = Arc::new(trace);
        let code = Code::of(&trace, &name, notes);
        Self { name, trace, bookmarks, profile: OnceLock::new(), code }
    }

    /// The code behind the trace. Nothing of it is read before it is asked for something.
    pub(crate) fn code(&self) -> &Code {
        &self.code
    }

    /// A time of the trace since its start, ns.
    pub(crate) fn since_start(&self, time_ns: u64) -> i64 {
        let since = i128::from(time_ns) - i128::from(self.trace.manifest().start_ns);
        i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX })
    }

    /// The time of the recorded machine that is so long after the start, ns; cut to what a clock
    /// can show.
    pub(crate) fn time_at(&self, since_start_ns: i128) -> u64 {
        let time_ns = i128::from(self.trace.manifest().start_ns).saturating_add(since_start_ns);
        u64::try_from(time_ns.max(0)).unwrap_or(u64::MAX)
    }

    /// When the trace ends, ns.
    pub(crate) fn end_ns(&self) -> Result<u64, QueryError> {
        Ok(scope_timeline::Timeline::new(&self.trace).end_ns()?)
    }

    /// The name of a system call on the recorded machine.
    pub(crate) fn syscall(&self, number: u32) -> Option<&'static str> {
        syscall::name(&self.trace.manifest().host.machine, number)
    }

    /// Where the time of the trace went. Reads all of it, once.
    pub(crate) fn profile(&self) -> Result<&Profile, QueryError> {
        if let Some(profile) = self.profile.get() {
            return Ok(profile);
        }
        let made = profile(&self.trace, ProfileOptions::default())?;
        Ok(self.profile.get_or_init(|| made))
    }
}
