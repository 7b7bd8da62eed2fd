//! One call seen closely.

use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind, OpenSyscall, RunState, Tid};
use scope_timeline::{CallView, Callee, RunTimes, Timeline, TimelineError, WaitSlice};

use crate::generate::events;
use crate::model::Model;
use crate::scenario::{T, enter, event, leave, nested};
use crate::store::{Form, START_NS, forms, store};

/// What the model says of a call.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    elapsed_ns: u64,
    duration_ns: Option<u64>,
    self_ns: Option<u64>,
    times: RunTimes,
    callees: Vec<u64>,
    ending: Option<(u64, CallEnd)>,
    crosses_gap: bool,
    /// From, until, blocked.
    waits: Vec<(u64, u64, bool)>,
}

fn tell(model: &Model, id: u64) -> Told {
    let tid = model.events[id as usize].tid;
    let thread = |moment: u64| model.states[moment as usize].thread(tid);
    let index = model.depth(id, tid);
    let is_open = |moment: u64| {
        thread(moment).and_then(|thread| thread.stack.get(index)).is_some_and(|call| call.id == id)
    };
    let entered_ns = model.events[id as usize].time_ns;
    let end = (id + 1..=model.end()).find(|moment| !is_open(*moment)).map(|moment| moment - 1);
    let last = end.map_or(model.end(), |end| end + 1);
    let mut told = Told::default();
    let mut now_ns = entered_ns;
    let mut waits: Vec<(u64, u64, RunState)> = Vec::new();
    let mut waiting = false;
    for moment in id + 1..=last {
        // The time from this moment to the next event, or the end.
        let until_ns = match model.events.get(moment as usize) {
            Some(next) if moment < last => next.time_ns.max(now_ns),
            _ => now_ns.max(model.time_of(moment)),
        };
        if !is_open(moment) {
            break;
        }
        let state = thread(moment).unwrap();
        let passed = until_ns - now_ns;
        match state.run {
            RunState::Running { .. } => told.times.running_ns += passed,
            RunState::Runnable { .. } => told.times.runnable_ns += passed,
            RunState::Blocked { .. } => told.times.blocked_ns += passed,
            _ => told.times.unknown_ns += passed,
        }
        if state.stack.len() == index + 1 {
            *told.self_ns.get_or_insert(0) += passed;
        }
        let waits_now = matches!(state.run, RunState::Runnable { .. } | RunState::Blocked { .. });
        match waits.last_mut() {
            Some(wait) if waiting && wait.2 == state.run => wait.1 = until_ns,
            _ if waits_now => waits.push((now_ns, until_ns, state.run)),
            _ => {}
        }
        waiting = waits_now;
        told.crosses_gap |= state.stack[index].crosses_gap;
        if let EventKind::Enter { .. } = model.events[moment as usize - 1].kind
            && state.stack.len() == index + 2
            && state.stack[index + 1].id == moment - 1
        {
            told.callees.push(moment - 1);
        }
        now_ns = until_ns;
    }
    told.elapsed_ns = now_ns - entered_ns;
    told.self_ns = (!told.crosses_gap).then_some(told.self_ns.unwrap_or_default());
    told.waits = waits
        .into_iter()
        .map(|(from, until, run)| (from, until, matches!(run, RunState::Blocked { .. })))
        .collect();
    told.ending = end.map(|end| match model.events[end as usize].kind {
        EventKind::Leave { end: how, .. } => (end, how),
        _ => unreachable!(),
    });
    let inherited =
        matches!(model.events[id as usize].kind, EventKind::Enter { inherited: true, .. });
    if let Some((_, CallEnd::Returned)) = told.ending
        && !told.crosses_gap
        && !inherited
    {
        told.duration_ns = Some(told.elapsed_ns);
    }
    told
}

fn seen(view: &CallView, callees: &[Callee]) -> Told {
    Told {
        elapsed_ns: view.elapsed_ns,
        duration_ns: view.duration_ns,
        self_ns: view.self_ns,
        times: view.times,
        callees: callees.iter().map(|callee| callee.id).collect(),
        ending: view.ending.map(|ending| (ending.event, ending.end)),
        crosses_gap: view.call.crosses_gap,
        waits: view
            .waits
            .iter()
            .map(|wait| (wait.from_ns, wait.until_ns, matches!(wait.run, RunState::Blocked { .. })))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_call_is_what_the_model_tells(events in events(), form in forms()) {
        let stored = store(&events, form);
        let model = Model::new(&events, stored.trace.first_event());
        let timeline = Timeline::new(&stored.trace);
        let is_enter = |event: &Event| matches!(event.kind, EventKind::Enter { .. });
        let ids = (0..).zip(&model.events).filter(|(_, event)| is_enter(event)).map(|(id, _)| id);
        let ids = ids.filter(|id| *id >= model.start);
        for id in ids.step_by(1 + events.len() / 100) {
            let view = timeline.call(id, usize::MAX).unwrap();
            // In portions, put together again.
            let mut callees = Vec::new();
            let mut from = None;
            loop {
                let mut some = timeline.callees(id, from, 3).unwrap();
                prop_assert!(some.calls.len() == 3 || some.next.is_none());
                callees.append(&mut some.calls);
                from = some.next;
                if from.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen(&view, &callees), tell(&model, id), "call {}", id);
            let made = callees.iter().filter(|callee| !callee.inherited).count() as u64;
            prop_assert_eq!(view.callees, made);
            let tid = model.events[id as usize].tid;
            let before = model.states[id as usize].thread(tid);
            let callers = before.map_or(&[] as &[_], |thread| &thread.stack);
            prop_assert_eq!(&view.callers, callers);
            let times = view.times;
            let sum = times.running_ns + times.runnable_ns + times.blocked_ns + times.unknown_ns;
            prop_assert_eq!(sum, view.elapsed_ns);
            for callee in callees {
                let told = tell(&model, callee.id);
                prop_assert_eq!(callee.duration_ns, told.duration_ns);
                prop_assert_eq!(callee.ending.map(|e| (e.event, e.end)), told.ending);
            }
        }
    }
}

#[test]
fn a_call_says_for_what_it_waited_and_who_woke_it() {
    let stored = store(
        &[
            event(0, T, EventKind::SwitchIn { cpu: 0 }),
            enter(100, T, 0),
            enter(200, T, 2),
            event(300, T, EventKind::SyscallEnter { number: 202 }),
            event(400, T, EventKind::SwitchOut { cpu: 0, state: 1 }),
            event(700, T, EventKind::Waking { waker: Tid(8), waker_pid: scope_model::Pid(7) }),
            event(800, T, EventKind::SwitchIn { cpu: 1 }),
            event(850, T, EventKind::SyscallExit { number: 202, result: 0 }),
            leave(900, T, 2),
            event(910, T, EventKind::SwitchOut { cpu: 1, state: 0 }),
            event(960, T, EventKind::SwitchIn { cpu: 1 }),
            leave(1_000, T, 0),
        ],
        Form::Hot,
    );
    let timeline = Timeline::new(&stored.trace);
    let view = timeline.call(1, 2).unwrap();
    assert_eq!(
        view.waits,
        [
            WaitSlice {
                from_ns: START_NS + 400,
                until_ns: START_NS + 700,
                run: RunState::Blocked { state: 1 },
                syscall: Some(OpenSyscall { number: 202, since_ns: START_NS + 300 }),
                woken_by: Some(Tid(8)),
                innermost: 2,
            },
            WaitSlice {
                from_ns: START_NS + 700,
                until_ns: START_NS + 800,
                run: RunState::Runnable { woken_by: Some(Tid(8)) },
                syscall: Some(OpenSyscall { number: 202, since_ns: START_NS + 300 }),
                woken_by: None,
                innermost: 2,
            },
        ]
    );
    assert_eq!(view.waits_left_out, 1);
    assert_eq!((view.duration_ns, view.self_ns), (Some(900), Some(200)));
    assert_eq!(
        view.times,
        RunTimes { running_ns: 450, runnable_ns: 150, blocked_ns: 300, unknown_ns: 0 }
    );
}

#[test]
fn what_is_no_call_has_no_view() {
    let stored = store(&nested(), Form::Sealed);
    let timeline = Timeline::new(&stored.trace);
    for id in [3, 6, 99] {
        let error = timeline.call(id, 9).unwrap_err();
        assert!(
            matches!(error, TimelineError::NotACall { .. } | TimelineError::NoSuchEvent { .. }),
            "{error}"
        );
        assert!(timeline.callees(id, None, 9).is_err());
    }
}
