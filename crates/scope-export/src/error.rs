//! What can go wrong in an export: each variant one sentence.

use std::io;
use std::path::PathBuf;

use scope_store::StoreError;
use scope_timeline::TimelineError;

/// Error of an export.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The trace cannot be read.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// A file of the output cannot be written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is nothing to draw.
    #[error("no call took any {time}: there is nothing to draw")]
    NothingToDraw {
        /// The kind of time.
        time: &'static str,
    },
    /// The flame graph cannot be drawn.
    #[error("cannot draw the flame graph: {0}")]
    Draw(String),
    /// The format was left out of this build.
    #[error("this scope was built without {format}; build it with `--features {format}`")]
    LeftOut {
        /// The format, which is also the name of the feature.
        format: &'static str,
    },
    /// Parquet cannot be written.
    #[error("cannot write Parquet: {0}")]
    Parquet(String),
    /// A receiver did not take the spans.
    #[error("{endpoint} did not take the spans: {why}")]
    Refused {
        /// Where they were sent.
        endpoint: String,
        /// What it said.
        why: String,
    },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Timeline(error.into())
    }
}
