//! What can go wrong with a query.

use datafusion::error::DataFusionError;
use scope_store::StoreError;
use scope_timeline::TimelineError;

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The statement is not SQL, or asks for what is not there: a clause for a person, which says what
    /// is there instead.
    #[error("{0}")]
    Statement(String),
    /// The trace could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A moment or a call is not in the trace, or the trace could not be read.
    #[error(transparent)]
    Timeline(#[from] TimelineError),
    /// The time that was given ran out.
    #[error("the query was stopped after {0:?}")]
    TimedOut(std::time::Duration),
    /// It was told to stop.
    #[error("the query was stopped")]
    Stopped,
    /// The engine could not go on, for example for lack of memory.
    #[error("{0}")]
    Engine(String),
    /// The answer could not be written.
    #[error("cannot write the answer")]
    Write(#[from] std::io::Error),
    /// The engine's threads could not be started.
    #[error("cannot start the query engine")]
    Start(#[source] std::io::Error),
}

impl QueryError {
    /// What the engine says, in the words of this crate.
    pub(crate) fn of(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(own) => *own,
                Err(other) => Self::Engine(other.to_string()),
            },
            DataFusionError::ArrowError(error, _) => Self::of_arrow(*error),
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                Self::of(*inner)
            }
            DataFusionError::Shared(inner) => match std::sync::Arc::try_unwrap(inner) {
                Ok(inner) => Self::of(inner),
                Err(shared) => Self::Engine(shared.strip_backtrace()),
            },
            DataFusionError::SQL(error, _) => {
                let text = error.to_string();
                Self::Statement(format!(
                    "not SQL: {}",
                    text.trim_start_matches("sql parser error: ")
                ))
            }
            DataFusionError::Plan(text) if is_refusal(&text) => {
                let what = plain(&text);
                let what = what.split_once(": ").map_or(what.as_str(), |(_, what)| what);
                Self::Statement(format!("a statement can only read, and this is {what}"))
            }
            DataFusionError::Plan(text) => Self::Statement(plain(&text)),
            error @ DataFusionError::SchemaError(..) => {
                Self::Statement(plain(&error.strip_backtrace()))
            }
            DataFusionError::NotImplemented(text) => {
                Self::Statement(format!("not supported: {}", plain(&text)))
            }
            DataFusionError::ResourcesExhausted(text) => {
                Self::Engine(format!("the query needs more memory than it may take ({text})"))
            }
            other => Self::Engine(plain(&other.strip_backtrace())),
        }
    }

    fn of_arrow(error: datafusion::arrow::error::ArrowError) -> Self {
        use datafusion::arrow::error::ArrowError;
        match error {
            ArrowError::ExternalError(inner) => match inner.downcast::<DataFusionError>() {
                Ok(inner) => Self::of(*inner),
                Err(other) => Self::Engine(other.to_string()),
            },
            ArrowError::IoError(_, error) => Self::Write(error),
            other => Self::Engine(other.to_string()),
        }
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        Self::of(error)
    }
}

impl From<datafusion::arrow::error::ArrowError> for QueryError {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        Self::of_arrow(error)
    }
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        Self::External(Box::new(error))
    }
}

/// Whether the engine was not allowed to do what a statement says.
fn is_refusal(text: &str) -> bool {
    ["DDL not supported", "DML not supported", "Statement not supported"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Without what the engine says of itself.
fn plain(text: &str) -> String {
    let text = text.replace("datafusion.public.", "");
    for head in ["Error during planning: ", "Schema error: ", "Execution error: "] {
        if let Some(rest) = text.strip_prefix(head) {
            return rest.to_owned();
        }
    }
    text
}
