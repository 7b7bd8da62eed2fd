//! What to say where a statement asks for what is not there: what is there that is called much like it.

use std::sync::Arc;

use datafusion::common::{DataFusionError, SchemaError};

use crate::QueryError;
use crate::provider::Table;

/// An error of planning, in words that help.
pub(crate) fn explain(error: DataFusionError, tables: &[Arc<dyn Table>]) -> QueryError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            explain(*inner, tables)
        }
        DataFusionError::Collection(mut errors) if !errors.is_empty() => {
            explain(errors.swap_remove(0), tables)
        }
        DataFusionError::SchemaError(error, trail) => match *error {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let known: Vec<&str> =
                    valid_fields.iter().map(|field| field.name.as_str()).collect();
                QueryError::Statement(absent("column", &field.name, &known))
            }
            other => QueryError::of(DataFusionError::SchemaError(Box::new(other), trail)),
        },
        DataFusionError::Plan(text) => match missing_table(&text) {
            Some(name) => {
                let known: Vec<&str> = tables.iter().map(|table| table.info().name).collect();
                QueryError::Statement(absent("table", name, &known))
            }
            None => QueryError::of(DataFusionError::Plan(text.replace(".\nDid", "; did"))),
        },
        other => QueryError::of(other),
    }
}

/// The name in the engine's `table 'datafusion.public.NAME' not found`.
fn missing_table(text: &str) -> Option<&str> {
    let rest = &text[text.find("table '")? + "table '".len()..];
    let (name, rest) = rest.split_once('\'')?;
    rest.trim_start().starts_with("not found").then_some(name)?;
    name.rsplit('.').next()
}

/// What is asked for but not there, and what is.
fn absent(what: &str, name: &str, known: &[&str]) -> String {
    let near = nearest(name, known);
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let mut known = known.to_vec();
    known.dedup();
    if known.is_empty() {
        return format!("there is no {what} `{name}`{hint}");
    }
    let mark = if hint.is_empty() { "; " } else { " " };
    format!("there is no {what} `{name}`{hint}{mark}there are {}", known.join(", "))
}

/// The name that is most like another, if any is much like it.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let like = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let found = known.iter().max_by(|a, b| like(a).total_cmp(&like(b)))?;
    (like(found) > 0.8).then_some(*found)
}
