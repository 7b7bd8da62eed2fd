//! SQL over stored traces, on Apache DataFusion.
//!
//! A [`Session`] asks one trace or several: each statement sees every trace as it was at one moment, also
//! while it is recorded. The tables are made from the events of the trace while a query runs, by as
//! many threads as there are; what a statement asks for of times, threads and functions decides which
//! blocks are read at all. What calls, waits and times mean is `scope-timeline`'s: where both say
//! something, both say the same.
//!
//! Nothing of the engine is in this crate's interface, so that those who ask need not know it.
//!
//! Absent here: command lines, terminals, tables drawn for people; writing to a trace; files as tables:
//! a statement reads the traces it was given and nothing else.

mod answer;
mod blocks;
mod code;
mod error;
mod filter;
mod format;
mod functions;
mod literals;
mod notes;
mod provider;
mod rows;
mod run;
mod scan;
mod session;
mod source;
mod suggest;
mod tables;
mod walk;

pub use answer::{Answer, Batch, Limits, ResultColumn};
pub use error::QueryError;
pub use format::Format;
pub use rows::{Column, Type};
pub use run::Stop;
pub use session::{FunctionInfo, Input, Options, Session, TableInfo};
pub use source::Bookmark;
