//! `scope at`: what every thread was doing at a moment, or what one call did.

mod call;
mod document;
mod text;

use std::process::ExitCode;

use anyhow::bail;
use clap::error::ErrorKind;
use scope_model::{State, ThreadState, Tid};
use scope_store::Trace;
use scope_timeline::{Moment, Timeline};

use super::nodes::Nodes;
use super::reading;
use crate::cli::{self, AtArgs};
use crate::output;

pub use document::Thread;
pub use text::thread as write_thread;

/// Prints the state of the threads, or a call.
pub fn run(args: &AtArgs) -> anyhow::Result<ExitCode> {
    let place = match (&args.time, args.call) {
        (_, Some(id)) => return run_call(args, id),
        (Some(place), None) => place,
        (None, None) => {
            let message = "give a TIME, or --call ID";
            cli::wrong_usage("at", ErrorKind::MissingRequiredArgument, message)
        }
    };
    let trace = reading::open(&args.trace)?;
    let timeline = Timeline::new(&trace);
    let moment = reading::resolve(&timeline, place)?;
    let error = |error| reading::travel_error(&trace, error);
    let state = timeline.state_at(moment.event).map_err(error)?;
    let threads: Vec<&ThreadState> = state
        .sorted_threads()
        .into_iter()
        .filter(|thread| args.thread.is_none_or(|tid| thread.tid == Tid(tid)))
        .collect();
    if let (Some(tid), true) = (args.thread, threads.is_empty()) {
        bail!(
            "thread {tid}: not known at that moment; scope info {} lists the threads",
            args.trace.display()
        );
    }
    let nodes = Nodes::of(&trace);
    let found =
        Found { trace: &trace, nodes: &nodes, timeline: &timeline, moment, state: &state, threads };
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &document::At::new(&found))?;
    } else {
        text::write(&mut out, &found)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a call.
fn run_call(args: &AtArgs, id: u64) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let timeline = Timeline::new(&trace);
    let error = |error| reading::travel_error(&trace, error);
    let most = if args.limit == 0 { usize::MAX } else { args.limit };
    let view = timeline.call(id, most).map_err(error)?;
    let callees = timeline.callees(id, None, most).map_err(error)?.calls;
    // Those inherited at a fork are no calls made.
    let listed = callees.iter().filter(|callee| !callee.inherited).count() as u64;
    let callees_left_out = view.callees.saturating_sub(listed);
    let nodes = Nodes::of(&trace);
    let (trace, timeline) = (&trace, &timeline);
    let shown = call::Shown { trace, nodes: &nodes, timeline, view, callees, callees_left_out };
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &shown.document())?;
    } else {
        shown.write(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is to show.
struct Found<'a> {
    trace: &'a Trace,
    nodes: &'a Nodes<'a>,
    timeline: &'a Timeline<'a>,
    moment: Moment,
    state: &'a State,
    /// The threads to show, by id.
    threads: Vec<&'a ThreadState>,
}
