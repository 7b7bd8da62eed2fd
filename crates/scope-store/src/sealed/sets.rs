//! Which blocks of a segment hold calls of a function, or events of a thread.
//!
//! For each key (a function or a thread id) the numbers of its blocks, as the count of blocks passed
//! over before each.

use rustc_hash::FxHashMap;

use super::bytes::{Corrupt, Decoded, Reader, put};

/// Keys of late that are remembered.
const RECENT: usize = 1024;

/// Collects sets while blocks are written.
#[derive(Debug, Default)]
pub(crate) struct SetsBuilder {
    blocks_of: FxHashMap<u32, Blocks>,
    /// Keys that were added of late, by their low bits, with the block they were added of.
    recent: Vec<(u32, u32)>,
}

#[derive(Debug, Default)]
struct Blocks {
    /// First block that is not looked at yet.
    next: u32,
    count: u32,
    passed: Vec<u8>,
}

impl SetsBuilder {
    /// A key is in a block. Blocks must come in their order.
    #[inline]
    pub(crate) fn add(&mut self, key: u32, block: u32) {
        if self.recent.is_empty() {
            self.recent = vec![(0, u32::MAX); RECENT];
        }
        // Most keys come again within the block.
        let recent = &mut self.recent[key as usize % RECENT];
        if std::mem::replace(recent, (key, block)) == (key, block) {
            return;
        }
        let blocks = self.blocks_of.entry(key).or_default();
        if block >= blocks.next {
            put(&mut blocks.passed, u64::from(block - blocks.next));
            blocks.next = block + 1;
            blocks.count += 1;
        }
    }

    /// Keys in ascending order, each with the length of its list; then the lists.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut keys: Vec<_> = self.blocks_of.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| **key);
        put(out, keys.len() as u64);
        let mut next = 0;
        for (key, blocks) in &keys {
            put(out, u64::from(**key) - next);
            next = u64::from(**key) + 1;
            put(out, blocks.passed.len() as u64);
        }
        for (_, blocks) in &keys {
            out.extend_from_slice(&blocks.passed);
        }
    }
}

/// Sets being asked.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    /// Key and where its list ends.
    keys: Vec<(u32, usize)>,
    lists: Vec<u8>,
}

impl Sets {
    pub(crate) fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.count()?;
        let mut keys = Vec::with_capacity(count);
        let (mut next, mut end) = (0_u64, 0_usize);
        for _ in 0..count {
            let key = next.checked_add(reader.number()?).and_then(|key| u32::try_from(key).ok());
            let key = key.ok_or(Corrupt("a key of an index is too large"))?;
            next = u64::from(key) + 1;
            end = end.checked_add(reader.count()?).ok_or(Corrupt("an index is too long"))?;
            keys.push((key, end));
        }
        let lists = reader.take(reader.left())?.to_vec();
        if lists.len() != end {
            return Err(Corrupt("an index has another length than it says"));
        }
        Ok(Self { keys, lists })
    }

    /// Bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() * size_of::<(u32, usize)>() + self.lists.len()
    }

    /// The keys, ascending.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(|(key, _)| *key)
    }

    /// Adds the blocks of a key to `blocks`; those of a number `most` or larger are an error.
    pub(crate) fn blocks(&self, key: u32, most: u32, blocks: &mut Vec<u32>) -> Decoded<()> {
        let Ok(at) = self.keys.binary_search_by_key(&key, |(key, _)| *key) else { return Ok(()) };
        let start = at.checked_sub(1).map_or(0, |before| self.keys[before].1);
        let mut reader = Reader::new(&self.lists[start..self.keys[at].1]);
        let mut next = 0_u64;
        while reader.left() > 0 {
            let block = next.saturating_add(reader.number()?);
            if block >= most.into() {
                return Err(Corrupt("an index names a block that is not there"));
            }
            blocks.push(block as u32);
            next = block + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_come_back(mut pairs in prop::collection::vec((0..200_u32, 0..9_u32), 0..80)) {
            pairs.sort_unstable();
            let mut builder = SetsBuilder::default();
            let mut expected: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (block, key) in &pairs {
                builder.add(*key, *block);
                expected.entry(*key).or_default().insert(*block);
            }
            let mut bytes = Vec::new();
            builder.encode(&mut bytes);
            let sets = Sets::decode(&bytes).unwrap();
            prop_assert!(sets.keys().eq(expected.keys().copied()));
            for key in 0..9 {
                let mut found = Vec::new();
                sets.blocks(key, 200, &mut found).unwrap();
                prop_assert!(found.iter().copied().eq(expected.get(&key).into_iter().flatten().copied()));
            }
        }

        #[test]
        fn any_bytes_are_sets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(sets) = Sets::decode(&bytes) {
                for key in sets.keys() {
                    let _ = sets.blocks(key, 100, &mut Vec::new());
                }
            }
        }
    }
}
