//! Sealed segments say what the events said: through every way into a trace, for random programs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use scope_model::{Event, EventKind, FunctionId, RunState, State, Tid};
use scope_store::{BlockFilter, Direction, GapInfo, Position, Trace, WriterOptions, verify};

use crate::blocks::check_access;
use crate::program::program;
use crate::support::{
    any_event, create_sealing, create_with, event_range, finish, place, read_all,
};

/// Checks what an index answers: every block that holds what is asked for is a candidate, and in
/// sealed segments no other.
fn check_index(trace: &Trace) {
    let blocks = trace.block_count().unwrap();
    for function in 0..9 {
        let functions = [FunctionId(function)];
        let filter = BlockFilter { functions: Some(&functions), ..BlockFilter::default() };
        let holds = |event: &Event| match event.kind {
            EventKind::Enter { function, .. } | EventKind::Leave { function, .. } => {
                functions.contains(&function)
            }
            _ => false,
        };
        check_candidates(trace, filter, blocks, holds);
    }
    for tid in 9..14 {
        let threads = [Tid(tid), Tid(0)];
        let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
        check_candidates(trace, filter, blocks, |event| threads.contains(&event.tid));
    }
}

fn check_candidates(
    trace: &Trace,
    filter: BlockFilter<'_>,
    blocks: usize,
    holds: impl Fn(&Event) -> bool,
) {
    let expected: Vec<usize> = (0..blocks)
        .filter(|block| trace.block(*block).unwrap().events().iter().any(&holds))
        .collect();
    let all = |direction, from| -> Vec<usize> {
        trace.blocks_with(filter, direction, from).map(Result::unwrap).collect()
    };
    let forward = all(Direction::Forward, 0);
    if trace.manifest().segments.iter().all(|entry| entry.sealed) {
        assert_eq!(forward, expected);
    } else {
        assert!(expected.iter().all(|block| forward.contains(block)));
    }
    let mut backward = all(Direction::Backward, usize::MAX);
    backward.reverse();
    assert_eq!(backward, forward);
    if let Some(middle) = blocks.checked_sub(1).map(|last| last / 2) {
        let after: Vec<_> = forward.iter().copied().filter(|block| *block >= middle).collect();
        assert_eq!(all(Direction::Forward, middle), after);
    }
}

/// Times, calls and losses of each thread: running, runnable, blocked, calls, lost.
type Sums = BTreeMap<Tid, [u64; 5]>;

/// What an overview adds up to, by the most naive of models.
fn sums_of(events: &[Event]) -> Sums {
    let mut sums = Sums::new();
    let mut state = State::new();
    let mut since: BTreeMap<Tid, u64> = BTreeMap::new();
    let pass = |sums: &mut Sums, state: &State, tid: Tid, from_ns: u64, to_ns: u64| {
        let slot = match state.thread(tid).map(|thread| thread.run) {
            Some(RunState::Running { .. }) => 0,
            Some(RunState::Runnable { .. }) => 1,
            Some(RunState::Blocked { .. }) => 2,
            _ => return,
        };
        sums.entry(tid).or_default()[slot] += to_ns - from_ns;
    };
    for (event, number) in events.iter().zip(0..) {
        // Every thread, whatever the event is of: slow and simple.
        for (tid, since_ns) in &mut since {
            pass(&mut sums, &state, *tid, *since_ns, event.time_ns);
            *since_ns = event.time_ns;
        }
        state.apply(number, event);
        since.insert(event.tid, event.time_ns);
        let own = sums.entry(event.tid).or_default();
        match event.kind {
            EventKind::Enter { inherited: false, .. } => own[3] += 1,
            EventKind::Gap { entries, exits, others, .. } => {
                own[4] += u64::from(entries) + u64::from(exits) + u64::from(others);
            }
            _ => {}
        }
    }
    sums.retain(|_, sums| *sums != [0; 5]);
    sums
}

fn check_overview(trace: &Trace, events: &[Event]) {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
    let expected = sums_of(events);
    for columns in [1, 7, 100] {
        let overview = trace.overview(first.time_ns - 5, last.time_ns + 77, columns, None).unwrap();
        let mut sums = Sums::new();
        for thread in &overview.threads {
            assert_eq!(thread.cells.len(), columns);
            let own = sums.entry(thread.tid).or_default();
            for cell in &thread.cells {
                let times = [cell.running_ns, cell.runnable_ns, cell.blocked_ns];
                for (sum, more) in
                    own.iter_mut().zip(times.into_iter().chain([cell.calls, cell.lost]))
                {
                    *sum += more;
                }
            }
        }
        sums.retain(|_, sums| *sums != [0; 5]);
        assert_eq!(sums, expected, "in {columns} columns");
    }
}

fn check_told(trace: &Trace, events: &[Event]) {
    let gaps: Vec<GapInfo> = (0..)
        .zip(events)
        .filter_map(|(number, event)| match event.kind {
            EventKind::Gap { until_ns, entries, exits, others } => Some(GapInfo {
                event: number,
                tid: event.tid,
                first_ns: event.time_ns,
                until_ns,
                entries,
                exits,
                others,
            }),
            _ => None,
        })
        .collect();
    assert_eq!(trace.gaps().unwrap(), gaps);
    let calls: u64 = (0..9).map(|id| trace.durations(FunctionId(id)).unwrap().calls).sum();
    let made = |event: &&Event| matches!(event.kind, EventKind::Enter { inherited: false, .. });
    assert_eq!(calls, events.iter().filter(made).count() as u64);
    let mut all = trace.durations_of_all().unwrap();
    for (function, durations) in &all {
        assert_eq!(*durations, trace.durations(*function).unwrap());
        let counted: u64 = durations.buckets().map(|(_, count)| u64::from(count)).sum();
        assert_eq!(counted, durations.count());
    }
    all.dedup_by_key(|(function, _)| *function);
    assert_eq!(all.iter().map(|(_, durations)| durations.calls).sum::<u64>(), calls);
}

fn check_all(trace: &Trace, events: &[Event]) {
    assert_eq!(read_all(trace), events);
    check_access(trace, events);
    check_index(trace);
    check_overview(trace, events);
    check_told(trace, events);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_programs(events in program(1500), segment_bytes in 2_000_u32..40_000) {
        let (_folder, path) = place();
        let mut writer = create_sealing(&path, segment_bytes);
        writer.append(&events).unwrap();
        finish(writer);
        let trace = Trace::open(&path).unwrap();
        prop_assert!(trace.manifest().segments.iter().all(|entry| entry.sealed));
        check_all(&trace, &events);
        let report = verify(&path).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
        prop_assert_eq!(report.events, events.len() as u64);
    }

    #[test]
    fn programs_that_are_sealed_in_part(events in program(800), hot in 0_usize..400) {
        let (_folder, path) = place();
        // One segment alone is sealed; what follows stays hot.
        let (first, rest) = events.split_at(events.len().saturating_sub(hot));
        let bytes = (64 + 48 + 40 * first.len().max(200)) as u32;
        let options = WriterOptions { segment_bytes: bytes, ..WriterOptions::default() };
        let mut writer = create_with(&path, options);
        writer.append(first).unwrap();
        writer.commit().unwrap();
        for batch in rest.chunks(37) {
            writer.append(batch).unwrap();
            writer.commit().unwrap();
        }
        drop(writer);
        check_all(&Trace::open(&path).unwrap(), &events);
    }

    #[test]
    fn events_that_make_no_sense(
        events in prop::collection::vec(any_event(), 0..400),
        segment_bytes in 2_000_u32..40_000,
        from in 0_u64..500,
    ) {
        let (_folder, path) = place();
        let mut writer = create_sealing(&path, segment_bytes);
        writer.append(&events).unwrap();
        finish(writer);
        let trace = Trace::open(&path).unwrap();
        prop_assert!(trace.manifest().segments.iter().all(|entry| entry.sealed));
        prop_assert_eq!(&read_all(&trace), &events);
        let tail = trace.events_from(Position::after(from)).collect::<Result<Vec<_>, _>>().unwrap();
        prop_assert_eq!(&tail[..], events.get(from as usize..).unwrap_or(&[]));
        for block in 0..trace.block_count().unwrap() {
            let info = trace.block_info(block).unwrap();
            let range = info.first_event as usize..info.end_event() as usize;
            let block = trace.block(block).unwrap();
            prop_assert_eq!(block.events(), &events[range]);
        }
    }
}

#[test]
fn long_segments_have_many_blocks_and_groups_of_checkpoints() {
    let events = event_range(0..200_000);
    let (_folder, path) = place();
    let mut writer = create_sealing(&path, 4 << 20);
    writer.append(&events).unwrap();
    finish(writer);
    let trace = Trace::open(&path).unwrap();
    assert!(trace.block_count().unwrap() >= 49);
    check_access(&trace, &events);
    check_told(&trace, &events);
    assert!(verify(&path).unwrap().is_sound());
    // From the end backward, with nothing remembered.
    let trace = Trace::open(&path).unwrap();
    let mut states = Vec::new();
    let mut state = State::new();
    for (event, number) in events.iter().zip(0..) {
        if trace.block_of_event(number).unwrap().is_some_and(|block| block == states.len()) {
            states.push(state.clone());
        }
        state.apply(number, event);
    }
    for (block, state) in states.iter().enumerate().rev() {
        assert_eq!(*trace.checkpoint(block).unwrap(), *state);
    }
}

#[test]
fn a_trace_of_more_segments_than_are_kept_open() {
    let (_folder, path) = place();
    let events = event_range(0..14_000);
    let mut writer = create_sealing(&path, 2_000);
    writer.append(&events).unwrap();
    finish(writer);
    let mut trace = Trace::open(&path).unwrap();
    assert!(trace.manifest().segments.len() > 280);
    assert_eq!(read_all(&trace), events);
    assert_eq!(
        trace.block(0).unwrap().events().len(),
        trace.block_info(0).unwrap().events as usize
    );
    // One of the first is gone: an error that names it, when it is read.
    std::fs::remove_file(path.join("segments/00000001.sealed")).unwrap();
    let error = trace.events().find_map(Result::err).unwrap();
    assert!(error.to_string().ends_with("00000001.sealed is missing: the manifest lists it"));
    trace.refresh().unwrap();
}
