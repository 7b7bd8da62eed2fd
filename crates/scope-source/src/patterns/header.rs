//! The header of a pattern's file.

use tree_sitter::QueryErrorKind;

use super::Condition;

/// What the header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub id: String,
    pub title: String,
    pub why: String,
    pub conditions: Vec<Condition>,
}

impl Header {
    /// Reads the comments at the beginning. Errors have their line, from 1.
    pub(super) fn read(text: &str) -> Result<Self, (usize, String)> {
        let mut header = Self::default();
        for (at, line) in text.lines().enumerate() {
            let Some(comment) = line.trim().strip_prefix(';') else { break };
            let Some((key, value)) = comment.trim_start_matches(';').split_once(':') else {
                continue;
            };
            let value = value.trim().to_owned();
            match key.trim() {
                "id" => header.id = value,
                "title" => header.title = value,
                "why" => header.why = value,
                "when" => {
                    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                        let condition = Condition::by_name(name).ok_or_else(|| {
                            let known: Vec<_> = Condition::ALL.map(Condition::name).into();
                            let known = known.join(", ");
                            (at + 1, format!("`{name}` is no condition; there are {known}"))
                        })?;
                        header.conditions.push(condition);
                    }
                }
                other => {
                    let reason = format!("`{other}` is no key; there are id, title, why, when");
                    return Err((at + 1, reason));
                }
            }
        }
        for (key, value) in [("id", &header.id), ("title", &header.title), ("why", &header.why)] {
            if value.is_empty() {
                return Err((1, format!("the header has no `; {key}: …`")));
            }
        }
        Ok(header)
    }
}

/// What is wrong with a query, in a sentence.
pub(super) fn query_error(error: &tree_sitter::QueryError) -> String {
    let message = error.message.lines().next().unwrap_or_default();
    let message = message.trim().trim_matches('"');
    match error.kind {
        QueryErrorKind::NodeType => format!("the grammar has no node `{message}`"),
        QueryErrorKind::Field => format!("the grammar has no field `{message}`"),
        QueryErrorKind::Capture => format!("no capture is called @{message}"),
        QueryErrorKind::Predicate => format!("a predicate is wrong: {message}"),
        QueryErrorKind::Structure => format!("no such nesting is possible: {message}"),
        QueryErrorKind::Syntax => format!("this is no query: {message}"),
        QueryErrorKind::Language => format!("the grammar does not fit: {message}"),
    }
}
