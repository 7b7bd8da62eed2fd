//! `scope find`: the events that satisfy a condition, forward or backward.

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use scope_store::{Direction, Trace};
use scope_timeline::{Condition, Found, Happening, Place, SearchOptions, Timeline};
use serde::Serialize;

use super::dump::{Line, Placed, line};
use super::nodes::Nodes;
use super::reading;
use crate::cli::{self, FindArgs};
use crate::output;
use crate::output::progress::Progress;

/// Blocks between two looks at the clock.
const STRIDE: usize = 64;

/// Prints the events.
pub fn run(args: &FindArgs) -> anyhow::Result<ExitCode> {
    let text = args.condition.join(" ");
    let condition: Condition =
        text.parse().unwrap_or_else(|error: scope_timeline::ConditionError| {
            let marker = " ".repeat(error.at);
            let message = format!("not a condition: {}\n\n  {text}\n  {marker}^", error.what);
            cli::wrong_usage("find", ErrorKind::ValueValidation, &message)
        });
    let trace = reading::open(&args.trace)?;
    let timeline = Timeline::new(&trace);
    let error = |error| reading::travel_error(&trace, error);
    let (direction, default) = if args.back {
        (Direction::Backward, Place::End)
    } else {
        (Direction::Forward, Place::Start)
    };
    let from = reading::resolve(&timeline, args.from.as_ref().unwrap_or(&default))?.event;
    let until = match &args.to {
        Some(place) => Some(reading::resolve(&timeline, place)?.event),
        None => None,
    };
    let options = SearchOptions { direction, from, until };
    let mut search = timeline.search(&condition, options).map_err(error)?;
    let mut progress = Progress::new("searching", Some(search.whole()));
    let mut out = output::stdout();
    let nodes = Nodes::of(&trace);
    let mut printed = 0;
    while args.limit == 0 || printed < args.limit {
        match search.poll(STRIDE).map_err(error)? {
            Found::Hit(hit) => {
                let happening = timeline.happening(hit.number).map_err(error)?;
                write(&mut out, &nodes, &happening, args.json)?;
                printed += 1;
            }
            Found::NotYet => {
                // What was found is shown before the search goes on, which may take long.
                out.flush()?;
                progress.at(search.passed());
            }
            Found::NoMore => break,
        }
    }
    drop(progress);
    if printed == 0 && !args.json {
        writeln!(out, "no event satisfies the condition")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The JSON of `scope find`, one object a line: the fields of `scope dump`, and these. Its names are a
/// contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
pub struct Document {
    /// Its number.
    event: u64,
    /// The call that begins or ends, or the innermost open one; null without one.
    call: Option<u64>,
    #[serde(flatten)]
    line: Line,
}

impl Document {
    /// The object of an event.
    pub fn new(nodes: &Nodes<'_>, happening: &Happening) -> Self {
        Self {
            event: happening.number,
            call: happening.call.map(|call| call.id),
            line: Line::new(nodes, &placed(nodes.trace(), happening)),
        }
    }
}

/// An event as `scope dump` shows it.
pub fn placed(trace: &Trace, happening: &Happening) -> Placed {
    Placed {
        event: happening.event,
        time_ns: reading::since_start(trace, happening.event.time_ns),
        depth: happening.depth,
        duration_ns: happening.duration_ns,
    }
}

fn write(
    out: &mut dyn Write,
    nodes: &Nodes<'_>,
    happening: &Happening,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        output::json::line(&mut &mut *out, &Document::new(nodes, happening))?;
    } else {
        write!(out, "{:>10}", format!("#{}", happening.number))?;
        // Neighbours in the list are not neighbours in the trace: no indentation.
        line(out, nodes, &Placed { depth: 0, ..placed(nodes.trace(), happening) })?;
    }
    Ok(())
}
