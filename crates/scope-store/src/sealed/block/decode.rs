//! Decoding blocks. Total: any bytes give events or an error.

use std::cell::RefCell;

use scope_model::{CallEnd, Event, EventKind, FunctionId, Pid, State, Tid};

use super::super::bytes::{Corrupt, Decoded, Reader, moved, unzigzag};
use super::super::dictionary::{Dictionary, Shape, Values, above};
use super::super::numbers::{NumberReader, PADDING};
use super::super::packed::unpack;
use super::super::stacks::{Frame, Stacks, clears};
use super::{FLAG_ANEW, FLAG_BACK, RANK_NEW, RANK_OLD, RANKS, SHORT_SHAPES, most, most_rest, op};
use crate::event_codec::{self, Fields};

/// Ranks that are kept in one word.
const NEAR: usize = 8;

/// A thread in a block.
#[derive(Debug)]
struct Member {
    tid: Tid,
    pid: Pid,
    /// Length of its operations.
    operations: usize,
    /// Its events so far, or where its next place is in the list of places.
    places: usize,
}

thread_local! {
    /// Columns as decompressed, and members and places of events: used again from block to block.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Debug, Default)]
struct Scratch {
    columns: [Vec<u8>; 7],
    member_of: Vec<u16>,
    places: Vec<u16>,
}

/// Decodes the payload of a block of so many events, whose earliest time is `first_ns`.
///
/// `stacks` are the open calls after the block before it, and become those after it; where the
/// block says so they are taken from `state` instead, which must give the state at the block's start.
pub(crate) fn decode(
    payload: &[u8],
    (events, first_ns): (u32, u64),
    dictionary: &Dictionary,
    values: &mut Values,
    stacks: &mut Stacks,
    state: impl FnOnce() -> Decoded<std::sync::Arc<State>>,
) -> Decoded<Vec<Event>> {
    let mut reader = Reader::new(payload);
    let flags = reader.byte()?;
    if flags & !(FLAG_BACK | FLAG_ANEW) != 0 {
        return Err(Corrupt("a block has unknown flags"));
    }
    if flags & FLAG_ANEW != 0 {
        *stacks = Stacks::of(&*state()?);
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let limits = [most(events), 8 * most(events), most(events), most(events), most(events)];
        let limits = limits.into_iter().chain([8 * most(events), most_rest(events)]);
        for (column, limit) in scratch.columns.iter_mut().zip(limits) {
            unpack(&mut reader, limit, column)?;
        }
        reader.end()?;
        for bits in [1, 5] {
            scratch.columns[bits].extend([0; PADDING]);
        }
        let Scratch { columns, member_of, places } = scratch;
        let [times, time_bits, threads, operations, value_tokens, value_bits, rest] = &*columns;
        if threads.len() != events as usize {
            return Err(Corrupt("a block has another number of events than it says"));
        }
        let mut rest = Reader::new(rest);
        let mut members = members(&mut rest, dictionary)?;
        distribute(threads, &mut members, &mut rest, member_of, places)?;

        let mut out = Vec::with_capacity(events as usize);
        let mut times = NumberReader::new(times, time_bits);
        let mut time_ns = first_ns;
        for member in &*member_of {
            let passed = times.next()?;
            time_ns = if flags & FLAG_BACK == 0 {
                time_ns.wrapping_add(passed)
            } else {
                moved(time_ns, passed)
            };
            let Member { tid, pid, .. } = members[usize::from(*member)];
            out.push(Event { time_ns, pid, tid, kind: EventKind::SwitchIn { cpu: 0 } });
        }
        times.end()?;

        values.begin();
        let mut returned = NumberReader::new(value_tokens, value_bits);
        let mut operations = operations.as_slice();
        let mut first = 0;
        for member in &members {
            let own = operations.split_at_checked(member.operations);
            let (own, others) =
                own.ok_or(Corrupt("a thread has more operations than there are"))?;
            operations = others;
            let slot = stacks.slot(member.tid);
            let mut thread = Thread {
                tid: member.tid,
                pid: member.pid,
                stack: stacks.stack(slot),
                root: 0,
                cpu: 0,
                syscall: 0,
                operations: own.iter(),
            };
            for place in &places[first..member.places] {
                let event = &mut out[usize::from(*place)];
                thread.next(dictionary, values, &mut returned, &mut rest, &mut event.kind)?;
                event.pid = thread.pid;
            }
            if thread.operations.len() > 0 {
                return Err(Corrupt("a block has operations without events"));
            }
            first = member.places;
        }
        if !operations.is_empty() {
            return Err(Corrupt("operations belong to no thread"));
        }
        returned.end()?;
        rest.end()?;
        Ok(out)
    })
}

/// The threads of a block, in the order in which they come.
fn members(rest: &mut Reader<'_>, dictionary: &Dictionary) -> Decoded<Vec<Member>> {
    let count = rest.count()?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let thread = usize::try_from(rest.number()?).ok();
        let thread = thread.and_then(|thread| dictionary.threads.get(thread));
        let (tid, pid) = *thread.ok_or(Corrupt("a thread is not in the dictionary"))?;
        let operations = usize::try_from(rest.number()?).unwrap_or(usize::MAX);
        members.push(Member { tid, pid, operations, places: 0 });
    }
    Ok(members)
}

/// From ranks to the member each event is of, and the places of each member's events, one member
/// after the other.
fn distribute(
    ranks: &[u8],
    members: &mut [Member],
    rest: &mut Reader<'_>,
    member_of: &mut Vec<u16>,
    places: &mut Vec<u16>,
) -> Decoded<()> {
    const IMPOSSIBLE: Corrupt = Corrupt("a thread has an impossible rank");
    member_of.clear();
    let mut introduced = 0_u16;
    let mut recent = Recent::default();
    for &rank in ranks {
        let member = match rank {
            RANK_NEW => {
                introduced += 1;
                recent.add(introduced - 1);
                introduced - 1
            }
            RANK_OLD => {
                let member = rest.u16()?;
                if member >= introduced || recent.contains(member) {
                    return Err(IMPOSSIBLE);
                }
                recent.add(member);
                member
            }
            rank => recent.at(usize::from(rank)).ok_or(IMPOSSIBLE)?,
        };
        let own = members.get_mut(usize::from(member));
        own.ok_or(Corrupt("a block has more threads than it says"))?.places += 1;
        member_of.push(member);
    }
    if usize::from(introduced) != members.len() {
        return Err(Corrupt("a block has fewer threads than it says"));
    }
    let mut end = 0;
    for member in &mut *members {
        let count = member.places;
        member.places = end;
        end += count;
    }
    places.clear();
    places.resize(end, 0);
    for (place, member) in member_of.iter().enumerate() {
        let next = &mut members[usize::from(*member)].places;
        // A block has no more events than 16 bits can count.
        places[*next] = place as u16;
        *next += 1;
    }
    Ok(())
}

/// Members by their last use, latest first.
#[derive(Debug)]
struct Recent {
    /// The first eight, the latest lowest: in one word, so that moving them is a few operations
    /// whatever the rank. Which rank comes cannot be foreseen.
    near: u128,
    far: [u16; RANKS - NEAR],
    count: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { near: 0, far: [0; RANKS - NEAR], count: 0 }
    }
}

impl Recent {
    /// The member at a rank, which then is the latest.
    #[inline]
    fn at(&mut self, rank: usize) -> Option<u16> {
        if rank >= self.count {
            return None;
        }
        if rank >= NEAR {
            let member = self.far[rank - NEAR];
            self.push_down(member, rank - NEAR);
            return Some(member);
        }
        let member = (self.near >> (16 * rank)) as u16;
        let moved = u128::MAX >> (16 * (NEAR - 1 - rank));
        self.near = self.near & !moved | (self.near << 16 | u128::from(member)) & moved;
        Some(member)
    }

    /// A member that has no rank becomes the latest; the one of the last rank loses its own.
    fn add(&mut self, member: u16) {
        if self.count < RANKS {
            self.count += 1;
        }
        self.push_down(member, (self.count - 1).saturating_sub(NEAR));
    }

    /// Puts a member before all others and those before `far[end]` one further.
    fn push_down(&mut self, member: u16, end: usize) {
        self.far.copy_within(..end, 1);
        self.far[0] = (self.near >> (16 * (NEAR - 1))) as u16;
        self.near = self.near << 16 | u128::from(member);
    }

    fn contains(&self, member: u16) -> bool {
        let near = self.count.min(NEAR);
        (0..near).any(|rank| (self.near >> (16 * rank)) as u16 == member)
            || self.far[..self.count - near].contains(&member)
    }
}

/// A thread whose events are decoded.
struct Thread<'a> {
    tid: Tid,
    pid: Pid,
    stack: &'a mut Vec<Frame>,
    root: u64,
    cpu: u16,
    syscall: u32,
    operations: std::slice::Iter<'a, u8>,
}

impl Thread<'_> {
    #[inline]
    fn operation(&mut self) -> Decoded<u8> {
        self.operations.next().copied().ok_or(Corrupt("a thread has fewer operations than events"))
    }

    #[inline]
    fn next(
        &mut self,
        dictionary: &Dictionary,
        values: &mut Values,
        returned: &mut NumberReader<'_>,
        rest: &mut Reader<'_>,
        // Written in place: to hand events from function to function costs more than to decode them.
        kind: &mut EventKind,
    ) -> Decoded<()> {
        let mut operation = self.operation()?;
        while operation == op::PROCESS {
            self.pid = Pid(rest.u32()?);
            operation = self.operation()?;
        }
        match operation {
            op::SHAPE.. => {
                let shape = usize::from(operation - op::SHAPE);
                self.enter(dictionary.shapes.get(shape), kind)
            }
            op::RETURN_USUAL | op::RETURN_LATEST | op::RETURN => {
                let frame = self.stack.pop().ok_or(Corrupt("a call ends that is not open"))?;
                let (usual, latest) = values.of(frame.function);
                let mut return_value = if operation == op::RETURN_USUAL { usual } else { latest };
                if operation == op::RETURN {
                    return_value = moved(latest, returned.next()?);
                    values.set_latest(frame.function, return_value);
                }
                *kind = EventKind::Leave {
                    function: frame.function,
                    end: CallEnd::Returned,
                    return_value,
                    crosses_gap: false,
                };
                Ok(())
            }
            op::SHAPE_LONG..op::SHAPE => {
                let low = usize::from(self.operation()?);
                let shape = SHORT_SHAPES + (usize::from(operation - op::SHAPE_LONG) << 8 | low);
                self.enter(dictionary.shapes.get(shape), kind)
            }
            operation => self.seldom(operation, rest, kind),
        }
    }

    #[inline]
    fn enter(&mut self, shape: Option<&Shape>, kind: &mut EventKind) -> Decoded<()> {
        let shape = shape.ok_or(Corrupt("a shape is not in the dictionary"))?;
        let (function, below) = (shape.function, shape.below);
        // As `above` does, which needs what is computed here.
        let stack_pointer = match self.stack.last() {
            Some(caller) => caller.stack_pointer.wrapping_sub(below),
            None => self.root.wrapping_sub(below),
        };
        above(self.stack, &mut self.root, stack_pointer);
        self.stack.push(Frame { function, stack_pointer });
        *kind = EventKind::Enter {
            function,
            return_address: shape.return_address,
            stack_pointer,
            inherited: shape.inherited,
        };
        Ok(())
    }

    fn leave(&mut self, rest: &mut Reader<'_>) -> Decoded<EventKind> {
        let word = rest.byte()?;
        let end =
            CallEnd::from_number(word >> 2).ok_or(Corrupt("a call ends in an unknown way"))?;
        let frame = self.stack.pop();
        let function = if word & 2 == 0 {
            frame.ok_or(Corrupt("a call ends that is not open"))?.function
        } else {
            FunctionId(rest.u32()?)
        };
        Ok(EventKind::Leave {
            function,
            end,
            return_value: rest.number()?,
            crosses_gap: word & 1 == 1,
        })
    }

    /// What is not a call that everybody makes.
    fn seldom(
        &mut self,
        operation: u8,
        rest: &mut Reader<'_>,
        kind: &mut EventKind,
    ) -> Decoded<()> {
        const LARGE: Corrupt = Corrupt("a number is too large");
        let narrow = |number: u64| u32::try_from(number).map_err(|_| LARGE);
        *kind = match operation {
            op::ENTER => {
                let word = rest.number()?;
                let shape = Shape {
                    function: FunctionId(narrow(word >> 1)?),
                    inherited: word & 1 == 1,
                    return_address: rest.number()?,
                    below: moved(0, rest.number()?),
                };
                return self.enter(Some(&shape), kind);
            }
            op::LEAVE => self.leave(rest)?,
            op::SWITCH_IN => {
                self.cpu = rest.u16()?;
                EventKind::SwitchIn { cpu: self.cpu }
            }
            op::SWITCH_OUT => {
                let word = rest.number()?;
                if word & 1 == 1 {
                    self.cpu = rest.u16()?;
                }
                EventKind::SwitchOut { cpu: self.cpu, state: narrow(word >> 1)? }
            }
            op::WAKING => {
                let word = rest.number()?;
                let waker = i64::from(self.tid.0).checked_add(unzigzag(word >> 1));
                let waker = waker.and_then(|waker| u32::try_from(waker).ok()).ok_or(LARGE)?;
                let waker_pid = if word & 1 == 1 { Pid(rest.u32()?) } else { self.pid };
                EventKind::Waking { waker: Tid(waker), waker_pid }
            }
            op::SYSCALL_ENTER => {
                self.syscall = rest.u32()?;
                EventKind::SyscallEnter { number: self.syscall }
            }
            op::SYSCALL_EXIT => {
                self.syscall = narrow(moved(self.syscall.into(), rest.number()?))?;
                EventKind::SyscallExit { number: self.syscall, result: unzigzag(rest.number()?) }
            }
            op::OTHER => {
                let fields = Fields {
                    kind: rest.byte()?,
                    flag: match rest.byte()? {
                        0 => false,
                        1 => true,
                        _ => return Err(Corrupt("an event has unknown flags")),
                    },
                    small: rest.u16()?,
                    id: rest.u32()?,
                    a: rest.number()?,
                    b: rest.number()?,
                };
                let kind = event_codec::checked_kind_of(&fields).map_err(Corrupt)?;
                if matches!(kind, EventKind::Enter { .. } | EventKind::Leave { .. }) {
                    return Err(Corrupt("a call is written as no call is"));
                }
                if clears(&kind) {
                    self.stack.clear();
                }
                kind
            }
            _ => return Err(Corrupt("an operation is unknown")),
        };
        Ok(())
    }
}
