//! What is typed, and what it does.

use crossterm::event::KeyCode;
use scope_model::Tid;
use scope_store::Direction;
use scope_timeline::{Condition, Place};

use super::prompt::Kind;
use super::{Effect, Model, Prompt};
use crate::control::Order;
use crate::keys::{Action, Key};
use crate::query::{FindKind, travel::Destination};
use crate::session::Mark;

/// Lines kept of what was typed.
const MOST_LINES: usize = 100;

/// The commands, as the help and the docs show them: how they are written, and what they do.
pub const COMMANDS: [(&str, &str); 12] = [
    (":1.25s  :250ms  :50%", "to a time, or a share of the trace"),
    (":call ID  :event N", "to just after a call began, or after an event"),
    (":@NAME", "to a mark"),
    (":start  :end", "to the start or the end of the trace"),
    (":thread TID|NAME", "to a thread"),
    (":find CONDITION", "to the next event that satisfies a condition; ] and [ lead to others"),
    (":break CONDITION", "set a breakpoint, as `scope find` takes conditions"),
    (":break sql EXPRESSION", "set one on the calls of which SQL over the columns of calls holds"),
    (":mark NAME [NOTE]  :q", "name this moment; leave"),
    (":sql STATEMENT", "run a query; its rows lead to their times and calls"),
    (":export [thread] FORMAT FILE", "write what the timeline shows, as scope export does"),
    (":pause  :resume  :stop  :detach", "have the recorder of this process do so"),
];

impl Model {
    pub(super) fn prompt_key(&mut self, key: Key) {
        let Some(prompt) = &mut self.prompt else { return };
        match self.config.keys.in_prompt(key) {
            Some(Action::Accept) => self.accept(),
            Some(Action::Cancel) => self.prompt = None,
            Some(Action::ClearLine) => prompt.set(String::new()),
            Some(Action::Complete) => self.complete(),
            Some(Action::HistoryUp) => self.prompt_up(),
            Some(Action::HistoryDown) => self.prompt_down(),
            _ => match key.code {
                KeyCode::Char(c) if !key.ctrl && !key.alt => prompt.insert(c),
                KeyCode::Backspace if prompt.text.is_empty() => self.prompt = None,
                KeyCode::Backspace => prompt.backspace(),
                KeyCode::Delete => prompt.delete(),
                KeyCode::Left => prompt.left(),
                KeyCode::Right => prompt.right(),
                KeyCode::Home => prompt.home(),
                KeyCode::End => prompt.end(),
                _ => {}
            },
        }
    }

    fn prompt_up(&mut self) {
        let Some(prompt) = &mut self.prompt else { return };
        if prompt.kind == Kind::Find {
            prompt.selected = prompt.selected.saturating_sub(1);
        } else {
            let history = match prompt.kind {
                Kind::Query => &self.queries.history,
                _ => &self.history,
            };
            if prompt.back < history.len() {
                let back = prompt.back + 1;
                prompt.set(history[history.len() - back].clone());
                prompt.back = back;
            }
        }
    }

    fn prompt_down(&mut self) {
        let Some(prompt) = &mut self.prompt else { return };
        if prompt.kind == Kind::Find {
            let rows = self.answers.finds.as_ref().map_or(0, |finds| finds.value.rows.len());
            prompt.selected = (prompt.selected + 1).min(rows.saturating_sub(1));
        } else {
            let history = match prompt.kind {
                Kind::Query => &self.queries.history,
                _ => &self.history,
            };
            let back = prompt.back.saturating_sub(1);
            let line = match back {
                0 => String::new(),
                back => history[history.len() - back].clone(),
            };
            prompt.set(line);
            prompt.back = back;
        }
    }

    fn accept(&mut self) {
        let Some(prompt) = self.prompt.take() else { return };
        let text = prompt.text.trim().to_owned();
        if prompt.kind == Kind::Find {
            self.take_find(&prompt);
            return;
        }
        if text.is_empty() {
            return;
        }
        let done = match prompt.kind {
            Kind::Command => self.command(&text),
            Kind::Break => self.set_breakpoint(&text),
            Kind::Mark => self.set_mark(&text),
            Kind::Query => self.run_query(&text),
            Kind::Find => Ok(()),
        };
        match done {
            Ok(()) if prompt.kind == Kind::Query => {}
            Ok(()) => {
                if self.history.last() != Some(&text) {
                    self.history.push(text);
                }
                if self.history.len() > MOST_LINES {
                    self.history.remove(0);
                }
            }
            // What was typed stays, to be mended.
            Err(error) => self.prompt = Some(Prompt { error: Some(error), ..prompt }),
        }
    }

    fn take_find(&mut self, prompt: &Prompt) {
        let finds = self.answers.finds.as_ref();
        let Some(row) = finds.and_then(|finds| finds.value.rows.get(prompt.selected)) else {
            self.say(format!("no function, file or thread is called {}", prompt.text));
            return;
        };
        match row.kind {
            FindKind::Function(id) | FindKind::File(id) => {
                // The first call of the trace, unless one comes from here on.
                self.go(Destination::CallOf(id, Direction::Forward));
            }
            FindKind::Thread(tid) => self.focus_thread(tid),
        }
    }

    /// Does what was typed after a `:`.
    fn command(&mut self, text: &str) -> Result<(), String> {
        let (word, rest) =
            text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim()));
        match word {
            "q" | "quit" => self.quit(),
            "sql" if rest.is_empty() => self.write_query(),
            "sql" => self.run_query(rest)?,
            "pause" => self.order(Order::Pause),
            "resume" => self.order(Order::Resume),
            "stop" => self.order(Order::Stop),
            "detach" => self.detach(),
            "break" => self.set_breakpoint(rest)?,
            "mark" => self.set_mark(rest)?,
            "export" => self.export(rest)?,
            "find" => {
                let condition: Condition = parse(rest)?;
                self.searched = Some((rest.to_owned(), condition.clone()));
                self.go(Destination::Find(condition, Direction::Forward));
            }
            "thread" if rest.is_empty() => {
                return Err("name a thread, or give its id".to_owned());
            }
            "thread" => {
                let tid =
                    self.thread_called(rest).ok_or_else(|| format!("no thread {rest} is known"))?;
                self.focus_thread(tid);
            }
            "call" | "event" => {
                let place: Place = format!("{word}:{rest}").parse().map_err(said)?;
                self.go(Destination::Place(place, self.bookmarks()));
            }
            _ => {
                let place: Place = text
                    .parse()
                    .map_err(|error| format!("{}, or a command; ? lists them", said(error)))?;
                self.go(Destination::Place(place, self.bookmarks()));
            }
        }
        Ok(())
    }

    fn thread_called(&self, text: &str) -> Option<Tid> {
        let by_id = text.parse().ok().map(Tid).filter(|tid| self.threads.contains(tid));
        by_id.or_else(|| {
            self.names.iter().find(|(_, name)| name.as_str() == text).map(|(tid, _)| *tid)
        })
    }

    fn set_mark(&mut self, text: &str) -> Result<(), String> {
        let (name, note) =
            text.split_once(' ').map_or((text, ""), |(name, note)| (name, note.trim()));
        if name.is_empty() {
            return Err("give the mark a name".to_owned());
        }
        let t_ns = self.facts.since(self.focus.time_ns);
        let mark = Mark { moment: self.focus.moment, t_ns, note: note.to_owned() };
        let before = self.marks.insert(name.to_owned(), mark.clone());
        self.effects.push(Effect::Keep(name.to_owned(), Some(mark)));
        let instead = if before.is_some() { ", in place of the mark that was there" } else { "" };
        self.say(format!("marked as @{name}{instead}"));
        Ok(())
    }

    pub(super) fn next_hit(&mut self, direction: Direction) {
        match &self.searched {
            Some((_, condition)) => {
                let condition = condition.clone();
                self.go(Destination::Find(condition, direction));
            }
            None => self.say("search for something first, for example :find duration>1ms"),
        }
    }
}

fn parse(text: &str) -> Result<Condition, String> {
    if text.is_empty() {
        return Err("a condition is missing, for example duration>1ms".to_owned());
    }
    text.parse().map_err(|error: scope_timeline::ConditionError| error.to_string())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
