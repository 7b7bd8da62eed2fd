//! The code of a module: functions, what was inlined where, lines, parameters, types.
//!
//! [`CodeTables::build`] reads a binary and its debug files once; the result is one block of bytes
//! that is used in place ([`tables`]), kept in a cache, and written into traces. Building does no
//! I/O: other files are asked for ([`FileRequest`]).
//!
//! Absent here: variables other than parameters, parameters of inlined copies, macros, `DW_TAG_call_site`.

mod build;
mod cache;
mod format;
mod load;
mod lookup;
mod model;
mod pool;
mod request;
mod rows;
mod tables;
mod types;

pub(crate) use build::read_go_table;
pub use build::{BuildError, Progress};
pub use cache::{CacheKey, CodeCache, DEFAULT_LIMIT};
pub(crate) use format::stamp;
pub use format::{TABLES_VERSION, TablesError};
pub use load::{Loaded, load_code};
pub use model::{
    CodeFrame, Facts, FileNumber, Function, FunctionNumber, Generic, GenericArgument,
    GenericNumber, Inlined, InlinedNumber, Language, Line, Location, Member, MemberKind, Parameter,
    Place, SourceFile, Type, TypeKind, TypeNumber,
};
pub use request::FileRequest;
pub use tables::CodeTables;
