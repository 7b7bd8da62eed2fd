//! All sources together: which function calls which, as far as names tell.

use std::sync::Arc;

use rayon::prelude::*;
use scope_source::{CallGraph, CodePropertyGraph, FunctionRef, Graphs, Layers, Linked, SourceFile};

use crate::{CodeError, CodeFunction, CodeMap, SourceNumber};

/// The sources of a [`CodeMap`], parsed and tied together.
#[derive(Debug)]
pub struct Project {
    files: Vec<(SourceNumber, Arc<SourceFile>)>,
    calls: CallGraph,
}

impl CodeMap {
    /// Parses all sources, on all CPUs, and ties their calls to their functions.
    ///
    /// # Errors
    ///
    /// When a source is damaged.
    pub fn project(&self) -> Result<Project, CodeError> {
        let count = self.sources()?.len() as u32;
        let parsed: Vec<_> = (0..count)
            .into_par_iter()
            .map(|number| {
                let number = SourceNumber(number);
                Ok(self.parsed(number)?.map(|file| (number, file)))
            })
            .collect::<Result<_, CodeError>>()?;
        let files: Vec<_> = parsed.into_iter().flatten().collect();
        let linked: Vec<&SourceFile> = files.iter().map(|(_, file)| &**file).collect();
        let calls = CallGraph::link(&linked);
        Ok(Project { files, calls })
    }
}

impl Project {
    /// The parsed sources.
    #[must_use]
    pub fn files(&self) -> &[(SourceNumber, Arc<SourceFile>)] {
        &self.files
    }

    /// The calls between their functions.
    #[must_use]
    pub fn calls(&self) -> &CallGraph {
        &self.calls
    }

    /// Adds a call that was seen at run time.
    pub fn add_observed(&mut self, from: FunctionRef, to: FunctionRef, call: Option<u32>) {
        self.calls.add_observed(from, to, call);
    }

    /// A file by its index in [`Project::files`], which [`FunctionRef::file`] is.
    #[must_use]
    pub fn file(&self, index: u32) -> Option<&SourceFile> {
        self.files.get(index as usize).map(|(_, file)| &**file)
    }

    /// Where a function is among the sources; `None`: it has no node.
    #[must_use]
    pub fn find(&self, function: &CodeFunction) -> Option<FunctionRef> {
        let source = function.source?;
        let index = self.files.binary_search_by_key(&source, |(number, _)| *number).ok()?;
        let of = function.node.filter(|_| function.reason.is_none())?.function?;
        Some(FunctionRef { file: index as u32, function: of })
    }

    /// The code property graph of a function, or some layers of it; `graphs` are its file's.
    #[must_use]
    pub fn graph(
        &self,
        of: FunctionRef,
        graphs: &Graphs,
        layers: Layers,
    ) -> Option<CodePropertyGraph> {
        let files: Vec<&SourceFile> = self.files.iter().map(|(_, file)| &**file).collect();
        let linked = Linked { files: &files, calls: &self.calls };
        CodePropertyGraph::of_function(linked, of, graphs, layers)
    }
}
