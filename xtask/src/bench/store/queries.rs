//! Questions to a trace, timed.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};
use scope_model::{EventKind, FunctionId, State};
use scope_store::{BlockFilter, Direction, Trace};

use crate::bench::results::Results;
use crate::bench::series::Series;

/// Moments asked for, warm and cold.
const WARM: u64 = 2_000;
const COLD: u64 = 100;
/// Steps timed.
const STEPS: u64 = 20_000;

/// Times everything that is asked of the trace at a path.
pub fn run(path: &Path, rare: FunctionId, rounds: u32, results: &mut Results) -> Result<()> {
    let memory_before = anonymous_bytes()?;
    let mut open = Series::default();
    for _ in 0..rounds {
        let (trace, passed) = timed(|| Trace::open(path));
        trace?;
        open.push(millis(passed));
    }
    results.series("open_ms", &open, "ms");

    let trace = Trace::open(path)?;
    let blocks = trace.block_count()?;
    let first_ns = trace.block_info(0)?.first_ns;
    let last_ns = trace.block_info(blocks - 1)?.last_ns;
    let moment = |number: u64| first_ns + scatter(number) % (last_ns - first_ns);

    let (mut block_us, mut checkpoint_us) = (Vec::new(), Vec::new());
    for number in 0..WARM / 2 {
        let block = (scatter(number) % blocks as u64) as usize;
        let (state, passed) = timed(|| trace.checkpoint(block));
        state?;
        checkpoint_us.push(micros(passed));
        let (events, passed) = timed(|| trace.block(block));
        events?;
        block_us.push(micros(passed));
    }
    results.single("checkpoint_p50_us", percentile(&mut checkpoint_us, 0.5), "us");
    results.single("block_decode_p50_us", percentile(&mut block_us, 0.5), "us");

    let mut warm = Vec::new();
    for number in 0..WARM {
        let (state, passed) = timed(|| state_at(&trace, moment(number)));
        ensure!(!state?.threads().is_empty(), "no thread is there");
        warm.push(micros(passed));
    }
    // The first ones found nothing in the page cache or their segment's tables not yet read.
    let mut warm = warm.split_off(warm.len() / 4);
    results.single("state_at_warm_p50_us", percentile(&mut warm, 0.5), "us");
    results.single("state_at_warm_p99_us", percentile(&mut warm, 0.99), "us");

    let mut cold = Vec::new();
    for number in 0..COLD {
        forget(path)?;
        let trace = Trace::open(path)?;
        let (state, passed) = timed(|| state_at(&trace, moment(number + 77)));
        state?;
        cold.push(millis(passed));
    }
    results.single("state_at_cold_p99_ms", percentile(&mut cold, 0.99), "ms");

    let mut steps = Vec::new();
    let from = trace.end_event()? / 3;
    for at in from..(from + STEPS).min(trace.end_event()?) {
        let (event, passed) = timed(|| event_at(&trace, at));
        event?;
        steps.push(micros(passed));
    }
    results.single("step_p99_us", percentile(&mut steps, 0.99), "us");

    let mut find = Series::default();
    for _ in 0..rounds.min(5) {
        let trace = Trace::open(path)?;
        let (found, passed) = timed(|| find_last(&trace, rare));
        ensure!(found?, "the rare function is not found");
        find.push(millis(passed));
    }
    results.series("rare_find_ms", &find, "ms");

    let mut overview = Series::default();
    for round in 0..rounds + 1 {
        let (picture, passed) = timed(|| trace.overview(first_ns, last_ns + 1, 200, None));
        let calls: u64 =
            picture?.threads.iter().flat_map(|t| &t.cells).map(|cell| cell.calls).sum();
        ensure!(calls > 0, "the picture is empty");
        if round == 0 {
            results.single("overview_200_first_ms", millis(passed), "ms");
        } else {
            overview.push(millis(passed));
        }
    }
    results.series("overview_200_ms", &overview, "ms");
    let memory = anonymous_bytes()?.saturating_sub(memory_before);
    results.single("rss_mib", memory as f64 / f64::from(1 << 20), "MiB");

    let begun = Instant::now();
    let mut count = 0_u64;
    for event in trace.events() {
        event?;
        count += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(count == trace.end_event()?, "events are missing");
    results.single("read_events_per_s", count as f64 / seconds, "/s");
    Ok(())
}

/// The state of all threads at a time.
fn state_at(trace: &Trace, time_ns: u64) -> Result<State> {
    let block = trace.block_at_time(time_ns)?.min(trace.block_count()? - 1);
    let mut state = (*trace.checkpoint(block)?).clone();
    let block = trace.block(block)?;
    for (event, number) in block.events().iter().zip(block.info().first_event..) {
        if event.time_ns > time_ns {
            break;
        }
        state.apply(number, event);
    }
    Ok(state)
}

fn event_at(trace: &Trace, event: u64) -> Result<EventKind> {
    let block = trace.block_of_event(event)?.context("there is no such event")?;
    let block = trace.block(block)?;
    let at = usize::try_from(event - block.info().first_event)?;
    Ok(block.events()[at].kind)
}

/// Whether the function was called, looked for from the end.
fn find_last(trace: &Trace, function: FunctionId) -> Result<bool> {
    let functions = [function];
    let filter = BlockFilter { functions: Some(&functions), threads: None };
    let mut found = false;
    // The whole trace is searched, whether or not a call is found early.
    for block in trace.blocks_with(filter, Direction::Backward, usize::MAX) {
        let block = block?;
        if !found {
            let is_call = |kind: &EventKind| matches!(kind, EventKind::Enter { function: f, .. } if *f == function);
            found = trace.block(block)?.events().iter().any(|event| is_call(&event.kind));
        }
    }
    Ok(found)
}

/// Has the system forget what it has of the trace's files.
fn forget(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path.join("segments"))? {
        let file = File::open(entry?.path())?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Memory of this process that is not of files, in bytes.
fn anonymous_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.context("the kernel does not say RssAnon")?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? * 1024)
}

/// A number that looks random.
fn scatter(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

fn millis(passed: Duration) -> f64 {
    passed.as_secs_f64() * 1e3
}

fn micros(passed: Duration) -> f64 {
    passed.as_secs_f64() * 1e6
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() as f64 * share) as usize).min(values.len() - 1)]
}
