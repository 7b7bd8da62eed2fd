//! Tables of the code behind a trace.

pub(crate) mod call_edges;
pub(crate) mod cfg_edges;
pub(crate) mod dfg_edges;
pub(crate) mod lines;
pub(crate) mod nodes;
pub(crate) mod patterns;

use std::fmt;
use std::sync::Arc;

use crate::QueryError;
use crate::code::{Code, File};
use crate::provider::{Partition, Reading, ScanResult, Table};
use crate::rows::{Column, Rows, Wanted};
use crate::session::TableInfo;
use crate::source::Source;

/// A table whose rows come source by source.
pub(crate) trait Sourced: fmt::Debug + Copy + Send + Sync + 'static {
    /// As [`TableInfo::name`].
    const NAME: &'static str;
    /// As [`TableInfo::about`].
    const ABOUT: &'static str;
    /// As [`TableInfo::columns`].
    const COLUMNS: &'static [Column];

    /// Adds the rows of a source.
    fn fill(&self, code: &Code, file: File<'_>, rows: &mut Rows) -> Result<(), QueryError>;
}

/// A [`Sourced`] table, for the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySource<T>(pub(crate) T);

impl<T: Sourced> Table for BySource<T> {
    fn info(&self) -> TableInfo {
        TableInfo { name: T::NAME, about: T::ABOUT, columns: T::COLUMNS }
    }

    fn scan(&self, source: &Arc<Source>, _: &Wanted, _: usize) -> ScanResult {
        Ok(vec![Box::new(Part { table: self.0, source: Arc::clone(source), next: 0 })])
    }
}

#[derive(Clone, Debug)]
struct Part<T> {
    table: T,
    source: Arc<Source>,
    /// Number of the source that is read next.
    next: usize,
}

impl<T: Sourced> Partition for Part<T> {
    fn read(&self) -> Result<Box<dyn Reading>, QueryError> {
        Ok(Box::new(self.clone()))
    }
}

impl<T: Sourced> Reading for Part<T> {
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError> {
        let code = self.source.code();
        let files = code.files();
        let Some(file) = files.get(self.next) else { return Ok(false) };
        self.next += 1;
        self.table.fill(code, *file, rows)?;
        Ok(self.next < files.len())
    }
}
