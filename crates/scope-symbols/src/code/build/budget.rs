//! A bound on what is kept of one module.
//!
//! A file of a few megabytes can refer to one list of ranges from every entry, or to one line table
//! from every unit, and so describe more than fits in memory. No compiler writes such files. Texts
//! count as well: a short entry may name a long one, in long scopes.

use std::sync::atomic::{AtomicU64, Ordering};

/// Most rows of all kinds that one module may have: of the largest programs known (browsers with
/// full debug information) the double.
pub(super) const MAX_ROWS: u64 = 400_000_000;

/// Rows for every byte of the file that any compiler's output stays below.
const ROWS_A_BYTE: u64 = 4;

/// Bytes of text that count as much as a row.
const TEXT_A_ROW: usize = 32;

/// Rows taken from the common store at a time.
const HANDFUL: u64 = 4096;

/// What all units may keep together.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    /// For `size` bytes of debug information.
    pub(super) fn new(size: u64) -> Self {
        Self(AtomicU64::new(size.saturating_mul(ROWS_A_BYTE).saturating_add(1 << 16).min(MAX_ROWS)))
    }

    /// A unit's own part, refilled as it is used.
    pub(super) fn purse(&self) -> Purse<'_> {
        Purse { budget: self, left: 0 }
    }
}

/// A part of a [`Budget`] that one thread uses.
#[derive(Debug)]
pub(super) struct Purse<'b> {
    budget: &'b Budget,
    left: u64,
}

impl Purse<'_> {
    /// Whether one more row may be kept.
    pub(super) fn take(&mut self) -> bool {
        if self.left == 0 {
            let store = &self.budget.0;
            let taken = store.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left > 0).then(|| left.saturating_sub(HANDFUL))
            });
            self.left = taken.map_or(0, |before| before.min(HANDFUL));
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }

    /// Whether a text of this length may be kept.
    pub(super) fn take_text(&mut self, length: usize) -> bool {
        (0..length / TEXT_A_ROW).all(|_| self.take())
    }
}

impl Drop for Purse<'_> {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.left, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is() {
        let budget = Budget(AtomicU64::new(10_000));
        let mut count = 0;
        for _ in 0..5 {
            let mut purse = budget.purse();
            count += (0..2_500).filter(|_| purse.take()).count();
        }
        assert_eq!(count, 10_000);
    }

    #[test]
    fn long_texts_use_it_up() {
        let budget = Budget::new(0);
        let mut purse = budget.purse();
        let texts = (0..1_000_000).take_while(|_| purse.take_text(32 << 10)).count();
        assert!((32..=64).contains(&texts), "{texts}");
        assert!(!purse.take());
    }
}
