//! The plain types of a trace, the two machines that give raw records their meaning: the
//! call-stack machine ([`stack`]) and the run-state machine ([`run_state`]); and what all threads are
//! doing after any run of events ([`state`]).
//!
//! Absent here: files, processes, symbols, clocks. Everything is a value or a state machine fed
//! with values, so that the recorder, the readers and the tests share one meaning.

pub mod event;
pub mod function;
pub mod ids;
pub mod record;
pub mod run_state;
pub mod stack;
pub mod state;

pub use event::{CallEnd, Event, EventKind, ThreadName};
pub use function::{Function, LeftOut, Module, SiteClass};
pub use ids::{FunctionId, ModuleId, Pid, Tid};
pub use record::{RawEvent, RawKind, RecordError};
pub use run_state::RunState;
pub use stack::{CallStacks, Frame};
pub use state::{OpenCall, OpenSyscall, State, ThreadState};
