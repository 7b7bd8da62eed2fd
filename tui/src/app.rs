//! The loop: what happens (keys, the mouse, answers, signals, time) changes the state, the state is
//! drawn, what it asks for is asked.
//!
//! Here, and only here, the parts meet that do I/O: the terminal, the workers, the files of the user.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use crossterm::event::{self, Event, KeyEventKind};
use notify::Watcher;
use scope_store::{StoreError, Trace};
use scope_timeline::{Timeline, TimelineError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::{self, Config};
use crate::control::Recorder;
use crate::export::{Exporter, Running, Selection};
use crate::model::{Effect, Model};
use crate::query::Facts;
use crate::session::{Mark, Notebook, Session};
use crate::source::SourceView;
use crate::sql::{Engine, Runner, Said};
use crate::terminal::Screen;
use crate::theme::Theme;
use crate::view;
use crate::worker::{Reply, Worker};

/// Between two looks whether a growing trace has grown.
const GROWTH: Duration = Duration::from_millis(250);
/// Between two looks at what a recorder tells.
const BEAT: Duration = Duration::from_secs(1);
/// Between two looks whether the keyboard thread is to end.
const KEYS: Duration = Duration::from_millis(100);
/// Things that happen are drawn together up to this many.
const BATCH: usize = 1_000;

/// What to show, and what it is shown with.
#[expect(missing_debug_implementations, reason = "the sources and the notebook are anybody's")]
pub struct Options {
    /// The trace.
    pub path: PathBuf,
    /// Its sources.
    pub sources: Arc<dyn SourceView>,
    /// Its marks.
    pub marks: BTreeMap<String, Mark>,
    /// Where marks are kept.
    pub notebook: Box<dyn Notebook>,
    /// Name of the session that is taken up and kept.
    pub session: String,
    /// The recorder of the trace, where it runs in this process.
    pub recorder: Option<Box<dyn Recorder>>,
    /// What answers statements in SQL, where there is something.
    pub engine: Option<Box<dyn Engine>>,
    /// What writes exports, where there is something.
    pub exporter: Option<Arc<dyn Exporter>>,
    /// Once it is true the UI ends as by a signal: one may come before it takes any.
    pub leave: Arc<AtomicBool>,
}

/// How the UI was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Its user left, and has no more use for a recorder.
    Left,
    /// Its user left; a recorder is to go on.
    Detached,
    /// A signal to end came.
    Signal,
    /// The terminal is gone.
    TerminalGone,
}

/// Why the UI could not begin or go on. Each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TimelineError),
    /// There is no terminal.
    #[error(
        "this needs a terminal that can place text; scope report and scope dump print a trace without one"
    )]
    NoTerminal,
    /// The terminal does not do what it should.
    #[error("the terminal failed: {0}")]
    Terminal(#[source] io::Error),
    /// The system makes no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The thread of the UI ended by a panic.
    #[error("the terminal UI ended by an error of scope itself; please report it")]
    Panicked,
    /// The thread that reads the trace ended by a panic.
    #[error("reading the trace ended by an error of scope itself; please report it")]
    ReaderDied,
}

impl From<StoreError> for TuiError {
    fn from(error: StoreError) -> Self {
        Self::Trace(error.into())
    }
}

/// Something that happened.
enum Happened {
    Terminal(Event),
    Reply(Reply),
    Config,
    /// The engine of queries said something.
    Said(Said),
    /// An export was written, or was not.
    Exported(Result<String, String>),
    /// To end.
    End(Exit),
}

/// Shows a trace until its user leaves; says how.
///
/// # Errors
///
/// [`TuiError`]; the terminal is given back first.
pub fn run(mut options: Options) -> Result<Exit, TuiError> {
    if !Screen::is_there() {
        return Err(TuiError::NoTerminal);
    }
    let trace = Trace::open(&options.path)?;
    let facts = Facts::of(&Timeline::new(&trace), None)?;
    let sessions = session_paths(&trace, &options.session);
    let long_trace = Trace::open(&options.path)?;

    let variable = |name: &str| env::var(name).ok();
    let config_path = config::path(variable);
    let read = config_path.as_deref().map_or(Ok(None), read_config);
    let (config, wrong) = match read {
        Ok(config) => (config.unwrap_or_default(), None),
        Err(why) => (Config::default(), Some(why)),
    };
    let mut model = Model::new(facts, config, Theme::detect(variable));
    model.marks = std::mem::take(&mut options.marks);
    match newest_session(&sessions) {
        Ok(Some(session)) => model.resume(&session),
        Ok(None) => {}
        Err(why) => model.warn(why),
    }
    if let Some(why) = wrong {
        model.configure(Err(why));
    }

    let (tell, happened) = mpsc::channel();
    let worker = |trace, sources, grows| {
        let tell = tell.clone();
        // Who no longer listens is on the way out.
        Worker::start(trace, sources, grows, move |reply| drop(tell.send(Happened::Reply(reply))))
            .map_err(TuiError::Thread)
    };
    let screen_worker = worker(trace, Arc::clone(&options.sources), true)?;
    // Ways and long searches have a thread of their own: the screen is answered meanwhile.
    let long_worker = worker(long_trace, options.sources, false)?;
    let runner = match options.engine {
        Some(engine) => {
            model.with_queries();
            let tell = tell.clone();
            let tell = move |said| drop(tell.send(Happened::Said(said)));
            Some(Runner::start(engine, tell).map_err(TuiError::Thread)?)
        }
        None => None,
    };
    if options.recorder.is_some() {
        model.with_recorder();
    }
    if options.exporter.is_some() {
        model.with_exports();
    }
    let _watcher = config_path.as_deref().and_then(|path| watch(path, tell.clone()));
    let signals = watch_signals(tell.clone())?;

    let mut screen = Screen::take().map_err(TuiError::Terminal)?;
    let keyboard = Keyboard::start(tell.clone())?;
    let mut app = App {
        model,
        screen_worker,
        long_worker,
        config_path,
        notebook: options.notebook,
        recorder: options.recorder,
        runner,
        leave: options.leave,
        exporter: options.exporter,
        running: None,
        tell,
    };
    let result = match app.go(&mut screen, &happened) {
        // What was drawn into it meanwhile failed; a screen that is gone is no error.
        Err(TuiError::Terminal(_)) if !Screen::is_there() => Ok(Exit::TerminalGone),
        result => result,
    };
    drop(keyboard);
    signals.close();
    drop(screen);
    let kept = app.model.session().write(&sessions);
    let exit = result?;
    if let Err(why) = kept {
        // Standard error may be a terminal that is gone.
        let _ = writeln!(io::stderr(), "scope: the session was not kept: {why}");
    }
    Ok(exit)
}

struct App {
    model: Model,
    screen_worker: Worker,
    long_worker: Worker,
    config_path: Option<PathBuf>,
    notebook: Box<dyn Notebook>,
    recorder: Option<Box<dyn Recorder>>,
    runner: Option<Runner>,
    leave: Arc<AtomicBool>,
    exporter: Option<Arc<dyn Exporter>>,
    /// The export that is being written, or was last.
    running: Option<Running>,
    tell: Sender<Happened>,
}

impl App {
    fn go(&mut self, screen: &mut Screen, happened: &Receiver<Happened>) -> Result<Exit, TuiError> {
        let size = screen.terminal.size().map_err(TuiError::Terminal)?;
        self.model.resize(size.width, size.height);
        let mut beat = Instant::now();
        let mut refreshed = Instant::now();
        loop {
            if self.leave.load(Ordering::Relaxed) {
                return Ok(Exit::Signal);
            }
            self.ask();
            let model = &self.model;
            screen.terminal.draw(|frame| view::render(model, frame)).map_err(TuiError::Terminal)?;
            let first = match happened.recv_timeout(GROWTH) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(Exit::TerminalGone),
            };
            if first.is_none() {
                // The keyboard does not say when the terminal is gone.
                if !Screen::is_there() {
                    return Ok(Exit::TerminalGone);
                }
            }
            // Also while somebody holds a key.
            if refreshed.elapsed() > GROWTH && !self.model.facts.complete {
                refreshed = Instant::now();
                self.screen_worker.refresh();
            }
            if beat.elapsed() > BEAT {
                beat = Instant::now();
                self.model.beat();
            }
            for happened in first.into_iter().chain(happened.try_iter().take(BATCH)) {
                if let Some(exit) = self.take(happened)? {
                    return Ok(exit);
                }
                // A way leads from where the one before it ended: keys are taken one by one.
                self.ask();
            }
            for effect in self.model.effects() {
                if let Some(exit) = self.do_effect(screen, effect)? {
                    return Ok(exit);
                }
            }
        }
    }

    fn ask(&mut self) {
        for ask in self.model.ask() {
            let worker = if ask.query.is_long() { &self.long_worker } else { &self.screen_worker };
            worker.ask(ask);
        }
    }

    /// Returns how to end, where that is to be.
    fn take(&mut self, happened: Happened) -> Result<Option<Exit>, TuiError> {
        match happened {
            Happened::Terminal(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                self.model.key(key.into());
            }
            Happened::Terminal(Event::Mouse(mouse)) => self.model.mouse(mouse),
            Happened::Terminal(Event::Paste(text)) => self.model.paste(&text),
            Happened::Terminal(Event::Resize(columns, rows)) => self.model.resize(columns, rows),
            Happened::Terminal(_) => {}
            Happened::Reply(Reply::Answer(query, answer)) => self.model.take(query, answer),
            Happened::Reply(Reply::Grown(facts)) => {
                self.model.grow(facts);
                self.long_worker.refresh();
            }
            Happened::Reply(Reply::Progress(percent)) => self.model.progress(percent),
            Happened::Reply(Reply::Damaged(why)) => self.model.warn(why),
            Happened::Reply(Reply::Died) => return Err(TuiError::ReaderDied),
            Happened::Config => {
                if let Some(path) = &self.config_path {
                    // A file that is gone leaves things as they are.
                    match read_config(path) {
                        Ok(Some(config)) => self.model.configure(Ok(config)),
                        Ok(None) => {}
                        Err(why) => self.model.configure(Err(why)),
                    }
                }
            }
            Happened::Said(said) => self.model.heard(said),
            Happened::Exported(answer) => self.model.exported(answer),
            Happened::End(exit) => return Ok(Some(exit)),
        }
        Ok(None)
    }

    fn export(&mut self, selection: Selection) -> Result<(), TuiError> {
        let Some(exporter) = self.exporter.clone() else { return Ok(()) };
        let tell = self.tell.clone();
        // Who no longer listens is on the way out.
        let tell = move |answer| drop(tell.send(Happened::Exported(answer)));
        self.running = Some(Running::start(exporter, selection, tell).map_err(TuiError::Thread)?);
        Ok(())
    }

    /// Returns how to end, where that is to be.
    fn do_effect(&mut self, screen: &mut Screen, effect: Effect) -> Result<Option<Exit>, TuiError> {
        match effect {
            Effect::Quit => return Ok(Some(Exit::Left)),
            Effect::Detach => return Ok(Some(Exit::Detached)),
            Effect::Recorder(order) => {
                let done = self.recorder.as_mut().map(|recorder| recorder.order(order));
                if let Some(Err(why)) = done {
                    self.model.refused(order, &why);
                }
            }
            Effect::Tables => self.runner.iter().for_each(Runner::tables),
            Effect::Query(number, statement) => {
                self.runner.iter().for_each(|runner| runner.run(number, statement.clone()));
            }
            Effect::Calls(number, expression) => {
                self.runner.iter().for_each(|runner| runner.calls(number, expression.clone()));
            }
            Effect::Export(selection) => self.export(selection)?,
            Effect::CancelExport => self.running.iter().for_each(Running::cancel),
            Effect::CancelQuery => self.runner.iter().for_each(Runner::cancel),
            Effect::Interrupt => self.long_worker.interrupt(),
            Effect::Redraw => screen.terminal.clear().map_err(TuiError::Terminal)?,
            Effect::Copy(text) => Screen::copy(&text).map_err(TuiError::Terminal)?,
            Effect::Keep(name, mark) => {
                if let Err(why) = self.notebook.keep(&name, mark.as_ref()) {
                    self.model.warn(why);
                }
            }
        }
        Ok(None)
    }
}

/// A thread that reads the keyboard. It ends when this is dropped; on a terminal that is gone it may
/// never notice, and is left behind.
struct Keyboard {
    stop: Arc<AtomicBool>,
    /// Disconnected once the thread has ended.
    ended: Receiver<()>,
}

impl Keyboard {
    fn start(tell: Sender<Happened>) -> Result<Self, TuiError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (ending, ended) = mpsc::channel::<()>();
        let read = move || {
            let _ending = ending;
            while !stopped.load(Ordering::Relaxed) {
                let happened = match event::poll(KEYS) {
                    Ok(false) => continue,
                    Ok(true) => {
                        event::read().map_or(Happened::End(Exit::TerminalGone), Happened::Terminal)
                    }
                    // The terminal is gone.
                    Err(_) => Happened::End(Exit::TerminalGone),
                };
                let last = matches!(happened, Happened::End(_));
                if tell.send(happened).is_err() || last {
                    return;
                }
            }
        };
        thread::Builder::new().name("keyboard".to_owned()).spawn(read).map_err(TuiError::Thread)?;
        Ok(Self { stop, ended })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.ended.recv_timeout(5 * KEYS);
    }
}

/// Signals that end the UI as its user would: the session is kept, the terminal given back.
fn watch_signals(tell: Sender<Happened>) -> Result<signal_hook::iterator::Handle, TuiError> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT]).map_err(TuiError::Thread)?;
    let handle = signals.handle();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let exit = if signal == SIGHUP { Exit::TerminalGone } else { Exit::Signal };
                if tell.send(Happened::End(exit)).is_err() {
                    return;
                }
            }
        })
        .map_err(TuiError::Thread)?;
    Ok(handle)
}

/// Says when the config file changes. Without a folder for it there is nothing to watch.
fn watch(path: &Path, tell: Sender<Happened>) -> Option<notify::RecommendedWatcher> {
    let file = path.file_name()?.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let changed = !matches!(event.kind, notify::EventKind::Access(_));
        if changed && event.paths.iter().any(|path| path.file_name() == Some(&file)) {
            // Who no longer listens is on the way out.
            let _ = tell.send(Happened::Config);
        }
    })
    .ok()?;
    // Its folder: editors replace files.
    watcher.watch(path.parent()?, notify::RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}

/// The config file; `None` where there is none.
fn read_config(path: &Path) -> Result<Option<Config>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Config::parse(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Where the session of a name is kept, the best place first.
fn session_paths(trace: &Trace, name: &str) -> Vec<PathBuf> {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().take(64).map(plain).collect();
    let mut paths = Vec::new();
    if trace.path().is_dir() {
        paths.push(trace.path().join("sessions").join(format!("{name}.json")));
    }
    let folder = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    let manifest = trace.manifest();
    let own = format!("{}-{}-{name}.json", manifest.created_unix_ns, manifest.target.pid);
    paths.extend(state.map(|state| state.join("scope").join("sessions").join(own)));
    paths
}

/// The session that was kept last, wherever that was.
fn newest_session(paths: &[PathBuf]) -> Result<Option<Session>, String> {
    let kept = |path: &&PathBuf| fs::metadata(path).and_then(|of| of.modified()).ok();
    match paths.iter().filter(|path| kept(path).is_some()).max_by_key(kept) {
        Some(path) => Session::read(path),
        None => Ok(None),
    }
}
