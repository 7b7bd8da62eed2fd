//! Encoding blocks.

use rustc_hash::FxHashMap;
use scope_model::{CallEnd, Event, EventKind, Pid, State, Tid};

use super::super::bytes::{difference, put, zigzag};
use super::super::dictionary::{Dictionary, Shape, Values, above};
use super::super::numbers::NumberWriter;
use super::super::packed::Packer;
use super::super::stacks::{Frame, Stacks, clears};
use super::{
    FLAG_ANEW, FLAG_BACK, FLAG_RARE, RANK_NEW, RANK_OLD, RANKS, SHORT_SHAPES, is_rare, op,
};
use crate::event_codec;

/// Encodes the blocks of one segment, one after the other.
#[derive(Debug)]
pub(crate) struct BlockEncoder {
    threads: FxHashMap<Tid, u32>,
    processes: Vec<Pid>,
    shapes: FxHashMap<Shape, u32>,
    values: Values,
    stacks: Stacks,
    packer: Packer,
    columns: Columns,
    /// Threads of the block; `of_thread` has the place of each there, by its number in the segment.
    members: Vec<Member>,
    of_thread: Vec<u32>,
    /// Members by their last use, latest first.
    recent: Vec<u32>,
    /// The member each event is of.
    member_of: Vec<u32>,
}

#[derive(Debug, Default)]
struct Columns {
    times: NumberWriter,
    threads: Vec<u8>,
    operations: Vec<u8>,
    values: NumberWriter,
    old: Vec<u8>,
    rest: Vec<u8>,
    whole_rest: Vec<u8>,
}

/// A thread in a block.
#[derive(Debug)]
struct Member {
    tid: Tid,
    /// Its number in the segment.
    thread: u32,
    /// Its events: places in the block.
    events: Vec<u32>,
    /// Length of its operations, and of what they need of the rest; its return values.
    operations: usize,
    rest: usize,
    values: usize,
}

/// What is known of a thread while its events are encoded.
#[derive(Debug)]
struct Context {
    pid: Pid,
    root: u64,
    cpu: u16,
    syscall: u32,
}

impl BlockEncoder {
    /// For a segment with this dictionary that begins with this state.
    pub(crate) fn new(dictionary: &Dictionary, state: &State) -> Self {
        let index = |at: usize| at as u32;
        Self {
            threads: dictionary
                .threads
                .iter()
                .enumerate()
                .map(|(at, (tid, _))| (*tid, index(at)))
                .collect(),
            processes: dictionary.threads.iter().map(|(_, pid)| *pid).collect(),
            shapes: dictionary
                .shapes
                .iter()
                .enumerate()
                .map(|(at, key)| (*key, index(at)))
                .collect(),
            values: dictionary.values(),
            stacks: Stacks::of(state),
            packer: Packer::new(1),
            columns: Columns::default(),
            members: Vec::new(),
            of_thread: vec![u32::MAX; dictionary.threads.len()],
            recent: Vec::new(),
            member_of: Vec::new(),
        }
    }

    /// Appends the payload of a block of these events, before which the threads are in `state`.
    /// `first_ns` is their earliest time. Every thread must be in the dictionary.
    pub(crate) fn encode(
        &mut self,
        events: &[Event],
        first_ns: u64,
        state: &State,
        out: &mut Vec<u8>,
    ) {
        let mut flags = 0;
        if !self.stacks.agree_with(state) {
            self.stacks = Stacks::of(state);
            flags |= FLAG_ANEW;
        }
        if !events.is_sorted_by_key(|event| event.time_ns) {
            flags |= FLAG_BACK;
        }
        self.begin();
        let mut time_ns = first_ns;
        for event in events {
            self.columns.times.push(if flags & FLAG_BACK == 0 {
                event.time_ns.wrapping_sub(time_ns)
            } else {
                difference(time_ns, event.time_ns)
            });
            time_ns = event.time_ns;
            let member = self.member(event.tid);
            self.member_of.push(member);
        }
        for (place, member) in self.member_of.iter().enumerate() {
            self.members[*member as usize].events.push(place as u32);
        }
        for member in &mut self.members {
            let pid = self.processes.get(member.thread as usize).copied().unwrap_or_default();
            let mut context = Context { pid, root: 0, cpu: 0, syscall: 0 };
            let slot = self.stacks.slot(member.tid);
            let stack = self.stacks.stack(slot);
            let columns = &self.columns;
            let before =
                (columns.operations.len(), columns.rest.len(), columns.values.tokens.len());
            self.values.begin();
            for place in &member.events {
                operation(
                    &events[*place as usize],
                    &mut context,
                    stack,
                    &self.shapes,
                    &mut self.values,
                    &mut self.columns,
                );
            }
            let columns = &self.columns;
            member.operations = columns.operations.len() - before.0;
            member.rest = columns.rest.len() - before.1;
            member.values = columns.values.tokens.len() - before.2;
        }
        if events.iter().any(|event| is_rare(&event.kind)) {
            flags |= FLAG_RARE;
        }
        out.push(flags);
        self.write(out);
    }

    fn begin(&mut self) {
        for member in &self.members {
            self.of_thread[member.thread as usize] = u32::MAX;
        }
        self.members.clear();
        self.recent.clear();
        self.member_of.clear();
        let columns = &mut self.columns;
        columns.times.clear();
        columns.values.clear();
        for column in [
            &mut columns.threads,
            &mut columns.operations,
            &mut columns.old,
            &mut columns.rest,
            &mut columns.whole_rest,
        ] {
            column.clear();
        }
    }

    /// The member that a thread is, noted in the column of threads.
    fn member(&mut self, tid: Tid) -> u32 {
        if let Some(&latest) = self.recent.first()
            && self.members[latest as usize].tid == tid
        {
            self.columns.threads.push(0);
            return latest;
        }
        // The dictionary was made from the same events.
        let thread = self.threads.get(&tid).copied().unwrap_or_default();
        let mut member = self.of_thread[thread as usize];
        let rank = self.recent.iter().position(|recent| *recent == member);
        match rank {
            Some(rank) => {
                // Ranks are below `RANKS`.
                self.columns.threads.push(rank as u8);
                self.recent.copy_within(..rank, 1);
                self.recent[0] = member;
                return member;
            }
            None if member == u32::MAX => {
                member = self.members.len() as u32;
                self.of_thread[thread as usize] = member;
                self.members.push(Member {
                    tid,
                    thread,
                    events: Vec::new(),
                    operations: 0,
                    rest: 0,
                    values: 0,
                });
                self.columns.threads.push(RANK_NEW);
            }
            None => {
                self.columns.threads.push(RANK_OLD);
                put(&mut self.columns.old, member.into());
            }
        }
        self.recent.truncate(RANKS - 1);
        self.recent.insert(0, member);
        member
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        let columns = &mut self.columns;
        columns.times.finish();
        columns.values.finish();
        put(&mut columns.whole_rest, self.members.len() as u64);
        for member in &self.members {
            put(&mut columns.whole_rest, member.thread.into());
            put(&mut columns.whole_rest, member.events.len() as u64);
            put(&mut columns.whole_rest, member.operations as u64);
            put(&mut columns.whole_rest, member.rest as u64);
            put(&mut columns.whole_rest, member.values as u64);
        }
        columns.whole_rest.extend_from_slice(&columns.old);
        columns.whole_rest.extend_from_slice(&columns.rest);
        for column in [
            &columns.times.tokens,
            &columns.times.bits,
            &columns.threads,
            &columns.operations,
            &columns.values.tokens,
            &columns.values.bits,
            &columns.whole_rest,
        ] {
            self.packer.pack(column, out);
        }
    }
}

/// Notes what an event says.
fn operation(
    event: &Event,
    member: &mut Context,
    stack: &mut Vec<Frame>,
    shapes: &FxHashMap<Shape, u32>,
    values: &mut Values,
    columns: &mut Columns,
) {
    let (operations, rest) = (&mut columns.operations, &mut columns.rest);
    if event.pid != member.pid {
        operations.push(op::PROCESS);
        put(rest, event.pid.0.into());
        member.pid = event.pid;
    }
    match event.kind {
        EventKind::Enter { function, return_address, stack_pointer, inherited } => {
            let above = above(stack, &mut member.root, stack_pointer);
            stack.push(Frame { function, stack_pointer });
            let below = above.wrapping_sub(stack_pointer);
            match shapes.get(&Shape { function, return_address, below, inherited }) {
                Some(&shape) if (shape as usize) < SHORT_SHAPES => {
                    operations.push(op::SHAPE + shape as u8);
                }
                Some(&shape) => {
                    let shape = shape - SHORT_SHAPES as u32;
                    operations.push(op::SHAPE_LONG + (shape >> 8) as u8);
                    operations.push(shape as u8);
                }
                None => {
                    operations.push(op::ENTER);
                    put(rest, u64::from(function.0) << 1 | u64::from(inherited));
                    put(rest, return_address);
                    put(rest, difference(0, below));
                }
            }
        }
        EventKind::Leave { function, end: CallEnd::Returned, return_value, crosses_gap: false }
            if stack.last().is_some_and(|frame| frame.function == function) =>
        {
            stack.pop();
            let (usual, latest) = values.of(function);
            if return_value == usual {
                operations.push(op::RETURN_USUAL);
            } else if return_value == latest {
                operations.push(op::RETURN_LATEST);
            } else {
                operations.push(op::RETURN);
                columns.values.push(difference(latest, return_value));
                values.set_latest(function, return_value);
            }
        }
        EventKind::Leave { function, end, return_value, crosses_gap } => {
            let innermost = stack.pop().is_some_and(|frame| frame.function == function);
            operations.push(op::LEAVE);
            let flags = u8::from(crosses_gap) | u8::from(!innermost) << 1;
            rest.push((end as u8) << 2 | flags);
            if !innermost {
                put(rest, function.0.into());
            }
            put(rest, return_value);
        }
        EventKind::SwitchIn { cpu } => {
            operations.push(op::SWITCH_IN);
            put(rest, cpu.into());
            member.cpu = cpu;
        }
        EventKind::SwitchOut { cpu, state } => {
            operations.push(op::SWITCH_OUT);
            let moved = cpu != member.cpu;
            put(rest, u64::from(state) << 1 | u64::from(moved));
            if moved {
                put(rest, cpu.into());
                member.cpu = cpu;
            }
        }
        EventKind::Waking { waker, waker_pid } => {
            operations.push(op::WAKING);
            let foreign = waker_pid != event.pid;
            let away = zigzag(i64::from(waker.0) - i64::from(event.tid.0));
            put(rest, away << 1 | u64::from(foreign));
            if foreign {
                put(rest, waker_pid.0.into());
            }
        }
        EventKind::SyscallEnter { number } => {
            operations.push(op::SYSCALL_ENTER);
            put(rest, number.into());
            member.syscall = number;
        }
        EventKind::SyscallExit { number, result } => {
            operations.push(op::SYSCALL_EXIT);
            put(rest, difference(member.syscall.into(), number.into()));
            put(rest, zigzag(result));
            member.syscall = number;
        }
        ref kind => {
            operations.push(op::OTHER);
            let fields = event_codec::fields_of(kind);
            rest.push(fields.kind);
            rest.push(u8::from(fields.flag));
            put(rest, fields.small.into());
            put(rest, fields.id.into());
            put(rest, fields.a);
            put(rest, fields.b);
            if clears(kind) {
                stack.clear();
            }
        }
    }
}
