//! Why a function is not probed.

use std::fmt;

/// Why a function is not probed. Displays as one clause for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No code of its own is left.
    InlinedEverywhere {
        /// Copies inside other functions.
        copies: u32,
    },
    /// Its code is in another file; here is only the stub (PLT) that jumps there.
    Imported,
    /// An indirect function: the symbol names the code that picks an implementation at load time.
    Resolver,
    /// A part that the compiler split off another function (`.cold`, `.part`).
    SplitOff,
    /// A Go program: its stacks move, so a return probe would crash it.
    Go,
    /// It is entered by other means than a call, so no return address lies on its stack.
    NotCalled,
    /// It works with return addresses itself (the unwinder, `setjmp`, `vfork`, `swapcontext`).
    HandlesReturns,
    /// The kernel refuses to probe its first instruction.
    Refused {
        /// What is in the way.
        what: &'static str,
    },
    /// Its first bytes are no instruction.
    Undecodable,
    /// Its address does not lie in the code of the file.
    NoCode,
    /// A loop of its own jumps back to its first instruction: each turn would look like a call.
    LoopsToStart,
    /// Single-stepped and short: the probe would cost far more than the function.
    SmallSingleStepped {
        /// Bytes of its code.
        size: u64,
    },
    /// Set-up code that the compiler or the C library adds to every program.
    RuntimeGlue,
    /// The selection excludes it.
    Excluded,
    /// The selection had more functions than its limit.
    OverLimit {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InlinedEverywhere { copies: 1 } => f.write_str("inlined everywhere (1 copy)"),
            Self::InlinedEverywhere { copies } => write!(f, "inlined everywhere ({copies} copies)"),
            Self::Imported => f.write_str("only a stub (PLT) here, its code is in another module"),
            Self::Resolver => f.write_str("an indirect function (IFUNC), picked at load time"),
            Self::SplitOff => f.write_str("a part split off another function, entered by a jump"),
            Self::Go => f.write_str("Go: a return probe would crash it"),
            Self::NotCalled => f.write_str("not entered by a call: it has no return address"),
            Self::HandlesReturns => {
                f.write_str("works on return addresses itself: a return probe would break it")
            }
            Self::Refused { what } => write!(f, "the kernel refuses to probe {what}"),
            Self::Undecodable => f.write_str("its first bytes are no known instruction"),
            Self::NoCode => f.write_str("its address lies outside the code of the file"),
            Self::LoopsToStart => f.write_str(
                "its loop jumps back to its first instruction: each turn would look like a call",
            ),
            Self::SmallSingleStepped { size } => write!(
                f,
                "the kernel would single-step its first instruction, some 10 µs a call, for {size} \
                 bytes of code"
            ),
            Self::RuntimeGlue => f.write_str("start-up code of the compiler or the C library"),
            Self::Excluded => f.write_str("excluded"),
            Self::OverLimit { limit } => write!(f, "beyond the limit of {limit} functions"),
        }
    }
}
