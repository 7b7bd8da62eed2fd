//! Conditions on events, as people write them.
//!
//! ```text
//! function=parse* and duration>5ms
//! thread=worker-* (state=blocked or kind=switch_out) not syscall=futex
//! end=never
//! ```
//!
//! Tests joined by `and` (or by nothing), `or`, `not` and parentheses; `and` binds closer than `or`.
//! Each test is asked of one event and of its thread just after it:
//!
//! | test | holds where |
//! |---|---|
//! | `function=GLOB` | a call of a function with such a readable name begins or ends |
//! | `file=GLOB` | a call of a function declared in such a source file begins or ends |
//! | `node=GLOB` | a call begins or ends that was made from a call expression of such a kind, or from one inside a node of such a kind, up to the function it is written in: `node=for_expression`, `node=closure*` |
//! | `pattern=GLOB` | a call begins or ends that was made from such a node where such a pattern is found: `pattern=*lock-across-call` |
//! | `depth<N` | a call with so many open calls around it begins or ends |
//! | `duration>TIME` | a call ends whose duration is known: it returned and no event was lost meanwhile |
//! | `end=HOW` | a call ends like that: `returned`, `unwound`, `thread_ended`, `exec`, `lost`, `unobserved`; `end=never`: a call begins that is open where the trace ends |
//! | `within=GLOB` | a call of such a function is open, one that begins or ends here included |
//! | `thread=TID`, `thread=GLOB` | the event is of that thread, or of one with such a name |
//! | `process=PID` | the event is of a thread of that process |
//! | `state=STATE` | the thread is `running`, `runnable`, `blocked`, `ended` or in an `unknown` state |
//! | `syscall=NAME`, `syscall=N` | the thread is in such a system call, or leaves it |
//! | `kind=KIND` | the event is of that kind: `enter`, `leave`, `switch_in`, … as `scope dump` names them |
//!
//! All take `=` and `!=`; `depth` and `duration` also `<`, `<=`, `>`, `>=`. A test is false where what it
//! asks about is not there, with `!=` too: `duration!=5ms` holds for no call of unknown duration. `not`
//! turns a test around wherever it stands. A call inherited at a fork does not begin.
//!
//! A call is found once. An alternative (what `or` joins at the top) that asks about calls, but by no
//! `kind`, `duration` or `end`, is asked where calls begin and not where they end.
//!
//! Names with spaces or unmatched brackets are quoted: `function="operator<"`.

mod bind;
mod parse;
mod syntax;

use std::fmt;
use std::str::FromStr;

use scope_model::CallEnd;
use scope_symbols::glob::Glob;

pub(crate) use bind::{Bound, Context};

/// A condition, not yet of any trace: read it with [`str::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub(crate) expression: Expression,
}

/// Text that is no condition: where, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// The wrong place in the text: how many characters are before it.
    pub at: usize,
    /// What is wrong there and what was expected, as a clause for a person.
    pub what: String,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.what)
    }
}

impl std::error::Error for ConditionError {}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let expression = parse::parse(text).map_err(|error| {
            // Texts are of the command line: counting their characters costs nothing.
            let at = text.get(..error.at).map_or(error.at, |before| before.chars().count());
            ConditionError { at, ..error }
        })?;
        Ok(Self { expression })
    }
}

/// Tests and how they are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// `true`: equal.
    Function(bool, Glob),
    File(bool, Glob),
    Node(bool, Glob),
    Pattern(bool, Glob),
    Within(bool, Glob),
    Tid(bool, u32),
    ThreadName(bool, Glob),
    Process(bool, u32),
    Depth(Comparison, u64),
    DurationNs(Comparison, u64),
    End(bool, CallEnd),
    NeverEnds(bool),
    State(bool, StateIs),
    Syscall(bool, u32),
    SyscallName(bool, Glob),
    /// A name of [`scope_model::EventKind::name`].
    Kind(bool, &'static str),
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// A run state without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateIs {
    Running,
    Runnable,
    Blocked,
    Ended,
    Unknown,
}

impl Expression {
    /// Whether a test fits, anywhere.
    fn mentions(&self, fits: fn(&Test) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.mentions(fits)),
            Self::Not(part) => part.mentions(fits),
            Self::Test(test) => fits(test),
        }
    }
}

impl Test {
    /// It asks about a call that begins or ends.
    fn is_of_calls(&self) -> bool {
        matches!(
            self,
            Self::Function(..)
                | Self::File(..)
                | Self::Node(..)
                | Self::Pattern(..)
                | Self::Depth(..)
        )
    }

    /// It says of itself which events it means.
    fn chooses_events(&self) -> bool {
        matches!(self, Self::Kind(..) | Self::DurationNs(..) | Self::End(..) | Self::NeverEnds(..))
    }
}
