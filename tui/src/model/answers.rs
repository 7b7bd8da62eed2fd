//! What is known of the trace: the last answer to each kind of question.

use std::sync::Arc;

use scope_model::ThreadState;
use scope_timeline::CallView;

use crate::query::health::Condition;
use crate::query::{Bar, Executions, Finds, Flames, Functions, Hits, Picture, Query, Totals, Tree};
use crate::source::{LineCost, SourceText};

/// An answer, and the question it belongs to.
#[derive(Clone, Debug)]
pub struct Answered<T> {
    /// The question.
    pub query: Query,
    /// The answer.
    pub value: T,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// All threads at a moment.
    pub states: Option<Answered<Arc<Vec<ThreadState>>>>,
    /// Calls around a moment.
    pub tree: Option<Answered<Arc<Tree>>>,
    /// Lanes.
    pub picture: Option<Answered<Arc<Picture>>>,
    /// All of the trace.
    pub bar: Option<Answered<Arc<Bar>>>,
    /// Open calls over time.
    pub flames: Option<Answered<Arc<Flames>>>,
    /// A call's times.
    pub call: Option<Answered<Arc<CallView>>>,
    /// What was found.
    pub finds: Option<Answered<Arc<Finds>>>,
    /// Functions.
    pub functions: Option<Answered<Arc<Functions>>>,
    /// Calls of a function.
    pub executions: Option<Answered<Arc<Executions>>>,
    /// A function's text.
    pub source: Option<Answered<Result<Arc<SourceText>, String>>>,
    /// What the lines of a function cost.
    pub lines: Option<Answered<Arc<Vec<LineCost>>>>,
    /// Where the last condition that was searched for holds.
    pub hits: Option<Answered<Arc<Hits>>>,
    /// Times of functions.
    pub totals: Option<Answered<Arc<Totals>>>,
    /// How the recording is getting on.
    pub health: Option<Answered<Arc<Condition>>>,
}
