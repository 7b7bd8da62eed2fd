//! How long questions about a moment take: `cargo run --release -p scope-timeline --example latency
//! TRACE`. Prints the median, the 99th percentile and the longest of each, of single runs: compare
//! inside one run only.

use std::time::{Duration, Instant};
use std::{env, process};

use scope_model::{RunState, Tid};
use scope_store::{Direction, Trace};
use scope_timeline::{Cursor, Move, Outcome, SearchOptions, Timeline, TimelineError};

/// Moments asked for.
const MOMENTS: u64 = 2_000;
/// Steps made one after the other from each of some moments.
const WALK: u64 = 50;

fn main() {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: latency TRACE");
        process::exit(2);
    };
    if let Err(error) = measure(&path) {
        eprintln!("{error}");
        process::exit(1);
    }
}

fn measure(path: &str) -> Result<(), TimelineError> {
    let trace = Trace::open(path)?;
    let timeline = Timeline::new(&trace);
    let (start, end) = (timeline.start(), timeline.end()?);
    let moments = || (0..MOMENTS).map(|n| start + scatter(n) % (end - start).max(1));

    let mut states = Vec::new();
    for moment in moments() {
        let time_ns = timeline.time_of(moment)?;
        let begun = Instant::now();
        let moment = timeline.moment_at(time_ns)?;
        let state = timeline.state_at(moment)?;
        states.push(begun.elapsed());
        drop(state);
    }
    print("state_at", &mut states);

    for step in Move::ALL {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for moment in moments().take(400) {
            let Some(tid) = running(&timeline, moment)? else { continue };
            let mut cursor = Cursor { thread: Some(tid), moment };
            for number in 0..WALK {
                let begun = Instant::now();
                let outcome = cursor.step(&timeline, step)?;
                if number == 0 { &mut first } else { &mut later }.push(begun.elapsed());
                if let Outcome::Stopped(_) = outcome {
                    break;
                }
            }
        }
        print(&format!("{step:?}, from anywhere"), &mut first);
        print(&format!("{step:?}, then on"), &mut later);
    }

    let mut finds = Vec::new();
    for function in trace.functions().iter().rev().take(40) {
        for (direction, moment) in [(Direction::Forward, start), (Direction::Backward, end)] {
            let cursor = Cursor { thread: None, moment };
            let begun = Instant::now();
            timeline.step_to_call(cursor, &[function.id], direction)?;
            finds.push(begun.elapsed());
        }
    }
    print("next or previous call of a function, from the ends", &mut finds);

    for text in ["end=never", "end=unwound", "duration>1h", "state=ended"] {
        let condition = match text.parse() {
            Ok(condition) => condition,
            Err(error) => unreachable!("{error}"),
        };
        let options = SearchOptions { direction: Direction::Forward, from: start, until: None };
        let begun = Instant::now();
        let mut search = timeline.search(&condition, options)?;
        let hits = search.by_ref().take(100).count();
        println!("{:>52}  {:?}, {hits} hits", text, begun.elapsed());
    }

    let mut calls = Vec::new();
    for moment in moments().take(200) {
        let Some(tid) = running(&timeline, moment)? else { continue };
        let Some(thread) = timeline.thread_at(moment, tid)? else { continue };
        let Some(call) = thread.stack.last() else { continue };
        let begun = Instant::now();
        timeline.call(call.id, 100)?;
        calls.push(begun.elapsed());
    }
    print("view of the innermost call", &mut calls);
    Ok(())
}

/// A thread that runs at a moment.
fn running(timeline: &Timeline<'_>, moment: u64) -> Result<Option<Tid>, TimelineError> {
    let state = timeline.state_at(moment)?;
    let mut threads = state.sorted_threads().into_iter();
    let runs = threads.find(|thread| matches!(thread.run, RunState::Running { .. }));
    Ok(runs.map(|thread| thread.tid))
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let share = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied();
    let micros = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1e6;
    println!(
        "{what:>52}  p50 {:>8.1} us  p99 {:>8.1} us  max {:>9.1} us",
        micros(share(50)),
        micros(share(99)),
        micros(times.last().copied()),
    );
}

/// A number that looks random.
fn scatter(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}
