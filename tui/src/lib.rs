//! The terminal UI of scope: a trace on a screen, live or recorded, and the way through it.
//!
//! State ([`model`]) knows no widgets and does no reading: keys change it, and it says which questions
//! ([`query`]) it wants answered. One worker thread answers them, so that neither a key nor a frame
//! ever waits for the trace; the screen is a function of the state alone ([`view`]).
//!
//! There is one way to look: live viewing is reading a trace that is still growing.
//!
//! Absent here: recording and all that needs privilege, an engine for SQL, and exports: these are traits
//! ([`control::Recorder`], [`sql::Engine`], [`export::Exporter`]) that whoever opens the UI may have
//! something for.

mod app;
pub mod code;
pub mod config;
pub mod control;
pub mod export;
pub mod focus;
pub mod keys;
pub mod model;
pub mod query;
pub mod session;
pub mod source;
pub mod sql;
mod terminal;
pub mod text;
pub mod theme;
pub mod view;
pub mod worker;

pub use app::{Exit, Options, TuiError, run};
