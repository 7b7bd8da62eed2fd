//! The code of a trace, for the tables that show it. Nothing of it is read before a statement names such
//! a table or column; then it is read once a session.
//!
//! What is not there is null, and a note says why; so is what is damaged.

mod edges;
mod sites;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use scope_code::{CodeError, CodeFunction, CodeMap, Project, Reason};
use scope_source::{FunctionRef, Graphs, Metrics, SourceFile};
use scope_store::Trace;

pub(crate) use edges::Edge;
pub(crate) use sites::{SiteText, Sites};

use crate::QueryError;
use crate::notes::Notes;

/// The code of one trace.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) map: CodeMap,
    trace: Arc<Trace>,
    name: String,
    notes: Notes,
    functions: OnceLock<Vec<CodeFunction>>,
    project: OnceLock<Loaded>,
    edges: OnceLock<Vec<Edge>>,
}

/// All sources, and the graphs of those that were asked about.
#[derive(Debug)]
struct Loaded {
    project: Option<Project>,
    graphs: Vec<OnceLock<Graphs>>,
}

/// A source with a number in the trace's code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'c> {
    /// [`FunctionRef::file`].
    pub(crate) index: u32,
    /// Path, as the binary has it.
    pub(crate) path: &'c str,
    pub(crate) source: &'c SourceFile,
}

impl Code {
    pub(crate) fn of(trace: &Arc<Trace>, name: &str, notes: Notes) -> Self {
        Self {
            map: CodeMap::of_trace(trace),
            trace: Arc::clone(trace),
            name: name.to_owned(),
            notes,
            functions: OnceLock::new(),
            project: OnceLock::new(),
            edges: OnceLock::new(),
        }
    }

    /// What the functions of the trace are in their sources, in their order.
    pub(crate) fn functions(&self) -> &[CodeFunction] {
        self.functions.get_or_init(|| {
            let functions = self.trace.functions();
            let found: Vec<CodeFunction> = functions
                .iter()
                .map(|function| self.noted(self.map.function(function)).unwrap_or_default())
                .collect();
            let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
            for reason in found.iter().filter_map(|function| function.reason) {
                *reasons.entry(reason).or_default() += 1;
            }
            if !reasons.is_empty() {
                let without: usize = reasons.values().sum();
                let why: Vec<String> =
                    reasons.iter().map(|(why, count)| format!("{}: {count}", why.text())).collect();
                self.say(&format!(
                    "{without} of {} functions have no node ({})",
                    found.len(),
                    why.join("; ")
                ));
            }
            found
        })
    }

    /// All sources together; `None` where they cannot be read.
    pub(crate) fn project(&self) -> Option<&Project> {
        self.loaded().project.as_ref()
    }

    /// The sources.
    pub(crate) fn files(&self) -> Vec<File<'_>> {
        let Some(project) = self.project() else { return Vec::new() };
        let sources = self.noted(self.map.sources());
        let path = |number| sources.and_then(|sources| sources.entry(number));
        let files = project.files().iter().zip(0..);
        files
            .map(|((number, source), index)| File {
                index,
                path: path(*number).map_or("", |entry| entry.path.as_str()),
                source,
            })
            .collect()
    }

    /// The graphs of a source.
    pub(crate) fn graphs(&self, file: u32) -> Option<&Graphs> {
        let loaded = self.loaded();
        let source = loaded.project.as_ref()?.file(file)?;
        let graphs = loaded.graphs.get(file as usize)?;
        Some(graphs.get_or_init(|| Graphs::build(source)))
    }

    /// The numbers of the functions of the trace, in their order, and how many call them and are
    /// called by them, as far as names tell.
    pub(crate) fn metrics(&self) -> Vec<Option<(Metrics, u32, u32)>> {
        let functions = self.functions();
        let Some(project) = self.project() else { return vec![None; functions.len()] };
        let found: Vec<Option<FunctionRef>> =
            functions.iter().map(|function| project.find(function)).collect();
        let mut files: Vec<u32> = found.iter().flatten().map(|of| of.file).collect();
        files.sort_unstable();
        files.dedup();
        files.par_iter().for_each(|file| {
            self.graphs(*file);
        });
        let fans = project.calls().fans();
        let numbers = |of: Option<FunctionRef>| {
            let of = of?;
            let metrics = *self.graphs(of.file)?.metrics.get(of.function as usize)?;
            let (fan_in, fan_out) = fans.get(&of).copied().unwrap_or_default();
            Some((metrics, fan_in, fan_out))
        };
        found.into_iter().map(numbers).collect()
    }

    /// Who calls whom, in the sources and as it was recorded.
    pub(crate) fn edges(&self) -> Result<&[Edge], QueryError> {
        if let Some(edges) = self.edges.get() {
            return Ok(edges);
        }
        let made = edges::all(self, &self.trace)?;
        Ok(self.edges.get_or_init(|| made))
    }

    fn loaded(&self) -> &Loaded {
        self.project.get_or_init(|| {
            let project = self.noted(self.map.project());
            let count = project.as_ref().map_or(0, |project| project.files().len());
            if project.is_some() && count == 0 {
                self.say("the trace has no sources: there are no nodes, graphs and patterns");
            }
            Loaded { project, graphs: (0..count).map(|_| OnceLock::new()).collect() }
        })
    }

    /// What was found, or a note why not.
    pub(crate) fn noted<T>(&self, found: Result<T, CodeError>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                let path = self.trace.path().display();
                self.say(&format!("places in the code are left out: {error}; scope verify {path}"));
                None
            }
        }
    }

    pub(crate) fn say(&self, note: &str) {
        self.notes.say(format!("{}: {note}", self.name));
    }
}
