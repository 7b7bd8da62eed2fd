//! Folded stacks against the report.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scope_export::Window;
use scope_export::folded::{Time, flame_graph, folded};
use scope_model::EventKind;
use scope_timeline::{ProfileOptions, Timeline, profile};

use crate::generate::events;
use crate::store::{FUNCTIONS, forms, store};

fn lines(timeline: &Timeline<'_>, window: &Window, time: Time) -> Vec<(Vec<String>, u64)> {
    let mut out = Vec::new();
    folded(timeline, window, time, &mut |_| {}, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| {
            let (stack, ns) = line.rsplit_once(' ').unwrap();
            (stack.split(';').map(str::to_owned).collect(), ns.parse().unwrap())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn self_times_are_those_of_the_report(events in events(), form in forms()) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let window = Window::whole(&timeline).unwrap();
        let report = profile(&stored.trace, ProfileOptions::default()).unwrap();
        let wall = lines(&timeline, &window, Time::Wall);
        let parts = [Time::OnCpu, Time::OffCpu].map(|time| lines(&timeline, &window, time));
        prop_assume!(!wall.iter().any(|(stack, _)| stack.len() > 512));
        let is_whole = !events.iter().any(|event| matches!(event.kind, EventKind::Gap { .. }));
        let sum = |lines: &[(Vec<String>, u64)], fits: &dyn Fn(&[String]) -> bool| -> u64 {
            lines.iter().filter(|(stack, _)| fits(&stack[1..])).map(|(_, ns)| ns).sum()
        };
        for function in &report.functions {
            let name = FUNCTIONS[function.id.index()].0.to_owned();
            let on_top = |stack: &[String]| stack.last() == Some(&name);
            prop_assert_eq!(sum(&wall, &on_top), function.self_ns, "self of {}", &name);
            if is_whole {
                let inside = |stack: &[String]| stack.contains(&name);
                let times = function.times;
                prop_assert_eq!(sum(&wall, &inside), times.total_ns, "total of {}", &name);
                prop_assert_eq!(sum(&parts[0], &inside), times.on_cpu_ns, "on-CPU of {}", &name);
                prop_assert_eq!(sum(&parts[1], &inside), times.off_cpu_ns, "off-CPU of {}", &name);
            }
        }
        let mut sorted = wall.clone();
        sorted.sort();
        prop_assert_eq!(wall, sorted, "lines are in order");
    }

    #[test]
    fn a_flame_graph_is_as_wide_as_its_stacks(events in events(), form in forms()) {
        let stored = store(&events, form);
        let timeline = Timeline::new(&stored.trace);
        let window = Window::whole(&timeline).unwrap();
        let whole: u64 = lines(&timeline, &window, Time::Wall).iter().map(|(_, ns)| ns).sum();
        let mut out = Vec::new();
        let drawn = flame_graph(&timeline, &window, Time::Wall, &mut |_| {}, &mut out);
        if whole == 0 {
            prop_assert!(drawn.unwrap_err().to_string().starts_with("no call took any"));
        } else {
            let summary = drawn.unwrap();
            let svg = String::from_utf8(out).unwrap();
            let digits: String = whole.to_string();
            let all = svg.split("<title>all (").nth(1).unwrap().split(' ').next().unwrap();
            prop_assert_eq!(all.replace(',', ""), digits);
            prop_assert_eq!(svg.contains(" lost: times are lower bounds"), summary.lost_events > 0);
        }
    }
}

#[test]
fn a_name_with_a_semicolon_is_one_frame() {
    use scope_model::{CallEnd, Event, FunctionId, Pid, ThreadName, Tid};
    let event = |time_ns, kind| Event { time_ns, pid: Pid(1), tid: Tid(1), kind };
    let function = FunctionId(1);
    let events = [
        event(1_000, EventKind::ThreadStart { parent: Tid(0), name: ThreadName::new("a;b") }),
        event(
            1_010,
            EventKind::Enter { function, return_address: 1, stack_pointer: 8, inherited: false },
        ),
        event(
            1_030,
            EventKind::Leave {
                function,
                end: CallEnd::Returned,
                return_value: 0,
                crosses_gap: false,
            },
        ),
    ];
    let stored = store(&events, crate::store::Form::Hot);
    let timeline = Timeline::new(&stored.trace);
    let window = Window::whole(&timeline).unwrap();
    let got: BTreeMap<_, _> = lines(&timeline, &window, Time::Wall).into_iter().collect();
    let stack = vec!["a,b".to_owned(), "server::parse".to_owned()];
    assert_eq!(got, BTreeMap::from([(stack, 20)]));
}
