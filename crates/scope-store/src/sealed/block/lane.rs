//! One thread's part of a block, decoded event by event.

use scope_model::{CallEnd, EventKind, FunctionId, OpenCall, Pid, Tid};

use super::super::bytes::{Corrupt, Decoded, Reader, moved, unzigzag};
use super::super::dictionary::{Dictionary, Shape, Values};
use super::super::numbers::NumberReader;
use super::super::stacks::Frame;
use super::{SHORT_SHAPES, op};
use crate::event_codec::{self, Fields};

/// Where the events of a thread are in a block, and when they were.
pub(super) struct Moments<'a, 'b> {
    /// Places of the events to come.
    pub(super) places: &'a mut std::slice::Iter<'b, u16>,
    /// Of all places, ns.
    pub(super) times: &'a [u64],
    /// Up to when events are missing, ns; 0 where none are.
    pub(super) lost_until_ns: u64,
}

/// What the events of a thread are decoded from.
pub(super) struct Lane<'a> {
    pub(super) tid: Tid,
    /// Process of the event decoded last.
    pub(super) pid: Pid,
    /// Stack pointer of the outermost call before, cpu and system call said last.
    root: u64,
    cpu: u16,
    syscall: u32,
    /// Whether the block says that it has events that may concern other threads.
    rare: bool,
    operations: std::slice::Iter<'a, u8>,
    returned: NumberReader<'a>,
    rest: Reader<'a>,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        (tid, pid): (Tid, Pid),
        rare: bool,
        operations: &'a [u8],
        returned: NumberReader<'a>,
        rest: &'a [u8],
    ) -> Self {
        let (operations, rest) = (operations.iter(), Reader::new(rest));
        Self { tid, pid, root: 0, cpu: 0, syscall: 0, rare, operations, returned, rest }
    }

    /// All that belongs to the thread must have been used.
    pub(super) fn end(&self) -> Decoded<()> {
        if self.operations.len() > 0 {
            return Err(Corrupt("a block has operations without events"));
        }
        self.returned.end()?;
        self.rest.end()
    }

    #[inline]
    fn operation(&mut self) -> Decoded<u8> {
        self.operations.next().copied().ok_or(Corrupt("a thread has fewer operations than events"))
    }

    /// The next event of the thread, whose innermost open call is `top`.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        dictionary: &Dictionary,
        values: &mut Values,
        top: Option<Frame>,
        // Written in place: to hand events from function to function costs more than to decode them.
        kind: &mut EventKind,
    ) -> Decoded<()> {
        let mut operation = self.operation()?;
        while operation == op::PROCESS {
            self.pid = Pid(self.rest.u32()?);
            operation = self.operation()?;
        }
        match operation {
            op::SHAPE.. => {
                let shape = usize::from(operation - op::SHAPE);
                self.enter(dictionary.shapes.get(shape), top, kind)
            }
            op::RETURN_USUAL | op::RETURN_LATEST | op::RETURN => {
                let frame = top.ok_or(Corrupt("a call ends that is not open"))?;
                let (usual, latest) = values.of(frame.function);
                let mut return_value = if operation == op::RETURN_USUAL { usual } else { latest };
                if operation == op::RETURN {
                    return_value = moved(latest, self.returned.next()?);
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
                self.enter(dictionary.shapes.get(shape), top, kind)
            }
            operation => self.seldom(operation, top, kind),
        }
    }

    /// Takes the open calls of the thread through the calls and returns that come next, for as long as
    /// they are such as nearly all are: of a shape in the dictionary, ended by a return, with nothing
    /// missing. `ended` is told each call that ends, what is open around it, and the place and time of
    /// its end. What calls returned is passed over: [`Lane::next`] goes on with other values.
    #[inline(always)]
    pub(super) fn calls(
        &mut self,
        dictionary: &Dictionary,
        moments: Moments<'_, '_>,
        stack: &mut Vec<OpenCall>,
        number_at: impl Fn(u16) -> u64,
        mut ended: impl FnMut(OpenCall, &[OpenCall], u16, u64),
    ) {
        let Moments { places, times, lost_until_ns } = moments;
        while let Some((place, &operation)) =
            places.as_slice().first().zip(self.operations.as_slice().first())
        {
            let Some(&time_ns) = times.get(usize::from(*place)) else { return };
            if lost_until_ns != 0 && time_ns <= lost_until_ns {
                return;
            }
            let shape = match operation {
                op::SHAPE.. => usize::from(operation - op::SHAPE),
                op::RETURN_USUAL | op::RETURN_LATEST | op::RETURN => {
                    let Some(call) = stack.pop() else { return };
                    self.operations.next();
                    places.next();
                    ended(call, stack, *place, time_ns);
                    continue;
                }
                op::SHAPE_LONG..op::SHAPE => {
                    let Some(&low) = self.operations.as_slice().get(1) else { return };
                    SHORT_SHAPES + (usize::from(operation - op::SHAPE_LONG) << 8 | usize::from(low))
                }
                _ => return,
            };
            let Some(shape) = dictionary.shapes.get(shape) else { return };
            if operation < op::SHAPE {
                self.operations.next();
            }
            self.operations.next();
            places.next();
            let stack_pointer =
                self.stack_pointer(shape, stack.last().map(|call| call.stack_pointer));
            stack.push(OpenCall {
                id: number_at(*place),
                function: shape.function,
                entered_ns: time_ns,
                return_address: shape.return_address,
                stack_pointer,
                inherited: shape.inherited,
                crosses_gap: false,
            });
        }
    }

    /// That of a call, by that of its caller.
    #[inline(always)]
    fn stack_pointer(&mut self, shape: &Shape, caller: Option<u64>) -> u64 {
        let stack_pointer = caller.unwrap_or(self.root).wrapping_sub(shape.below);
        if caller.is_none() {
            self.root = stack_pointer;
        }
        stack_pointer
    }

    #[inline(always)]
    fn enter(
        &mut self,
        shape: Option<&Shape>,
        top: Option<Frame>,
        kind: &mut EventKind,
    ) -> Decoded<()> {
        let shape = shape.ok_or(Corrupt("a shape is not in the dictionary"))?;
        let stack_pointer = self.stack_pointer(shape, top.map(|caller| caller.stack_pointer));
        *kind = EventKind::Enter {
            function: shape.function,
            return_address: shape.return_address,
            stack_pointer,
            inherited: shape.inherited,
        };
        Ok(())
    }

    fn leave(&mut self, top: Option<Frame>) -> Decoded<EventKind> {
        let word = self.rest.byte()?;
        let end =
            CallEnd::from_number(word >> 2).ok_or(Corrupt("a call ends in an unknown way"))?;
        let function = if word & 2 == 0 {
            top.ok_or(Corrupt("a call ends that is not open"))?.function
        } else {
            FunctionId(self.rest.u32()?)
        };
        Ok(EventKind::Leave {
            function,
            end,
            return_value: self.rest.number()?,
            crosses_gap: word & 1 == 1,
        })
    }

    /// What is not a call that everybody makes.
    #[inline(never)]
    fn seldom(&mut self, operation: u8, top: Option<Frame>, kind: &mut EventKind) -> Decoded<()> {
        const LARGE: Corrupt = Corrupt("a number is too large");
        let narrow = |number: u64| u32::try_from(number).map_err(|_| LARGE);
        let rest = &mut self.rest;
        *kind = match operation {
            op::ENTER => {
                let word = rest.number()?;
                let shape = Shape {
                    function: FunctionId(narrow(word >> 1)?),
                    inherited: word & 1 == 1,
                    return_address: rest.number()?,
                    below: moved(0, rest.number()?),
                };
                return self.enter(Some(&shape), top, kind);
            }
            op::LEAVE => self.leave(top)?,
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
            op::OTHER => self.other()?,
            _ => return Err(Corrupt("an operation is unknown")),
        };
        Ok(())
    }

    fn other(&mut self) -> Decoded<EventKind> {
        let rest = &mut self.rest;
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
        if !super::is_rare(&kind) {
            return Err(Corrupt("an event is written as others of its kind are not"));
        }
        if !self.rare {
            return Err(Corrupt("a block has events that it says it has not"));
        }
        Ok(kind)
    }
}
