//! The call that ends a flight recording: of some functions, and as long as the user said.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use scope_model::{CallEnd, Event, EventKind, Function, FunctionId, Tid};
use scope_symbols::glob::Glob;

use crate::output::units;

/// `FUNCTION` or `FUNCTION>DURATION`, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Glob on readable names.
    pub function: String,
    /// Only calls that took longer; `None`: any call, when it begins.
    pub longer_than: Option<Duration>,
}

/// Watches the events of a recording for it.
#[derive(Debug)]
pub struct Trigger {
    functions: HashSet<FunctionId>,
    names: HashMap<FunctionId, String>,
    longer_than_ns: Option<u64>,
    /// Times at which the functions' open calls began, outermost first.
    open: HashMap<Tid, Vec<u64>>,
}

/// The call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    function: String,
    tid: Tid,
    took_ns: Option<u64>,
}

impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, tid, took_ns } = self;
        match took_ns {
            Some(ns) => {
                write!(f, "trigger: {function} took {} in thread {tid}", units::duration(*ns))
            }
            None => write!(f, "trigger: {function} was called in thread {tid}"),
        }
    }
}

impl Trigger {
    /// Over the probed functions; `None` when none of them fits.
    #[must_use]
    pub fn new(condition: &Condition, functions: &[Function]) -> Option<Self> {
        let pattern = Glob::new(&condition.function);
        let names: HashMap<_, _> = functions
            .iter()
            .filter(|function| {
                scope_symbols::names::matches(&pattern, &function.name)
                    || pattern.matches(&function.symbol)
            })
            .map(|function| (function.id, function.name.clone()))
            .collect();
        (!names.is_empty()).then(|| Self {
            functions: names.keys().copied().collect(),
            names,
            longer_than_ns: condition
                .longer_than
                .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            open: HashMap::new(),
        })
    }

    /// Takes the next event.
    pub fn see(&mut self, event: &Event) -> Option<Fired> {
        let (EventKind::Enter { function, .. } | EventKind::Leave { function, .. }) = event.kind
        else {
            return None;
        };
        if !self.functions.contains(&function) {
            return None;
        }
        let fired = |took_ns| Fired {
            function: self.names.get(&function).cloned().unwrap_or_default(),
            tid: event.tid,
            took_ns,
        };
        match (event.kind, self.longer_than_ns) {
            (EventKind::Enter { inherited, .. }, None) => (!inherited).then(|| fired(None)),
            (EventKind::Enter { .. }, Some(_)) => {
                self.open.entry(event.tid).or_default().push(event.time_ns);
                None
            }
            (EventKind::Leave { end, crosses_gap, .. }, Some(least)) => {
                let began = self.open.get_mut(&event.tid)?.pop()?;
                let took = event.time_ns.saturating_sub(began);
                let known = end == CallEnd::Returned && !crosses_gap;
                (known && took > least).then(|| fired(Some(took)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use scope_model::{ModuleId, Pid, SiteClass};

    use super::*;

    fn trigger(pattern: &str, longer_than: Option<Duration>) -> Option<Trigger> {
        let function = |id, name: &str| Function {
            id: FunctionId(id),
            name: name.into(),
            symbol: name.into(),
            module: ModuleId(0),
            address: 0,
            size: 0,
            file: None,
            line: None,
            site: SiteClass::Nop5,
            inlined_copies: 0,
        };
        let functions = [function(0, "app::fast"), function(1, "app::slow")];
        Trigger::new(&Condition { function: pattern.into(), longer_than }, &functions)
    }

    fn event(time_ns: u64, kind: EventKind) -> Event {
        Event { time_ns, pid: Pid(1), tid: Tid(2), kind }
    }

    fn enter(time_ns: u64, function: u32) -> Event {
        let function = FunctionId(function);
        let kind =
            EventKind::Enter { function, return_address: 0, stack_pointer: 0, inherited: false };
        event(time_ns, kind)
    }

    fn leave(time_ns: u64, function: u32, end: CallEnd, crosses_gap: bool) -> Event {
        let function = FunctionId(function);
        event(time_ns, EventKind::Leave { function, end, return_value: 0, crosses_gap })
    }

    #[test]
    fn a_call_fires_when_it_begins() {
        let mut trigger = trigger("*slow", None).unwrap();
        assert_eq!(trigger.see(&enter(5, 0)), None);
        let fired = trigger.see(&enter(6, 1)).unwrap();
        assert_eq!(fired.to_string(), "trigger: app::slow was called in thread 2");
    }

    #[test]
    fn a_long_call_fires_when_it_returns_and_inner_ones_do_not_hide_it() {
        let mut trigger = trigger("app::slow", Some(Duration::from_nanos(100))).unwrap();
        for quiet in [enter(0, 1), enter(50, 1), leave(60, 1, CallEnd::Returned, false)] {
            assert_eq!(trigger.see(&quiet), None);
        }
        let fired = trigger.see(&leave(101, 1, CallEnd::Returned, false)).unwrap();
        assert_eq!(fired.to_string(), "trigger: app::slow took 101ns in thread 2");
    }

    #[test]
    fn a_duration_that_is_not_known_does_not_fire() {
        let mut trigger = trigger("app::slow", Some(Duration::from_nanos(100))).unwrap();
        for (end, crosses_gap) in [(CallEnd::Returned, true), (CallEnd::Unwound, false)] {
            assert_eq!(trigger.see(&enter(0, 1)), None);
            assert_eq!(trigger.see(&leave(1000, 1, end, crosses_gap)), None);
        }
    }

    #[test]
    fn a_name_that_is_not_probed_is_no_trigger() {
        assert!(trigger("other", None).is_none());
    }
}
