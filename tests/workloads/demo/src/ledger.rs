//! The shared book of balances, and the auditor that holds its lock too long.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::feed::Order;

const ACCOUNTS: usize = 8192;
const AUDIT_ROUNDS: usize = 600;

/// Balances of all accounts behind one lock.
pub struct Ledger {
    book: Mutex<Book>,
}

struct Book {
    balances: Vec<i64>,
    booked: u64,
    checksum: u64,
}

impl Ledger {
    pub fn new() -> Self {
        let balances = vec![0; ACCOUNTS];
        Self { book: Mutex::new(Book { balances, booked: 0, checksum: 0 }) }
    }

    /// Orders booked so far.
    pub fn booked(&self) -> u64 {
        self.lock().booked
    }

    /// Books an order; waits while somebody else has the book.
    #[inline(never)]
    pub fn book(&self, order: &Order) {
        let mut book = self.lock();
        book.balances[order.account % ACCOUNTS] += order.amount;
        book.booked += 1;
    }

    /// Sums all balances again and again, with the book locked all the time.
    #[inline(never)]
    pub fn audit(&self) {
        let mut book = self.lock();
        for round in 0..AUDIT_ROUNDS {
            book.checksum = checksum(&book.balances, round as u64);
        }
    }

    #[inline(never)]
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline(never)]
fn checksum(balances: &[i64], seed: u64) -> u64 {
    balances.iter().fold(seed, |sum, balance| sum.rotate_left(5) ^ balance.cast_unsigned())
}
