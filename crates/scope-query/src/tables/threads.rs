//! `threads`: every thread that was seen and where its time went, as `scope report` counts it.

use crate::QueryError;
use crate::provider::Small;
use crate::rows::{Cell, Column, Rows, Type, column};
use crate::source::Source;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads;

impl Small for Threads {
    const NAME: &'static str = "threads";
    const ABOUT: &'static str = "threads and where their time went";
    const COLUMNS: &'static [Column] = &[
        column("tid", Type::Id, "the thread; an id that was used again has a row a thread"),
        column("pid", Type::Id, "its process"),
        column("name", Type::Text, "its latest name"),
        column("events", Type::Int, "its events in the trace"),
        column("lost_events", Type::Int, "its lost events, as far as it is known whose they were"),
        column("on_cpu", Type::Int, "time on a CPU, ns"),
        column("runnable", Type::Int, "time waiting for a CPU, ns"),
        column("blocked", Type::Int, "time waiting for anything else, ns"),
        column("unknown", Type::Int, "time of which that is not known, ns"),
    ];

    fn fill(&self, source: &Source, rows: &mut Rows) -> Result<(), QueryError> {
        for thread in &source.profile()?.threads {
            rows.push(|column| match column {
                0 => Cell::Id(thread.tid.0),
                1 => Cell::Id(thread.pid.0),
                2 => Cell::Text(&thread.name),
                3 => Cell::count(thread.events),
                4 => Cell::count(thread.lost_events),
                5 => Cell::count(thread.on_cpu_ns),
                6 => Cell::count(thread.runnable_ns),
                7 => Cell::count(thread.off_cpu_ns),
                _ => Cell::count(thread.unknown_ns),
            });
        }
        Ok(())
    }
}
