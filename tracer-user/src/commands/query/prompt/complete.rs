//! Completion at the prompt: names of tables, columns and functions, and words of SQL.

use reedline::{Completer, CompletionResult, Span, Suggestion};
use scope_query::Session;

/// Words of SQL that are worth completing.
const WORDS: &[&str] = &[
    "and",
    "as",
    "asc",
    "avg",
    "between",
    "by",
    "case",
    "coalesce",
    "count",
    "cross",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "explain",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "max",
    "min",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "right",
    "round",
    "row_number",
    "select",
    "sum",
    "then",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// What can be completed, sorted.
pub struct Names {
    /// A name, and what it is.
    names: Vec<(String, String)>,
}

impl Names {
    pub fn of(session: &Session) -> Self {
        let mut names: Vec<(String, String)> = Vec::new();
        for table in session.tables() {
            names.push((table.name.to_owned(), format!("table: {}", table.about)));
            for column in table.columns {
                names.push((column.name.to_owned(), format!("{}: {}", table.name, column.about)));
            }
        }
        for function in session.functions() {
            names.push((format!("{}(", function.name), function.about.to_owned()));
        }
        names.extend(WORDS.iter().map(|word| ((*word).to_owned(), String::new())));
        names.sort();
        // A column of several tables is there once.
        names.dedup_by(|later, first| later.0 == first.0);
        Self { names }
    }

    /// The names that begin as the word before a place does, and where that word begins.
    fn matching<'a>(&'a self, line: &str, place: usize) -> (usize, Vec<&'a (String, String)>) {
        let before = line.get(..place).unwrap_or(line);
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let start = before
            .rfind(|c| !is_of_word(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = before[start..].to_lowercase();
        if word.is_empty() {
            return (start, Vec::new());
        }
        (start, self.names.iter().filter(|(name, _)| name.starts_with(&word)).collect())
    }
}

impl Completer for Names {
    fn complete(&mut self, line: &str, place: usize) -> CompletionResult {
        let (start, found) = self.matching(line, place);
        let suggestion = |(name, about): &(String, String)| Suggestion {
            value: name.clone(),
            description: (!about.is_empty()).then(|| about.clone()),
            span: Span::new(start, place.max(start)),
            append_whitespace: !name.ends_with('('),
            ..Suggestion::default()
        };
        let suggestions: Vec<Suggestion> = found.into_iter().map(suggestion).collect();
        CompletionResult::Fresh { suggestions: suggestions.into(), partial: None }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        let names = ["calls", "callees(", "count"].map(|name| (name.to_owned(), String::new()));
        let names = Names { names: names.to_vec() };
        let found = |line: &str| {
            let (start, found) = names.matching(line, line.len());
            (start, found.into_iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(found("select * from CALL"), (14, vec!["calls", "callees("]));
        assert_eq!(found("select (cou"), (8, vec!["count"]));
        assert_eq!(found("ä.cal"), (3, vec!["calls", "callees("]));
        assert_eq!(found("select "), (7, vec![]));
        assert_eq!(found(""), (0, vec![]));
    }
}
