//! The order in which the threads of a block were used last, from which ranks are read.

use super::RANKS;

/// Members that [`Few`] can tell apart.
pub(super) const MOST_FEW: usize = 256;
/// Ranks that [`Few`] keeps in one word.
const NEAR: usize = 8;

/// Members by their last use, latest first.
pub(super) trait Recent: Default {
    /// The member at a rank, which then is the latest.
    fn at(&mut self, rank: usize) -> Option<u16>;

    /// A member that has no rank becomes the latest; the one of the last rank loses its own.
    fn add(&mut self, member: u16);

    /// Whether a member has a rank.
    fn contains(&self, member: u16) -> bool;
}

/// Of up to [`MOST_FEW`] members.
#[derive(Debug)]
pub(super) struct Few {
    /// The first eight, a byte each, the latest lowest: in one word, so that moving them is a few
    /// operations whatever the rank. Which rank comes cannot be foreseen.
    near: u64,
    far: [u8; RANKS - NEAR],
    count: usize,
}

impl Default for Few {
    fn default() -> Self {
        Self { near: 0, far: [0; RANKS - NEAR], count: 0 }
    }
}

impl Few {
    /// Puts a member before all others and those before `far[end]` one further.
    fn push_down(&mut self, member: u8, end: usize) {
        self.far.copy_within(..end, 1);
        self.far[0] = (self.near >> (8 * (NEAR - 1))) as u8;
        self.near = self.near << 8 | u64::from(member);
    }
}

impl Recent for Few {
    #[inline]
    fn at(&mut self, rank: usize) -> Option<u16> {
        if rank >= self.count {
            return None;
        }
        if rank >= NEAR {
            let member = self.far[rank - NEAR];
            self.push_down(member, rank - NEAR);
            return Some(member.into());
        }
        let member = (self.near >> (8 * rank)) as u8;
        let moved = u64::MAX >> (8 * (NEAR - 1 - rank));
        self.near = self.near & !moved | (self.near << 8 | u64::from(member)) & moved;
        Some(member.into())
    }

    fn add(&mut self, member: u16) {
        if self.count < RANKS {
            self.count += 1;
        }
        // There are no more members than a byte can name.
        self.push_down(member as u8, (self.count - 1).saturating_sub(NEAR));
    }

    fn contains(&self, member: u16) -> bool {
        let near = self.count.min(NEAR);
        (0..near).any(|rank| u16::from((self.near >> (8 * rank)) as u8) == member)
            || self.far[..self.count - near].iter().any(|other| u16::from(*other) == member)
    }
}

/// Of any number of members.
#[derive(Debug, Default)]
pub(super) struct Many(Vec<u16>);

impl Recent for Many {
    fn at(&mut self, rank: usize) -> Option<u16> {
        let member = *self.0.get(rank)?;
        self.0.copy_within(..rank, 1);
        self.0[0] = member;
        Some(member)
    }

    fn add(&mut self, member: u16) {
        self.0.truncate(RANKS - 1);
        self.0.insert(0, member);
    }

    fn contains(&self, member: u16) -> bool {
        self.0.contains(&member)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_and_many_keep_the_same_order(uses in prop::collection::vec(0..255_usize, 0..600)) {
            let (mut few, mut many) = (Few::default(), Many::default());
            let mut members = 0;
            for rank in uses {
                let (at_few, at_many) = (few.at(rank), many.at(rank));
                prop_assert_eq!(at_few, at_many);
                if at_few.is_none() && members < MOST_FEW as u16 {
                    prop_assert!(!few.contains(members) && !many.contains(members));
                    few.add(members);
                    many.add(members);
                    members += 1;
                }
            }
        }
    }
}
