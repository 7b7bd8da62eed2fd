//! Binaries: which functions a process has, where each can be probed, and what a probe costs there.
//!
//! The way of the data: [`process`] says which files a process has mapped and opens the very ones it
//! runs; [`mod@file`] gives their bytes; [`image`] turns bytes into an [`Image`] (functions, source
//! positions, [`probe sites`](site)); [`select`] picks the functions to probe.
//!
//! Parsing takes bytes and does no I/O: where a separate debug file would help it asks for one
//! through a [`DebugFileRequest`], and the caller (usually [`debug_file::DebugFiles`]) fetches it.
//! So tests feed bytes, and a file of a target in a container is read through the container's root.
//!
//! [`code`] reads more, and once: all that DWARF says of the code, in tables that are cached and stored;
//! [`sources`] finds the source files. Neither is on the way to attaching.
//!
//! Absent here: attaching probes, variables other than parameters, machines other than x86-64.

mod cfi;
pub mod code;
pub mod debug_file;
mod dwarf;
mod elf;
pub mod file;
mod functions;
#[doc(hidden)]
pub mod fuzzing;
pub mod glob;
pub mod image;
mod kernel;
mod lines;
pub mod names;
pub mod process;
mod project;
pub mod reason;
pub mod rust_library;
pub mod select;
pub mod site;
pub mod sources;

pub use code::CodeTables;
pub use debug_file::{DebugFileRequest, DebugFiles, LoadError, load_image};
pub use file::FileBytes;
pub use image::{Image, ImageFunction, SymbolError, UnwindSymbol, UnwindSymbolKind};
pub use names::demangle;
pub use reason::Reason;
pub use select::{Chosen, Plan, PlanError, Selection, plan};
pub use site::Site;
