//! Exports of what is on the screen, in the formats of other tools: what the UI needs of whoever knows
//! these, and the thread that one is made on.

use std::panic;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use scope_model::Tid;

/// What is to be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The format, as `scope export --to` names it.
    pub format: String,
    /// The file, or folder of files, as it was typed.
    pub file: PathBuf,
    /// From when, ns since the start of the trace.
    pub from_ns: i64,
    /// Up to when, ns since the start of the trace.
    pub to_ns: i64,
    /// Only this thread.
    pub thread: Option<Tid>,
}

/// Something that writes exports of the trace that is shown.
pub trait Exporter: Send + Sync {
    /// Writes one; ends soon once `cancel` is set, and leaves nothing half written then. What was
    /// written, as a clause for a person.
    ///
    /// # Errors
    ///
    /// Why it was not, as a clause for a person.
    fn export(&self, selection: &Selection, cancel: &AtomicBool) -> Result<String, String>;
}

/// An export that is being made. It is cancelled when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    cancel: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Begins one; `tell` takes its answer, on its thread.
    pub(crate) fn start(
        exporter: Arc<dyn Exporter>,
        selection: Selection,
        tell: impl FnOnce(Result<String, String>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let cancel = Arc::new(AtomicBool::new(false));
        let cancelled = Arc::clone(&cancel);
        let work = move || {
            let export = || exporter.export(&selection, &cancelled);
            let answer = panic::catch_unwind(panic::AssertUnwindSafe(export));
            tell(answer.unwrap_or_else(|_| {
                Err("it ended by an error of scope itself; please report it".to_owned())
            }));
        };
        let thread = thread::Builder::new().name("export".to_owned()).spawn(work)?;
        Ok(Self { cancel, thread: Some(thread) })
    }

    pub(crate) fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel();
        if let Some(thread) = self.thread.take() {
            // Its panics were told.
            let _ = thread.join();
        }
    }
}
