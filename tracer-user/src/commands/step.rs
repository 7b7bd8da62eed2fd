//! `scope step`: steps from a moment, forward or backward.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::bail;
use clap::error::ErrorKind;
use scope_model::Tid;
use scope_store::Trace;
use scope_timeline::{Cursor, Move, Moved, Outcome, Stop, Timeline};
use serde::Serialize;

use super::at::{Thread, write_thread};
use super::dump::{Placed, line};
use super::find::{Document as EventDocument, placed};
use super::nodes::Nodes;
use super::reading;
use crate::cli::{self, Step, StepArgs};
use crate::output::units::{moment, printable};
use crate::output::{self, style};

/// Makes the steps and prints where they lead.
pub fn run(args: &StepArgs) -> anyhow::Result<ExitCode> {
    let step = args.step.as_move();
    let needs_thread = !matches!(step, Move::Next | Move::Previous | Move::Into | Move::BackInto);
    if needs_thread && args.thread.is_none() {
        let message = "this step needs --thread TID: whose calls are stepped over or left";
        cli::wrong_usage("step", ErrorKind::MissingRequiredArgument, message);
    }
    let trace = reading::open(&args.trace)?;
    let timeline = Timeline::new(&trace);
    let error = |error| reading::travel_error(&trace, error);
    let from = reading::resolve(&timeline, &args.at)?.event;
    let thread = args.thread.map(Tid);
    let mut cursor = Cursor { thread, moment: from };
    if let Some(tid) = thread
        && !exists(&timeline, cursor).map_err(error)?
    {
        bail!("thread {tid}: not in {0}; scope report {0} lists its threads", args.trace.display());
    }
    let mut steps = Vec::new();
    for _ in 0..args.count {
        let outcome = cursor.step(&timeline, step).map_err(error)?;
        steps.push(outcome);
        if let Outcome::Stopped(_) = outcome {
            break;
        }
    }
    let nodes = Nodes::of(&trace);
    let journey = Journey {
        trace: &trace,
        nodes: &nodes,
        timeline: &timeline,
        step: args.step,
        steps,
        cursor,
    };
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &journey.document()?)?;
    } else {
        journey.write(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether there is anything of the cursor's thread in the trace.
fn exists(timeline: &Timeline<'_>, cursor: Cursor) -> Result<bool, scope_timeline::TimelineError> {
    let Some(tid) = cursor.thread else { return Ok(true) };
    if timeline.thread_at(cursor.moment, tid)?.is_some() {
        return Ok(true);
    }
    let is_of_thread = |moved: Moved| moved.event.is_some_and(|event| event.tid == tid);
    let mut back = cursor;
    while let Outcome::Moved(moved) = back.step(timeline, Move::Previous)? {
        if is_of_thread(moved) {
            return Ok(true);
        }
    }
    let mut forward = cursor;
    while let Outcome::Moved(moved) = forward.step(timeline, Move::Next)? {
        if is_of_thread(moved) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Steps that were made, and where they ended.
struct Journey<'a> {
    trace: &'a Trace,
    nodes: &'a Nodes<'a>,
    timeline: &'a Timeline<'a>,
    step: Step,
    steps: Vec<Outcome>,
    cursor: Cursor,
}

/// The JSON of `scope step`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Document {
    trace: String,
    step: Step,
    /// One a step that was made.
    steps: Vec<StepDocument>,
    /// Why not all steps were made; null if they were.
    stopped: Option<&'static str>,
    /// The call that never ends or that began too early, where that is why; null otherwise.
    stopped_by_call: Option<u64>,
    t_ns: i64,
    /// The event just before the moment where it ended; null at the start.
    after_event: Option<u64>,
    /// The thread there; null where it is not known, and without `--thread`.
    thread: Option<Thread>,
}

#[derive(Debug, Serialize)]
struct StepDocument {
    after_event: Option<u64>,
    depth: Option<usize>,
    crosses_gap: bool,
    /// The event just before; null at the start.
    event: Option<EventDocument>,
}

impl Journey<'_> {
    fn document(&self) -> anyhow::Result<Document> {
        let trace = self.trace;
        let error = |error| reading::travel_error(trace, error);
        let mut steps = Vec::new();
        let mut stopped = None;
        for step in &self.steps {
            match *step {
                Outcome::Moved(moved) => {
                    let number = reading::event_before(self.timeline, moved.moment);
                    let event = match number {
                        Some(number) => {
                            let happening = self.timeline.happening(number).map_err(error)?;
                            Some(EventDocument::new(self.nodes, &happening))
                        }
                        None => None,
                    };
                    steps.push(StepDocument {
                        after_event: number,
                        depth: self.cursor.thread.map(|_| moved.depth),
                        crosses_gap: moved.crosses_gap,
                        event,
                    });
                }
                Outcome::Stopped(stop) => stopped = Some(stop),
            }
        }
        let time_ns = self.timeline.time_of(self.cursor.moment).map_err(error)?;
        let thread = match self.cursor.thread {
            Some(tid) => self.timeline.thread_at(self.cursor.moment, tid).map_err(error)?,
            None => None,
        };
        Ok(Document {
            trace: trace.path().display().to_string(),
            step: self.step,
            steps,
            stopped: stopped.map(stop_name),
            stopped_by_call: match stopped {
                Some(Stop::NeverEnds { call } | Stop::BeforeTrace { call }) => Some(call),
                _ => None,
            },
            t_ns: reading::since_start(trace, time_ns),
            after_event: reading::event_before(self.timeline, self.cursor.moment),
            thread: thread.map(|thread| Thread::new(self.nodes, &thread, time_ns)),
        })
    }

    fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let trace = self.trace;
        let error = |error| reading::travel_error(trace, error);
        for step in &self.steps {
            match *step {
                Outcome::Moved(moved) => {
                    let warning = style::WARNING;
                    match reading::event_before(self.timeline, moved.moment) {
                        Some(number) => {
                            let happening = self.timeline.happening(number).map_err(error)?;
                            write!(out, "{:>10}", format!("#{number}"))?;
                            let depth = happening.depth;
                            line(out, self.nodes, &Placed { depth, ..placed(trace, &happening) })?;
                        }
                        None => writeln!(out, "{:>10}  start of the trace", "")?,
                    }
                    if moved.crosses_gap {
                        writeln!(out, "{:>10}  {warning}events were lost here{warning:#}", "")?;
                    }
                }
                Outcome::Stopped(stop) => self.write_stop(out, stop)?,
            }
        }
        let time_ns = self.timeline.time_of(self.cursor.moment).map_err(error)?;
        if let Some(tid) = self.cursor.thread
            && let Some(thread) = self.timeline.thread_at(self.cursor.moment, tid).map_err(error)?
        {
            writeln!(out)?;
            write_thread(out, self.nodes, &thread, time_ns)?;
        }
        out.flush()?;
        Ok(())
    }

    fn write_stop(&self, out: &mut dyn Write, stop: Stop) -> io::Result<()> {
        let call = |id| match self.timeline.happening(id).ok().and_then(|happening| happening.call)
        {
            Some(call) => printable(&reading::function_name(self.trace, call.function)),
            None => format!("call {id}"),
        };
        let end_ns = self.timeline.end_ns().unwrap_or_default();
        let end = moment(reading::since_start(self.trace, end_ns));
        let why = match stop {
            Stop::Start => "nothing comes before: this is the start of the trace".to_owned(),
            Stop::End => format!("nothing more comes: the trace ends at {end}"),
            Stop::ThreadEnded => "nothing more comes: the thread ended".to_owned(),
            Stop::NeverEnds { call: id } => {
                format!("{} (call:{id}) is still open where the trace ends, at {end}", call(id))
            }
            Stop::BeforeTrace { call: id } => {
                format!("the call {id} began before what is kept of the trace")
            }
            Stop::NoCall => "no call is open here".to_owned(),
            Stop::NoThread => "the step needs a thread".to_owned(),
        };
        writeln!(out, "{:>10}  {why}", "")
    }
}

fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::Start => "start",
        Stop::End => "end",
        Stop::ThreadEnded => "thread_ended",
        Stop::NeverEnds { .. } => "never_ends",
        Stop::BeforeTrace { .. } => "before_trace",
        Stop::NoCall => "no_call",
        Stop::NoThread => "no_thread",
    }
}
