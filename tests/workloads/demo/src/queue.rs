//! A bounded queue between threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out; full and empty both make the caller wait.
pub struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    limit: usize,
    filled: Condvar,
    emptied: Condvar,
}

impl<T> Queue<T> {
    pub fn new(limit: usize) -> Self {
        Self {
            items: Mutex::new(VecDeque::with_capacity(limit)),
            limit,
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Appends an item; waits while the queue is full.
    #[inline(never)]
    pub fn push(&self, item: T) {
        let mut items = self.lock();
        while items.len() >= self.limit {
            items = self.emptied.wait(items).unwrap_or_else(PoisonError::into_inner);
        }
        items.push_back(item);
        drop(items);
        self.filled.notify_one();
    }

    /// Takes the oldest item; waits while there is none.
    #[inline(never)]
    pub fn pop(&self) -> T {
        let mut items = self.lock();
        loop {
            if let Some(item) = items.pop_front() {
                drop(items);
                self.emptied.notify_one();
                return item;
            }
            items = self.filled.wait(items).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
