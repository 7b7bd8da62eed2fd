//! `scope code`: the code behind a trace or in a binary: functions and their nodes, graphs, metrics,
//! patterns, and how many of the recorded calls are tied to a node.

mod calls;
mod coverage;
mod function;
pub mod graphs;
mod metrics;
mod overview;
mod patterns;
pub mod subject;

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::{self, CodeArgs, CodeFormat, CodeView};
use crate::output;

use subject::Subject;

/// Prints what was asked for.
pub fn run(args: &CodeArgs) -> anyhow::Result<ExitCode> {
    let view = args.view.chosen();
    let format = if args.json { CodeFormat::Json } else { args.format };
    check(args, view, format);
    let subject = Subject::open(&args.target, &args.sources.map())?;
    let mut out = output::stdout();
    let out = &mut out;
    match (view, &args.function) {
        (Some(CodeView::Metrics), pattern) => {
            metrics::write(out, &subject, pattern.as_deref(), format, args.limit)?;
        }
        (Some(CodeView::Patterns), pattern) => {
            let folders = &args.pattern_dirs;
            patterns::write(out, &subject, pattern.as_deref(), folders, format)?;
        }
        (Some(CodeView::Coverage), _) => coverage::write(out, &subject, format)?,
        (Some(view @ (CodeView::Callers | CodeView::Callees)), Some(pattern)) => {
            calls::write(out, &subject, pattern, view, format)?;
        }
        (Some(view), Some(pattern)) => graphs::write(out, &subject, pattern, view, format)?,
        (None, Some(pattern)) => function::write(out, &subject, pattern, format)?,
        (_, None) => overview::write(out, &subject, format)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends with status 2 where the arguments make no sense together.
fn check(args: &CodeArgs, view: Option<CodeView>, format: CodeFormat) {
    let wrong = |kind, message: &str| cli::wrong_usage("code", kind, message);
    if let (Some(view), None) = (view, &args.function)
        && view.needs_function()
    {
        wrong(
            ErrorKind::MissingRequiredArgument,
            "give a FUNCTION: graphs and calls are of one function",
        );
    }
    if !args.pattern_dirs.is_empty() && view != Some(CodeView::Patterns) {
        wrong(ErrorKind::ArgumentConflict, "--pattern-dir goes with --patterns");
    }
    if format == CodeFormat::Dot && !view.is_some_and(CodeView::is_graph) {
        wrong(
            ErrorKind::ArgumentConflict,
            "--format dot is for graphs: --cfg, --dfg, --cpg, --ast, --callers, --callees",
        );
    }
}
