//! What every thread did at a random time: asked of a trace that was read before, and of one of which
//! nothing is in memory.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};
use scope_store::Trace;
use scope_timeline::Timeline;

use super::questions::{Effort, Span};
use crate::bench::sample::{Times, scatter, timed};

/// With the files in the page cache and the trace open, as a person has it who looks around.
pub fn warm(timeline: &Timeline<'_>, effort: Effort) -> Result<Times> {
    let span = Span::of(timeline)?;
    // Has each segment's tables read, as far as they are kept.
    for number in 0..effort.moments / 4 {
        state_at(timeline, span.time(scatter(number + 1_000_000)))?;
    }
    let (mut times, mut threads) = (Times::default(), 0);
    for number in 0..effort.moments {
        let time_ns = span.time(scatter(number));
        let (there, passed) = timed(|| state_at(timeline, time_ns));
        threads += there?;
        times.push(passed);
    }
    ensure!(threads > 0, "no thread is ever there");
    Ok(times)
}

/// With the trace just opened, after the system was asked to forget its files (`posix_fadvise` with
/// `POSIX_FADV_DONTNEED`, which needs no privilege). The times to open it so, and those of a state
/// after that. `None` where the system forgot nothing: the file system is in memory.
pub fn cold(path: &Path, effort: Effort) -> Result<Option<(Times, Times)>> {
    let (mut opens, mut states) = (Times::default(), Times::default());
    let read_before = read_from_disk()?;
    for number in 0..effort.cold {
        forget(path)?;
        let (trace, passed) = timed(|| Trace::open(path));
        let trace = trace?;
        opens.push(passed);
        let timeline = Timeline::new(&trace);
        let time_ns = Span::of(&timeline)?.time(scatter(number + 77));
        let (threads, passed) = timed(|| state_at(&timeline, time_ns));
        threads?;
        states.push(passed);
    }
    let forgot = read_from_disk()? > read_before;
    Ok(forgot.then_some((opens, states)))
}

/// Asks for a state; how many threads it has.
fn state_at(timeline: &Timeline<'_>, time_ns: u64) -> Result<usize> {
    let moment = timeline.moment_at(time_ns)?;
    Ok(timeline.state_at(moment)?.threads().len())
}

/// Has the system forget what it has in memory of the trace's files.
fn forget(path: &Path) -> Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            fadvise(&File::open(&path)?, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Bytes that this process had read from disks so far.
fn read_from_disk() -> Result<u64> {
    let counts = fs::read_to_string("/proc/self/io").context("cannot read /proc/self/io")?;
    let line = counts.lines().find_map(|line| line.strip_prefix("read_bytes:"));
    Ok(line.context("the kernel does not count what is read")?.trim().parse()?)
}
