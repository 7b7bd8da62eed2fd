//! The columns of a block, decompressed, and what is decoded from them: all events, those of one
//! thread, or the state of all threads in the middle of the block. Total: any bytes give one of
//! these or an error.

use std::cell::RefCell;
use std::ops::Range;

use scope_model::{CallEnd, Event, EventKind, OpenCall, Pid, State, ThreadState, Tid};

use super::super::bytes::{Corrupt, Decoded, Reader, moved};
use super::super::dictionary::{Dictionary, Values};
use super::super::numbers::{NumberReader, PADDING, bits_of, each_number};
use super::super::packed::unpack;
use super::super::stacks::{Frame, Stacks, clears};
use super::lane::{Lane, Moments};
use super::recent::{Few, MOST_FEW, Many, Recent};
use super::{FLAG_ANEW, FLAG_BACK, FLAG_RARE, RANK_NEW, RANK_OLD, most, most_rest};

/// A block whose columns have been decompressed.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    /// Open calls at the start are those of the checkpoint.
    anew: bool,
    /// There are events that may concern other threads than their own.
    rare: bool,
    /// Time of each event, ns.
    times: Vec<u64>,
    /// Places of the events of each member, one member after the other.
    places: Vec<u16>,
    members: Vec<Member>,
    operations: Vec<u8>,
    value_tokens: Vec<u8>,
    value_bits: Vec<u8>,
    rest: Vec<u8>,
}

/// A thread of a block: which parts of the columns are its own.
#[derive(Debug)]
struct Member {
    tid: Tid,
    /// Its process before its first event.
    pid: Pid,
    places: Range<usize>,
    operations: Range<usize>,
    values: Range<usize>,
    /// Where the bits of its values begin.
    first_bit: usize,
    rest: Range<usize>,
}

/// A call that ends.
#[derive(Clone, Copy, Debug)]
pub struct EndedCall<'a> {
    /// Its thread.
    pub tid: Tid,
    /// Its process.
    pub pid: Pid,
    /// The call.
    pub call: OpenCall,
    /// The calls that are open around it, outermost first.
    pub below: &'a [OpenCall],
    /// Number of the event that ends it.
    pub number: u64,
    /// When that was, ns.
    pub time_ns: u64,
    /// How it ends.
    pub how: CallEnd,
    /// Its end says that events were lost in between. So may the call itself.
    pub crosses_gap: bool,
}

thread_local! {
    /// What is not kept, used again from block to block.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    /// Columns of times and threads.
    columns: [Vec<u8>; 3],
    /// Where the next place of each member goes.
    next: Vec<u16>,
}

impl Columns {
    /// Takes the payload of a block of so many events, whose earliest time is `first_ns`, in place
    /// of what is there.
    pub(crate) fn read(
        &mut self,
        payload: &[u8],
        (events, first_ns): (u32, u64),
        dictionary: &Dictionary,
    ) -> Decoded<()> {
        let mut reader = Reader::new(payload);
        let flags = reader.byte()?;
        if flags & !(FLAG_BACK | FLAG_ANEW | FLAG_RARE) != 0 {
            return Err(Corrupt("a block has unknown flags"));
        }
        (self.anew, self.rare) = (flags & FLAG_ANEW != 0, flags & FLAG_RARE != 0);
        SCRATCH.with_borrow_mut(|Scratch { columns: [times, time_bits, threads], next }| {
            for (column, limit) in [
                (&mut *times, most(events)),
                (time_bits, 8 * most(events)),
                (threads, most(events)),
                (&mut self.operations, most(events)),
                (&mut self.value_tokens, most(events)),
                (&mut self.value_bits, 8 * most(events)),
                (&mut self.rest, most_rest(events)),
            ] {
                unpack(&mut reader, limit, column)?;
            }
            reader.end()?;
            time_bits.extend([0; PADDING]);
            self.value_bits.extend([0; PADDING]);
            if threads.len() != events as usize || times.len() != events as usize {
                return Err(Corrupt("a block has another number of events than it says"));
            }
            self.read_times(times, time_bits, first_ns, flags & FLAG_BACK != 0)?;
            self.read_members(threads, next, dictionary)
        })
    }

    fn read_times(&mut self, tokens: &[u8], bits: &[u8], first_ns: u64, back: bool) -> Decoded<()> {
        let times = &mut self.times;
        times.clear();
        times.reserve(tokens.len());
        let mut time_ns = first_ns;
        if back {
            each_number(tokens, bits, |passed| {
                time_ns = moved(time_ns, passed);
                times.push(time_ns);
            })
        } else {
            each_number(tokens, bits, |passed| {
                time_ns = time_ns.wrapping_add(passed);
                times.push(time_ns);
            })
        }
    }

    /// Reads which threads there are, which events are whose, and which part of the columns.
    fn read_members(
        &mut self,
        ranks: &[u8],
        next: &mut Vec<u16>,
        dictionary: &Dictionary,
    ) -> Decoded<()> {
        const MORE: Corrupt = Corrupt("a thread has more in a block than there is");
        let mut rest = Reader::new(&self.rest);
        let members = &mut self.members;
        members.clear();
        let length = |reader: &mut Reader<'_>| {
            reader.number().map(|length| usize::try_from(length).unwrap_or(usize::MAX))
        };
        for _ in 0..rest.count()? {
            let thread = dictionary.threads.get(length(&mut rest)?);
            let (tid, pid) = *thread.ok_or(Corrupt("a thread is not in the dictionary"))?;
            // Lengths as yet; they become places below.
            let [places, operations, own_rest, values] = [
                0..length(&mut rest)?,
                0..length(&mut rest)?,
                0..length(&mut rest)?,
                0..length(&mut rest)?,
            ];
            members.push(Member {
                tid,
                pid,
                places,
                operations,
                values,
                first_bit: 0,
                rest: own_rest,
            });
        }
        let follow = |range: &mut Range<usize>, at: usize, whole: usize| {
            let end = at.checked_add(range.end).filter(|end| *end <= whole).ok_or(MORE)?;
            *range = at..end;
            Ok(end)
        };
        let mut end = 0;
        next.clear();
        for member in &mut *members {
            // A block has no more events than 16 bits can count.
            next.push(end as u16);
            end = follow(&mut member.places, end, ranks.len())?;
        }
        self.places.clear();
        self.places.resize(ranks.len(), 0);
        if members.len() <= MOST_FEW {
            distribute::<Few>(ranks, next, &mut rest, &mut self.places)?;
        } else {
            distribute::<Many>(ranks, next, &mut rest, &mut self.places)?;
        }
        if !members.iter().zip(&*next).all(|(own, next)| own.places.end == usize::from(*next)) {
            return Err(Corrupt("a thread has another number of events than a block says"));
        }
        let mut at = (0, 0, self.rest.len() - rest.left());
        let mut first_bit = 0;
        for member in members {
            at.0 = follow(&mut member.operations, at.0, self.operations.len())?;
            at.1 = follow(&mut member.values, at.1, self.value_tokens.len())?;
            at.2 = follow(&mut member.rest, at.2, self.rest.len())?;
            member.first_bit = first_bit;
            first_bit += bits_of(&self.value_tokens[member.values.clone()]);
        }
        if at != (self.operations.len(), self.value_tokens.len(), self.rest.len())
            || first_bit.div_ceil(8) + PADDING != self.value_bits.len()
        {
            return Err(Corrupt("parts of a block belong to no thread"));
        }
        Ok(())
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(self.times.as_slice())
            + size_of_val(self.places.as_slice())
            + size_of_val(self.members.as_slice())
            + self.operations.len()
            + self.value_tokens.len()
            + self.value_bits.len()
            + self.rest.len()
    }

    /// Times of the events, ns, in stored order.
    pub(crate) fn times(&self) -> &[u64] {
        &self.times
    }

    /// Whether open calls at the start must be taken from the checkpoint.
    pub(crate) fn is_anew(&self) -> bool {
        self.anew
    }

    /// Whether there are events that may concern other threads than their own: then no thread's
    /// part says all of it.
    pub(crate) fn has_rare(&self) -> bool {
        self.rare
    }

    fn lane(&self, member: &Member) -> Lane<'_> {
        let tokens = &self.value_tokens[member.values.clone()];
        let returned = NumberReader::new(tokens, &self.value_bits, member.first_bit);
        let operations = &self.operations[member.operations.clone()];
        let rest = &self.rest[member.rest.clone()];
        Lane::new((member.tid, member.pid), self.rare, operations, returned, rest)
    }

    /// All events. `stacks` are the open calls at the start and become those at the end.
    pub(crate) fn events(
        &self,
        dictionary: &Dictionary,
        values: &mut Values,
        stacks: &mut Stacks,
    ) -> Decoded<Vec<Event>> {
        let kind = EventKind::SwitchIn { cpu: 0 };
        let event = Event { time_ns: 0, pid: Pid(0), tid: Tid(0), kind };
        let mut out = vec![event; self.times.len()];
        for member in &self.members {
            values.begin();
            let slot = stacks.slot(member.tid);
            let stack = stacks.stack(slot);
            let mut lane = self.lane(member);
            for place in &self.places[member.places.clone()] {
                let event = &mut out[usize::from(*place)];
                lane.next(dictionary, values, stack.last().copied(), &mut event.kind)?;
                follow(stack, &event.kind);
                event.time_ns = self.times[usize::from(*place)];
                (event.pid, event.tid) = (lane.pid, lane.tid);
            }
            lane.end()?;
        }
        Ok(out)
    }

    /// The events of one thread, each with its place in the block. `thread` is the thread at the
    /// start, where it is known.
    pub(crate) fn events_of(
        &self,
        tid: Tid,
        thread: Option<&ThreadState>,
        dictionary: &Dictionary,
        values: &mut Values,
    ) -> Decoded<Vec<(u16, Event)>> {
        let Some(member) = self.members.iter().find(|member| member.tid == tid) else {
            return Ok(Vec::new());
        };
        values.begin();
        let mut stack = thread.map(Frame::stack_of).unwrap_or_default();
        let mut lane = self.lane(member);
        let mut events = Vec::with_capacity(member.places.len());
        for place in &self.places[member.places.clone()] {
            let mut kind = EventKind::SwitchIn { cpu: 0 };
            lane.next(dictionary, values, stack.last().copied(), &mut kind)?;
            follow(&mut stack, &kind);
            let time_ns = self.times[usize::from(*place)];
            events.push((*place, Event { time_ns, pid: lane.pid, tid, kind }));
        }
        lane.end()?;
        Ok(events)
    }

    /// Takes the threads for which `wanted` holds from the start to before the event at place `end`;
    /// `ended` is told their calls that end on the way. Threads are gone through one after the other, so that no event may concern
    /// another thread: see [`Columns::has_rare`].
    pub(crate) fn replay(
        &self,
        end: usize,
        state: &mut State,
        dictionary: &Dictionary,
        wanted: impl Fn(Tid) -> bool,
        mut ended: impl FnMut(EndedCall<'_>),
    ) -> Decoded<()> {
        // A state does not say what calls returned.
        let values = &mut Values::none();
        let first_event = state.next_event();
        let number_at = |place: u16| first_event.saturating_add(place.into());
        let latest_ns = self.times[..end].iter().copied().fold(state.latest_ns(), u64::max);
        let lost = *state.lost();
        for member in self.members.iter().filter(|member| wanted(member.tid)) {
            let places = &self.places[member.places.clone()];
            let places = &places[..places.partition_point(|place| usize::from(*place) < end)];
            let mut places = places.iter();
            let mut lane = self.lane(member);
            let tid = member.tid;
            loop {
                let pid = lane.pid;
                if let Some((lost_until_ns, stack)) = state.calls_of(tid, pid) {
                    let moments =
                        Moments { places: &mut places, times: &self.times, lost_until_ns };
                    lane.calls(
                        dictionary,
                        moments,
                        stack,
                        number_at,
                        |call, below, place, time_ns| {
                            let (number, how) = (number_at(place), CallEnd::Returned);
                            let crosses_gap = false;
                            ended(EndedCall {
                                tid,
                                pid,
                                call,
                                below,
                                number,
                                time_ns,
                                how,
                                crosses_gap,
                            });
                        },
                    );
                }
                let Some(place) = places.next() else { break };
                let (number, time_ns) = (number_at(*place), self.times[usize::from(*place)]);
                let thread = state.thread(tid);
                let top = thread.and_then(|thread| thread.stack.last()).map(Frame::of);
                let pid = thread.map(|thread| thread.pid);
                let mut kind = EventKind::SwitchIn { cpu: 0 };
                lane.next(dictionary, values, top, &mut kind)?;
                let event = Event { time_ns, pid: lane.pid, tid, kind };
                if let Some(call) = state.apply(number, &event)
                    && let EventKind::Leave { end: how, crosses_gap, .. } = kind
                {
                    let below = state.thread(tid).map_or(&[] as &[_], |thread| &thread.stack);
                    let pid = pid.unwrap_or(lane.pid);
                    ended(EndedCall { tid, pid, call, below, number, time_ns, how, crosses_gap });
                }
            }
        }
        state.set_moment(lost, first_event.saturating_add(end as u64), latest_ns);
        Ok(())
    }
}

/// What an event does to the open calls of its thread.
#[inline(always)]
fn follow(stack: &mut Vec<Frame>, kind: &EventKind) {
    match *kind {
        EventKind::Enter { function, stack_pointer, .. } => {
            stack.push(Frame { function, stack_pointer });
        }
        EventKind::Leave { .. } => {
            stack.pop();
        }
        ref kind if clears(kind) => stack.clear(),
        _ => {}
    }
}

/// From ranks to the member each event is of, and from there to the places of each member's events:
/// `next` says where those of each begin, and then where they end.
fn distribute<R: Recent>(
    ranks: &[u8],
    next: &mut [u16],
    rest: &mut Reader<'_>,
    places: &mut [u16],
) -> Decoded<()> {
    const IMPOSSIBLE: Corrupt = Corrupt("a thread has an impossible rank");
    const MORE: Corrupt = Corrupt("a block has more threads than it says");
    let mut introduced = 0_u16;
    let mut recent = R::default();
    for (place, &rank) in ranks.iter().enumerate() {
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
        let next = next.get_mut(usize::from(member)).ok_or(MORE)?;
        // One that has more than its share is found out at the end.
        if let Some(own) = places.get_mut(usize::from(*next)) {
            *own = place as u16;
        }
        *next += 1;
    }
    if usize::from(introduced) == next.len() {
        Ok(())
    } else {
        Err(Corrupt("a block has fewer threads than it says"))
    }
}
