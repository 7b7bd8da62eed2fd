//! Breakpoints: conditions that stop runs, and the calls that an expression in SQL chose.
//!
//! The timeline knows no SQL. An expression is answered once, by the ids of the calls of which it holds;
//! runs go by these. Of a trace that has grown it is asked again when a run begins.

use std::sync::Arc;

use scope_model::FunctionId;
use scope_store::Direction;
use scope_timeline::Condition;

use super::sql::NO_ENGINE;
use super::{Effect, Model};
use crate::keys::Action;
use crate::query::travel::{Destination, StopAt};
use crate::sql::Calls;
use crate::text;

/// Before an expression in SQL.
pub(super) const SQL: &str = "sql ";

/// Something that stops a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// As it was typed.
    pub text: String,
    /// As it was understood.
    pub stops: Stops,
    /// The function it was set on with a key, if it was.
    pub function: Option<FunctionId>,
    /// It stops runs.
    pub enabled: bool,
    /// How many runs it stopped.
    pub hits: u64,
}

/// Where a breakpoint stops runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stops {
    /// At events that satisfy a condition.
    Condition(Box<Condition>),
    /// Where calls begin of which an expression over the columns of the table `calls` holds.
    Sql {
        /// The expression.
        expression: String,
        /// These calls, once they are known.
        calls: Option<Known>,
    },
}

/// The calls that an expression chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub calls: Arc<Calls>,
    /// The trace had events up to this one when it was asked.
    end: u64,
}

/// What the engine is asked for breakpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Asking {
    number: u64,
    /// The breakpoint that is asked about, by its text, and the end of the trace then.
    about: Option<(String, u64)>,
    /// The run that waits for it, and up to where the trace went when it was to begin.
    run: Option<(Direction, u64)>,
}

impl Stops {
    /// Reads what was typed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a condition is missing, for example duration>1ms".to_owned());
        }
        if let Some(expression) = text.strip_prefix(SQL) {
            return Ok(Self::Sql { expression: expression.trim().to_owned(), calls: None });
        }
        let condition: Condition =
            text.parse().map_err(|error: scope_timeline::ConditionError| error.to_string())?;
        Ok(Self::Condition(Box::new(condition)))
    }
}

impl Model {
    pub(super) fn set_breakpoint(&mut self, text: &str) -> Result<(), String> {
        let stops = Stops::parse(text)?;
        if matches!(stops, Stops::Sql { .. }) {
            self.may_ask()?;
        }
        self.add_breakpoint(text.to_owned(), stops, None);
        Ok(())
    }

    /// Sets or removes one on the focused function.
    pub(super) fn break_here(&mut self) {
        let Some(function) = self.focused_function() else {
            self.say("no call is in focus");
            return;
        };
        if let Some(at) = self.breakpoints.iter().position(|known| known.function == Some(function))
        {
            let gone = self.breakpoints.remove(at);
            self.say(format!("no breakpoint any more: {}", gone.text));
            return;
        }
        let name = self.facts.name(function);
        let quote = if name.contains('"') { '\'' } else { '"' };
        let text = format!("function={quote}{name}{quote} kind=enter");
        match Stops::parse(&text) {
            Ok(stops) => self.add_breakpoint(text, stops, Some(function)),
            Err(error) => self.warn(format!("no condition can name {name}: {error}")),
        }
    }

    fn add_breakpoint(&mut self, text: String, stops: Stops, function: Option<FunctionId>) {
        if self.breakpoints.iter().any(|known| known.text == text) {
            self.say(format!("there is a breakpoint {text} already"));
            return;
        }
        let sql = matches!(stops, Stops::Sql { .. });
        if !sql {
            self.say(format!("breakpoint {text}; {}", self.how_to_run()));
        }
        self.breakpoints.push(Breakpoint { text, stops, function, enabled: true, hits: 0 });
        if sql {
            self.ask_about(self.breakpoints.len() - 1);
        }
    }

    fn how_to_run(&self) -> String {
        let run = self.config.keys.key_of(Action::Run).unwrap_or_default();
        let back = self.config.keys.key_of(Action::RunBack).unwrap_or_default();
        format!("{run} runs to it, {back} runs back")
    }

    /// Runs to the next breakpoint, or back to the one before.
    pub(super) fn run(&mut self, direction: Direction) {
        if !self.breakpoints.iter().any(|breakpoint| breakpoint.enabled) {
            let here = self.config.keys.key_of(Action::BreakHere).unwrap_or_default();
            let when = self.config.keys.key_of(Action::BreakWhen).unwrap_or_default();
            self.say(format!(
                "no breakpoint is set: {here} sets one on this function, {when} on a condition"
            ));
            return;
        }
        self.run_as_of(direction, self.facts.end);
    }

    /// Runs, once every expression was answered for the trace up to an event at least.
    fn run_as_of(&mut self, direction: Direction, end: u64) {
        let outdated = |breakpoint: &Breakpoint| {
            breakpoint.enabled
                && matches!(&breakpoint.stops, Stops::Sql { calls, .. }
                    if calls.as_ref().is_none_or(|calls| calls.end < end))
        };
        if let Some(index) = self.breakpoints.iter().position(outdated) {
            if let Err(why) = self.may_ask() {
                self.warn(why);
                return;
            }
            self.ask_about(index);
            self.asking.run = Some((direction, end));
            return;
        }
        let stops = self.breakpoints.iter().enumerate().filter(|(_, known)| known.enabled);
        let stops = stops.filter_map(|(index, breakpoint)| {
            let stop = match &breakpoint.stops {
                Stops::Condition(condition) => StopAt::Condition(Condition::clone(condition)),
                Stops::Sql { calls, .. } => StopAt::Calls(Arc::clone(&calls.as_ref()?.calls)),
            };
            Some((index, stop))
        });
        self.go(Destination::Run(stops.collect(), direction));
        self.say("running; esc stops it");
    }

    fn may_ask(&self) -> Result<(), String> {
        if !self.queries.available {
            return Err(NO_ENGINE.to_owned());
        }
        if self.queries.running {
            return Err("a query runs, and one is answered at a time; esc cancels it".to_owned());
        }
        Ok(())
    }

    fn ask_about(&mut self, index: usize) {
        let Some(breakpoint) = self.breakpoints.get(index) else { return };
        let Stops::Sql { expression, .. } = &breakpoint.stops else { return };
        self.asking.number += 1;
        self.asking.about = Some((breakpoint.text.clone(), self.facts.end));
        self.asking.run = None;
        self.effects.push(Effect::Calls(self.asking.number, expression.clone()));
        self.say(format!("looking for the calls of breakpoint {}; esc cancels", breakpoint.text));
    }

    /// Whether an expression was being answered, which is cancelled.
    pub(super) fn cancel_asking(&mut self) -> bool {
        let asked = self.asking.about.is_some();
        if asked {
            self.asking.run = None;
            self.effects.push(Effect::CancelQuery);
        }
        asked
    }

    /// The engine answered an expression.
    pub(super) fn heard_calls(&mut self, number: u64, answer: Result<Calls, String>) {
        if number != self.asking.number {
            // Another one took its place.
            return;
        }
        let Some((text, end)) = self.asking.about.take() else { return };
        let run = self.asking.run.take();
        // It may have been removed meanwhile.
        let Some(at) = self.breakpoints.iter().position(|known| known.text == text) else { return };
        let Stops::Sql { calls: known, .. } = &mut self.breakpoints[at].stops else { return };
        match answer {
            Ok(calls) => {
                let (count, more) = (calls.ids.len() as u64, calls.more);
                *known = Some(Known { calls: Arc::new(calls), end });
                let of = if more { "more than " } else { "" };
                let calls = if count == 1 { "call" } else { "calls" };
                let how = self.how_to_run();
                let said = format!("breakpoint {text}: {of}{} {calls}; {how}", text::count(count));
                if more {
                    self.warn(format!("{said}, of those at the start of the trace"));
                } else {
                    self.say(said);
                }
                if let Some((direction, end)) = run {
                    self.run_as_of(direction, end);
                }
            }
            Err(why) => {
                if known.is_none() {
                    self.breakpoints.remove(at);
                    self.warn(format!("no breakpoint {text}: {why}"));
                } else {
                    self.warn(format!("breakpoint {text}: {why}"));
                }
            }
        }
    }
}
