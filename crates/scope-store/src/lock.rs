//! Who may write to a trace: the one that holds the lock on its folder.
//!
//! A recorder holds it for as long as it lives, and a repair while it works. It is advisory (`flock`)
//! and goes with its holder, however that ends. Readers neither take it nor ask for it.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::StoreError;

/// A lock on a trace's folder; let go when dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it lets go of the lock")] File);

impl Lock {
    /// Takes the lock of a trace.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] when somebody holds it; what the system says where there are no locks.
    pub(crate) fn take(trace: &Path) -> Result<Self, StoreError> {
        let folder = File::open(trace).map_err(StoreError::io("open", trace, 0))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self(folder)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: trace.to_path_buf() }),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", trace, 0)(error)),
        }
    }

    /// As [`Lock::take`], but does without on a file system that has no locks for folders.
    pub(crate) fn take_if_any(trace: &Path) -> Result<Option<Self>, StoreError> {
        match Self::take(trace) {
            Ok(lock) => Ok(Some(lock)),
            Err(error @ StoreError::InUse { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }
}
