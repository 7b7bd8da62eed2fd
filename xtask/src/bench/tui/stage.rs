//! The UI on a screen of 200×60 without a terminal: its state, its two workers and its drawing, put
//! together as the program does, with a clock on every frame.
//!
//! A frame is what the one thread does between something that happened and a finished screen: the
//! state changes, questions are asked, the screen is drawn, compared with the one before and turned
//! into what a terminal is sent. That is thrown away; how fast a terminal takes it is its own affair.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use scope_store::Trace;
use scope_timeline::Timeline;
use scope_tui::code::Code;
use scope_tui::config::Config;
use scope_tui::keys::Key;
use scope_tui::model::Model;
use scope_tui::query::{Facts, Query, SLOTS};
use scope_tui::source::SourceView;
use scope_tui::theme::{Colours, Theme};
use scope_tui::view;
use scope_tui::worker::{Reply, Worker};

use crate::bench::sample::Times;

/// Columns and rows.
pub const SIZE: (u16, u16) = (200, 60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts what a terminal would be sent.
#[derive(Clone, Debug, Default)]
struct Sent {
    bytes: Rc<Cell<u64>>,
}

impl Write for Sent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.set(self.bytes.get() + bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was measured since it was taken last.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Of each frame.
    pub frames: Times,
    /// From each key to the frame in which all that the screen shows is of it.
    pub answers: Times,
    /// From each question to its answer, by kind.
    pub questions: BTreeMap<&'static str, Times>,
}

/// The UI.
pub struct Stage {
    pub model: Model,
    screen_worker: Worker,
    long_worker: Worker,
    replies: Receiver<Reply>,
    terminal: Terminal<CrosstermBackend<Sent>>,
    sent: Sent,
    /// What was asked last of each kind and is not answered, and when it was asked.
    open: [Option<(Query, Instant)>; SLOTS],
    pub measured: Measured,
}

impl Stage {
    /// Opens a trace, and draws it until all is answered.
    pub fn open(path: &Path) -> Result<Self> {
        let trace = Trace::open(path)?;
        let facts = Facts::of(&Timeline::new(&trace), None)?;
        let theme = Theme { colours: Colours::True, light: false, ascii: false };
        let mut model = Model::new(facts, Config::default(), theme);
        model.resize(SIZE.0, SIZE.1);
        let (tell, replies) = mpsc::channel();
        let sources: Arc<dyn SourceView> = Arc::new(Code::new(path.to_owned()));
        let worker = |trace, grows| {
            let tell = tell.clone();
            let tell = move |reply| drop(tell.send(reply));
            Worker::start(trace, Arc::clone(&sources), grows, tell).context("no thread is made")
        };
        let screen_worker = worker(trace, true)?;
        let long_worker = worker(Trace::open(path)?, false)?;
        let viewport = Viewport::Fixed(Rect::new(0, 0, SIZE.0, SIZE.1));
        let sent = Sent::default();
        let backend = CrosstermBackend::new(sent.clone());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })
            .context("no screen is made")?;
        let open = std::array::from_fn(|_| None);
        let measured = Measured::default();
        let mut stage =
            Self { model, screen_worker, long_worker, replies, terminal, sent, open, measured };
        stage.frame(|_| {})?;
        stage.settle()?;
        // Of the start, what was asked is of interest, and timed elsewhere as a whole.
        stage.measured.frames = Times::default();
        Ok(stage)
    }

    /// Presses a key by name and waits until all that is on the screen is answered.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let key: Key = key.parse().map_err(anyhow::Error::msg)?;
        let begun = Instant::now();
        self.frame(|model| model.key(key))?;
        self.settle()?;
        self.measured.answers.push(begun.elapsed());
        Ok(())
    }

    /// Presses a key and does not wait.
    pub fn press_at_once(&mut self, key: &str) -> Result<()> {
        let key: Key = key.parse().map_err(anyhow::Error::msg)?;
        self.frame(|model| model.key(key))
    }

    /// Types a text, a key a character.
    pub fn type_text(&mut self, text: &str) -> Result<()> {
        text.chars().try_for_each(|c| match c {
            ' ' => self.press("space"),
            c => self.press(&c.to_string()),
        })
    }

    /// Has the trace looked at anew.
    pub fn refresh(&self) {
        self.screen_worker.refresh();
    }

    /// Bytes that a terminal would have been sent.
    pub fn sent(&self) -> u64 {
        self.sent.bytes.get()
    }

    /// Takes answers, and draws a frame for all that have come together.
    pub fn take(&mut self, patience: Duration) -> Result<bool> {
        let Ok(first) = self.replies.recv_timeout(patience) else { return Ok(false) };
        let mut replies = vec![first];
        replies.extend(self.replies.try_iter());
        let begun = Instant::now();
        for reply in replies {
            self.learn(reply)?;
            self.ask();
        }
        self.draw(begun)?;
        Ok(true)
    }

    fn settle(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.model.travelling().is_some() || self.waits() {
            if !self.take(Duration::from_millis(100))? && Instant::now() > deadline {
                bail!("the UI has no answer to {:?}", self.open.iter().flatten().next());
            }
        }
        Ok(())
    }

    /// Waits until nothing at all is not answered.
    pub fn wait_for_all(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.open.iter().any(Option::is_some) {
            if !self.take(Duration::from_millis(100))? && Instant::now() > deadline {
                bail!("the UI has no answer to {:?}", self.open.iter().flatten().next());
            }
        }
        Ok(())
    }

    /// Whether anything on the screen is not answered. Figures that need much of the trace to be read
    /// come later, and the screen says so.
    fn waits(&self) -> bool {
        self.open.iter().flatten().any(|(query, _)| !query.is_long())
    }

    fn frame(&mut self, change: impl FnOnce(&mut Model)) -> Result<()> {
        let begun = Instant::now();
        change(&mut self.model);
        self.draw(begun)
    }

    fn draw(&mut self, begun: Instant) -> Result<()> {
        self.ask();
        let model = &self.model;
        self.terminal.draw(|frame| view::render(model, frame)).context("nothing is drawn")?;
        self.measured.frames.push(begun.elapsed());
        Ok(())
    }

    fn ask(&mut self) {
        for ask in self.model.ask() {
            self.open[ask.query.slot()] = Some((ask.query.clone(), Instant::now()));
            let long = ask.query.is_long();
            let worker = if long { &self.long_worker } else { &self.screen_worker };
            worker.ask(ask);
        }
    }

    fn learn(&mut self, reply: Reply) -> Result<()> {
        match reply {
            Reply::Answer(query, answer) => {
                let open = &mut self.open[query.slot()];
                if let Some((_, asked)) = open.take_if(|(open, _)| *open == query) {
                    let questions = &mut self.measured.questions;
                    questions.entry(kind(&query)).or_default().push(asked.elapsed());
                }
                self.model.take(query, answer);
            }
            Reply::Grown(facts) => {
                self.model.grow(facts);
                self.long_worker.refresh();
            }
            Reply::Progress(percent) => self.model.progress(percent),
            Reply::Damaged(why) => bail!("the trace cannot be read: {why}"),
            Reply::Died => bail!("the thread that reads the trace ended"),
        }
        Ok(())
    }
}

/// What is asked, in a word.
fn kind(query: &Query) -> &'static str {
    match query {
        Query::Travel(_) => "ways",
        Query::States { .. } => "states",
        Query::Tree(_) => "calls around the focus",
        Query::Picture(_) => "lanes",
        Query::Bar { .. } => "all of the trace",
        Query::Flames(_) => "open calls over time",
        Query::Call { .. } => "times of a call",
        Query::Find { .. } => "names",
        Query::Source { .. } => "sources",
        Query::Lines { .. } => "costs of lines",
        Query::Health => "health",
        Query::Functions => "functions",
        Query::Totals => "times of functions",
        Query::Hits(_) => "hits of a search",
        Query::Executions { .. } => "executions of a function",
    }
}
