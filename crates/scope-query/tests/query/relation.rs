//! Rows as they should be, and random statements over them. What such a statement answers is worked out
//! here from its words, and must be what tables answer that choose what they read, and those that do not.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::Index;
use scope_query::Session;
use scope_store::Trace;

use crate::asking::{session, set};

/// What is in one place of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Number(i128),
    Flag(bool),
    Text(String),
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Value {
            fn from(value: $number) -> Self {
                Self::Number(value.into())
            }
        }
    )*};
}

numbers!(i128 i64 u64 u32);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("-"),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Value {
    /// As SQL writes it.
    fn literal(&self) -> String {
        match self {
            Self::Text(text) => format!("'{text}'"),
            other => other.to_string(),
        }
    }
}

/// What a table or a function of tables should have.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// What stands behind `from`.
    pub(crate) name: String,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Relation {
    /// Number of a column.
    pub(crate) fn column(&self, name: &str) -> usize {
        self.columns.iter().position(|column| *column == name).unwrap()
    }

    /// Some rows of it, under another name: those with one of these numbers in the first column.
    pub(crate) fn only(&self, name: String, ids: &[u64]) -> Self {
        let ids: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
        let rows = self.rows.iter().filter(|row| ids.contains(&row[0])).cloned().collect();
        Self { name, columns: self.columns, rows }
    }
}

/// A statement over any relation.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Without any, rows are counted.
    columns: Vec<Index>,
    tests: Vec<Test>,
    pub(crate) limit: Option<usize>,
}

/// A condition; it compares with values that the relation has.
#[derive(Clone, Debug)]
struct Test {
    column: Index,
    is: Is,
    values: (Index, Index),
    /// Numbers are so much beside what the relation has.
    beside: i128,
}

#[derive(Clone, Copy, Debug)]
enum Is {
    Equal,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
    Between,
    In,
    Null,
    Known,
}

/// Some statements.
pub(crate) fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let is = prop::sample::select(vec![
        Is::Equal,
        Is::Differs,
        Is::Less,
        Is::AtMost,
        Is::More,
        Is::AtLeast,
        Is::Between,
        Is::In,
        Is::Null,
        Is::Known,
    ]);
    let test = (any::<Index>(), is, any::<(Index, Index)>(), -1..=1_i128)
        .prop_map(|(column, is, values, beside)| Test { column, is, values, beside });
    let ask = (
        prop::collection::vec(any::<Index>(), 0..4),
        prop::collection::vec(test, 0..3),
        prop::option::of(0..6_usize),
    );
    let ask = ask.prop_map(|(columns, tests, limit)| Ask { columns, tests, limit });
    prop::collection::vec(ask, 2..4)
}

impl Test {
    /// As SQL writes it, and the rows that it takes. `None` where there is nothing to compare with.
    fn of(&self, relation: &Relation) -> Option<(String, Vec<bool>)> {
        let column = self.column.index(relation.columns.len());
        let known: Vec<&Value> = relation
            .rows
            .iter()
            .map(|row| &row[column])
            .filter(|value| **value != Value::Null)
            .collect();
        let value = |index: &Index| match *index.get(&known) {
            Value::Number(number) => Value::Number(number + self.beside),
            other => other.clone(),
        };
        let (one, other) = match self.is {
            Is::Null | Is::Known => (Value::Null, Value::Null),
            _ if known.is_empty() => return None,
            _ => (value(&self.values.0), value(&self.values.1)),
        };
        let (a, b) = (one.literal(), other.literal());
        let says = match self.is {
            Is::Equal => format!("= {a}"),
            Is::Differs => format!("<> {a}"),
            Is::Less => format!("< {a}"),
            Is::AtMost => format!("<= {a}"),
            Is::More => format!("> {a}"),
            Is::AtLeast => format!(">= {a}"),
            Is::Between => format!("between {a} and {b}"),
            Is::In => format!("in ({a}, {b})"),
            Is::Null => "is null".to_owned(),
            Is::Known => "is not null".to_owned(),
        };
        let takes = |value: &Value| match self.is {
            Is::Null => *value == Value::Null,
            // Null is neither equal to anything nor different from it.
            _ if *value == Value::Null => false,
            Is::Known => true,
            Is::Equal => *value == one,
            Is::Differs => *value != one,
            Is::Less => *value < one,
            Is::AtMost => *value <= one,
            Is::More => *value > one,
            Is::AtLeast => *value >= one,
            Is::Between => *value >= one && *value <= other,
            Is::In => *value == one || *value == other,
        };
        let taken = relation.rows.iter().map(|row| takes(&row[column])).collect();
        Some((format!("{} {says}", relation.columns[column]), taken))
    }
}

impl Ask {
    /// Its conditions as SQL writes them, and the rows that meet them all.
    pub(crate) fn chosen<'r>(&self, relation: &'r Relation) -> (String, Vec<&'r [Value]>) {
        let tests: Vec<_> = self.tests.iter().filter_map(|test| test.of(relation)).collect();
        let words: Vec<&str> = tests.iter().map(|(words, _)| words.as_str()).collect();
        let words = match words.is_empty() {
            true => String::new(),
            false => format!(" where {}", words.join(" and ")),
        };
        let rows = relation.rows.iter().enumerate();
        let rows = rows.filter(|(at, _)| tests.iter().all(|(_, taken)| taken[*at]));
        (words, rows.map(|(_, row)| row.as_slice()).collect())
    }

    /// Asks it, and says what is wrong with the answer.
    fn check(&self, sql: &mut Session, relation: &Relation) {
        let mut columns: Vec<usize> = Vec::new();
        for index in &self.columns {
            let column = index.index(relation.columns.len());
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let (conditions, rows) = self.chosen(relation);
        let from = format!("{}{conditions}", relation.name);
        let limit = self.limit.map_or(String::new(), |limit| format!(" limit {limit}"));
        let most = self.limit.unwrap_or(usize::MAX).min(rows.len());
        if columns.is_empty() {
            let statement = format!("select count(*) from (select 1 from {from}{limit})");
            assert_eq!(set(sql, &statement), [most.to_string()], "{statement}");
            return;
        }
        let names: Vec<&str> = columns.iter().map(|column| relation.columns[*column]).collect();
        let statement = format!("select {} from {from}{limit}", names.join(", "));
        let told = set(sql, &statement);
        let mut expected: Vec<String> = rows.iter().map(|row| line(row, &columns)).collect();
        expected.sort();
        if self.limit.is_none() {
            assert_eq!(told, expected, "{statement}");
            return;
        }
        assert_eq!(told.len(), most, "{statement}");
        for row in &told {
            let found = expected.iter().position(|one| one == row);
            assert!(found.is_some(), "{statement}: there is no {row} left");
            expected.remove(found.unwrap());
        }
    }
}

/// A row as [`crate::asking::rows`] gives it.
fn line(row: &[Value], columns: &[usize]) -> String {
    let values: Vec<String> = columns.iter().map(|column| row[*column].to_string()).collect();
    values.join("|")
}

/// Sessions in which tables choose what they read, and do not.
pub(crate) fn sessions(trace: &Trace) -> [Session; 2] {
    [true, false].map(|pushdown| session(trace.path(), pushdown))
}

/// All rows of a relation, and what statements over it answer.
pub(crate) fn check(sessions: &mut [Session], relation: &Relation, asks: &[Ask]) {
    let columns: Vec<usize> = (0..relation.columns.len()).collect();
    let mut rows: Vec<String> = relation.rows.iter().map(|row| line(row, &columns)).collect();
    rows.sort();
    let all = format!("select {} from {}", relation.columns.join(", "), relation.name);
    for sql in sessions {
        assert_eq!(set(sql, &all), rows, "{all}");
        asks.iter().for_each(|ask| ask.check(sql, relation));
    }
}
