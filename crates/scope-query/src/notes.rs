//! What is left out of answers, and why: told once a session.

use std::sync::{Arc, Mutex, PoisonError};

/// What was said so far, and what nobody was told yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    said: Vec<String>,
    told: usize,
}

impl Notes {
    /// Says something, unless it was said before.
    pub(crate) fn say(&self, note: String) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.said.contains(&note) {
            inner.said.push(note);
        }
    }

    /// What was said since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = inner.said[inner.told..].to_vec();
        inner.told = inner.said.len();
        new
    }
}
