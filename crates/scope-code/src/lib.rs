//! The code behind a trace: which syntax-tree node each recorded function is, and which call
//! expression each recorded call came from.
//!
//! A recorder keeps the code of a recording with a [`Keeper`]: for each module the tables that
//! `scope-symbols` made of it, where modules were loaded ([`Layouts`]), and the text of the sources
//! that were touched ([`Sources`]). All of it lies in parts of the trace (`docs/format.md`), so that a
//! trace tells the same where neither the binary nor the sources exist.
//!
//! Whoever reads has a [`CodeMap`], of a trace or of a binary. It reads a part when it is first asked
//! for something in it, parses a source when a node of it is asked for, and remembers. Nodes are not
//! stored: they follow from the tables and the text, by the same steps every time.
//!
//! What cannot be told is never guessed: an answer without a node has a [`Reason`].
//!
//! Absent here: reading binaries (`scope-symbols`), trees and graphs (`scope-source`), events.

mod constructs;
mod error;
mod keep;
mod layouts;
mod lookup;
mod map;
mod place;
mod project;
mod reason;
mod sources;

pub use constructs::Constructs;
pub use error::CodeError;
pub use keep::{Keeper, ModuleFile};
pub use layouts::{Layout, Layouts, LoadedModule};
pub use lookup::{CallSite, CodeFunction, SiteFrame};
pub use map::{CodeMap, Extent};
pub use place::CodePlace;
pub use project::Project;
pub use reason::Reason;
pub use sources::{Freshness, SourceEntry, SourceNumber, Sources};
