//! Traces by hand, and a UI over them whose questions are answered at once.

use std::path::PathBuf;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use scope_model::{
    CallEnd, Event, EventKind, Function, FunctionId, Module, ModuleId, Pid, SiteClass, ThreadName,
    Tid,
};
use scope_store::{Host, Manifest, RecorderStats, Target, Trace, TraceWriter, WriterOptions};
use scope_timeline::{Timeline, TimelineError};
use scope_tui::config::Config;
use scope_tui::keys::Key;
use scope_tui::model::{Effect, Failure, Model};
use scope_tui::query::{self, Facts};
use scope_tui::source::{NoSources, SourceView};
use scope_tui::theme::{Colours, Theme};
use scope_tui::view;
use tempfile::TempDir;

/// `CLOCK_MONOTONIC` at which every trace here begins, ns.
pub(crate) const START_NS: u64 = 5_000_000_000;
/// The traced process, and its first thread.
pub(crate) const PID: u32 = 100;

/// A folder with a trace.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Stored {
    /// A trace in a folder that goes with it.
    pub(crate) fn at(path: PathBuf, folder: TempDir) -> Self {
        Self { path, _folder: folder }
    }
}

/// Functions of a trace by name: the index is the id.
pub(crate) const NAMES: [&str; 5] =
    ["main", "server::handle", "server::parse<alloc::string::String>", "server::wait", "send"];

/// A writer of a trace that begins now.
pub(crate) fn writer(path: &std::path::Path, names: &[&str]) -> TraceWriter {
    let functions: Vec<Function> = (0..)
        .zip(names)
        .map(|(id, name)| Function {
            id: FunctionId(id),
            name: (*name).to_owned(),
            symbol: format!("_ZN{id}E"),
            module: ModuleId(0),
            address: u64::from(id) * 16,
            size: 16,
            file: Some("src/server.rs".to_owned()),
            line: Some(10 + id),
            site: SiteClass::Emulated,
            inlined_copies: 0,
        })
        .collect();
    writer_of(path, &functions)
}

/// A writer of a trace of these functions.
pub(crate) fn writer_of(path: &std::path::Path, functions: &[Function]) -> TraceWriter {
    let manifest = Manifest {
        start_ns: START_NS,
        created_unix_ns: 1_700_000_000_000_000_000,
        host: Host { machine: "x86_64".to_owned(), ..Host::default() },
        target: Target { pid: PID, command: vec!["./server".to_owned()], ..Target::default() },
        modules: vec![Module { id: ModuleId(0), path: "/srv/server".to_owned(), build_id: None }],
        ..Manifest::default()
    };
    let options = WriterOptions { segment_bytes: 1 << 16, ..WriterOptions::default() };
    TraceWriter::create(path, manifest, functions, &[], options).unwrap()
}

/// A finished trace of these events that lasted so many microseconds.
pub(crate) fn stored_with(events: &[Event], names: &[&str], lasted_us: u64) -> Stored {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.scope");
    let mut writer = writer(&path, names);
    writer.append(events).unwrap();
    let end_ns = START_NS + lasted_us * 1_000;
    writer.finish(end_ns, "the target ended", RecorderStats::default()).unwrap();
    Stored { path, _folder: folder }
}

/// A finished trace of ten milliseconds.
pub(crate) fn stored(events: &[Event]) -> Stored {
    stored_with(events, &NAMES, 10_000)
}

/// A UI over a trace, and the trace that answers.
pub(crate) struct Stage {
    pub(crate) model: Model,
    pub(crate) trace: Trace,
    pub(crate) effects: Vec<Effect>,
    sources: Box<dyn SourceView>,
}

/// Sixteen colours on dark, unicode.
pub(crate) const PLAIN: Theme = Theme { colours: Colours::Sixteen, light: false, ascii: false };

impl Stage {
    /// The UI as it is when it has just been opened, on 80×24.
    pub(crate) fn new(stored: &Stored) -> Self {
        Self::with(stored, PLAIN)
    }

    pub(crate) fn with(stored: &Stored, theme: Theme) -> Self {
        let trace = Trace::open(&stored.path).unwrap();
        let facts = Facts::of(&Timeline::new(&trace), None).unwrap();
        let model = Model::new(facts, Config::default(), theme);
        let mut stage = Self { model, trace, effects: Vec::new(), sources: Box::new(NoSources) };
        stage.settle();
        stage
    }

    pub(crate) fn sources(&mut self, sources: impl SourceView + 'static) {
        self.sources = Box::new(sources);
    }

    pub(crate) fn sized(mut self, columns: u16, rows: u16) -> Self {
        self.model.resize(columns, rows);
        self.settle();
        self
    }

    /// Answers all that is asked, until nothing is.
    pub(crate) fn settle(&mut self) {
        let timeline = Timeline::new(&self.trace);
        // A screen asks for what it shows, an answer may ask for more; it ends soon.
        for _ in 0..200 {
            self.effects.extend(self.model.effects());
            let asks = self.model.ask();
            if asks.is_empty() {
                return;
            }
            for ask in asks {
                let facts = self.model.facts.clone();
                let answer = query::answer(&timeline, &facts, &*self.sources, &ask.query);
                let answer = answer.map_err(|error| match error {
                    TimelineError::Interrupted => Failure::Interrupted,
                    error => Failure::Error(error.to_string()),
                });
                self.model.take(ask.query, answer);
            }
        }
        panic!("the UI never stops asking");
    }

    /// Presses keys, by name, one after the other; all is answered after each.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            self.model.key(key.parse::<Key>().unwrap());
            self.settle();
        }
        self
    }

    /// Presses keys faster than anything is answered.
    pub(crate) fn press_fast(&mut self, keys: &str) -> &mut Self {
        keys.split_whitespace().for_each(|key| self.model.key(key.parse::<Key>().unwrap()));
        self.settle();
        self
    }

    /// Types text and accepts it.
    pub(crate) fn type_in(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.model.key(Key::char(c));
            self.settle();
        }
        self.press("enter")
    }

    pub(crate) fn buffer(&self) -> Buffer {
        let (columns, rows) = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| view::render(&self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The screen as text; spaces at the ends of lines are left out.
    pub(crate) fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut lines = Vec::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut covered = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if covered > 0 {
                    covered -= 1;
                    continue;
                }
                covered = scope_tui::text::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    /// One line of the screen.
    pub(crate) fn line(&self, y: usize) -> String {
        self.screen().lines().nth(y).unwrap_or_default().to_owned()
    }

    /// What is said at the foot.
    pub(crate) fn said(&self) -> &str {
        self.model.message.as_ref().map_or("", |message| &message.text)
    }
}

/// An event of a thread, `t_us` microseconds after the start.
pub(crate) fn event(t_us: u64, tid: u32, kind: EventKind) -> Event {
    Event { time_ns: START_NS + t_us * 1_000, pid: Pid(PID), tid: Tid(tid), kind }
}

pub(crate) fn enter(t_us: u64, tid: u32, function: u32) -> Event {
    let function = FunctionId(function);
    let kind = EventKind::Enter {
        function,
        return_address: 0x55_0000_1234,
        stack_pointer: 0x7fff_0000_0ff8,
        inherited: false,
    };
    event(t_us, tid, kind)
}

pub(crate) fn leave(t_us: u64, tid: u32, function: u32) -> Event {
    leave_as(t_us, tid, function, CallEnd::Returned)
}

pub(crate) fn leave_as(t_us: u64, tid: u32, function: u32, end: CallEnd) -> Event {
    let function = FunctionId(function);
    event(t_us, tid, EventKind::Leave { function, end, return_value: 0, crosses_gap: false })
}

pub(crate) fn start(t_us: u64, tid: u32, name: &str) -> Event {
    let parent = if tid == PID { Tid(0) } else { Tid(PID) };
    event(t_us, tid, EventKind::ThreadStart { parent, name: ThreadName::new(name) })
}

pub(crate) fn on(t_us: u64, tid: u32) -> Event {
    event(t_us, tid, EventKind::SwitchIn { cpu: (tid % 2) as u16 })
}

pub(crate) fn off(t_us: u64, tid: u32, state: u32) -> Event {
    event(t_us, tid, EventKind::SwitchOut { cpu: (tid % 2) as u16, state })
}

/// A server of two threads: `main` handles three requests, each parsed and sent; in the second it
/// waits 4 ms in a system call until the helper wakes it; `main` is open at the end.
pub(crate) fn server() -> Vec<Event> {
    let helper = 101;
    vec![
        start(0, PID, "server"),
        on(10, PID),
        enter(100, PID, 0),
        enter(200, PID, 1),
        enter(300, PID, 2),
        leave(400, PID, 2),
        enter(450, PID, 4),
        leave(480, PID, 4),
        leave(500, PID, 1),
        start(550, helper, "helper"),
        enter(600, PID, 1),
        enter(700, PID, 2),
        leave(900, PID, 2),
        enter(1_000, PID, 3),
        event(1_010, PID, EventKind::SyscallEnter { number: 0 }),
        off(1_020, PID, 1),
        on(1_100, helper),
        enter(1_200, helper, 2),
        leave(4_900, helper, 2),
        event(5_000, PID, EventKind::Waking { waker: Tid(helper), waker_pid: Pid(PID) }),
        off(5_050, helper, 1),
        on(5_400, PID),
        event(5_410, PID, EventKind::SyscallExit { number: 0, result: 12 }),
        leave(5_500, PID, 3),
        leave(5_600, PID, 1),
        enter(6_000, PID, 1),
        enter(6_100, PID, 2),
        leave(6_200, PID, 2),
        enter(6_300, PID, 4),
        leave(6_310, PID, 4),
        enter(6_400, PID, 4),
        leave(6_410, PID, 4),
        enter(6_500, PID, 4),
        leave(6_510, PID, 4),
        enter(6_600, PID, 4),
        leave(6_640, PID, 4),
        leave(7_000, PID, 1),
        off(9_000, PID, 0),
    ]
}
