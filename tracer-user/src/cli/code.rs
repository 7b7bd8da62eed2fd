//! What `scope code` and `scope source` are asked.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::SourceOptions;

/// Arguments of `scope code`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  scope code 1234.scope                      what is known of the code
  scope code 1234.scope db::commit --cfg --format dot | dot -Tsvg -o commit.svg
  scope code 1234.scope db::commit --callers who called it, and from which lines
  scope code target/release/server --metrics --limit 20")]
pub struct CodeArgs {
    /// A trace, or a program or library.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub target: PathBuf,
    /// Functions whose readable name matches.
    #[arg(value_name = "FUNCTION")]
    pub function: Option<String>,
    /// What to show.
    #[command(flatten)]
    pub view: CodeViews,
    /// Folder with patterns of your own, as docs/sources.md describes them; may be repeated.
    #[arg(long = "pattern-dir", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub pattern_dirs: Vec<PathBuf>,
    /// Where sources are; of a trace they are inside.
    #[command(flatten)]
    pub sources: SourceOptions,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = CodeFormat::Text)]
    pub format: CodeFormat,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// With --metrics: print at most this many functions; 0: all.
    #[arg(long, default_value_t = 30, value_name = "N")]
    pub limit: usize,
}

/// Arguments of `scope source`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: scope source 1234.scope db::commit")]
pub struct SourceArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// Functions whose readable name matches.
    #[arg(value_name = "FUNCTION")]
    pub function: String,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// What `scope code` shows, at most one.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct CodeViews {
    /// Control flow of FUNCTION.
    #[arg(long)]
    pub cfg: bool,
    /// Data flow of FUNCTION: which definition each use sees.
    #[arg(long)]
    pub dfg: bool,
    /// Code property graph of FUNCTION: syntax, control flow, data flow and calls in one.
    #[arg(long)]
    pub cpg: bool,
    /// Syntax tree of FUNCTION.
    #[arg(long)]
    pub ast: bool,
    /// Who calls FUNCTION: in the sources, and as it was recorded.
    #[arg(long)]
    pub callers: bool,
    /// Whom FUNCTION calls: in the sources, and as it was recorded.
    #[arg(long)]
    pub callees: bool,
    /// Complexity and size of functions.
    #[arg(long)]
    pub metrics: bool,
    /// Places in functions that deserve a look.
    #[arg(long)]
    pub patterns: bool,
    /// How many of the recorded calls are tied to a node, and why the others are not.
    #[arg(long)]
    pub coverage: bool,
}

impl CodeViews {
    /// The one that was chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<CodeView> {
        let views = [
            (self.cfg, CodeView::Cfg),
            (self.dfg, CodeView::Dfg),
            (self.cpg, CodeView::Cpg),
            (self.ast, CodeView::Ast),
            (self.callers, CodeView::Callers),
            (self.callees, CodeView::Callees),
            (self.metrics, CodeView::Metrics),
            (self.patterns, CodeView::Patterns),
            (self.coverage, CodeView::Coverage),
        ];
        views.into_iter().find_map(|(chosen, view)| chosen.then_some(view))
    }
}

/// A view of `scope code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeView {
    /// Control flow.
    Cfg,
    /// Data flow.
    Dfg,
    /// Code property graph.
    Cpg,
    /// Syntax tree.
    Ast,
    /// Calls of the function.
    Callers,
    /// Calls from the function.
    Callees,
    /// Numbers.
    Metrics,
    /// Findings.
    Patterns,
    /// Calls with and without nodes.
    Coverage,
}

impl CodeView {
    /// It is a graph.
    #[must_use]
    pub const fn is_graph(self) -> bool {
        self.needs_function()
    }

    /// It is of one function.
    #[must_use]
    pub const fn needs_function(self) -> bool {
        !matches!(self, Self::Metrics | Self::Patterns | Self::Coverage)
    }
}

/// How `scope code` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodeFormat {
    /// For people.
    Text,
    /// Graphs in Graphviz' language.
    Dot,
    /// For programs.
    Json,
}
