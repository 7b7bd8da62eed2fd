//! A level of a pyramid as bytes: a column a field, since what is alike compresses well together.

use scope_model::FunctionId;

use super::{Doing, Entry, Level, Present, ThreadLevel};
use crate::sealed::bytes::{Corrupt, Decoded, Reader, put};

/// Writes a level. How long the dominant function dominates is kept in parts of 255 only.
pub(crate) fn encode_level(level: &Level, out: &mut Vec<u8>) {
    let length = 1_u64 << level.shift;
    put(out, level.shift.into());
    put(out, level.threads.len() as u64);
    let mut next_tid = 0;
    for thread in &level.threads {
        put(out, u64::from(thread.tid) - next_tid);
        next_tid = u64::from(thread.tid) + 1;
        put(out, thread.entries.len() as u64);
    }
    for thread in &level.threads {
        let mut next = 0;
        for entry in &thread.entries {
            put(out, entry.bucket - next);
            next = entry.bucket + 1;
        }
        put(out, thread.until - next);
    }
    let entries = || level.threads.iter().flat_map(|thread| &thread.entries);
    entries().for_each(|entry| put(out, entry.running_ns));
    entries().for_each(|entry| put(out, entry.runnable_ns));
    // Mostly 0: a thread is in one of three states all the time.
    entries().for_each(|entry| {
        let told = entry.running_ns + entry.runnable_ns + entry.blocked_ns;
        put(out, length.saturating_sub(told));
    });
    entries().for_each(|entry| put(out, entry.depth.into()));
    entries().for_each(|entry| put(out, function_number(entry.function)));
    entries().for_each(|entry| out.push(share(entry.function_ns, length)));
    entries().for_each(|entry| put(out, entry.calls));
    entries().for_each(|entry| put(out, entry.lost));
    for thread in &level.threads {
        for (index, entry) in thread.entries.iter().enumerate() {
            if is_followed_by_silence(thread, index) {
                out.push(entry.end.doing as u8);
                put(out, entry.end.depth.into());
                put(out, function_number(entry.end.function));
            }
        }
    }
}

/// Reads a level. What goes on at the end of an entry that another follows at once is not kept.
pub(crate) fn decode_level(bytes: &[u8]) -> Decoded<Level> {
    const FAR: Corrupt = Corrupt("a bucket lies beyond all time");
    let mut reader = Reader::new(bytes);
    let shift = reader.u32()?;
    if shift > 62 {
        return Err(Corrupt("the buckets of a level are too long"));
    }
    let length = 1_u64 << shift;
    let count = reader.count()?;
    let mut threads = Vec::with_capacity(count);
    let mut next_tid = 0_u64;
    let mut entries = 0;
    for _ in 0..count {
        let tid = next_tid.checked_add(reader.number()?).and_then(|tid| u32::try_from(tid).ok());
        let tid = tid.ok_or(Corrupt("a thread id is too large"))?;
        next_tid = u64::from(tid) + 1;
        let own = reader.count()?;
        entries += own;
        if entries > reader.left() {
            return Err(Corrupt("a count is larger than what follows"));
        }
        threads.push(ThreadLevel { tid, entries: vec![Entry::default(); own], until: 0 });
    }
    for thread in &mut threads {
        let mut next = 0_u64;
        for entry in &mut thread.entries {
            entry.bucket = next.checked_add(reader.number()?).ok_or(FAR)?;
            next = entry.bucket.checked_add(1).ok_or(FAR)?;
        }
        thread.until = next.checked_add(reader.number()?).ok_or(FAR)?;
        if thread.until > u64::MAX >> shift {
            // One beyond the last bucket of all.
            return Err(FAR);
        }
    }
    let each = |threads: &mut Vec<ThreadLevel>, read: &mut dyn FnMut(&mut Entry) -> Decoded<()>| {
        threads.iter_mut().flat_map(|thread| &mut thread.entries).try_for_each(read)
    };
    let bounded = |ns: u64| if ns <= length { Ok(ns) } else { Err(Corrupt("a time is too long")) };
    each(&mut threads, &mut |entry| {
        entry.running_ns = bounded(reader.number()?)?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.runnable_ns = bounded(reader.number()?)?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        let told = entry.running_ns + entry.runnable_ns;
        let blocked_ns =
            length.checked_sub(told).and_then(|rest| rest.checked_sub(reader.number().ok()?));
        entry.blocked_ns = blocked_ns.ok_or(Corrupt("a time is too long"))?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.depth = reader.u32()?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.function = function(reader.number()?)?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.function_ns = (u128::from(length) * u128::from(reader.byte()?) / 255) as u64;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.calls = reader.number()?;
        Ok(())
    })?;
    each(&mut threads, &mut |entry| {
        entry.lost = reader.number()?;
        Ok(())
    })?;
    for thread in &mut threads {
        for index in 0..thread.entries.len() {
            if is_followed_by_silence(thread, index) {
                let doing = match reader.byte()? {
                    0 => Doing::Unknown,
                    1 => Doing::Running,
                    2 => Doing::Runnable,
                    3 => Doing::Blocked,
                    _ => return Err(Corrupt("a thread does something unknown")),
                };
                let depth = reader.u32()?;
                let function = function(reader.number()?)?;
                thread.entries[index].end = Present { doing, depth, function };
            }
        }
    }
    reader.end()?;
    Ok(Level { shift, threads })
}

/// Whether buckets without entries follow.
fn is_followed_by_silence(thread: &ThreadLevel, index: usize) -> bool {
    let next = thread.entries.get(index + 1).map_or(thread.until, |next| next.bucket);
    next > thread.entries[index].bucket + 1
}

fn share(ns: u64, length: u64) -> u8 {
    (u128::from(ns) * 255 / u128::from(length)).min(255) as u8
}

fn function_number(function: Option<FunctionId>) -> u64 {
    function.map_or(0, |function| u64::from(function.0) + 1)
}

fn function(number: u64) -> Decoded<Option<FunctionId>> {
    let Some(id) = number.checked_sub(1) else { return Ok(None) };
    let id = u32::try_from(id).map_err(|_| Corrupt("a function id is too large"))?;
    Ok(Some(FunctionId(id)))
}
