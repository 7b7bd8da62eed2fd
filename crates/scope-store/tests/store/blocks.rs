//! Random access gives what reading from the start gives.

use scope_model::{Event, State, Tid};
use scope_store::{BlockFilter, Direction, StoreError, Trace, concerns};

use crate::support::{create, event_range, finish, place};

/// Checks every way into a trace that holds `events` against going through them from the start.
pub(crate) fn check_access(trace: &Trace, events: &[Event]) {
    let blocks = trace.block_count().unwrap();
    assert_eq!(trace.end_event().unwrap(), events.len() as u64);
    let mut state = State::new();
    let mut latest_ns = 0;
    for number in 0..blocks {
        let info = trace.block_info(number).unwrap();
        assert_eq!(info.first_event, state.next_event());
        // First, while nothing of the block is remembered.
        let own = &events[info.first_event as usize..info.end_event() as usize];
        check_moments(trace, number, &state, own);
        assert_eq!(*trace.checkpoint(number).unwrap(), state, "checkpoint of block {number}");
        let block = trace.block(number).unwrap();
        let range = info.first_event as usize..info.end_event() as usize;
        assert_eq!((block.info(), block.events()), (info, &events[range.clone()]));
        for event in [range.start, range.end - 1] {
            assert_eq!(trace.block_of_event(event as u64).unwrap(), Some(number));
        }
        let times = || block.events().iter().map(|event| event.time_ns);
        assert_eq!(info.first_ns, times().min().unwrap());
        assert_eq!(info.last_ns, times().max().unwrap());
        if info.last_ns > latest_ns {
            assert_eq!(trace.block_at_time(info.last_ns).unwrap(), number);
            assert_eq!(trace.block_at_time(latest_ns + 1).unwrap(), number);
        }
        latest_ns = latest_ns.max(info.last_ns);
        for (event, number) in block.events().iter().zip(info.first_event..) {
            state.apply(number, event);
        }
    }
    assert_eq!(*trace.checkpoint(blocks).unwrap(), state, "the state at the end");
    assert_eq!(trace.block_of_event(events.len() as u64).unwrap(), None);
    if latest_ns < u64::MAX {
        assert_eq!(trace.block_at_time(latest_ns + 1).unwrap(), blocks);
    }
}

/// Checks what is said of moments within a block of these events, before which the threads are in
/// `before`.
fn check_moments(trace: &Trace, block: usize, before: &State, events: &[Event]) {
    let first = before.next_event();
    for within in [events.len() / 3, events.len() - 1, events.len(), 0] {
        let mut state = before.clone();
        events[..within].iter().zip(first..).for_each(|(event, number)| {
            state.apply(number, event);
        });
        assert_eq!(trace.state_in(block, within).unwrap(), state, "{within} events into {block}");
        assert_eq!(trace.latest_ns(block, within).unwrap(), state.latest_ns());
        let time_ns = events[within.min(events.len() - 1)].time_ns;
        let after = events.iter().position(|event| event.time_ns > time_ns);
        assert_eq!(trace.place_after(block, time_ns).unwrap(), after.unwrap_or(events.len()));
    }
    let mut threads: Vec<Tid> = events.iter().map(|event| event.tid).collect();
    threads.extend(before.threads().iter().map(|thread| thread.tid));
    threads.sort_unstable();
    threads.dedup();
    for tid in threads.into_iter().take(4) {
        let own = trace.thread_in(block, tid).unwrap();
        assert_eq!(own.before.thread(tid), before.thread(tid));
        assert_eq!(
            (own.before.lost(), own.before.latest_ns(), own.before.next_event()),
            (before.lost(), before.latest_ns(), first)
        );
        let expected: Vec<_> = (first..)
            .zip(events)
            .filter(|(_, event)| concerns(event, tid))
            .map(|(number, event)| (number, *event))
            .collect();
        assert_eq!(own.events, expected, "events of {tid:?} in {block}");
    }
}

#[test]
fn a_finished_trace() {
    let (_folder, path) = place();
    let events = event_range(0..20_000);
    let mut writer = create(&path, 300_000);
    writer.append(&events).unwrap();
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    check_access(&trace, &events);
    // From the end backward, with nothing remembered.
    let trace = Trace::open(&path).unwrap();
    let late = trace.checkpoint(trace.block_count().unwrap() - 1).unwrap();
    let mut state = State::new();
    for (event, number) in events.iter().zip(0..late.next_event()) {
        state.apply(number, event);
    }
    assert_eq!(*late, state);
}

#[test]
fn a_trace_that_grows_in_small_commits() {
    let (_folder, path) = place();
    let events = event_range(0..12_000);
    let mut writer = create(&path, 200_000);
    let mut trace = Trace::open(&path).unwrap();
    check_access(&trace, &[]);
    for end in (100..=12_000).step_by(100) {
        writer.append(&events[end - 100..end]).unwrap();
        writer.commit().unwrap();
        if end % 700 == 0 {
            trace.refresh().unwrap();
            check_access(&trace, &events[..end]);
        }
    }
    trace.refresh().unwrap();
    check_access(&trace, &events);
    assert!(trace.block_count().unwrap() < 10, "small commits are read together");
}

#[test]
fn candidates_go_either_way_and_end() {
    let (_folder, path) = place();
    let mut writer = create(&path, 1 << 20);
    writer.append(&event_range(0..20_000)).unwrap();
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    let blocks = trace.block_count().unwrap();
    let all = |direction, from| -> Vec<usize> {
        trace.blocks_with(BlockFilter::default(), direction, from).map(Result::unwrap).collect()
    };
    assert_eq!(all(Direction::Forward, 2), (2..blocks).collect::<Vec<_>>());
    assert_eq!(all(Direction::Backward, 2), [2, 1, 0]);
    assert_eq!(all(Direction::Backward, usize::MAX), (0..blocks).rev().collect::<Vec<_>>());
    assert!(all(Direction::Forward, blocks).is_empty());
}

#[test]
fn a_block_that_is_not_there() {
    let (_folder, path) = place();
    finish(create(&path, 4096));
    let trace = Trace::open(&path).unwrap();
    let error = trace.block(0).unwrap_err();
    assert!(matches!(error, StoreError::NoSuchBlock { .. }));
    insta::assert_snapshot!(error, @"there is no block 0: the trace has 0");
}
