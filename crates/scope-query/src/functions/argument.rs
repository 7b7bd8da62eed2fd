//! Functions that give rows: reading their arguments, and the trace they are about.

use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use scope_timeline::Place;

use crate::QueryError;
use crate::literals::time_ns;
use crate::provider::{Provider, Table};
use crate::source::Source;

/// What such functions are given beside their arguments.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    sources: Arc<[Arc<Source>]>,
    pushdown: bool,
}

impl Asked {
    pub(crate) fn new(sources: &Arc<[Arc<Source>]>, pushdown: bool) -> Self {
        Self { sources: Arc::clone(sources), pushdown }
    }

    /// Makes a function known: `make` makes a table of its first argument, for a trace.
    pub(crate) fn register(&self, context: &SessionContext, name: &'static str, make: Make) {
        context.register_udtf(name, Arc::new(Function { name, make, asked: self.clone() }));
    }
}

/// Makes a table of an argument.
pub(crate) type Make = fn(&Argument, &Arc<Source>) -> Result<Arc<dyn Table>, QueryError>;

struct Function {
    name: &'static str,
    make: Make,
    asked: Asked,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(
        &self,
        args: TableFunctionArgs<'_, '_>,
    ) -> EngineResult<Arc<dyn TableProvider>> {
        let wrong = |what: String| QueryError::Statement(format!("{}: {what}", self.name));
        let arguments: Vec<Argument> = args
            .exprs()
            .iter()
            .map(|expr| {
                Argument::of(expr).ok_or_else(|| wrong(format!("`{expr}` is not a constant")))
            })
            .collect::<Result<_, _>>()?;
        let sources = &self.asked.sources;
        let (first, source) = match (arguments.as_slice(), &**sources) {
            ([first], [source]) => (first, source),
            ([_], _) => {
                let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
                let names = names.join("', '");
                Err(wrong(format!("which trace? give its name after the argument: '{names}'")))?
            }
            ([first, Argument::Text(name)], _) => {
                let found = sources.iter().find(|source| &*source.name == name.as_str());
                (first, found.ok_or_else(|| wrong(format!("there is no trace `{name}`")))?)
            }
            _ => Err(wrong(
                "it takes one argument, and the name of the trace where there are several"
                    .to_owned(),
            ))?,
        };
        let table = (self.make)(first, source)?;
        let sources = Arc::from([Arc::clone(source)]);
        Ok(Arc::new(Provider::new(table, sources, self.asked.pushdown)))
    }
}

/// A constant argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Number(i64),
    Text(String),
}

impl Argument {
    fn of(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::Negative(inner) => match Self::of(inner)? {
                Self::Number(number) => Some(Self::Number(-number)),
                Self::Text(_) => None,
            },
            Expr::Literal(ScalarValue::Int64(Some(number)), _) => Some(Self::Number(*number)),
            Expr::Literal(value, _) => {
                value.try_as_str().flatten().map(|text| Self::Text(text.to_owned()))
            }
            _ => None,
        }
    }

    /// The id of a call.
    pub(crate) fn call(&self) -> Result<u64, QueryError> {
        let id = match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.strip_prefix("call:").unwrap_or(text).parse().ok(),
        };
        id.ok_or_else(|| {
            QueryError::Statement("not the id of a call; write for example 1200".to_owned())
        })
    }

    /// A moment.
    pub(crate) fn place(&self) -> Result<Place, QueryError> {
        match self {
            Self::Number(ns) => Ok(Place::Time(*ns)),
            Self::Text(text) => match time_ns(text) {
                Some(ns) => Ok(Place::Time(ns)),
                None => text
                    .parse()
                    .map_err(|error| QueryError::Statement(format!("`{text}`: {error}"))),
            },
        }
    }
}
