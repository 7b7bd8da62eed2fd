//! What can go wrong.

use scope_store::StoreError;
use scope_symbols::LoadError;

/// Why the code of a trace or a binary cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The trace cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The binary cannot be read.
    #[error(transparent)]
    Binary(#[from] LoadError),
    /// The patterns that code is looked through for cannot be read, which a test rules out.
    #[error(transparent)]
    Patterns(#[from] scope_source::Error),
    /// A part of the trace has the right checksum and makes no sense.
    #[error(
        "part {part:?} of the trace cannot be understood: {why}; it was written by another version, or tampered with"
    )]
    Part {
        /// Its name.
        part: String,
        /// What is wrong.
        why: String,
    },
}

impl CodeError {
    pub(crate) fn part(part: impl Into<String>, why: impl ToString) -> Self {
        Self::Part { part: part.into(), why: why.to_string() }
    }
}
