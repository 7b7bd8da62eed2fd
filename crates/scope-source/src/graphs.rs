//! All graphs of a file at once.

use serde::{Deserialize, Serialize};

use crate::cfg::{Cfg, control_flow};
use crate::dfg::{Dfg, data_flow};
use crate::metrics::{Metrics, metrics};
use crate::source_file::SourceFile;

/// Control flow, data flow and numbers of every function of a file, each in the order of
/// [`SourceFile::functions`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graphs {
    /// Control flow.
    pub control: Vec<Cfg>,
    /// Data flow.
    pub data: Vec<Dfg>,
    /// Numbers.
    pub metrics: Vec<Metrics>,
}

impl Graphs {
    /// Builds them. Time and memory are linear in the file but for data flow, which is bounded.
    #[must_use]
    pub fn build(file: &SourceFile) -> Self {
        let control = control_flow(file);
        let data = data_flow(file, &control);
        let metrics = metrics(file, &control);
        Self { control, data, metrics }
    }
}
