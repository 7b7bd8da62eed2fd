//! The call-stack machine, a scenario a test. Output is drawn by depth: what ends as it should
//! stands under the call it ends.

use std::collections::HashMap;
use std::fmt::Write;

use scope_model::stack::Gap;
use scope_model::{
    CallStacks, Event, EventKind, FunctionId, Pid, RawEvent, RawKind, ThreadName, Tid,
};

use crate::simulator::Simulator;

/// What the kernel's return probes put in the place of a return address.
const PROBE: u64 = 0x7fff_f000;
const CALLER: u64 = 0x40_1235;

/// A machine that is fed one raw event a nanosecond.
#[derive(Default)]
struct Feed {
    stacks: CallStacks,
    events: Vec<Event>,
    now_ns: u64,
}

impl Feed {
    fn raw(&mut self, tid: u32, pid: u32, kind: RawKind) -> &mut Self {
        self.now_ns += 1;
        let raw = RawEvent { time_ns: self.now_ns, pid: Pid(pid), tid: Tid(tid), kind };
        self.stacks.push(&raw, &mut self.events);
        self
    }

    fn entry(&mut self, function: u32, stack_pointer: u64, return_address: u64) -> &mut Self {
        self.entry_of(1, function, stack_pointer, return_address)
    }

    fn entry_of(&mut self, tid: u32, function: u32, sp: u64, return_address: u64) -> &mut Self {
        let kind = RawKind::Entry {
            function: FunctionId(function),
            stack_pointer: sp,
            return_address,
            watched: true,
            on_signal_stack: false,
        };
        self.raw(tid, 1, kind)
    }

    /// A call on the alternate signal stack, which no return probe watches.
    fn signal(&mut self, function: u32, stack_pointer: u64) -> &mut Self {
        let kind = RawKind::Entry {
            function: FunctionId(function),
            stack_pointer,
            return_address: CALLER,
            watched: false,
            on_signal_stack: true,
        };
        self.raw(1, 1, kind)
    }

    fn exit(&mut self, function: u32, stack_pointer: u64) -> &mut Self {
        self.exit_of(1, 1, function, stack_pointer)
    }

    fn exit_of(&mut self, tid: u32, pid: u32, function: u32, stack_pointer: u64) -> &mut Self {
        let function = FunctionId(function);
        self.raw(tid, pid, RawKind::Exit { function, stack_pointer, return_value: 0 })
    }

    fn task(&mut self, tid: u32, pid: u32, flags: (bool, bool)) -> &mut Self {
        let (same_process, shares_memory) = flags;
        let name = ThreadName::new("task");
        self.raw(tid, pid, RawKind::NewTask { parent: Tid(1), same_process, shares_memory, name })
    }

    /// Losses of a thread from now to `until_ns`.
    fn gap(&mut self, tid: u32, until_ns: u64, entries: u64, exits: u64) -> &mut Self {
        self.now_ns += 1;
        let (tid, pid, first_ns) = (Tid(tid), Pid(1), self.now_ns);
        let gap = Gap { tid, pid, first_ns, until_ns, entries, exits, others: 0 };
        self.stacks.gap(&gap, &mut self.events);
        self
    }

    fn text(&self) -> String {
        let mut depth: HashMap<Tid, usize> = HashMap::new();
        let mut text = String::new();
        for event in &self.events {
            let depth = depth.entry(event.tid).or_default();
            let what = match event.kind {
                EventKind::Enter { function, return_address, inherited, .. } => {
                    let tail = if return_address == 0 { " by a tail call" } else { "" };
                    let inherited = if inherited { " inherited" } else { "" };
                    format!("f{function}{tail}{inherited}")
                }
                EventKind::Leave { function, end, crosses_gap, .. } => {
                    *depth = depth.checked_sub(1).expect("a call is open");
                    let gap = if crosses_gap { ", crosses a gap" } else { "" };
                    format!("f{function} {}{gap}", end.name())
                }
                kind => kind.name().to_owned(),
            };
            let indent = 2 * *depth;
            writeln!(text, "{:>2} t{} {:indent$}{what}", event.time_ns, event.tid, "").unwrap();
            *depth += usize::from(matches!(event.kind, EventKind::Enter { .. }));
        }
        text
    }
}

#[test]
fn calls_and_returns() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).exit(1, 900).entry(1, 900, CALLER);
    feed.exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1   f1 returned
4 t1   f1
5 t1   f1 returned
6 t1 f0 returned
"#);
    assert_eq!(feed.stacks.frames(Tid(1)), []);
}

#[test]
fn longjmp_is_noticed_by_the_next_call() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).entry(2, 800, CALLER);
    feed.entry(3, 900, CALLER).exit(3, 900);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     f2
4 t1     f2 unwound
4 t1   f1 unwound
4 t1   f3
5 t1   f3 returned
"#);
}

#[test]
fn an_exception_is_noticed_by_the_return_of_who_caught_it() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).entry(2, 800, CALLER).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     f2
4 t1     f2 unwound
4 t1   f1 unwound
4 t1 f0 returned
"#);
}

#[test]
fn a_tail_call_stands_on_the_word_of_who_made_it() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).entry(2, 900, PROBE).entry(3, 900, PROBE);
    feed.exit(3, 900).exit(2, 900).exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     f2 by a tail call
4 t1       f3 by a tail call
5 t1       f3 returned
6 t1     f2 returned
7 t1   f1 returned
8 t1 f0 returned
"#);
}

#[test]
fn a_function_that_calls_itself_in_its_own_place_returns_as_often() {
    let mut feed = Feed::default();
    feed.entry(1, 900, CALLER).entry(1, 900, PROBE).entry(1, 900, PROBE);
    feed.exit(1, 900).exit(1, 900).exit(1, 900);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f1
2 t1   f1 by a tail call
3 t1     f1 by a tail call
4 t1     f1 returned
5 t1   f1 returned
6 t1 f1 returned
"#);
    assert_eq!(feed.stacks.orphan_exits(), 0);
}

#[test]
fn calls_deeper_than_the_kernel_watches_end_unobserved() {
    let mut simulator = Simulator::new();
    (0..70).for_each(|_| simulator.call(1, 5, 32));
    (0..70).for_each(|_| simulator.ret(1));
    assert_eq!(ends(simulator), "64 returned, 6 unobserved");
}

#[test]
fn probes_of_calls_that_longjmp_left_keep_new_calls_from_being_watched() {
    let mut simulator = Simulator::new();
    (0..64).for_each(|_| simulator.call(1, 5, 32));
    simulator.longjmp(1, 1);
    simulator.call(1, 6, 32);
    simulator.ret(1);
    simulator.ret(1);
    assert_eq!(ends(simulator), "1 returned, 63 unwound, 1 unobserved");
}

#[test]
fn a_watched_function_that_calls_itself_in_its_place_below_the_watched_ones_returns_once() {
    let mut simulator = Simulator::new();
    (0..64).for_each(|_| simulator.call(1, 5, 32));
    simulator.tail_call(1, 5);
    (0..64).for_each(|_| simulator.ret(1));
    assert_eq!(ends(simulator), "64 returned, 1 unobserved");
}

/// How often each end occurs in what is told of a simulated recording.
fn ends(simulator: Simulator) -> String {
    let (items, ..) = simulator.into_items();
    let mut feed = Feed::default();
    for item in &items {
        match item {
            crate::simulator::Item::Raw(raw) => feed.stacks.push(raw, &mut feed.events),
            crate::simulator::Item::Gap(gap) => feed.stacks.gap(gap, &mut feed.events),
        }
    }
    let mut counts = [0; 6];
    for event in &feed.events {
        if let EventKind::Leave { end, .. } = event.kind {
            counts[end as usize] += 1;
        }
    }
    assert_eq!(feed.stacks.orphan_exits(), 0);
    assert_eq!(feed.stacks.frames(Tid(1)), []);
    let named = (0..6).filter(|end| counts[usize::from(*end)] > 0).map(|end| {
        let name = scope_model::CallEnd::from_number(end).unwrap().name();
        format!("{} {name}", counts[usize::from(end)])
    });
    named.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_signal_stack_above_the_thread_s_own_ends_no_call() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).signal(7, 9000).signal(8, 8900);
    feed.exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     f7
4 t1       f8
5 t1       f8 unobserved
5 t1     f7 unobserved
5 t1   f1 returned
6 t1 f0 returned
"#);
}

#[test]
fn a_signal_stack_below_the_thread_s_own_outlives_no_handler() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).signal(7, 90).signal(8, 80).entry(1, 900, CALLER).signal(7, 90);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f7
3 t1     f8
4 t1     f8 unobserved
4 t1   f7 unobserved
4 t1   f1
5 t1     f7
"#);
}

#[test]
fn an_exit_without_a_call_is_counted_and_ends_what_stood_below() {
    let mut feed = Feed::default();
    feed.entry(1, 900, CALLER).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f1
2 t1 f1 unwound
"#);
    assert_eq!(feed.stacks.orphan_exits(), 1);
}

#[test]
fn an_exit_without_a_call_leaves_open_what_called_it_in_its_place() {
    let mut feed = Feed::default();
    // The entry of f2, which f1 called by a tail call, was lost.
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).gap(1, 3, 1, 0);
    feed.exit(2, 900).exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     gap
5 t1   f1 returned, crosses a gap
6 t1 f0 returned, crosses a gap
"#);
    assert_eq!(feed.stacks.orphan_exits(), 1);
}

#[test]
fn an_exit_without_a_call_ends_the_signal_handler_above_it() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).signal(7, 9000).exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f7
3 t1   f7 unobserved
4 t1 f0 returned
"#);
}

#[test]
fn a_call_whose_exit_was_lost_ends_lost() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).gap(1, 3, 0, 1);
    feed.entry(2, 900, CALLER).exit(2, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1     gap
4 t1   f1 lost, crosses a gap
4 t1   f2
5 t1   f2 returned
6 t1 f0 returned, crosses a gap
"#);
}

#[test]
fn a_call_entered_within_a_gap_crosses_it() {
    let mut feed = Feed::default();
    feed.gap(1, 2, 1, 1).entry(0, 1000, CALLER).entry(1, 900, CALLER).exit(1, 900).exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 gap
2 t1 f0
3 t1   f1
4 t1   f1 returned
5 t1 f0 returned, crosses a gap
"#);
}

#[test]
fn a_gap_of_one_thread_leaves_the_others_alone() {
    let mut feed = Feed::default();
    feed.entry_of(1, 0, 1000, CALLER).entry_of(2, 0, 1000, CALLER).gap(1, 4, 1, 0);
    feed.exit_of(1, 1, 0, 1000).exit_of(2, 1, 0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t2 f0
3 t1   gap
4 t1 f0 returned, crosses a gap
5 t2 f0 returned
"#);
}

#[test]
fn a_gap_of_threads_unknown_concerns_all() {
    let mut feed = Feed::default();
    feed.entry_of(1, 0, 1000, CALLER).gap(0, 3, 1, 0).entry_of(2, 0, 1000, CALLER);
    feed.exit_of(1, 1, 0, 1000).exit_of(2, 1, 0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t0 gap
3 t2 f0
4 t1 f0 returned, crosses a gap
5 t2 f0 returned, crosses a gap
"#);
}

#[test]
fn lost_scheduler_records_make_no_duration_unknown() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER);
    let (tid, pid) = (Tid(1), Pid(1));
    let gap = Gap { tid, pid, first_ns: 1, until_ns: 9, entries: 0, exits: 0, others: 3 };
    feed.stacks.gap(&gap, &mut feed.events);
    feed.exit(0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
1 t1   gap
2 t1 f0 returned
"#);
}

#[test]
fn a_fork_inherits_the_calls_and_returns_through_them() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER).task(2, 2, (false, false));
    feed.exit_of(2, 2, 1, 900).exit(1, 900).exit(0, 1000).exit_of(2, 2, 0, 1000);
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t2 thread_start
3 t2 f0 inherited
3 t2   f1 inherited
4 t2   f1 returned
5 t1   f1 returned
6 t1 f0 returned
7 t2 f0 returned
"#);
    assert_eq!(feed.stacks.orphan_exits(), 0);
}

#[test]
fn threads_and_vfork_children_inherit_nothing() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).task(2, 1, (true, true)).task(3, 3, (false, true));
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t2 thread_start
3 t3 thread_start
"#);
}

#[test]
fn exec_ends_the_calls_of_the_whole_process_alone() {
    let mut feed = Feed::default();
    feed.entry_of(1, 0, 1000, CALLER).entry_of(3, 0, 1000, CALLER).entry_of(2, 1, 900, CALLER);
    feed.task(4, 4, (false, false));
    feed.raw(1, 1, RawKind::Exec { old_tid: Tid(3), name: ThreadName::new("new") });
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t3 f0
3 t2 f1
4 t4 thread_start
4 t4 f0 inherited
5 t1 f0 exec
5 t2 f1 exec
5 t3 f0 exec
5 t1 exec
"#);
}

#[test]
fn a_thread_s_end_ends_its_calls() {
    let mut feed = Feed::default();
    feed.entry(0, 1000, CALLER).entry(1, 900, CALLER);
    feed.raw(1, 1, RawKind::TaskExit { code: 0, last: true });
    insta::assert_snapshot!(feed.text(), @r#"
1 t1 f0
2 t1   f1
3 t1   f1 thread_ended
3 t1 f0 thread_ended
3 t1 thread_exit
"#);
}

#[test]
fn a_thread_id_used_again_does_not_find_the_calls_of_its_predecessor() {
    let mut feed = Feed::default();
    // The end of the first thread 2 was lost.
    feed.entry_of(2, 0, 1000, CALLER).task(2, 1, (true, true)).entry_of(2, 1, 900, CALLER);
    insta::assert_snapshot!(feed.text(), @r#"
1 t2 f0
2 t2 f0 thread_ended
2 t2 thread_start
3 t2 f1
"#);
}
