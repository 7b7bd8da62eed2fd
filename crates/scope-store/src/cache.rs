//! What a reader remembers: decoded blocks and states, both bounded.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use scope_model::{OpenCall, State, ThreadState};

use crate::blocks::Block;
use crate::pyramid::Level;
use crate::sealed::{BlockDecoder, CheckpointGroup, Columns, Dictionary, Kind, Sets};
use crate::summary::Summary;

/// Bytes of decoded blocks that are kept.
const BLOCK_BYTES: usize = 16 << 20;
/// Bytes of decompressed columns that are kept: those of some eighty blocks.
const COLUMN_BYTES: usize = 6 << 20;
/// Bytes of states that are kept.
const STATE_BYTES: usize = 8 << 20;

/// Bytes of checkpoints of sealed segments that are kept.
const CHECKPOINT_BYTES: usize = 4 << 20;
/// Bytes of groups of checkpoints that are kept.
const GROUP_BYTES: usize = 2 << 20;
/// Bytes of each kind of index of sealed segments that are kept.
const INDEX_BYTES: usize = 6 << 20;

/// The caches of one reader.
#[derive(Debug)]
pub(crate) struct Caches {
    blocks: Mutex<Lru<BlockKey, Arc<Block>>>,
    columns: Mutex<Lru<BlockKey, Arc<Columns>>>,
    states: Mutex<States>,
    checkpoints: Mutex<Lru<u64, Arc<State>>>,
    groups: Mutex<Lru<GroupKey, Arc<CheckpointGroup>>>,
    dictionaries: Mutex<Lru<u32, Arc<Dictionary>>>,
    sets: Mutex<Lru<(u32, Kind), Arc<Sets>>>,
    levels: Mutex<Lru<(u32, u16), Arc<Level>>>,
    decoder: Mutex<Option<(u32, BlockDecoder)>>,
    summaries: Mutex<Summaries>,
}

/// What is told of hot segments so far, by their numbers.
pub(crate) type Summaries = BTreeMap<u32, Summary>;

/// A block, whatever segment holds it: its first event, and how many it has.
pub(crate) type BlockKey = (u64, u32);

/// A group of checkpoints: its segment, and where it is there.
pub(crate) type GroupKey = (u32, u64);

impl Default for Caches {
    fn default() -> Self {
        Self {
            blocks: Mutex::new(Lru::new(BLOCK_BYTES)),
            columns: Mutex::new(Lru::new(COLUMN_BYTES)),
            states: Mutex::default(),
            checkpoints: Mutex::new(Lru::new(CHECKPOINT_BYTES)),
            groups: Mutex::new(Lru::new(GROUP_BYTES)),
            dictionaries: Mutex::new(Lru::new(INDEX_BYTES)),
            sets: Mutex::new(Lru::new(INDEX_BYTES)),
            levels: Mutex::new(Lru::new(INDEX_BYTES)),
            decoder: Mutex::default(),
            summaries: Mutex::default(),
        }
    }
}

impl Caches {
    pub(crate) fn blocks(&self) -> MutexGuard<'_, Lru<BlockKey, Arc<Block>>> {
        lock(&self.blocks)
    }

    /// Blocks of which not all was asked for.
    pub(crate) fn columns(&self) -> MutexGuard<'_, Lru<BlockKey, Arc<Columns>>> {
        lock(&self.columns)
    }

    /// States of hot segments.
    pub(crate) fn states(&self) -> MutexGuard<'_, States> {
        lock(&self.states)
    }

    /// States of sealed segments, by the event that comes next.
    pub(crate) fn checkpoints(&self) -> MutexGuard<'_, Lru<u64, Arc<State>>> {
        lock(&self.checkpoints)
    }

    /// Checkpoints of which not all was asked for: a search for the end of a call looks at many.
    pub(crate) fn groups(&self) -> MutexGuard<'_, Lru<GroupKey, Arc<CheckpointGroup>>> {
        lock(&self.groups)
    }

    pub(crate) fn dictionaries(&self) -> MutexGuard<'_, Lru<u32, Arc<Dictionary>>> {
        lock(&self.dictionaries)
    }

    pub(crate) fn sets(&self) -> MutexGuard<'_, Lru<(u32, Kind), Arc<Sets>>> {
        lock(&self.sets)
    }

    pub(crate) fn levels(&self) -> MutexGuard<'_, Lru<(u32, u16), Arc<Level>>> {
        lock(&self.levels)
    }

    /// The decoder used last, of a segment.
    pub(crate) fn decoder(&self) -> MutexGuard<'_, Option<(u32, BlockDecoder)>> {
        lock(&self.decoder)
    }

    pub(crate) fn summaries(&self) -> MutexGuard<'_, Summaries> {
        lock(&self.summaries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves nothing half done: entries are put in whole, summaries forgotten first.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what was used last, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: FxHashMap<K, Entry<V>>,
    bytes: usize,
    most_bytes: usize,
    now: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Copy, V: Clone> Lru<K, V> {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { entries: FxHashMap::default(), bytes: 0, most_bytes, now: 0 }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.now += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.now;
        Some(entry.value.clone())
    }

    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.now += 1;
        self.bytes += bytes;
        if let Some(old) = self.entries.insert(key, Entry { value, bytes, used: self.now }) {
            self.bytes -= old.bytes;
        }
        // Few entries, and one goes for one that comes: no list is kept for it.
        while self.bytes > self.most_bytes && self.entries.len() > 1 {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(key) = oldest.map(|(key, _)| *key) else { break };
            if let Some(old) = self.entries.remove(&key) {
                self.bytes -= old.bytes;
            }
        }
    }
}

/// States by the number of the event that comes next: stepping stones for those between. When they
/// are too many every second one goes, so that they stay spread over the trace.
#[derive(Debug, Default)]
pub(crate) struct States {
    states: BTreeMap<u64, (Arc<State>, usize)>,
    bytes: usize,
}

impl States {
    /// The latest state known between two events, both included.
    pub(crate) fn nearest(&self, from: u64, to: u64) -> Option<Arc<State>> {
        if from > to {
            return None;
        }
        self.states.range(from..=to).next_back().map(|(_, (state, _))| Arc::clone(state))
    }

    pub(crate) fn insert(&mut self, state: Arc<State>) {
        let bytes = state_bytes(&state);
        let key = state.next_event();
        self.bytes += bytes;
        if let Some((_, old)) = self.states.insert(key, (state, bytes)) {
            self.bytes -= old;
        }
        while self.bytes > STATE_BYTES && self.states.len() > 1 {
            let mut odd = false;
            self.states.retain(|other, _| {
                odd = !odd;
                *other == key || odd
            });
            if self.states.len() == 2 {
                self.states.retain(|other, _| *other == key);
            }
            self.bytes = self.states.values().map(|(_, bytes)| bytes).sum();
        }
    }
}

/// Bytes a state takes, about.
pub(crate) fn state_bytes(state: &State) -> usize {
    let calls: usize = state.threads().iter().map(|thread| thread.stack.capacity()).sum();
    size_of::<State>()
        + state.threads().len() * (size_of::<ThreadState>() + 16)
        + calls * size_of::<OpenCall>()
}
