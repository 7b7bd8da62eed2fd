//! Patterns: shapes of code worth a look, as tree-sitter queries in files of their own.
//!
//! A pattern's file begins with a header of comments, `; KEY: VALUE` a line:
//!
//! ```text
//! ; id: rust-unwrap
//! ; title: unwrap outside tests
//! ; why: a failure ends the thread instead of being told
//! ; when: not-in-test
//! ((call_expression function: (field_expression field: (field_identifier) @name)) @match
//!   (#eq? @name "unwrap"))
//! ```
//!
//! `id`, `title` and `why` must be there; the capture `@match` is what is reported. `when` lists
//! what a query alone cannot say ([`Condition`]). The patterns of a release are in
//! `queries/patterns/LANGUAGE/`; others are added with [`Patterns::add`]. A pattern says what
//! code looks like, not what it does: every finding is a place to look at.

mod conditions;
mod header;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use streaming_iterator::StreamingIterator;
use tree_sitter::{Query, QueryCursor, QueryCursorOptions};

pub use self::conditions::Condition;
use self::header::Header;
use crate::ast::AstId;
use crate::error::Error;
use crate::language::Language;
use crate::node_id::NodeId;
use crate::outline::FunctionIndex;
use crate::position::Span;
use crate::source_file::SourceFile;

/// Findings of one pattern in one file; a query that matches everything is stopped there.
const MOST_FINDINGS: usize = 10_000;
/// Time of one pattern in one file.
const MOST_TIME: Duration = Duration::from_secs(2);
/// States a query may be in at once; tree-sitter drops the oldest beyond.
const MOST_STATES: u32 = 4_096;

/// The patterns that a language ships with, by file name.
macro_rules! builtin {
    [$language:literal: $($name:literal),* $(,)?] => {
        [$($crate::language::BuiltinPattern {
            file: concat!("queries/patterns/", $language, "/", $name, ".scm"),
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/queries/patterns/", $language, "/", $name, ".scm"
            )),
        }),*]
    };
}
pub(crate) use builtin;

/// A pattern, ready to be looked for.
#[derive(Debug)]
pub struct Pattern {
    /// Its name for programs: `rust-unwrap`.
    pub id: Box<str>,
    /// Its name for people.
    pub title: Box<str>,
    /// Why it is worth a look.
    pub why: Box<str>,
    /// What must hold beside the query.
    pub conditions: Vec<Condition>,
    language: &'static Language,
    query: Query,
    matched: u32,
    variable: Option<u32>,
}

/// A place that a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The pattern's [`Pattern::id`].
    pub pattern: Box<str>,
    /// The node.
    pub node: AstId,
    /// Its name across builds.
    pub id: NodeId,
    /// Where it stands.
    pub span: Span,
    /// The function it is in.
    pub function: Option<FunctionIndex>,
}

impl Pattern {
    /// Reads a pattern's file; `file` is its name in messages.
    ///
    /// # Errors
    ///
    /// [`Error::Pattern`] with the line of the first mistake in header or query.
    pub fn parse(file: &str, text: &str, language: &'static Language) -> Result<Self, Error> {
        let wrong =
            |line: usize, reason: String| Error::Pattern { file: file.to_owned(), line, reason };
        let header = Header::read(text).map_err(|(line, reason)| wrong(line, reason))?;
        let query = Query::new(language.grammar(), text)
            .map_err(|error| wrong(error.row + 1, header::query_error(&error)))?;
        let capture = |name: &str| query.capture_index_for_name(name);
        let matched =
            capture("match").ok_or_else(|| wrong(1, "no capture is called @match".to_owned()))?;
        for index in 0..query.pattern_count() {
            if let Some(predicate) = query.general_predicates(index).first() {
                let before = text.get(..query.start_byte_for_pattern(index)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let name = &predicate.operator;
                return Err(wrong(line, format!("#{name} is no known predicate")));
            }
        }
        let variable = capture("variable");
        Ok(Self {
            id: header.id.into(),
            title: header.title.into(),
            why: header.why.into(),
            conditions: header.conditions,
            language,
            query,
            matched,
            variable,
        })
    }

    /// The language it is for.
    #[must_use]
    pub const fn language(&self) -> &'static Language {
        self.language
    }

    fn find(&self, file: &SourceFile, out: &mut Vec<Finding>) {
        let mut cursor = QueryCursor::new();
        cursor.set_match_limit(MOST_STATES);
        let begun = Instant::now();
        let mut in_time = |_: &tree_sitter::QueryCursorState| {
            if begun.elapsed() > MOST_TIME {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let options = QueryCursorOptions::new().progress_callback(&mut in_time);
        let root = file.tree().root_node();
        let mut matches = cursor.matches_with_options(&self.query, root, file.text(), options);
        let most = out.len() + MOST_FINDINGS;
        let first = out.len();
        while let Some(found) = matches.next() {
            if begun.elapsed() > MOST_TIME {
                return;
            }
            let capture = |index: u32| {
                let mut captures = found.captures().iter();
                captures.find(|capture| capture.index == index).map(|capture| capture.node)
            };
            let Some(node) = capture(self.matched).and_then(|node| file.ast().find(&node)) else {
                continue;
            };
            let variable = self.variable.and_then(capture);
            let variable =
                variable.map(|node| file.slice((node.start_byte() as u32, node.end_byte() as u32)));
            let holds = |condition: &Condition| condition.holds(file, node, variable);
            if out.last().is_some_and(|last| out.len() > first && last.node == node)
                || !self.conditions.iter().all(holds)
            {
                continue;
            }
            out.push(Finding {
                pattern: self.id.clone(),
                node,
                id: file.id_of(node),
                span: file.span_of(node),
                function: file.function_of(node),
            });
            if out.len() >= most {
                return;
            }
        }
    }
}

/// A set of patterns.
#[derive(Debug, Default)]
pub struct Patterns {
    all: Vec<Pattern>,
}

impl Patterns {
    /// The patterns of all languages.
    ///
    /// # Errors
    ///
    /// [`Error::Pattern`], which a test rules out.
    pub fn builtin() -> Result<Self, Error> {
        let mut patterns = Self::default();
        for language in Language::all() {
            patterns.all.extend(Self::builtin_of(language)?.all);
        }
        Ok(patterns)
    }

    /// The patterns of one language: preparing a query takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`Error::Pattern`], which a test rules out.
    pub fn builtin_of(language: &'static Language) -> Result<Self, Error> {
        let mut patterns = Self::default();
        for pattern in language.definition().patterns {
            patterns.add(Pattern::parse(pattern.file, pattern.text, language)?);
        }
        Ok(patterns)
    }

    /// Adds a pattern; one of the same id is replaced.
    pub fn add(&mut self, pattern: Pattern) {
        self.all.retain(|other| other.id != pattern.id);
        self.all.push(pattern);
    }

    /// The patterns.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.all.iter()
    }

    /// Every place in the file that a pattern of its language matches, in the order of the text.
    #[must_use]
    pub fn find(&self, file: &SourceFile) -> Vec<Finding> {
        let mut found = Vec::new();
        for pattern in self.all.iter().filter(|pattern| pattern.language == file.language()) {
            pattern.find(file, &mut found);
        }
        found.sort_by_key(|finding| finding.node);
        found
    }
}
