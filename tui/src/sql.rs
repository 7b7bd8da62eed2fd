//! Queries in SQL: what the UI needs of an engine, and the thread it runs on.
//!
//! The UI knows no engine: whoever makes it has one, or none. A statement runs on a thread of its own, so
//! that a long one is in nobody's way, and can be cancelled.

use std::cell::RefCell;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Rows of an answer that are shown at most.
pub const MOST_ROWS: usize = 1_000;

/// Calls that a breakpoint takes at most.
const MOST_CALLS: usize = 1_000_000;

/// Something that answers statements about the trace that is shown.
pub trait Engine: Send {
    /// The tables there are, for completion.
    ///
    /// # Errors
    ///
    /// Why they are not known, as a clause for a person.
    fn tables(&mut self) -> Result<Vec<Table>, String>;

    /// Answers a statement with at most `limit` rows; ends soon once `cancel` is set.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a clause for a person.
    fn run(&mut self, statement: &str, limit: usize, cancel: &AtomicBool) -> Result<Rows, String>;

    /// The first `limit` calls of which an expression over the columns of the table `calls` holds;
    /// ends soon once `cancel` is set.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a clause for a person.
    fn calls(
        &mut self,
        expression: &str,
        limit: usize,
        cancel: &AtomicBool,
    ) -> Result<Calls, String>;
}

/// Calls of which an expression holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Their ids, sorted: the numbers of the events that begin them.
    pub ids: Vec<u64>,
    /// There are more, all of which begin later.
    pub more: bool,
}

/// A table, as far as somebody who types needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Names of its columns.
    pub columns: Vec<String>,
}

/// The answer to a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Headings.
    pub columns: Vec<Column>,
    /// Rows, each with a text for each column.
    pub rows: Vec<Row>,
    /// There are more than these.
    pub more: bool,
}

/// A column of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// It holds numbers, which stand at the right.
    pub number: bool,
}

/// A row of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// A text for each column.
    pub cells: Vec<String>,
    /// Where it leads: by the columns that name a call or a time.
    pub leads: Option<Leads>,
}

/// Where a row leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To a call, by its id.
    Call(u64),
    /// To a moment, ns since the start of the trace; in a thread, where one is named.
    Time(i64, Option<u32>),
}

/// What a [`Runner`] says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The tables there are.
    Tables(Vec<Table>),
    /// The answer to the statement of a number.
    Rows(u64, Result<Rows, String>),
    /// The answer to the expression of a number.
    Calls(u64, Result<Calls, String>),
}

enum Ask {
    Tables,
    Run(u64, String, Arc<AtomicBool>),
    Calls(u64, String, Arc<AtomicBool>),
}

/// How long a cancelled statement is waited for where nobody wants its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// A thread with an engine. It ends when this is dropped.
#[derive(Debug)]
pub struct Runner {
    asks: Option<Sender<Ask>>,
    /// Of the statement that was asked last.
    cancel: RefCell<Arc<AtomicBool>>,
    /// Closed when the thread ends.
    ends: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Runner {
    /// Starts it. `tell` takes what it says, on its thread.
    ///
    /// # Errors
    ///
    /// What the system says when it makes no thread.
    pub fn start(
        mut engine: Box<dyn Engine>,
        tell: impl Fn(Said) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (asks, asked) = mpsc::channel();
        let (end, ends) = mpsc::channel();
        let work = move || {
            let _end: Sender<()> = end;
            for ask in asked {
                match ask {
                    // Without them nothing is completed.
                    Ask::Tables => tell(Said::Tables(engine.tables().unwrap_or_default())),
                    Ask::Run(number, statement, cancel) => {
                        let run = || engine.run(&statement, MOST_ROWS, &cancel);
                        tell(Said::Rows(number, caught(run)));
                    }
                    Ask::Calls(number, expression, cancel) => {
                        let run = || engine.calls(&expression, MOST_CALLS, &cancel);
                        tell(Said::Calls(number, caught(run)));
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("queries".to_owned()).spawn(work)?;
        Ok(Self { asks: Some(asks), cancel: RefCell::default(), ends, thread: Some(thread) })
    }

    /// Asks for the tables.
    pub fn tables(&self) {
        self.ask(Ask::Tables);
    }

    /// Runs a statement; one that runs is cancelled.
    pub fn run(&self, number: u64, statement: String) {
        self.ask(Ask::Run(number, statement, self.cancelling()));
    }

    /// Looks for the calls of which an expression holds; a statement that runs is cancelled.
    pub fn calls(&self, number: u64, expression: String) {
        self.ask(Ask::Calls(number, expression, self.cancelling()));
    }

    /// Cancels what runs; what says so to what comes next.
    fn cancelling(&self) -> Arc<AtomicBool> {
        self.cancel();
        let cancel = Arc::new(AtomicBool::new(false));
        self.cancel.replace(Arc::clone(&cancel));
        cancel
    }

    /// Cancels what runs.
    pub fn cancel(&self) {
        self.cancel.borrow().store(true, Ordering::Relaxed);
    }

    fn ask(&self, ask: Ask) {
        if let Some(asks) = &self.asks {
            // The thread ends only with this.
            let _ = asks.send(ask);
        }
    }
}

/// What the engine answers; a panic of it ends nothing else.
fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err("it ended by an error of scope itself; please report it".to_owned())
    })
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.cancel();
        self.asks = None;
        // What does not let itself be cancelled ends with the process: nobody waits for its answer.
        let over = self.ends.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        if let Some(thread) = self.thread.take().filter(|_| over) {
            // Its panics were told.
            let _ = thread.join();
        }
    }
}
