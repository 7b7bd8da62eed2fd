//! The terminal UI over a trace, with a part that panics when it is used: `ui_that_panics TRACE PART`.
//! Under test is what becomes of the terminal.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use scope_model::FunctionId;
use scope_timeline::SiteProfile;
use scope_tui::query::Facts;
use scope_tui::session::{Mark, Notebook};
use scope_tui::source::{LeftAt, LineCost, NoSources, SourceText, SourceView};
use scope_tui::sql::{Calls, Engine, Rows, Table};

/// Panics on the thread of the UI, when a mark is kept.
struct BadNotebook;

impl Notebook for BadNotebook {
    fn keep(&mut self, _: &str, _: Option<&Mark>) -> Result<(), String> {
        panic!("the notebook burns")
    }
}

/// Panics on the thread of queries.
struct BadEngine;

impl Engine for BadEngine {
    fn tables(&mut self) -> Result<Vec<Table>, String> {
        Ok(Vec::new())
    }

    fn run(&mut self, _: &str, _: usize, _: &AtomicBool) -> Result<Rows, String> {
        panic!("the engine stalls")
    }

    fn calls(&mut self, _: &str, _: usize, _: &AtomicBool) -> Result<Calls, String> {
        panic!("the engine stalls")
    }
}

/// Panics on the thread that reads the trace.
struct BadSources;

impl SourceView for BadSources {
    fn text(&self, _: &Facts, _: FunctionId, _: Option<&LeftAt>) -> Result<SourceText, String> {
        panic!("the sources are blank")
    }

    fn costs(&self, _: &Facts, _: FunctionId, _: &[SiteProfile]) -> Vec<LineCost> {
        Vec::new()
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(trace), Some(part)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: ui_that_panics TRACE notebook|engine|sources");
        return ExitCode::from(2);
    };
    let sources: Arc<dyn SourceView> =
        if part == "sources" { Arc::new(BadSources) } else { Arc::new(NoSources) };
    let options = scope_tui::Options {
        path: PathBuf::from(trace),
        sources,
        marks: BTreeMap::new(),
        notebook: Box::new(BadNotebook),
        session: "test".to_owned(),
        recorder: None,
        engine: Some(Box::new(BadEngine)),
        exporter: None,
        leave: Arc::default(),
    };
    match scope_tui::run(options) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
