//! What events of a segment have in common, written once: its threads, the shapes of its entries,
//! the usual return value of each function.
//!
//! A *shape* is what an entry shares with others: the function, where it was called from, and how
//! far below its caller's frame its own lies. One call site gives one shape as a rule, so that a byte
//! or two stand for all three.

use rustc_hash::FxHashMap;
use scope_model::{Event, EventKind, FunctionId, Pid, State, Tid};

use super::bytes::{Corrupt, Decoded, Reader, difference, moved, put};
use super::stacks::{Frame, Stacks, clears};

/// Most shapes of a segment: what an operation of one or two bytes can name.
pub(super) const MOST_SHAPES: usize = 212 + 32 * 256;
/// Shapes seen less often are written where they occur.
const FEWEST_USES: u32 = 3;
/// Shapes that are counted at once: a program that never repeats one must not take all memory.
const MOST_COUNTED: usize = 1 << 16;
/// Functions with a higher id have no usual return value.
const MOST_FUNCTIONS: u32 = 1 << 20;

/// What entries share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Shape {
    pub(super) function: FunctionId,
    pub(super) return_address: u64,
    /// Stack pointer of the frame around it, less its own.
    pub(super) below: u64,
    pub(super) inherited: bool,
}

/// Usual return values, and the latest of each function on a thread within a block.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    /// By function id, as far as the dictionary goes.
    values: Vec<Value>,
    /// Number of the thread whose values are noted, over all blocks.
    now: u32,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    usual: u64,
    latest: u64,
    /// The thread that `latest` is of.
    of: u32,
}

/// The dictionary of one segment.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// Threads, each with the process it was first seen in.
    pub(super) threads: Vec<(Tid, Pid)>,
    pub(super) shapes: Vec<Shape>,
    /// Functions by id, each with its usual return value.
    functions: Vec<(FunctionId, u64)>,
}

impl Dictionary {
    /// Tables to predict return values with.
    pub(super) fn values(&self) -> Values {
        // Bounded: of functions with larger ids none is taken.
        let length = self.functions.last().map_or(0, |(id, _)| id.index() + 1);
        let mut values = vec![Value { usual: 0, latest: 0, of: 0 }; length];
        for (function, usual) in &self.functions {
            values[function.index()].usual = *usual;
        }
        Values { values, now: 0 }
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.threads.as_slice())
            + size_of_val(self.shapes.as_slice())
            + size_of_val(self.functions.as_slice())
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put(out, self.threads.len() as u64);
        let (mut tid, mut pid) = (0, 0);
        for thread in &self.threads {
            put(out, difference(tid, thread.0.0.into()));
            put(out, difference(pid, thread.1.0.into()));
            (tid, pid) = (thread.0.0.into(), thread.1.0.into());
        }
        put(out, self.functions.len() as u64);
        let mut next = 0;
        for (function, value) in &self.functions {
            put(out, u64::from(function.0) - next);
            put(out, *value);
            next = u64::from(function.0) + 1;
        }
        put(out, self.shapes.len() as u64);
        // A column each: what is alike stands together.
        for shape in &self.shapes {
            put(out, u64::from(shape.function.0) << 1 | u64::from(shape.inherited));
        }
        let mut address = 0;
        for shape in &self.shapes {
            put(out, difference(address, shape.return_address));
            address = shape.return_address;
        }
        for shape in &self.shapes {
            put(out, difference(0, shape.below));
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let narrow =
            |value: u64| u32::try_from(value).map_err(|_| Corrupt("a thread id is too large"));
        let count = reader.count()?;
        let mut threads = Vec::with_capacity(count);
        let (mut tid, mut pid) = (0, 0);
        for _ in 0..count {
            tid = moved(tid, reader.number()?);
            pid = moved(pid, reader.number()?);
            threads.push((Tid(narrow(tid)?), Pid(narrow(pid)?)));
        }
        let count = reader.count()?;
        let mut functions = Vec::with_capacity(count);
        let mut next = 0_u64;
        for _ in 0..count {
            let id = next.checked_add(reader.number()?).filter(|id| *id < MOST_FUNCTIONS.into());
            let id = id.ok_or(Corrupt("a function of the dictionary is out of order"))?;
            functions.push((FunctionId(id as u32), reader.number()?));
            next = id + 1;
        }
        let count = reader.count()?;
        if count > MOST_SHAPES {
            return Err(Corrupt("the dictionary has too many shapes"));
        }
        let mut shapes = Vec::with_capacity(count);
        for _ in 0..count {
            let word = reader.number()?;
            let function =
                u32::try_from(word >> 1).map_err(|_| Corrupt("a function id is too large"))?;
            shapes.push(Shape {
                function: FunctionId(function),
                return_address: 0,
                below: 0,
                inherited: word & 1 == 1,
            });
        }
        let mut address = 0;
        for shape in &mut shapes {
            address = moved(address, reader.number()?);
            shape.return_address = address;
        }
        for shape in &mut shapes {
            shape.below = moved(0, reader.number()?);
        }
        reader.end()?;
        Ok(Self { threads, shapes, functions })
    }
}

impl Values {
    /// Of no function.
    pub(super) const fn none() -> Self {
        Self { values: Vec::new(), now: 0 }
    }

    /// Forgets the latest values: a thread's part of a block begins.
    pub(super) fn begin(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.values.iter_mut().for_each(|value| value.of = 0);
            self.now = 1;
        }
    }

    /// The usual and the latest return value of a function; 0 for one beyond the dictionary.
    #[inline]
    pub(super) fn of(&self, function: FunctionId) -> (u64, u64) {
        match self.values.get(function.index()) {
            Some(value) if value.of == self.now => (value.usual, value.latest),
            Some(value) => (value.usual, value.usual),
            None => (0, 0),
        }
    }

    #[inline]
    pub(super) fn set_latest(&mut self, function: FunctionId, latest: u64) {
        if let Some(value) = self.values.get_mut(function.index()) {
            (value.latest, value.of) = (latest, self.now);
        }
    }
}

/// Makes the dictionary of a segment from its events, in a first pass over them.
#[derive(Debug)]
pub(crate) struct DictionaryBuilder {
    stacks: Stacks,
    threads: FxHashMap<Tid, u32>,
    order: Vec<(Tid, Pid)>,
    /// Of each thread: its stack, and the stack pointer of its latest outermost call.
    slots: Vec<(usize, u64)>,
    latest: usize,
    shapes: FxHashMap<Shape, u32>,
    /// Of each function: a return value that has the majority if one has, and its lead.
    usual: FxHashMap<FunctionId, (u64, u64)>,
}

impl DictionaryBuilder {
    /// For a segment that begins with a state.
    pub(crate) fn new(state: &State) -> Self {
        Self {
            stacks: Stacks::of(state),
            threads: FxHashMap::default(),
            order: Vec::new(),
            slots: Vec::new(),
            latest: 0,
            shapes: FxHashMap::default(),
            usual: FxHashMap::default(),
        }
    }

    /// Takes the next event.
    pub(crate) fn push(&mut self, event: &Event) {
        if self.order.get(self.latest).is_none_or(|(tid, _)| *tid != event.tid) {
            let next = self.order.len() as u32;
            let at = *self.threads.entry(event.tid).or_insert(next);
            if at == next {
                self.order.push((event.tid, event.pid));
                self.slots.push((self.stacks.slot(event.tid), 0));
            }
            self.latest = at as usize;
        }
        let (slot, root) = &mut self.slots[self.latest];
        let stack = self.stacks.stack(*slot);
        match event.kind {
            EventKind::Enter { function, return_address, stack_pointer, inherited } => {
                let above = above(stack, root, stack_pointer);
                let below = above.wrapping_sub(stack_pointer);
                let shape = Shape { function, return_address, below, inherited };
                stack.push(Frame { function, stack_pointer });
                if let Some(count) = self.shapes.get_mut(&shape) {
                    *count = count.saturating_add(1);
                } else if self.shapes.len() < MOST_COUNTED {
                    self.shapes.insert(shape, 1);
                }
            }
            EventKind::Leave { function, return_value, .. } => {
                stack.pop();
                if function.0 < MOST_FUNCTIONS {
                    let (usual, lead) = self.usual.entry(function).or_insert((return_value, 0));
                    if *usual == return_value {
                        *lead += 1;
                    } else if *lead == 0 {
                        (*usual, *lead) = (return_value, 1);
                    } else {
                        *lead -= 1;
                    }
                }
            }
            ref kind if clears(kind) => stack.clear(),
            _ => {}
        }
    }

    /// The dictionary of what was pushed.
    pub(crate) fn finish(self) -> Dictionary {
        let mut shapes: Vec<_> =
            self.shapes.into_iter().filter(|(_, count)| *count >= FEWEST_USES).collect();
        shapes.sort_unstable_by_key(|(shape, count)| (std::cmp::Reverse(*count), *shape));
        shapes.truncate(MOST_SHAPES);
        let mut functions: Vec<_> =
            self.usual.into_iter().map(|(function, (value, _))| (function, value)).collect();
        functions.sort_unstable();
        let shapes = shapes.into_iter().map(|(shape, _)| shape).collect();
        Dictionary { threads: self.order, shapes, functions }
    }
}

/// Stack pointer of the frame around a new one: its caller's, or for an outermost call that of the
/// one before it on the thread.
#[inline]
pub(super) fn above(stack: &[Frame], root: &mut u64, stack_pointer: u64) -> u64 {
    match stack.last() {
        Some(caller) => caller.stack_pointer,
        None => std::mem::replace(root, stack_pointer),
    }
}
