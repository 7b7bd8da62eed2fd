//! The steps in which a writer changes the disk, as places where a test can make it fail or end.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Called before each step with its name; an error is that of the step. Does nothing by default.
///
/// For tests alone: what a writer does between two steps leaves a trace that readers open, whatever
/// happens at either.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<dyn Fn(&'static str) -> io::Result<()> + Send + Sync>>);

impl Steps {
    /// Steps before which `before` is called.
    pub fn new(before: impl Fn(&'static str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(before)))
    }

    /// A step follows.
    pub(crate) fn before(&self, step: &'static str) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |before| before(step))
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps")
    }
}
