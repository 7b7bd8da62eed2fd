//! Checkpoints: the state of all threads at the start of a block, as the difference to another state.
//!
//! The first checkpoint of a group is the difference to the state without threads, each further one
//! that to the one before it. A thread's frames that stay are counted, those above them written;
//! frames are of the shapes of the dictionary where they can be.

use rustc_hash::FxHashMap;
use scope_model::state::Lost;
use scope_model::{
    FunctionId, OpenCall, OpenSyscall, Pid, RunState, State, ThreadName, ThreadState, Tid,
};

use super::bytes::{Corrupt, Decoded, Reader, difference, moved, put};
use super::dictionary::{Dictionary, Shape};

/// What of a thread is written; bits of its first byte above the run state.
mod flag {
    pub(super) const PID: u8 = 1 << 3;
    pub(super) const NAME: u8 = 1 << 4;
    pub(super) const LOST: u8 = 1 << 5;
    pub(super) const SYSCALL: u8 = 1 << 6;
}

/// Run states, in the low bits of a thread's first byte.
mod run {
    pub(super) const UNKNOWN: u8 = 0;
    pub(super) const RUNNING: u8 = 1;
    pub(super) const RUNNABLE: u8 = 2;
    pub(super) const WOKEN: u8 = 3;
    pub(super) const BLOCKED: u8 = 4;
    pub(super) const ENDED: u8 = 5;
    pub(super) const MASK: u8 = 7;
}

/// Writes checkpoints of one segment.
#[derive(Debug)]
pub(crate) struct CheckpointEncoder {
    shapes: FxHashMap<Shape, u32>,
}

impl CheckpointEncoder {
    /// For a segment with this dictionary.
    pub(crate) fn new(dictionary: &Dictionary) -> Self {
        let shapes = dictionary.shapes.iter().enumerate().map(|(at, shape)| (*shape, at as u32));
        Self { shapes: shapes.collect() }
    }

    /// Appends what makes `now` of `before`.
    pub(crate) fn encode(&self, before: &State, now: &State, out: &mut Vec<u8>) {
        put(out, difference(before.next_event(), now.next_event()));
        put(out, difference(before.latest_ns(), now.latest_ns()));
        put_lost(out, now.lost());
        let gone: Vec<Tid> = before
            .sorted_threads()
            .iter()
            .map(|thread| thread.tid)
            .filter(|tid| now.thread(*tid).is_none())
            .collect();
        put(out, gone.len() as u64);
        gone.iter().for_each(|tid| put(out, tid.0.into()));
        let nothing = ThreadState::default();
        let changed: Vec<_> = now
            .sorted_threads()
            .into_iter()
            .map(|thread| (before.thread(thread.tid), thread))
            .filter(|(before, thread)| *before != Some(*thread))
            .collect();
        put(out, changed.len() as u64);
        let (mut last_tid, mut said) = (0, Vec::new());
        for (before, thread) in changed {
            put(out, difference(last_tid, thread.tid.0.into()));
            last_tid = thread.tid.0.into();
            said.clear();
            self.encode_thread(before.unwrap_or(&nothing), thread, now, &mut said);
            // So that a reader of one thread can pass over the others.
            put(out, said.len() as u64);
            out.extend_from_slice(&said);
        }
    }

    fn encode_thread(
        &self,
        before: &ThreadState,
        now: &ThreadState,
        at: &State,
        out: &mut Vec<u8>,
    ) {
        let (code, argument) = match now.run {
            RunState::Unknown => (run::UNKNOWN, None),
            RunState::Running { cpu } => (run::RUNNING, Some(cpu.into())),
            RunState::Runnable { woken_by: None } => (run::RUNNABLE, None),
            RunState::Runnable { woken_by: Some(tid) } => (run::WOKEN, Some(tid.0)),
            RunState::Blocked { state } => (run::BLOCKED, Some(state)),
            RunState::Ended => (run::ENDED, None),
        };
        let mut flags = code;
        flags |= if now.pid != before.pid { flag::PID } else { 0 };
        flags |= if now.name != before.name { flag::NAME } else { 0 };
        flags |= if now.lost != before.lost { flag::LOST } else { 0 };
        flags |= if now.syscall.is_some() { flag::SYSCALL } else { 0 };
        out.push(flags);
        if let Some(argument) = argument {
            put(out, argument.into());
        }
        put(out, difference(now.run_since_ns, at.latest_ns()));
        if flags & flag::PID != 0 {
            put(out, now.pid.0.into());
        }
        if flags & flag::NAME != 0 {
            out.extend_from_slice(&now.name.0);
        }
        if flags & flag::LOST != 0 {
            put_lost(out, &now.lost);
        }
        if let Some(syscall) = now.syscall {
            put(out, syscall.number.into());
            put(out, difference(syscall.since_ns, at.latest_ns()));
        }
        let kept = before.stack.iter().zip(&now.stack).take_while(|(a, b)| a == b).count();
        put(out, kept as u64);
        put(out, (now.stack.len() - kept) as u64);
        let (next_event, latest_ns) = (at.next_event(), at.latest_ns());
        let mut below = Below::of(now.stack[..kept].last(), next_event, latest_ns);
        for call in &now.stack[kept..] {
            encode_call(&self.shapes, &below, call, out);
            below = Below::of(Some(call), next_event, latest_ns);
        }
    }
}

fn encode_call(shapes: &FxHashMap<Shape, u32>, below: &Below, call: &OpenCall, out: &mut Vec<u8>) {
    let shape = Shape {
        function: call.function,
        return_address: call.return_address,
        below: below.stack_pointer.wrapping_sub(call.stack_pointer),
        inherited: call.inherited,
    };
    let known = shapes.get(&shape).map_or(0, |shape| u64::from(*shape) + 1);
    put(out, known << 1 | u64::from(call.crosses_gap));
    if known == 0 {
        put(out, u64::from(call.function.0) << 1 | u64::from(call.inherited));
        put(out, call.return_address);
        put(out, difference(0, shape.below));
    }
    put(out, difference(below.id, call.id));
    put(out, difference(below.entered_ns, call.entered_ns));
}

/// What a call is written against: the call below it, or the moment.
struct Below {
    stack_pointer: u64,
    id: u64,
    entered_ns: u64,
}

impl Below {
    #[inline]
    fn of(call: Option<&OpenCall>, next_event: u64, latest_ns: u64) -> Self {
        call.map_or(Self { stack_pointer: 0, id: next_event, entered_ns: latest_ns }, |call| Self {
            stack_pointer: call.stack_pointer,
            id: call.id,
            entered_ns: call.entered_ns,
        })
    }
}

/// Makes the state of which [`CheckpointEncoder::encode`] wrote the difference.
pub(crate) fn decode(
    state: &mut State,
    reader: &mut Reader<'_>,
    dictionary: &Dictionary,
) -> Decoded<()> {
    moment(state, reader)?;
    for _ in 0..reader.count()? {
        let gone = state.take_thread(Tid(reader.u32()?));
        gone.ok_or(Corrupt("a thread ends that is not there"))?;
    }
    each_changed(reader, |tid, reader| {
        let at = (state.next_event(), state.latest_ns());
        state.edit_thread(tid, |before| thread(before, at, reader, dictionary))
    })
}

/// As [`decode`], of one thread; the others are passed over.
pub(crate) fn decode_one(
    state: &mut State,
    reader: &mut Reader<'_>,
    dictionary: &Dictionary,
    wanted: Tid,
) -> Decoded<()> {
    moment(state, reader)?;
    for _ in 0..reader.count()? {
        let gone = Tid(reader.u32()?);
        if gone == wanted {
            state.take_thread(gone).ok_or(Corrupt("a thread ends that is not there"))?;
        }
    }
    each_changed(reader, |tid, reader| {
        if tid != wanted {
            return Ok(());
        }
        let at = (state.next_event(), state.latest_ns());
        state.edit_thread(tid, |before| thread(before, at, reader, dictionary))
    })
}

/// Reads what is said of no thread in particular.
fn moment(state: &mut State, reader: &mut Reader<'_>) -> Decoded<()> {
    let next_event = moved(state.next_event(), reader.number()?);
    let latest_ns = moved(state.latest_ns(), reader.number()?);
    let lost = lost(reader)?;
    state.set_moment(lost, next_event, latest_ns);
    Ok(())
}

/// Calls `read` with what is said of each thread that changed.
fn each_changed(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(Tid, &mut Reader<'_>) -> Decoded<()>,
) -> Decoded<()> {
    let mut tid = 0;
    for _ in 0..reader.count()? {
        tid = moved(tid, reader.number()?);
        let id = Tid(u32::try_from(tid).map_err(|_| Corrupt("a thread id is too large"))?);
        let length = reader.count()?;
        read(id, &mut Reader::new(reader.take(length)?))?;
    }
    Ok(())
}

/// Changes a thread to what it is at a moment: before an event, at the latest time so far.
fn thread(
    thread: &mut ThreadState,
    at: (u64, u64),
    reader: &mut Reader<'_>,
    dictionary: &Dictionary,
) -> Decoded<()> {
    let (next_event, latest_ns) = at;
    let flags = reader.byte()?;
    if flags & 1 << 7 != 0 {
        return Err(Corrupt("a thread has unknown flags"));
    }
    thread.run = match flags & run::MASK {
        run::UNKNOWN => RunState::Unknown,
        run::RUNNING => RunState::Running { cpu: reader.u16()? },
        run::RUNNABLE => RunState::Runnable { woken_by: None },
        run::WOKEN => RunState::Runnable { woken_by: Some(Tid(reader.u32()?)) },
        run::BLOCKED => RunState::Blocked { state: reader.u32()? },
        run::ENDED => RunState::Ended,
        _ => return Err(Corrupt("a thread is in an unknown run state")),
    };
    // The difference was taken the other way round: ages are positive.
    thread.run_since_ns = before_by(latest_ns, reader.number()?);
    if flags & flag::PID != 0 {
        thread.pid = Pid(reader.u32()?);
    }
    if flags & flag::NAME != 0 {
        let mut name = ThreadName::default();
        name.0.copy_from_slice(reader.take(16)?);
        thread.name = name;
    }
    if flags & flag::LOST != 0 {
        thread.lost = lost(reader)?;
    }
    thread.syscall = if flags & flag::SYSCALL != 0 {
        let number = reader.u32()?;
        Some(OpenSyscall { number, since_ns: before_by(latest_ns, reader.number()?) })
    } else {
        None
    };
    let kept = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    if kept > thread.stack.len() {
        return Err(Corrupt("a thread keeps calls that are not there"));
    }
    thread.stack.truncate(kept);
    let pushed = reader.count()?;
    thread.stack.reserve(pushed);
    let mut below = Below::of(thread.stack.last(), next_event, latest_ns);
    for _ in 0..pushed {
        let call = call(&below, reader, dictionary)?;
        below = Below::of(Some(&call), next_event, latest_ns);
        thread.stack.push(call);
    }
    reader.end()
}

#[inline]
fn call(below: &Below, reader: &mut Reader<'_>, dictionary: &Dictionary) -> Decoded<OpenCall> {
    let word = reader.number()?;
    let shape = match usize::try_from(word >> 1).unwrap_or(usize::MAX).checked_sub(1) {
        Some(shape) => {
            *dictionary.shapes.get(shape).ok_or(Corrupt("a shape is not in the dictionary"))?
        }
        None => {
            let function = reader.number()?;
            let id =
                u32::try_from(function >> 1).map_err(|_| Corrupt("a function id is too large"))?;
            Shape {
                function: FunctionId(id),
                inherited: function & 1 == 1,
                return_address: reader.number()?,
                below: moved(0, reader.number()?),
            }
        }
    };
    Ok(OpenCall {
        id: moved(below.id, reader.number()?),
        function: shape.function,
        entered_ns: moved(below.entered_ns, reader.number()?),
        return_address: shape.return_address,
        stack_pointer: below.stack_pointer.wrapping_sub(shape.below),
        inherited: shape.inherited,
        crosses_gap: word & 1 == 1,
    })
}

fn before_by(latest_ns: u64, difference: u64) -> u64 {
    latest_ns.wrapping_sub(moved(0, difference))
}

fn put_lost(out: &mut Vec<u8>, lost: &Lost) {
    if *lost == Lost::default() {
        out.push(0);
        return;
    }
    out.push(1);
    for number in [lost.entries, lost.exits, lost.others, lost.calls_until_ns, lost.others_until_ns]
    {
        put(out, number);
    }
}

fn lost(reader: &mut Reader<'_>) -> Decoded<Lost> {
    match reader.byte()? {
        0 => Ok(Lost::default()),
        1 => Ok(Lost {
            entries: reader.number()?,
            exits: reader.number()?,
            others: reader.number()?,
            calls_until_ns: reader.number()?,
            others_until_ns: reader.number()?,
        }),
        _ => Err(Corrupt("losses have unknown flags")),
    }
}
