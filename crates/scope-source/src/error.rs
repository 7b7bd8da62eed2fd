//! What can go wrong.

use std::time::Duration;

/// Why sources could not be read. A file with syntax errors is not among them: it is read as far
/// as the tree goes, and says so ([`crate::SourceFile::errors`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`crate::Limits::bytes`].
    #[error("{path}: {bytes} bytes are more than the {limit} that are parsed")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: usize,
        /// The most that is parsed.
        limit: usize,
    },
    /// It took longer than [`crate::Limits::time`].
    #[error("{path}: not parsed within {limit:?}")]
    TimedOut {
        /// The file.
        path: String,
        /// The limit.
        limit: Duration,
    },
    /// The grammar was made for another version of the parser.
    #[error("the grammar of {language} does not fit the parser: {reason}")]
    Grammar {
        /// The language.
        language: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The file's name belongs to no known language.
    #[error("{path}: no known language has such files")]
    UnknownLanguage {
        /// The file.
        path: String,
    },
    /// A pattern's file is wrong.
    #[error("{file}:{line}: {reason}")]
    Pattern {
        /// The pattern's file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}
