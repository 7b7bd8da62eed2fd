//! The one owner of a manifest that is written: the thread that appends and the one that seals change
//! it through this alone, so that neither undoes what the other did.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::manifest::{self, Manifest};
use crate::steps::Steps;
use crate::{StoreError, document};

/// The manifest as it is on the disk.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    steps: Steps,
    manifest: Mutex<Manifest>,
    manifest_bytes: AtomicU64,
    closed_bytes: AtomicU64,
}

impl Ledger {
    /// Of a trace whose manifest is not written yet.
    pub(crate) fn new(path: &Path, manifest: Manifest, steps: Steps) -> Self {
        Self {
            path: path.to_path_buf(),
            steps,
            manifest: Mutex::new(manifest),
            manifest_bytes: AtomicU64::new(0),
            closed_bytes: AtomicU64::new(0),
        }
    }

    /// Replaces the manifest by what `change` makes of it. After an error it is what it was, and what
    /// is on the disk is the one or, unless the disk is full, perhaps the other.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Manifest)) -> Result<(), StoreError> {
        let mut current = self.lock();
        let mut next = current.clone();
        change(&mut next);
        let path = self.path.join(manifest::FILE);
        let bytes = document::replace(&path, manifest::FORMAT, &next, &self.steps)?;
        let closed = next.segments.iter().filter_map(|entry| Some(entry.closed?.bytes)).sum();
        self.manifest_bytes.store(bytes, Ordering::Relaxed);
        self.closed_bytes.store(closed, Ordering::Relaxed);
        *current = next;
        Ok(())
    }

    /// What the manifest says.
    pub(crate) fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.lock()
    }

    /// Bytes of the manifest and of closed segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.manifest_bytes.load(Ordering::Relaxed) + self.closed_bytes.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Manifest> {
        // It is replaced as a whole, so that a panic leaves nothing half done.
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
