//! What each action does to the state.

use scope_model::Tid;
use scope_store::Direction;
use scope_timeline::{Move, Place};

use super::prompt::Kind;
use super::rows::{CallRow, MarkRow, StateRow};
use super::{Effect, Model, Pane, Prompt, SortKey, whole};
use crate::control::Order;
use crate::keys::Action;
use crate::query::Which;
use crate::query::travel::Destination;
use crate::text;

/// Zoom of one key, in percent.
const ZOOM_IN: u64 = 50;
const ZOOM_OUT: u64 = 200;
/// Part of the range that one key pans by, in percent.
const PAN: i64 = 20;

impl Model {
    pub(super) fn act(&mut self, action: Action) {
        if action != Action::Quit {
            self.leaving = false;
        }
        if self.help.is_some() && self.act_in_help(action) {
            return;
        }
        match action {
            Action::StepOver => self.step(Move::Over),
            Action::BackOver => self.step(Move::BackOver),
            Action::StepInto => self.step(Move::Into),
            Action::BackInto => self.step(Move::BackInto),
            Action::StepOut => self.step(Move::Out),
            Action::BackOut => self.step(Move::BackOut),
            Action::NextEvent => self.step(Move::Next),
            Action::PreviousEvent => self.step(Move::Previous),
            Action::NextCall => self.call_of(Direction::Forward),
            Action::PreviousCall => self.call_of(Direction::Backward),
            Action::FrameUp => self.frame(1),
            Action::FrameDown => self.frame(-1),
            Action::Run => self.run(Direction::Forward),
            Action::RunBack => self.run(Direction::Backward),
            Action::BreakHere => self.break_here(),
            Action::BreakWhen => self.prompt = Some(Prompt::new(Kind::Break)),
            Action::NextHit => self.next_hit(Direction::Forward),
            Action::PreviousHit => self.next_hit(Direction::Backward),
            Action::Interrupt => self.interrupt(),
            Action::Command => self.prompt = Some(Prompt::new(Kind::Command)),
            Action::Find => self.prompt = Some(Prompt::new(Kind::Find)),
            Action::Mark => self.prompt = Some(Prompt::new(Kind::Mark)),
            Action::Start => self.go(Destination::Place(Place::Start, self.bookmarks())),
            Action::End => self.go(Destination::Place(Place::End, self.bookmarks())),
            Action::Follow => self.follow(),
            Action::Back => match self.jumps.back() {
                Some(focus) => self.revisit(focus),
                None => self.say("this is where you began"),
            },
            Action::Forward => match self.jumps.forward() {
                Some(focus) => self.revisit(focus),
                None => self.say("you have not gone back from here"),
            },
            Action::Copy => {
                let place = text::moment(self.facts.since(self.focus.time_ns));
                self.say(format!("copied {place}"));
                self.effects.push(Effect::Copy(place));
            }
            Action::ZoomIn => self.zoom(ZOOM_IN, self.focus.time_ns),
            Action::ZoomOut => self.zoom(ZOOM_OUT, self.focus.time_ns),
            Action::ZoomCall => self.zoom_call(),
            Action::ZoomAll => self.range = whole(&self.facts),
            Action::PanLeft => self.pan(-PAN),
            Action::PanRight => self.pan(PAN),
            Action::NextThread => self.thread_beside(true),
            Action::PreviousThread => self.thread_beside(false),
            Action::PaneCalls => self.show_pane(Pane::Calls),
            Action::PaneSource => self.show_pane(Pane::Source),
            Action::PaneState => self.show_pane(Pane::State),
            Action::PaneFunctions => self.show_pane(Pane::Functions),
            Action::PaneMarks => self.show_pane(Pane::Marks),
            Action::PaneQueries => self.show_pane(Pane::Queries),
            Action::PaneHealth => self.show_pane(Pane::Health),
            Action::WriteQuery => self.write_query(),
            Action::Pause => self.pause(),
            Action::Stop => self.order(Order::Stop),
            Action::Detach => self.detach(),
            Action::NextPane => self.pane_beside(1),
            Action::PreviousPane => self.pane_beside(Pane::ALL.len() - 1),
            Action::Help => self.help = Some(0),
            Action::Redraw => self.effects.push(Effect::Redraw),
            // With a query that runs it is that which ends.
            Action::Quit if self.cancel_query() => self.say("the query is cancelled"),
            Action::Quit => self.quit(),
            Action::RowUp => self.select(self.selected_row(self.pane).saturating_sub(1)),
            Action::RowDown => self.select(self.selected_row(self.pane) + 1),
            Action::PageUp => {
                let page = self.rows_height().max(1);
                self.select(self.selected_row(self.pane).saturating_sub(page));
            }
            Action::PageDown => {
                let page = self.rows_height().max(1);
                self.select(self.selected_row(self.pane) + page);
            }
            Action::Open => self.open(),
            Action::Toggle => self.toggle(),
            Action::Remove => self.remove(),
            Action::SortNext => self.sort_by(1),
            Action::SortPrevious => self.sort_by(SortKey::ALL.len() - 1),
            Action::SortReverse => {
                self.sort_reversed = !self.sort_reversed;
                self.sort_functions();
            }
            // These have their meaning where something is typed.
            Action::Accept
            | Action::Cancel
            | Action::HistoryUp
            | Action::HistoryDown
            | Action::Complete
            | Action::ClearLine => {}
        }
    }

    /// Whether the help took it.
    fn act_in_help(&mut self, action: Action) -> bool {
        let Some(line) = &mut self.help else { return false };
        let page = usize::from(self.size.1 / 2);
        match action {
            Action::RowUp => *line = line.saturating_sub(1),
            Action::RowDown => *line = line.saturating_add(1),
            Action::PageUp => *line = line.saturating_sub(page),
            Action::PageDown => *line = line.saturating_add(page),
            Action::Help | Action::Interrupt | Action::Quit => self.help = None,
            _ => {
                self.help = None;
                return false;
            }
        }
        if let Some(line) = &mut self.help {
            *line = (*line).min(crate::view::help::lines(&self.config.keys).saturating_sub(1));
        }
        true
    }

    fn step(&mut self, step: Move) {
        self.go(Destination::Step { step, count: 1 });
    }

    fn call_of(&mut self, direction: Direction) {
        match self.focused_function() {
            Some(function) => self.go(Destination::CallOf(function, direction)),
            None => self.say("no call is in focus"),
        }
    }

    /// Looks at a frame further out, or further in.
    fn frame(&mut self, by: isize) {
        let depth = self
            .current_tree()
            .and_then(|tree| tree.thread.as_ref())
            .map_or(0, |thread| thread.stack.len());
        let frame = self.focus.frame.saturating_add_signed(by);
        if depth == 0 {
            self.say("no call is open here");
        } else if frame >= depth {
            self.say("this is the outermost call that was recorded");
        } else if frame == self.focus.frame {
            self.say("this is the innermost call");
        } else {
            self.focus.frame = frame;
            self.selected.calls = None;
            self.selected.source = None;
        }
    }

    fn interrupt(&mut self) {
        if self.cancel_asking() {
            self.say("the look for the calls of a breakpoint is cancelled");
        } else if self.cancel_query() {
            self.say("the query is cancelled");
        } else if self.cancel_export() {
            self.say("the export is cancelled");
        } else if self.travelling.is_some() {
            self.waiting.clear();
            self.effects.push(Effect::Interrupt);
        } else if self.pane == Pane::Functions && self.executions_of.is_some() {
            self.executions_of = None;
        } else if self.focus.frame > 0 {
            self.focus.frame = 0;
            self.selected.calls = None;
        } else {
            self.message = None;
        }
    }

    fn follow(&mut self) {
        if self.facts.complete {
            self.say("the recording has ended: nothing comes any more");
            return;
        }
        self.following = !self.following;
        if self.following {
            self.focus.moment = self.facts.end;
            self.focus.time_ns = self.facts.end_ns;
            self.focus.frame = 0;
            self.jumps.jump(self.focus);
            self.after_move();
        }
    }

    /// Shows all of the focused call, once it is known how long that is.
    pub(super) fn zoom_call(&mut self) {
        let Some((id, start_ns)) =
            self.current_tree().and_then(|tree| tree.call()).map(|call| (call.id, call.entered_ns))
        else {
            self.say("no call is in focus");
            return;
        };
        let Some(length) = self.current_call().map(|view| view.elapsed_ns) else {
            self.zoom_to = Some(id);
            return;
        };
        // With a little around it, so that it is seen where it ends.
        let around = length / 16;
        let length = length.saturating_add(2 * around).saturating_add(1);
        self.set_range(start_ns.saturating_sub(around), length);
    }

    pub(super) fn focus_thread(&mut self, tid: Tid) {
        self.focus.tid = Some(tid);
        self.focus.frame = 0;
        self.jumps.jump(self.focus);
        self.after_move();
    }

    fn thread_beside(&mut self, after: bool) {
        let at = self.focus.tid.and_then(|tid| self.threads.iter().position(|known| *known == tid));
        let beside = match (at, after) {
            (Some(at), true) => at + 1,
            (Some(at), false) => at.wrapping_sub(1),
            (None, _) => 0,
        };
        if let Some(tid) = self.threads.get(beside).copied() {
            self.focus_thread(tid);
        }
    }

    pub(super) fn show_pane(&mut self, pane: Pane) {
        self.pane = pane;
        if pane != Pane::Calls {
            self.side = pane;
        }
    }

    fn pane_beside(&mut self, by: usize) {
        let at = Pane::ALL.iter().position(|pane| *pane == self.pane).unwrap_or_default();
        self.show_pane(Pane::ALL[(at + by) % Pane::ALL.len()]);
    }

    /// Goes to what the selected row names.
    pub(super) fn open(&mut self) {
        let row = self.selected_row(self.pane);
        match self.pane {
            Pane::Calls => {
                let (rows, _) = self.call_rows();
                match rows.get(row).copied() {
                    Some(CallRow::Caller { index, .. } | CallRow::Focused { index, .. }) => {
                        self.open_frame(index);
                    }
                    Some(CallRow::Callee(callee)) => {
                        let id = callee.id;
                        self.go(Destination::Call(id));
                    }
                    Some(CallRow::Fold(callees)) => {
                        if let Some(id) = callees.first().map(|first| first.id) {
                            self.go(Destination::Call(id));
                        }
                    }
                    Some(CallRow::Times | CallRow::Now | CallRow::More { .. }) | None => {}
                }
            }
            Pane::Source => self.calls_from_line(row),
            Pane::State => match self.state_rows().get(row).copied() {
                Some(StateRow::Thread(thread)) => {
                    let tid = thread.tid;
                    self.focus_thread(tid);
                }
                Some(StateRow::Frame(index, _)) => self.open_frame(index),
                None => {}
            },
            Pane::Functions => match &self.executions_of {
                Some(_) => {
                    if let Some(id) = self.execution_row(row).map(|call| call.id) {
                        self.go(Destination::Call(id));
                    }
                }
                None => {
                    self.executions_of = self.function_row(row).map(|row| Which::function(row.id));
                    self.selected.executions = 0;
                }
            },
            Pane::Marks => match self.mark_rows().get(row).copied() {
                Some(MarkRow::Mark(name)) => {
                    let place = Place::Bookmark(name.to_owned());
                    self.go(Destination::Place(place, self.bookmarks()));
                }
                Some(MarkRow::Breakpoint(_)) => self.toggle(),
                None => {}
            },
            Pane::Queries => self.open_query_row(row),
            Pane::Health => {}
        }
    }

    /// Lists the calls that were made from a line of the source.
    fn calls_from_line(&mut self, row: usize) {
        let Some(source) = self.current_source() else { return };
        let line = u64::from(source.first_line) + row as u64;
        let name = source.file.rsplit('/').next().unwrap_or(&source.file);
        let place = format!("{name}:{line}");
        let costs = self.current_lines().unwrap_or_default();
        match costs.iter().find(|cost| u64::from(cost.line) == line) {
            Some(cost) => {
                self.executions_of = Some(Which::from_place(&cost.sites, &place));
                self.selected.executions = 0;
                self.show_pane(Pane::Functions);
            }
            None => self.say(format!("no recorded call was made from {place}")),
        }
    }

    /// Looks at the open call with this index in the stack.
    fn open_frame(&mut self, index: usize) {
        let tree = self.answers.tree.as_ref().and_then(|tree| tree.value.thread.as_ref());
        let depth = tree.map_or(0, |thread| thread.stack.len());
        if let Some(frame) = depth.checked_sub(index + 1) {
            self.focus.frame = frame;
            self.selected.calls = None;
            self.selected.source = None;
        }
    }

    fn toggle(&mut self) {
        self.toggle_function();
        let row = match self.mark_rows().get(self.selected.marks) {
            Some(MarkRow::Breakpoint(index)) if self.pane == Pane::Marks => *index,
            _ => return,
        };
        if let Some(breakpoint) = self.breakpoints.get_mut(row) {
            breakpoint.enabled = !breakpoint.enabled;
        }
    }

    fn remove(&mut self) {
        if self.pane != Pane::Marks {
            return;
        }
        match self.mark_rows().get(self.selected.marks).copied() {
            Some(MarkRow::Mark(name)) => {
                let name = name.to_owned();
                self.marks.remove(&name);
                self.say(format!("no mark any more: @{name}"));
                self.effects.push(Effect::Keep(name, None));
            }
            Some(MarkRow::Breakpoint(index)) => {
                let gone = self.breakpoints.remove(index);
                self.say(format!("no breakpoint any more: {}", gone.text));
            }
            None => {}
        }
        self.select(self.selected.marks);
    }

    fn sort_by(&mut self, by: usize) {
        if self.pane != Pane::Functions {
            return;
        }
        let at = SortKey::ALL.iter().position(|key| *key == self.sort).unwrap_or_default();
        self.sort = SortKey::ALL[(at + by) % SortKey::ALL.len()];
        self.sort_functions();
    }

    /// The time in the middle of a column of the lanes, ns.
    #[must_use]
    pub fn time_of_column(&self, column: u16, columns: u16) -> u64 {
        let shown = self.shown();
        let parts = 2 * u128::from(columns.max(1));
        let offset = u128::from(shown.length()) * (2 * u128::from(column) + 1) / parts;
        shown.start_ns.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
    }

    /// The column of the lanes that a time is in, if it is on the screen.
    #[must_use]
    pub fn column_of_time(&self, time_ns: u64, columns: u16) -> Option<u16> {
        let shown = self.shown();
        if !shown.contains(time_ns) || columns == 0 {
            return None;
        }
        let offset = u128::from(time_ns - shown.start_ns) * u128::from(columns);
        let column = offset / u128::from(shown.length().max(1));
        u16::try_from(column).ok().map(|column| column.min(columns - 1))
    }
}
