//! Searching by condition.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, RunState, Tid};
use scope_store::Direction;
use scope_timeline::{Condition, Found, SearchOptions, Timeline, TimelineError};

use crate::generate::events;
use crate::model::Model;
use crate::scenario::{T, enter, event, leave, leave_as, nested};
use crate::store::{Form, Stored, forms, store};

/// A condition as the model understands it.
#[derive(Clone, Debug)]
enum Ask {
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    /// Name of the test, operator, value.
    Test(&'static str, &'static str, String),
}

fn ask() -> impl Strategy<Value = Ask> {
    let names = prop_oneof![Just("main"), Just("parse"), Just("server::*"), Just("*e*")];
    let test = |name: &'static str, values: BoxedStrategy<String>, numeric: bool| {
        let operators = if numeric { &["=", "!=", "<", "<=", ">", ">="][..] } else { &["=", "!="] };
        (prop::sample::select(operators), values)
            .prop_map(move |(operator, value)| Ask::Test(name, operator, value))
    };
    let text = |values: &'static [&'static str]| {
        prop::sample::select(values).prop_map(str::to_owned).boxed()
    };
    let number = |to: u32| (0..to).prop_map(|n| n.to_string()).boxed();
    let leaf = prop_oneof![
        4 => test("function", names.clone().prop_map(str::to_owned).boxed(), false),
        1 => test("within", names.prop_map(str::to_owned).boxed(), false),
        1 => test("file", text(&["main.rs", "server/*", "*.cpp"]), false),
        2 => test("thread", number(14), false),
        1 => test("thread", text(&["worker-*", "main", "new"]), false),
        1 => test("process", number(14), false),
        2 => test("depth", number(6), true),
        3 => test("duration", (0..40).prop_map(|ns| format!("{ns}ns")).boxed(), true),
        3 => test(
            "end",
            text(&["returned", "unwound", "thread_ended", "exec", "lost", "unobserved", "never"]),
            false
        ),
        2 => test("state", text(&["running", "runnable", "blocked", "ended", "unknown"]), false),
        1 => test("syscall", text(&["futex", "202", "*sleep", "read"]), false),
        2 => test("kind", text(&["enter", "leave", "switch_out", "gap", "waking", "exec"]), false),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Ask::All),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(Ask::Any),
            1 => inner.prop_map(|part| Ask::Not(Box::new(part))),
        ]
    })
}

impl Ask {
    fn text(&self) -> String {
        let join = |parts: &[Self], word: &str| {
            let parts: Vec<String> = parts.iter().map(Self::text).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
            Self::Not(part) => format!("not {}", part.text()),
            Self::Test(name, operator, value) => format!("{name}{operator}{value}"),
        }
    }

    fn mentions(&self, tests: &[&str]) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(tests)),
            Self::Not(part) => part.mentions(tests),
            Self::Test(name, ..) => tests.contains(name),
        }
    }
}

/// What the model knows of an event: its call, found by matching entries and ends.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    depth: usize,
    duration_ns: Option<u64>,
    never_ends: bool,
}

fn know(events: &[Event]) -> Vec<Known> {
    let mut known = vec![Known::default(); events.len()];
    let mut stacks: HashMap<Tid, Vec<usize>> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let stack = stacks.entry(event.tid).or_default();
        match event.kind {
            EventKind::Enter { .. } => {
                known[index].depth = stack.len();
                stack.push(index);
            }
            EventKind::Leave { end, crosses_gap, .. } => {
                let entered = stack.pop().unwrap();
                known[index].depth = stack.len();
                let EventKind::Enter { inherited, .. } = events[entered].kind else { continue };
                if end == CallEnd::Returned && !crosses_gap && !inherited {
                    known[index].duration_ns = Some(event.time_ns - events[entered].time_ns);
                }
            }
            _ => {}
        }
    }
    for open in stacks.into_values().flatten() {
        known[open].never_ends =
            matches!(events[open].kind, EventKind::Enter { inherited: false, .. });
    }
    known
}

struct Asked<'a> {
    model: &'a Model,
    known: Vec<Known>,
}

impl Asked<'_> {
    fn is_hit(&self, ask: &Ask, number: usize) -> bool {
        match ask {
            Ask::Any(parts) => parts.iter().any(|part| self.is_hit(part, number)),
            Ask::All(parts) if parts.len() == 1 => self.is_hit(&parts[0], number),
            other => {
                let about_calls = other.mentions(&["function", "file", "depth"])
                    && !other.mentions(&["kind", "duration", "end"]);
                let leaves = matches!(self.model.events[number].kind, EventKind::Leave { .. });
                !(about_calls && leaves) && self.holds(other, number)
            }
        }
    }

    fn holds(&self, ask: &Ask, number: usize) -> bool {
        match ask {
            Ask::All(parts) => parts.iter().all(|part| self.holds(part, number)),
            Ask::Any(parts) => parts.iter().any(|part| self.holds(part, number)),
            Ask::Not(part) => !self.holds(part, number),
            Ask::Test(name, operator, value) => self.passes(name, operator, value, number),
        }
    }

    fn passes(&self, name: &str, operator: &str, value: &str, number: usize) -> bool {
        let event = &self.model.events[number];
        let known = &self.known[number];
        let before = self.model.states[number].thread(event.tid);
        let after = self.model.states[number + 1].thread(event.tid);
        let equal = operator == "=";
        let compare = |left: u64, right: u64| match operator {
            "=" => left == right,
            "!=" => left != right,
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            ">=" => left >= right,
            _ => unreachable!(),
        };
        let call = match event.kind {
            EventKind::Enter { function, inherited: false, .. }
            | EventKind::Leave { function, .. } => Some(function.0),
            _ => None,
        };
        let function_is = |id: u32| match value {
            "main" => id == 0,
            "parse" => id == 1,
            "server::*" => (1..=3).contains(&id),
            "*e*" => id != 0,
            _ => unreachable!(),
        };
        match name {
            "function" => call.is_some_and(|id| function_is(id) == equal),
            "within" => {
                let mut open: Vec<u32> = after
                    .map(|thread| thread.stack.iter().map(|call| call.function.0).collect())
                    .unwrap_or_default();
                if let EventKind::Leave { function, .. } = event.kind {
                    open.push(function.0);
                }
                open.into_iter().any(function_is) == equal
            }
            "file" => call.is_some_and(|id| {
                let fits = match value {
                    "main.rs" => id == 0 || id == 4,
                    "server/*" => (1..=3).contains(&id),
                    "*.cpp" => id == 3,
                    _ => unreachable!(),
                };
                fits == equal
            }),
            "thread" => match value.parse() {
                Ok(tid) => (event.tid == Tid(tid)) == equal,
                Err(_) => after.or(before).is_some_and(|thread| {
                    let name = thread.name.text();
                    let fits = match value {
                        "worker-*" => name.starts_with("worker-"),
                        value => name == value,
                    };
                    fits == equal
                }),
            },
            "process" => (event.pid.0.to_string() == value) == equal,
            "depth" => call.is_some() && compare(known.depth as u64, value.parse().unwrap()),
            "duration" => known
                .duration_ns
                .is_some_and(|ns| compare(ns, value.trim_end_matches("ns").parse().unwrap())),
            "end" => match event.kind {
                EventKind::Leave { end, .. } => (end.name() == value) == equal,
                EventKind::Enter { .. } if known.never_ends => (value == "never") == equal,
                _ => false,
            },
            "state" => {
                let run = match (before, after) {
                    (_, Some(thread)) => Some(thread.run),
                    (Some(_), None) => Some(RunState::Ended),
                    (None, None) => None,
                };
                run.is_some_and(|run| {
                    let name = match run {
                        RunState::Unknown => "unknown",
                        RunState::Running { .. } => "running",
                        RunState::Runnable { .. } => "runnable",
                        RunState::Blocked { .. } => "blocked",
                        RunState::Ended => "ended",
                    };
                    (name == value) == equal
                })
            }
            "syscall" => {
                let call = match event.kind {
                    EventKind::SyscallExit { number, .. } => Some(number),
                    _ => after.and_then(|thread| Some(thread.syscall?.number)),
                };
                call.is_some_and(|call| {
                    let fits = match value {
                        "futex" | "202" => call == 202,
                        "*sleep" => [35, 230].contains(&call),
                        "read" => call == 0,
                        _ => unreachable!(),
                    };
                    fits == equal
                })
            }
            "kind" => (event.kind.name() == value) == equal,
            _ => unreachable!(),
        }
    }
}

/// Numbers of the hits of a search.
fn found(stored: &Stored, text: &str, options: SearchOptions) -> Vec<u64> {
    let timeline = Timeline::new(&stored.trace);
    let condition: Condition = text.parse().unwrap();
    let search = timeline.search(&condition, options).unwrap();
    search.map(|hit| hit.unwrap().number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn searches_find_what_the_model_finds(
        events in events(), form in forms(),
        asks in prop::collection::vec(ask(), 1..12),
        share in 0.0..1.0_f64,
        width in 0.0..1.0_f64,
    ) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let asked = Asked { model: &model, known: know(&model.events) };
        let from = model.start + (share * (model.end() - model.start) as f64) as u64;
        for ask in &asks {
            let text = ask.text();
            let hits: Vec<u64> = (model.start..model.end())
                .filter(|number| asked.is_hit(ask, *number as usize))
                .collect();
            let within = |low: u64, high: u64| {
                hits.iter().copied().filter(move |hit| (low..high).contains(hit))
            };
            let until = from + (width * (model.end() - from) as f64) as u64;
            for until in [None, Some(until)] {
                let options = SearchOptions { direction: Direction::Forward, from, until };
                let expected: Vec<u64> = within(from, until.unwrap_or(model.end())).collect();
                prop_assert_eq!(found(&stored, &text, options), expected, "{}", text);
            }
            let until = model.start + (width * (from - model.start) as f64) as u64;
            for until in [None, Some(until)] {
                let options = SearchOptions { direction: Direction::Backward, from, until };
                let mut expected: Vec<u64> = within(until.unwrap_or(model.start), from).collect();
                expected.reverse();
                prop_assert_eq!(found(&stored, &text, options), expected, "back {}", text);
            }
        }
    }
}

fn forward(stored: &Stored, text: &str) -> Vec<u64> {
    found(stored, text, SearchOptions { direction: Direction::Forward, from: 0, until: None })
}

#[test]
fn a_call_is_found_once_unless_its_end_is_asked_about() {
    let stored = store(&nested(), Form::Sealed);
    for (text, hits) in [
        ("function=parse", &[1, 5][..]),
        ("function=parse kind=leave", &[4]),
        ("function=parse (kind=leave or kind=enter)", &[1, 4, 5]),
        ("function=parse duration>=200ns", &[4]),
        ("function=parse end=never", &[5]),
        ("function=main or end=returned", &[0, 3, 4, 9]),
        ("end=never", &[0, 5]),
        ("depth=2", &[2, 8]),
        ("within=parse state=blocked", &[6]),
        ("not function=parse and not kind=switch_out", &[0, 2, 3, 7, 8, 9]),
    ] {
        assert_eq!(forward(&stored, text), hits, "{text}");
    }
}

#[test]
fn unknown_durations_satisfy_no_comparison() {
    let gap = EventKind::Gap { until_ns: 0, entries: 1, exits: 0, others: 0 };
    let stored = store(
        &[
            enter(0, T, 0),
            enter(1, T, 1),
            leave_as(2, T, 1, CallEnd::Unwound),
            enter(3, T, 1),
            event(4, T, gap),
            leave(5, T, 1),
            enter(6, T, 1),
            leave(9, T, 1),
            leave(10, T, 0),
        ],
        Form::Hot,
    );
    assert_eq!(forward(&stored, "duration>=0ns"), [7]);
    assert_eq!(forward(&stored, "duration!=1s"), [7]);
    assert_eq!(forward(&stored, "kind=leave and not duration>=0ns"), [2, 5, 8]);
}

#[test]
fn names_that_nothing_has_are_told_with_their_neighbours() {
    let stored = store(&nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    let error = |text: &str| {
        let options = SearchOptions { direction: Direction::Forward, from: 0, until: None };
        timeline.search(&text.parse().unwrap(), options).unwrap_err().to_string()
    };
    insta::assert_snapshot!(error("function=pars"), @"no function of the trace matches pars; nearest: server::parse");
    insta::assert_snapshot!(error("within=zzz"), @"no function of the trace matches zzz");
    insta::assert_snapshot!(error("file=mian.rs"), @"no source file of the trace matches mian.rs; nearest: main.rs");
    insta::assert_snapshot!(error("syscall=futx"), @"no system call of the trace matches futx; nearest: futex");
}

#[test]
fn a_search_can_be_interrupted_and_then_ends() {
    let stored = store(&nested(), Form::Sealed);
    let flag = AtomicBool::new(true);
    let timeline = Timeline::new(&stored.trace).interruptible(&flag);
    let options = SearchOptions { direction: Direction::Forward, from: 0, until: None };
    let condition = "function=parse".parse().unwrap();
    let mut search = timeline.search(&condition, options).unwrap();
    assert!(matches!(search.next(), Some(Err(TimelineError::Interrupted))));
    assert!(search.next().is_none());
}

#[test]
fn states_are_right_after_blocks_that_were_passed_over() {
    let mut events = vec![enter(0, T, 1), leave(1, T, 1)];
    // Hundreds of calls of others; the last one is open when parse is called again.
    for t_ns in 2..600 {
        events.push(if t_ns % 2 == 0 { enter(t_ns, T, 3) } else { leave(t_ns, T, 3) });
    }
    events.push(enter(600, T, 0));
    events.extend([enter(700, T, 1), leave(750, T, 1)]);
    let stored = store(&events, Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    for (direction, from) in [(Direction::Forward, 0), (Direction::Backward, events.len() as u64)] {
        let options = SearchOptions { direction, from, until: None };
        let condition = "function=parse depth=1".parse().unwrap();
        let mut search = timeline.search(&condition, options).unwrap();
        let hits: Vec<u64> = search.by_ref().map(|hit| hit.unwrap().number).collect();
        assert_eq!(hits, [601]);
        assert!(search.looked_at() < 300, "{}", search.looked_at());
    }
}

#[test]
fn a_search_goes_on_where_it_was_left() {
    let events: Vec<Event> =
        (0..2_000).flat_map(|t_ns| [enter(t_ns, T, 1), leave(t_ns, T, 1)]).collect();
    let stored = store(&events, Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    for direction in [Direction::Forward, Direction::Backward] {
        let from = if direction == Direction::Forward { 0 } else { 4_000 };
        let options = SearchOptions { direction, from, until: None };
        let condition = "depth=3".parse().unwrap();
        let mut search = timeline.search(&condition, options).unwrap();
        let mut passed = 0;
        while search.poll(2).unwrap() == Found::NotYet {
            assert!(search.passed() > passed && search.passed() < search.whole());
            passed = search.passed();
        }
        assert!(passed > 3_000, "{passed}");
        assert_eq!(search.poll(2).unwrap(), Found::NoMore);
        assert_eq!((search.passed(), search.whole()), (4_000, 4_000));
    }
}

#[test]
fn blocks_that_cannot_hold_a_hit_are_not_read() {
    let events: Vec<Event> =
        (0..2_000).flat_map(|t_ns| [enter(t_ns, T, 1), leave(t_ns, T, 1)]).collect();
    let mut events = events;
    events.push(enter(2_000, T, 0));
    let stored = store(&events, Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    let options = SearchOptions { direction: Direction::Forward, from: 0, until: None };
    let condition = "end=never".parse().unwrap();
    let mut search = timeline.search(&condition, options).unwrap();
    assert_eq!(search.by_ref().map(|hit| hit.unwrap().number).collect::<Vec<_>>(), [4_000]);
    assert!(search.looked_at() < 200, "{}", search.looked_at());
}
