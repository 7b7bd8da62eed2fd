//! A thread that answers questions about a trace, so that neither keys nor frames wait for it.
//!
//! Of each kind of question the latest counts; the lowest kind is answered first. A question that
//! somebody waits for puts off the one that is being answered, which is asked again afterwards; a way
//! that is being gone is only ever interrupted by name.
//!
//! A worker has a snapshot of its own. One that grows is refreshed when told, and before each way.

use std::cell::Cell;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use scope_store::Trace;
use scope_timeline::{Timeline, TimelineError};

use crate::model::{Ask, Failure};
use crate::query::executions::Job;
use crate::query::travel::travel;
use crate::query::{self, Answer, Facts, Query, SLOTS};
use crate::query::{sites, totals};
use crate::source::SourceView;

/// Blocks of a slice of a long job.
const SLICE: usize = 64;
/// Events of one.
const SLICE_EVENTS: usize = 1 << 16;

/// What a worker says.
#[derive(Debug)]
pub enum Reply {
    /// An answer, with its question.
    Answer(Query, Result<Answer, Failure>),
    /// How far the way is that is being gone, in percent at most.
    Progress(u8),
    /// The trace is another now.
    Grown(Facts),
    /// The trace cannot be read any more; a clause for a person.
    Damaged(String),
    /// The worker is gone.
    Died,
}

/// A thread with a trace. It ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Mailbox {
    inbox: Mutex<Inbox>,
    wake: Condvar,
    interrupt: AtomicBool,
}

#[derive(Debug, Default)]
struct Inbox {
    pending: [Option<Query>; SLOTS],
    /// The kind that is being answered.
    current: Option<usize>,
    refresh: bool,
    quit: bool,
    /// The way that is to be gone next was interrupted before it began.
    cancelled: bool,
}

enum Work {
    Query(Query),
    Refresh,
    Quit,
}

impl Worker {
    /// Starts a worker. `tell` takes what it says, on its thread; with `grows` it says when the trace
    /// has grown.
    ///
    /// # Errors
    ///
    /// What the system says when it makes no thread.
    pub fn start(
        trace: Trace,
        sources: Arc<dyn SourceView>,
        grows: bool,
        tell: impl Fn(Reply) + Send + 'static,
    ) -> std::io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let of_thread = Arc::clone(&mailbox);
        let thread = thread::Builder::new().name("trace reader".to_owned()).spawn(move || {
            let work = panic::AssertUnwindSafe(|| run(trace, sources, grows, &of_thread, &tell));
            // The hook has said what happened; here the UI is told that nobody answers any more.
            if panic::catch_unwind(work).is_err() {
                tell(Reply::Died);
            }
        })?;
        Ok(Self { mailbox, thread: Some(thread) })
    }

    /// Asks a question, in the place of an earlier one of its kind.
    pub fn ask(&self, ask: Ask) {
        let mut inbox = self.mailbox.lock();
        let slot = ask.query.slot();
        inbox.pending[slot] = Some(ask.query);
        // A way that is being gone ends by itself or by name; all else can wait.
        if ask.urgent && inbox.current.is_some_and(|current| current != 0 && current >= slot) {
            self.mailbox.interrupt.store(true, Ordering::Relaxed);
        }
        self.mailbox.wake.notify_one();
    }

    /// Looks whether the trace has grown.
    pub fn refresh(&self) {
        self.mailbox.lock().refresh = true;
        self.mailbox.wake.notify_one();
    }

    /// Ends the way that is being gone.
    pub fn interrupt(&self) {
        let mut inbox = self.mailbox.lock();
        if inbox.current == Some(0) {
            self.mailbox.interrupt.store(true, Ordering::Relaxed);
        } else if inbox.pending[0].is_some() {
            inbox.cancelled = true;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.mailbox.lock().quit = true;
        self.mailbox.interrupt.store(true, Ordering::Relaxed);
        self.mailbox.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It was told of its panic, if it had one.
            let _ = thread.join();
        }
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing that is done under the lock can panic halfway.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do next; waits for it.
    fn next(&self) -> Work {
        let mut inbox = self.lock();
        inbox.current = None;
        loop {
            if inbox.quit {
                return Work::Quit;
            }
            if let Some(query) = inbox.pending.iter_mut().find_map(Option::take) {
                inbox.current = Some(query.slot());
                // Under the lock: who interrupts from here on means this question.
                let cancelled = query.slot() == 0 && std::mem::take(&mut inbox.cancelled);
                self.interrupt.store(cancelled, Ordering::Relaxed);
                return Work::Query(query);
            }
            if inbox.refresh {
                inbox.refresh = false;
                return Work::Refresh;
            }
            inbox = self.wake.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A question that was put off is asked again, unless there is a later one of its kind.
    fn put_back(&self, query: Query) {
        let slot = query.slot();
        self.lock().pending[slot].get_or_insert(query);
    }

    /// Whether a question is waiting that comes before those of a kind.
    fn is_wanted_before(&self, slot: usize) -> bool {
        let inbox = self.lock();
        inbox.quit || inbox.pending[..slot].iter().any(Option::is_some)
    }
}

/// What goes on from where it was put off.
#[derive(Default)]
struct Jobs {
    executions: Option<Job>,
    totals: Option<totals::Job>,
    sites: sites::Job,
}

fn run(
    mut trace: Trace,
    sources: Arc<dyn SourceView>,
    grows: bool,
    mailbox: &Mailbox,
    tell: &impl Fn(Reply),
) {
    let mut facts: Option<Facts> = None;
    let mut jobs = Jobs::default();
    let mut carried = None;
    let mut grown = false;
    loop {
        let timeline = Timeline::new(&trace).interruptible(&mailbox.interrupt);
        let known = match Facts::of(&timeline, facts.as_ref()) {
            Ok(known) => known,
            Err(error) => {
                tell(Reply::Damaged(error.to_string()));
                return;
            }
        };
        if grows && grown {
            tell(Reply::Grown(known.clone()));
        }
        carried = answer_all(&timeline, &known, &*sources, &mut jobs, mailbox, tell, carried);
        facts = Some(known);
        if mailbox.lock().quit {
            return;
        }
        grown = false;
        loop {
            match trace.refresh() {
                Ok(true) => {
                    grown = true;
                    break;
                }
                Ok(false) if carried.is_some() => break,
                Ok(false) => {}
                Err(error) => tell(Reply::Damaged(error.to_string())),
            }
            // Nothing new: only a question leads on.
            match mailbox.next() {
                Work::Refresh => {}
                Work::Query(query) => {
                    carried = Some(query);
                    break;
                }
                Work::Quit => return,
            }
        }
    }
}

/// Answers until the trace is to be refreshed or all is over. Returns a question to be answered then.
fn answer_all(
    timeline: &Timeline<'_>,
    facts: &Facts,
    sources: &dyn SourceView,
    jobs: &mut Jobs,
    mailbox: &Mailbox,
    tell: &impl Fn(Reply),
    mut carried: Option<Query>,
) -> Option<Query> {
    loop {
        let fresh = carried.is_some();
        let query = match carried.take() {
            Some(query) => query,
            None => match mailbox.next() {
                Work::Query(query) => query,
                Work::Refresh if facts.complete => continue,
                Work::Refresh | Work::Quit => return None,
            },
        };
        if matches!(query, Query::Travel(_)) && !fresh && !facts.complete {
            // The end that is seen on the screen may be later than the one known here.
            return Some(query);
        }
        let answer = match &query {
            Query::Executions { of } => {
                let kept = jobs.executions.take().filter(|job| job.of() == of);
                let job = jobs.executions.insert(kept.unwrap_or_else(|| Job::new(of.clone())));
                executions(timeline, job, mailbox, query.slot())
            }
            Query::Lines { function } => {
                let read = sites(timeline, &mut jobs.sites, mailbox, query.slot());
                read.map(|()| {
                    let costs = sources.costs(facts, *function, jobs.sites.sites());
                    Answer::Lines(Arc::new(costs))
                })
            }
            Query::Totals => totals(timeline, &mut jobs.totals, mailbox, query.slot()),
            Query::Travel(way) => {
                let told = Cell::new(None);
                let progress = |passed: u64, whole: u64| {
                    let percent = u128::from(passed) * 100 / u128::from(whole.max(1));
                    let percent = percent.min(100) as u8;
                    if told.replace(Some(percent)) != Some(percent) {
                        tell(Reply::Progress(percent));
                    }
                };
                travel(timeline, way, &progress).map(Answer::Travel)
            }
            query => query::answer(timeline, facts, sources, query),
        };
        match answer {
            // The focus may be later than the end known here, too.
            Err(TimelineError::NoSuchEvent { .. }) if !fresh && !facts.complete => {
                return Some(query);
            }
            Ok(answer) => tell(Reply::Answer(query, Ok(answer))),
            Err(TimelineError::Interrupted) if matches!(query, Query::Travel(_)) => {
                tell(Reply::Answer(query, Err(Failure::Interrupted)));
            }
            Err(TimelineError::Interrupted) => mailbox.put_back(query),
            Err(error) => {
                tell(Reply::Answer(query, Err(Failure::Error(error.to_string()))));
            }
        }
    }
}

fn executions(
    timeline: &Timeline<'_>,
    job: &mut Job,
    mailbox: &Mailbox,
    slot: usize,
) -> Result<Answer, TimelineError> {
    while job.go_on(timeline, SLICE)? {
        if mailbox.is_wanted_before(slot) {
            return Err(TimelineError::Interrupted);
        }
    }
    Ok(Answer::Executions(Arc::new(job.found())))
}

fn sites(
    timeline: &Timeline<'_>,
    job: &mut sites::Job,
    mailbox: &Mailbox,
    slot: usize,
) -> Result<(), TimelineError> {
    while job.go_on(timeline, 1)? {
        if mailbox.is_wanted_before(slot) {
            return Err(TimelineError::Interrupted);
        }
    }
    Ok(())
}

fn totals(
    timeline: &Timeline<'_>,
    kept: &mut Option<totals::Job>,
    mailbox: &Mailbox,
    slot: usize,
) -> Result<Answer, TimelineError> {
    let mut job = match kept.take() {
        Some(job) => job,
        None => totals::Job::new(timeline)?,
    };
    while job.go_on(SLICE_EVENTS)? {
        if mailbox.is_wanted_before(slot) {
            *kept = Some(job);
            return Err(TimelineError::Interrupted);
        }
    }
    Ok(Answer::Totals(Arc::new(job.finish())))
}
