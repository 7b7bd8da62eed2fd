//! Having a recorder do things, where there is one.

use super::{Effect, Model, Pane};
use crate::control::{Control, Order};
use crate::keys::Action;

impl Model {
    /// The recorder runs in this process and takes orders.
    pub fn with_recorder(&mut self) {
        self.control = Some(Control::default());
    }

    /// Whether a recording goes on that this UI can have do things; says so where there is none.
    fn recorder(&mut self) -> bool {
        let there = self.records_here();
        if !there && self.facts.complete {
            self.say("the recording has ended");
        } else if !there {
            self.say("the recorder is another process: only the scope that began it steers it");
        }
        there
    }

    /// Whether a recording goes on in this process.
    pub(super) fn records_here(&self) -> bool {
        self.control.as_ref().is_some_and(|control| !control.stopped) && !self.facts.complete
    }

    pub(super) fn order(&mut self, order: Order) {
        if !self.recorder() {
            return;
        }
        if let Some(control) = &mut self.control {
            control.give(order);
        }
        self.effects.push(Effect::Recorder(order));
        let key = |action| self.config.keys.key_of(action).unwrap_or_default();
        let said = match order {
            Order::Pause => {
                format!("paused: no calls are recorded; {} goes on", key(Action::Pause))
            }
            Order::Resume => "recording again".to_owned(),
            Order::Disable(function) => {
                format!("calls of {} are not recorded any more", self.facts.name(function))
            }
            Order::Enable(function) => {
                format!("calls of {} are recorded again", self.facts.name(function))
            }
            Order::Stop => "the recording ends; the trace stays on the screen".to_owned(),
        };
        self.say(said);
    }

    /// An order was not carried out.
    pub fn refused(&mut self, order: Order, why: &str) {
        if let (Some(control), Some(back)) = (&mut self.control, Control::reverse(order)) {
            control.give(back);
        }
        self.warn(why);
    }

    pub(super) fn pause(&mut self) {
        let paused = self.control.as_ref().is_some_and(|control| control.paused);
        self.order(if paused { Order::Resume } else { Order::Pause });
    }

    /// Whether the selected function's calls are recorded or not is turned around.
    pub(super) fn toggle_function(&mut self) {
        if self.pane != Pane::Functions || self.executions_of.is_some() {
            return;
        }
        let Some(function) = self.function_row(self.selected.functions).map(|row| row.id) else {
            return;
        };
        let disabled = self.is_disabled(function);
        self.order(if disabled { Order::Enable(function) } else { Order::Disable(function) });
    }

    /// Whether the calls of a function are not recorded, as far as this UI had a say in it.
    #[must_use]
    pub fn is_disabled(&self, function: scope_model::FunctionId) -> bool {
        self.control.as_ref().is_some_and(|control| control.disabled.contains(&function))
    }

    pub(super) fn detach(&mut self) {
        if self.recorder() {
            self.effects.push(Effect::Detach);
        }
    }

    /// Leaves; with a recording that would end, only when asked twice.
    pub(super) fn quit(&mut self) {
        if self.records_here() && !std::mem::replace(&mut self.leaving, true) {
            let key = |action| self.config.keys.key_of(action).unwrap_or_default();
            let (quit, detach) = (key(Action::Quit), key(Action::Detach));
            self.say(format!("{quit} again ends the recording; {detach} leaves it running"));
            return;
        }
        if self.travelling.is_some() {
            self.effects.push(Effect::Interrupt);
        }
        self.effects.push(Effect::Quit);
    }
}
