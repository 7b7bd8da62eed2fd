//! The call-stack machine against the simulated machine's truth.

use std::collections::HashMap;

use proptest::prelude::*;
use scope_model::{CallEnd, CallStacks, Event, EventKind, Tid};

use crate::simulator::{Call, End, Item, Simulator};

#[derive(Clone, Debug)]
enum Step {
    Call { function: u32, frame: u64 },
    TailCall { function: u32 },
    Return { calls: usize },
    Recurse { function: u32, calls: usize },
    Longjmp { keep: usize },
    Signal { function: u32 },
    Spawn,
    Fork,
    Exit,
    Exec,
    Lose { pattern: u64 },
}

fn steps(losses: bool) -> impl Strategy<Value = Vec<(usize, Step)>> {
    let function = 0..4_u32;
    let step = prop_oneof![
        12 => (function.clone(), 0..200_u64)
            .prop_map(|(function, frame)| Step::Call { function, frame }),
        3 => function.clone().prop_map(|function| Step::TailCall { function }),
        10 => (1..4_usize).prop_map(|calls| Step::Return { calls }),
        1 => (60..80_usize).prop_map(|calls| Step::Return { calls }),
        1 => (function.clone(), 30..100_usize)
            .prop_map(|(function, calls)| Step::Recurse { function, calls }),
        3 => any::<usize>().prop_map(|keep| Step::Longjmp { keep }),
        1 => function.prop_map(|function| Step::Signal { function }),
        1 => Just(Step::Spawn),
        1 => Just(Step::Fork),
        1 => Just(Step::Exit),
        1 => Just(Step::Exec),
        // Nothing is lost when this pattern is empty.
        if losses { 4 } else { 1 } => (0..64_u64)
            .prop_map(move |pattern| Step::Lose { pattern: if losses { pattern } else { 0 } }),
    ];
    prop::collection::vec((0..8_usize, step), 1..150)
}

/// Runs the steps; calls deeper than `max_depth` are not made.
fn simulate(steps: &[(usize, Step)], max_depth: usize) -> Simulator {
    let mut simulator = Simulator::new();
    for (thread, step) in steps {
        let Some(tid) = simulator.thread(*thread) else { break };
        let room = max_depth.saturating_sub(simulator.depth(tid));
        match *step {
            Step::Call { .. } | Step::TailCall { .. } | Step::Signal { .. } if room == 0 => {}
            Step::Call { function, frame } => simulator.call(tid, function, frame),
            Step::TailCall { function } => simulator.tail_call(tid, function),
            Step::Return { calls } => (0..calls).for_each(|_| simulator.ret(tid)),
            Step::Recurse { function, calls } => {
                (0..calls.min(room)).for_each(|_| simulator.call(tid, function, 32));
            }
            Step::Longjmp { keep } => {
                let depth = simulator.depth(tid);
                simulator.longjmp(tid, keep % (depth + 1));
            }
            Step::Signal { function } => simulator.signal(tid, function),
            Step::Spawn => simulator.spawn(tid),
            Step::Fork => simulator.fork(tid),
            Step::Exit => simulator.exit(tid),
            Step::Exec => simulator.exec(tid),
            Step::Lose { pattern } => simulator.lose(tid, pattern),
        }
    }
    simulator
}

/// A call as the stack machine tells it.
#[derive(Debug)]
struct Told {
    tid: Tid,
    function: u32,
    entered_ns: u64,
    inherited: bool,
    leave: Option<(u64, CallEnd, bool)>,
}

/// Reads the machine's output; fails unless it is well nested and in time order in every thread.
fn read(events: &[Event]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut open: HashMap<Tid, Vec<usize>> = HashMap::new();
    let mut last_ns: HashMap<Tid, u64> = HashMap::new();
    for event in events {
        let last = last_ns.entry(event.tid).or_default();
        assert!(event.time_ns >= *last, "time goes back: {event:?}");
        *last = event.time_ns;
        match event.kind {
            EventKind::Enter { function, inherited, .. } => {
                open.entry(event.tid).or_default().push(told.len());
                told.push(Told {
                    tid: event.tid,
                    function: function.0,
                    entered_ns: event.time_ns,
                    inherited,
                    leave: None,
                });
            }
            EventKind::Leave { function, end, crosses_gap, .. } => {
                let innermost = open.entry(event.tid).or_default().pop().expect("a call is open");
                let call = &mut told[innermost];
                assert_eq!(call.function, function.0, "not the innermost call: {event:?}");
                call.leave = Some((event.time_ns, end, crosses_gap));
            }
            EventKind::ThreadExit { .. } | EventKind::Exec { .. } => {
                assert!(open.entry(event.tid).or_default().is_empty(), "open after {event:?}");
            }
            _ => {}
        }
    }
    told
}

/// Runs the machine over what was recorded; pairs each delivered entry with what is told of it.
fn run(simulator: Simulator) -> (CallStacks, Vec<(Call, Told)>, Vec<Told>, u64) {
    let (items, calls, exits) = simulator.into_items();
    let mut stacks = CallStacks::new();
    let mut events = Vec::new();
    for item in &items {
        match item {
            Item::Raw(raw) => stacks.push(raw, &mut events),
            Item::Gap(gap) => stacks.gap(gap, &mut events),
        }
    }
    let (inherited, told): (Vec<_>, Vec<_>) =
        read(&events).into_iter().partition(|told| told.inherited);
    let recorded: Vec<_> = calls.iter().filter(|call| call.recorded).cloned().collect();
    assert_eq!(recorded.len(), told.len(), "a call told for each entry recorded");
    let pairs: Vec<_> = recorded.into_iter().zip(told).collect();
    for (call, told) in &pairs {
        let key = (Tid(call.tid), call.function, call.entered_ns);
        assert_eq!((told.tid, told.function, told.entered_ns), key);
    }
    (stacks, pairs, inherited, exits)
}

fn returned(told: &Told) -> bool {
    matches!(told.leave, Some((_, CallEnd::Returned, _)))
}

proptest! {
    // What they find becomes a scenario with a name.
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_is_told_as_it_was(steps in steps(false)) {
        let (stacks, pairs, inherited, exits) = run(simulate(&steps, 200));
        prop_assert_eq!(stacks.orphan_exits(), 0);
        let all = pairs.iter().map(|(_, told)| told).chain(&inherited);
        prop_assert_eq!(all.filter(|told| returned(told)).count() as u64, exits);
        for (call, told) in &pairs {
            let Some((left_ns, end, crosses_gap)) = told.leave else {
                // Not seen gone: it is open, or nothing of the thread came after it.
                prop_assert!(!matches!(call.end, Some((_, End::ThreadEnded | End::Exec))));
                prop_assert!(!(call.watched && matches!(call.end, Some((_, End::Returned)))));
                continue;
            };
            prop_assert!(!crosses_gap);
            let (ended_ns, truth) = call.end.expect("what is told to have ended has ended");
            // What nothing watched may have been noticed late, in whatever way that was.
            let noticed = matches!(end, CallEnd::ThreadEnded | CallEnd::Exec);
            match truth {
                End::Returned if call.watched => {
                    prop_assert_eq!((left_ns, end), (ended_ns, CallEnd::Returned));
                }
                End::Returned => prop_assert!(end == CallEnd::Unobserved || noticed, "{:?}", told),
                End::Unwound => {
                    let right = if call.watched { CallEnd::Unwound } else { CallEnd::Unobserved };
                    prop_assert!(end == right || noticed, "{:?} {:?}", told, call);
                    prop_assert!(left_ns >= ended_ns);
                }
                End::ThreadEnded => {
                    prop_assert_eq!((left_ns, end), (ended_ns, CallEnd::ThreadEnded));
                }
                End::Exec => prop_assert_eq!((left_ns, end), (ended_ns, CallEnd::Exec)),
            }
        }
    }

    #[test]
    fn nothing_is_told_for_certain_that_was_not_so_when_records_are_lost(steps in steps(true)) {
        // Which calls the kernel watches below 64 is a guess once exits were lost.
        let (stacks, pairs, inherited, exits) = run(simulate(&steps, 20));
        let all = pairs.iter().map(|(_, told)| told).chain(&inherited);
        let told_returns = all.filter(|told| returned(told)).count() as u64;
        prop_assert_eq!(told_returns + stacks.orphan_exits(), exits);
        for (call, told) in &pairs {
            let Some((left_ns, end, crosses_gap)) = told.leave else { continue };
            let (ended_ns, truth) = call.end.expect("what is told to have ended has ended");
            match end {
                CallEnd::Returned if !crosses_gap => {
                    prop_assert_eq!((left_ns, End::Returned), (ended_ns, truth));
                }
                CallEnd::Unwound => {
                    prop_assert!(!crosses_gap);
                    prop_assert!(truth == End::Unwound || !call.watched, "{:?} {:?}", told, call);
                    prop_assert!(left_ns >= ended_ns);
                }
                CallEnd::Lost => prop_assert!(crosses_gap),
                CallEnd::Unobserved => prop_assert!(!crosses_gap && left_ns >= ended_ns),
                // Its duration is marked unknown.
                CallEnd::Returned => {}
                CallEnd::ThreadEnded | CallEnd::Exec => prop_assert!(left_ns >= ended_ns),
            }
        }
    }
}
