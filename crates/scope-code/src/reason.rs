//! Why there is no node.

use serde::{Deserialize, Serialize};

/// Why a function or call has no node of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The caller left by a tail call: its address is gone.
    TailCall,
    /// It was called from a module that was not recorded.
    OtherModule,
    /// Where the modules lie in that process was not seen.
    NotLocated,
    /// The trace has no tables of the module.
    NoTables,
    /// The code at the address belongs to no function known.
    NoFunction,
    /// The debug information names no file and line.
    NoLine,
    /// The compiler made it: it stands in no source.
    Generated,
    /// The source is not in the trace, or not on this machine.
    NoSource,
    /// No grammar for the source's language, or the file is too large.
    NotParsed,
    /// A macro expanded to it: the node is the macro's.
    InMacro,
    /// Nothing of the kind stands at that place: the node is the nearest around it.
    NotThere,
}

impl Reason {
    /// As one clause for a person.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::TailCall => "the caller left by a tail call",
            Self::OtherModule => "called from a module that was not recorded",
            Self::NotLocated => "where the modules lie in the process is not known",
            Self::NoTables => "the trace has no tables of the module",
            Self::NoFunction => "the code belongs to no known function",
            Self::NoLine => "no debug information names the line",
            Self::Generated => "made by the compiler",
            Self::NoSource => "the source was not found",
            Self::NotParsed => "the source cannot be parsed",
            Self::InMacro => "expanded from a macro",
            Self::NotThere => "nothing of the kind stands at that line",
        }
    }
}
