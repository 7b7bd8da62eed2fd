//! The pass over the events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use scope_export::walk::{Call, Ending, Gap, Item, Sink, Thread, walk};
use scope_export::{Error, Window};
use scope_model::{EventKind, FunctionId, Tid};
use scope_timeline::{Moment, RunTimes, Timeline};

use crate::generate::events;
use crate::store::{Form, forms, store};

/// Everything that a walk said of calls, and whether it said it in order.
#[derive(Debug, Default)]
struct Seen {
    entered: BTreeMap<u64, Call>,
    left: BTreeMap<u64, (Tid, Call, Ending)>,
    lost: u64,
    /// By thread number: latest time.
    now_ns: BTreeMap<usize, u64>,
    ended: BTreeSet<usize>,
}

impl Sink for Seen {
    fn take(&mut self, thread: &Thread, item: Item<'_>) -> Result<(), Error> {
        let now_ns = self.now_ns.entry(thread.index).or_default();
        assert!(*now_ns <= thread.now_ns, "time runs backward");
        *now_ns = thread.now_ns;
        assert!(!self.ended.contains(&thread.index), "{item:?} after the thread's end");
        match item {
            Item::Enter(call) => {
                assert_eq!(thread.calls.last().map(|open| open.id), Some(call.id));
                assert_eq!(thread.calls.len(), call.depth + 1);
                assert!(self.entered.insert(call.id, *call).is_none());
            }
            Item::Leave(call, ending) => {
                assert_eq!(thread.calls.last().map(|open| open.id), call.parent);
                assert_eq!(ending.until_ns, thread.now_ns);
                assert!(self.entered.contains_key(&call.id));
                assert!(self.left.insert(call.id, (thread.tid, *call, *ending)).is_none());
            }
            Item::Run(slice) => assert!(slice.since_ns <= slice.until_ns),
            Item::Syscall(slice) => assert!(slice.since_ns <= slice.until_ns),
            Item::Gap(gap) => self.lost += gap.total(),
            Item::Ends { .. } => {
                assert!(thread.calls.is_empty());
                self.ended.insert(thread.index);
            }
            _ => {}
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<(), Error> {
        self.lost += gap.total();
        Ok(())
    }
}

fn see(timeline: &Timeline<'_>, window: &Window) -> Seen {
    let mut seen = Seen::default();
    walk(timeline, window, &mut |_| {}, &mut seen).unwrap();
    assert_eq!(seen.entered.len(), seen.left.len(), "every call that begins ends");
    assert_eq!(seen.ended.len(), seen.now_ns.len(), "every thread ends");
    seen
}

/// What is said of a call.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    tid: Tid,
    function: FunctionId,
    parent: Option<u64>,
    depth: usize,
    end: Option<scope_model::CallEnd>,
    duration_ns: Option<u64>,
    elapsed_ns: u64,
    self_ns: Option<u64>,
    crosses_gap: bool,
    times: RunTimes,
}

fn told((tid, call, ending): &(Tid, Call, Ending)) -> Told {
    Told {
        tid: *tid,
        function: call.function,
        parent: call.parent,
        depth: call.depth,
        end: ending.end,
        duration_ns: ending.duration_ns,
        elapsed_ns: ending.until_ns - call.since_ns,
        self_ns: ending.self_ns,
        crosses_gap: ending.crosses_gap,
        times: ending.times,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_call_is_what_the_timeline_says_it_is(events in events(), form in forms()) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let seen = see(&timeline, &Window::whole(&timeline).unwrap());
        let mut calls = 0;
        let mut lost = 0;
        for event in stored.trace.events() {
            match event.unwrap().kind {
                EventKind::Enter { .. } => calls += 1,
                EventKind::Gap { entries, exits, others, .. } => {
                    lost += u64::from(entries) + u64::from(exits) + u64::from(others);
                }
                _ => {}
            }
        }
        let whole = seen.left.values().filter(|(_, call, _)| call.id >= timeline.start()).count();
        prop_assert_eq!(whole, calls);
        prop_assert_eq!(seen.lost, lost);
        for got in seen.left.values().filter(|(_, call, _)| call.id >= timeline.start()) {
            let view = timeline.call(got.1.id, 0).unwrap();
            let expected = Told {
                tid: view.tid,
                function: view.call.function,
                parent: view.callers.last().map(|caller| caller.id),
                depth: view.callers.len(),
                end: view.ending.map(|ending| ending.end),
                duration_ns: view.duration_ns,
                elapsed_ns: view.elapsed_ns,
                self_ns: view.self_ns,
                crosses_gap: view.call.crosses_gap,
                times: view.times,
            };
            prop_assert_eq!(told(got), expected, "call {}", got.1.id);
        }
    }

    #[test]
    fn a_window_has_the_calls_that_were_open_in_it(
        events in events(),
        form in forms(),
        shares in (0..=100_u64, 0..=100_u64),
    ) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let whole = Window::whole(&timeline).unwrap();
        let at = |share: u64| {
            let event = whole.from.event + whole.events() * share / 100;
            Moment { event, time_ns: timeline.time_of(event).unwrap() }
        };
        let (from, to) = (shares.0.min(shares.1), shares.0.max(shares.1));
        let window = Window { from: at(from), to: at(to), thread: None };
        let seen = see(&timeline, &window);
        let open_at = |moment: u64| -> BTreeSet<u64> {
            let state = timeline.state_at(moment).unwrap();
            state.threads().iter().flat_map(|thread| &thread.stack).map(|call| call.id).collect()
        };
        let mut expected = open_at(window.from.event);
        let entered = stored.trace.events().map(Result::unwrap).zip(timeline.start()..);
        expected.extend(entered.filter_map(|(event, number)| {
            let begins = matches!(event.kind, EventKind::Enter { .. });
            let inside = (window.from.event..window.to.event).contains(&number);
            (begins && inside).then_some(number)
        }));
        prop_assert_eq!(seen.left.keys().copied().collect::<BTreeSet<_>>(), expected);
        let open: BTreeSet<u64> = seen
            .left
            .values()
            .filter(|(_, _, ending)| ending.end.is_none())
            .map(|(_, call, _)| call.id)
            .collect();
        prop_assert_eq!(open, open_at(window.to.event));
        for (_, call, _) in seen.left.values() {
            prop_assert!(call.id >= window.from.event || call.since_ns >= call.entered_ns);
        }
    }

    #[test]
    fn one_thread_alone_is_as_it_is_among_others(events in events(), form in forms()) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let window = Window::whole(&timeline).unwrap();
        let all = see(&timeline, &window);
        let tids: BTreeSet<Tid> = all.left.values().map(|(tid, _, _)| *tid).collect();
        for tid in tids.into_iter().take(3) {
            let alone = see(&timeline, &Window { thread: Some(tid), ..window });
            let of = |seen: &Seen| -> Vec<Told> {
                seen.left.values().filter(|(other, _, _)| *other == tid).map(told).collect()
            };
            prop_assert_eq!(alone.left.len(), of(&alone).len());
            prop_assert_eq!(of(&alone), of(&all));
        }
    }
}

#[test]
fn a_trace_without_events_has_nothing() {
    let stored = store(&[], Form::Hot);
    let timeline = Timeline::new(&stored.trace);
    let seen = see(&timeline, &Window::whole(&timeline).unwrap());
    assert!(seen.entered.is_empty() && seen.now_ns.is_empty());
}
