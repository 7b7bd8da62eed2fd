//! The state of the UI: what is looked at, what was typed, what is known of the trace; no widgets, no
//! reading.
//!
//! Keys and answers change it; after each change, [`Model::ask`] says which questions it wants
//! answered now and [`Model::effects`] what else is to be done. It is the same whether a worker
//! thread answers or a test does.
//!
//! Questions about a place or a range are replaced by later ones of their kind: only the latest
//! screen matters. Ways to go are not: three steps are three steps, made one after the other.

mod act;
mod answers;
mod ask;
pub mod breakpoints;
mod command;
mod control;
mod export;
pub mod health;
pub mod layout;
mod mouse;
mod pane;
pub mod prompt;
pub mod rows;
mod sql;
mod travel;

use std::collections::{BTreeMap, VecDeque};

use scope_model::{FunctionId, Tid};
use scope_timeline::{Bookmarks, CallView, Condition};

pub use answers::{Answered, Answers};
pub use breakpoints::Breakpoint;
pub use command::COMMANDS;
pub use mouse::tabs as mouse_tabs;
pub use pane::Pane;
pub use prompt::Prompt;
pub use rows::SortKey;
pub(crate) use sql::NO_ENGINE;
pub use sql::{Queries, Shown};

use crate::config::Config;
use crate::control::{Control, Order};
use crate::export::Selection;
use crate::focus::{Focus, Jumps};
use crate::keys::{Action, Key};
use crate::query::{Facts, Query, SLOTS, Tree, Which, travel::Destination};
use crate::session::{Mark, Session};
use crate::source::{LineCost, SourceText};
use crate::theme::Theme;
use layout::Regions;

/// Keys that wait at most.
const MOST_EARLY: usize = 256;

/// A stretch of time that is shown, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Its begin.
    pub start_ns: u64,
    /// Its end, later than its begin.
    pub end_ns: u64,
}

impl Range {
    /// How long it is, ns.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    /// Whether a time is in it.
    #[must_use]
    pub const fn contains(&self, time_ns: u64) -> bool {
        self.start_ns <= time_ns && time_ns < self.end_ns
    }
}

/// What is said at the foot of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text.
    pub text: String,
    /// It is about something that went wrong or is in doubt.
    pub warning: bool,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Interrupt the way that is being gone.
    Interrupt,
    /// End.
    Quit,
    /// Draw all of the screen anew.
    Redraw,
    /// Put a text where the user pastes from.
    Copy(String),
    /// Keep a mark, or remove it.
    Keep(String, Option<Mark>),
    /// Have the recorder do something.
    Recorder(Order),
    /// End, and leave the recorder running.
    Detach,
    /// Ask for the tables that can be queried.
    Tables,
    /// Run a statement, by its number.
    Query(u64, String),
    /// Look for the calls of which an expression holds, by its number.
    Calls(u64, String),
    /// Write an export.
    Export(Selection),
    /// Cancel the export that is being written.
    CancelExport,
    /// Cancel the statement that runs.
    CancelQuery,
}

/// A question to ask now.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The question.
    pub query: Query,
    /// Somebody waits for it: what is less urgent is put off.
    pub urgent: bool,
}

#[derive(Clone, Debug)]
struct Asked {
    query: Query,
    snapshot: u64,
    in_flight: bool,
}

/// A way that is to be gone.
#[derive(Clone, Debug)]
struct Going {
    to: Destination,
    /// It adds to the jump list.
    jump: bool,
    /// How far it is, as far as that was said.
    percent: Option<u8>,
}

/// The rows that are selected, by pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// In the calls; `None`: where the focus is.
    pub calls: Option<usize>,
    /// Line of the source; `None`: that of the current node.
    pub source: Option<usize>,
    /// In the states; `None`: the focused thread.
    pub state: Option<usize>,
    /// In the functions.
    pub functions: usize,
    /// In the executions of one.
    pub executions: usize,
    /// In the marks and breakpoints.
    pub marks: usize,
    /// In the answer to a statement.
    pub queries: usize,
    /// In the lines about the recording.
    pub health: usize,
}

/// The state of the UI.
#[derive(Clone, Debug)]
pub struct Model {
    /// What is true of the trace as a whole.
    pub facts: Facts,
    /// Keys.
    pub config: Config,
    /// Colours and glyphs.
    pub theme: Theme,
    detected: Theme,
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// Where somebody looks.
    pub focus: Focus,
    jumps: Jumps,
    /// What the timeline shows.
    pub range: Range,
    /// The focus stays at the end of a growing trace.
    pub following: bool,
    /// Lanes that are scrolled away.
    pub lane_top: usize,
    /// Every thread, in the order of lanes.
    pub threads: Vec<Tid>,
    /// Names of threads, as far as they are known.
    pub names: BTreeMap<Tid, String>,
    /// The pane that has the keys.
    pub pane: Pane,
    /// The pane that is beside the calls on a wide screen.
    pub side: Pane,
    /// Selected rows.
    pub selected: Selected,
    /// What functions are sorted by.
    pub sort: SortKey,
    /// The other way round.
    pub sort_reversed: bool,
    /// Indexes of functions' rows as they are sorted.
    pub function_order: Vec<u32>,
    /// The calls that are listed.
    pub executions_of: Option<Which>,
    /// What is being typed.
    pub prompt: Option<Prompt>,
    history: Vec<String>,
    /// First line of the help that is shown, where it is open.
    pub help: Option<usize>,
    /// What is said.
    pub message: Option<Message>,
    /// Breakpoints.
    pub breakpoints: Vec<Breakpoint>,
    /// Named moments.
    pub marks: BTreeMap<String, Mark>,
    /// Statements in SQL.
    pub queries: Queries,
    /// The recorder, where it is in this process.
    pub control: Option<Control>,
    /// Somebody wants to leave a recording, and was told what that means.
    leaving: bool,
    searched: Option<(String, Condition)>,
    asking: breakpoints::Asking,
    exports: export::Exports,
    /// What is known.
    pub answers: Answers,
    snapshot: u64,
    asked: [Option<Asked>; SLOTS],
    travelling: Option<Going>,
    waiting: VecDeque<Going>,
    early: VecDeque<Key>,
    /// The call whose time is shown once it is known.
    zoom_to: Option<u64>,
    drag: Option<(u16, Range)>,
    effects: Vec<Effect>,
}

impl Model {
    /// The state at the beginning: all of the trace, its start in focus; its end where it is still
    /// growing.
    #[must_use]
    pub fn new(facts: Facts, config: Config, detected: Theme) -> Self {
        let growing = !facts.complete;
        let focus = if growing {
            Focus { moment: facts.end, time_ns: facts.end_ns, ..Focus::default() }
        } else {
            Focus { moment: facts.first, time_ns: facts.start_ns, ..Focus::default() }
        };
        // Until the threads are known: the first thread of a process has its id.
        let known = facts.pid != 0 && facts.first < facts.end;
        let focus = Focus { tid: known.then_some(Tid(facts.pid)), ..focus };
        let range = whole(&facts);
        let mut jumps = Jumps::default();
        jumps.jump(focus);
        let mut model = Self {
            theme: config.theme(detected),
            facts,
            config,
            detected,
            size: (80, 24),
            focus,
            jumps,
            range,
            following: growing,
            lane_top: 0,
            threads: Vec::new(),
            names: BTreeMap::new(),
            pane: Pane::Calls,
            side: Pane::State,
            selected: Selected::default(),
            sort: SortKey::default(),
            sort_reversed: false,
            function_order: Vec::new(),
            executions_of: None,
            prompt: None,
            history: Vec::new(),
            help: None,
            message: None,
            breakpoints: Vec::new(),
            asking: breakpoints::Asking::default(),
            exports: export::Exports::default(),
            marks: BTreeMap::new(),
            queries: Queries::default(),
            control: None,
            leaving: false,
            searched: None,
            answers: Answers::default(),
            snapshot: 0,
            asked: Default::default(),
            travelling: None,
            waiting: VecDeque::new(),
            early: VecDeque::new(),
            zoom_to: None,
            drag: None,
            effects: Vec::new(),
        };
        if model.facts.complete && model.facts.first == model.facts.end {
            model.say("the trace has no events");
        }
        model
    }

    /// Where things are on the screen.
    #[must_use]
    pub fn regions(&self) -> Regions {
        Regions::of(self)
    }

    /// The screen has a new size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.size = (columns, rows);
        self.show_lane();
    }

    /// A new config; one that cannot be read changes nothing and is reported.
    pub fn configure(&mut self, read: Result<Config, String>) {
        match read {
            Ok(config) => {
                self.theme = config.theme(self.detected);
                self.config = config;
                self.say("config file read");
            }
            Err(why) => self.warn(format!("config file not taken, the old one stays: {why}")),
        }
    }

    /// A key was pressed. One that means what is not known yet, as the caller of a call that is being
    /// gone to, waits until it is; so do those after it.
    pub fn key(&mut self, key: Key) {
        if self.early.is_empty() && !self.is_early(key) {
            self.press(key);
        } else if self.config.keys.action(key) == Some(Action::Interrupt) {
            self.early.clear();
            self.press(key);
        } else if self.early.len() < MOST_EARLY {
            self.early.push_back(key);
        }
    }

    fn press(&mut self, key: Key) {
        if self.prompt.is_some() {
            self.prompt_key(key);
        } else if let Some(action) = self.config.keys.action(key) {
            self.act(action);
        }
    }

    fn is_early(&self, key: Key) -> bool {
        if let Some(prompt) = &self.prompt {
            let chooses = matches!(
                self.config.keys.in_prompt(key),
                Some(Action::Accept | Action::HistoryUp | Action::HistoryDown)
            );
            let text = prompt.text.clone();
            return prompt.kind == prompt::Kind::Find
                && chooses
                && !self.is_settled(&Query::Find { text });
        }
        let of_calls = match self.config.keys.action(key) {
            Some(
                Action::FrameUp
                | Action::FrameDown
                | Action::NextCall
                | Action::PreviousCall
                | Action::BreakHere
                | Action::ZoomCall,
            ) => true,
            Some(
                Action::RowUp | Action::RowDown | Action::PageUp | Action::PageDown | Action::Open,
            ) => self.pane == Pane::Calls,
            // These are about where a way leads.
            Some(Action::Mark | Action::Copy | Action::NextThread | Action::PreviousThread) => {
                return self.travelling.is_some() || !self.waiting.is_empty();
            }
            _ => false,
        };
        of_calls
            && (self.travelling.is_some()
                || !self.waiting.is_empty()
                || self.tree_query().is_some_and(|query| !self.is_settled(&query)))
    }

    /// Text was pasted: it is typed where something is typed.
    pub fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            text.chars().filter(|c| !c.is_control()).for_each(|c| prompt.insert(c));
        }
    }

    /// What is to be done, once.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether a way is being gone, and how far that is, in percent, where it is known.
    #[must_use]
    pub fn travelling(&self) -> Option<Option<u8>> {
        self.travelling.as_ref().map(|going| going.percent)
    }

    /// The way that is being gone is so far, in percent.
    pub fn progress(&mut self, percent: u8) {
        if let Some(going) = &mut self.travelling {
            going.percent = Some(percent);
        }
    }

    /// The trace as it is now: it has grown, or it is complete.
    pub fn grow(&mut self, facts: Facts) {
        let showed_all = self.range == whole(&self.facts);
        let grown_ns = facts.end_ns.saturating_sub(self.facts.end_ns);
        let ended = facts.complete && !self.facts.complete;
        self.facts = facts;
        self.snapshot += 1;
        if showed_all {
            self.range = whole(&self.facts);
        } else if self.following {
            self.range.start_ns = self.range.start_ns.saturating_add(grown_ns);
            self.range.end_ns = self.range.end_ns.saturating_add(grown_ns);
        }
        if self.following {
            self.focus.moment = self.facts.end;
            self.focus.time_ns = self.facts.end_ns;
            self.focus.frame = 0;
            self.jumps.step(self.focus);
        }
        if self.focus.moment < self.facts.first {
            self.focus.moment = self.facts.first;
            self.warn("the recording dropped what was in focus");
        }
        self.focus.moment = self.focus.moment.min(self.facts.end);
        if ended {
            self.following = false;
            self.say("the recording has ended");
        }
    }

    /// What the timeline shows: the range, or, where that grows along with the trace, the range of
    /// the latest picture, so that a growing trace does not flicker.
    #[must_use]
    pub fn shown(&self) -> Range {
        let grows = !self.facts.complete && (self.following || self.range == whole(&self.facts));
        let picture = self.answers.picture.as_ref().filter(|_| grows);
        let Some(picture) = picture.map(|answered| &answered.value) else { return self.range };
        let drawn = Range { start_ns: picture.start_ns, end_ns: picture.end_ns };
        let alike = |a: u64, b: u64| a / 2 < b && b / 2 < a;
        if alike(drawn.length(), self.range.length()) { drawn } else { self.range }
    }

    /// The calls around the focus, once they are known.
    #[must_use]
    pub fn current_tree(&self) -> Option<&Tree> {
        let answered = self.answers.tree.as_ref()?;
        match &answered.query {
            Query::Tree(query)
                if Some(query.tid) == self.focus.tid
                    && query.moment == self.focus.moment
                    && query.frame == self.focus.frame =>
            {
                Some(&answered.value)
            }
            _ => None,
        }
    }

    /// The times of the focused call, once they are known.
    #[must_use]
    pub fn current_call(&self) -> Option<&CallView> {
        let id = self.current_tree()?.call()?.id;
        let answered = self.answers.call.as_ref()?;
        (answered.query == Query::Call { id }).then_some(&*answered.value)
    }

    /// The text of the focused function, once it is known.
    #[must_use]
    pub fn current_source(&self) -> Option<&SourceText> {
        let answered = self.answers.source.as_ref()?;
        let call = self.current_tree()?.call()?;
        let here =
            matches!(answered.query, Query::Source { function, .. } if function == call.function);
        answered.value.as_ref().ok().filter(|_| here).map(|text| &**text)
    }

    /// What the lines of the focused function cost, once all events were read.
    #[must_use]
    pub fn current_lines(&self) -> Option<&[LineCost]> {
        let function = self.current_tree()?.call()?.function;
        let answered = self.answers.lines.as_ref()?;
        (answered.query == Query::Lines { function }).then_some(answered.value.as_slice())
    }

    /// The function that is in focus: that of the focused call, or of the selected row.
    #[must_use]
    pub fn focused_function(&self) -> Option<FunctionId> {
        if self.pane == Pane::Functions {
            if let Some(which) = &self.executions_of {
                let selected = self.execution_row(self.selected.executions);
                return which.only().or(selected.map(|call| call.function));
            }
            if let Some(row) = self.function_row(self.selected.functions) {
                return Some(row.id);
            }
        }
        self.current_tree()?.call().map(|call| call.function)
    }

    /// The threads whose lanes are on the screen.
    #[must_use]
    pub fn visible_threads(&self) -> &[Tid] {
        let height = self.regions().lanes.height as usize;
        let top = self.lane_top.min(self.threads.len().saturating_sub(height));
        &self.threads[top..(top + height).min(self.threads.len())]
    }

    /// The name of a thread as far as it is known, and its id.
    #[must_use]
    pub fn thread_name(&self, tid: Tid) -> String {
        match self.names.get(&tid) {
            Some(name) => format!("{name} {tid}"),
            None => format!("thread {tid}"),
        }
    }

    /// Says something.
    pub fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), warning: false });
    }

    /// Warns of something.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), warning: true });
    }

    /// The marks as moments by name.
    #[must_use]
    pub fn bookmarks(&self) -> Bookmarks {
        Bookmarks(self.marks.iter().map(|(name, mark)| (name.clone(), mark.moment)).collect())
    }

    /// What is kept of the state when the UI ends.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::of(self)
    }

    /// Takes what was kept up again, as far as the trace still has it.
    pub fn resume(&mut self, session: &Session) {
        session.apply(self);
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Somebody interrupted it.
    Interrupted,
    /// The trace cannot be read; a clause for a person.
    Error(String),
}

/// All of a trace.
#[must_use]
pub fn whole(facts: &Facts) -> Range {
    Range { start_ns: facts.start_ns, end_ns: facts.end_ns.max(facts.start_ns).saturating_add(1) }
}
