//! What of a query's conditions a table answers itself: comparisons of a column with a constant, lists
//! of constants, and alternatives of those about one column, joined by `and`.
//!
//! A condition is taken as a whole and then holds exactly for the rows that are given, so that the
//! engine does not ask again; or it is left to the engine. What is taken has two uses: rows are
//! dropped before they are built, and blocks of the trace that cannot have such rows are not read.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::rows::{Cell, Column, Type};

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    tests: Vec<Test>,
}

/// One condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    column: usize,
    is: Is,
}

#[derive(Clone, Debug, PartialEq)]
enum Is {
    /// A number from the first to the second, both included.
    Between(i128, i128),
    /// One of these numbers.
    Numbers(BTreeSet<i128>),
    /// One of these texts.
    Texts(BTreeSet<String>),
}

impl Filter {
    /// The conditions that all of these expressions stand for; what no table answers is passed over.
    pub(crate) fn of(expressions: &[Expr], columns: &[Column]) -> Self {
        let tests = expressions.iter().filter_map(|expr| tests(expr, columns));
        Self { tests: tests.flatten().collect() }
    }

    /// Whether a table can answer an expression.
    pub(crate) fn answers(expression: &Expr, columns: &[Column]) -> bool {
        tests(expression, columns).is_some()
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> {
        self.tests.iter().map(|test| test.column)
    }

    /// Whether every row has what is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether a row has what is asked for.
    pub(crate) fn takes<'a>(&self, cell: &impl Fn(usize) -> Cell<'a>) -> bool {
        self.tests.iter().all(|test| test.is.takes(cell(test.column)))
    }

    /// The numbers that a column may have; `None` where only a range is known, or nothing.
    pub(crate) fn numbers(&self, column: usize) -> Option<BTreeSet<u64>> {
        let mut sets = self.tests.iter().filter_map(|test| match &test.is {
            Is::Numbers(numbers) if test.column == column => Some(numbers),
            _ => None,
        });
        let set = |numbers: &BTreeSet<i128>| {
            numbers.iter().filter_map(|number| u64::try_from(*number).ok()).collect::<BTreeSet<_>>()
        };
        let first = set(sets.next()?);
        Some(sets.fold(first, |found, numbers| &found & &set(numbers)))
    }

    /// The least and the greatest number that a column may have.
    pub(crate) fn range(&self, column: usize) -> (i128, i128) {
        let mut range = (i128::MIN, i128::MAX);
        for test in self.tests.iter().filter(|test| test.column == column) {
            let (from, to) = match &test.is {
                Is::Between(from, to) => (*from, *to),
                Is::Numbers(numbers) => match (numbers.first(), numbers.last()) {
                    (Some(first), Some(last)) => (*first, *last),
                    _ => (0, -1),
                },
                Is::Texts(_) => continue,
            };
            range = (range.0.max(from), range.1.min(to));
        }
        range
    }
}

impl Is {
    fn takes(&self, cell: Cell<'_>) -> bool {
        let number = match cell {
            Cell::Int(value) => i128::from(value),
            Cell::Id(value) => i128::from(value),
            Cell::Bits(value) => i128::from(value),
            Cell::Text(text) => return matches!(self, Self::Texts(texts) if texts.contains(text)),
            Cell::Null | Cell::Flag(_) => return false,
        };
        match self {
            Self::Between(from, to) => (*from..=*to).contains(&number),
            Self::Numbers(numbers) => numbers.contains(&number),
            Self::Texts(_) => false,
        }
    }
}

fn tests(expression: &Expr, columns: &[Column]) -> Option<Vec<Test>> {
    let find = |expr: &Expr| column(expr, columns);
    let test = |column: usize, is: Is| Some(vec![Test { column, is }]);
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut both = tests(left, columns)?;
            both.extend(tests(right, columns)?);
            Some(both)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (tests(left, columns)?, tests(right, columns)?);
            let ([left], [right]) = (left.as_slice(), right.as_slice()) else { return None };
            if left.column != right.column {
                return None;
            }
            let is = match (&left.is, &right.is) {
                (Is::Numbers(left), Is::Numbers(right)) => Is::Numbers(left | right),
                (Is::Texts(left), Is::Texts(right)) => Is::Texts(left | right),
                _ => return None,
            };
            test(left.column, is)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if let (Some(column), Some(constant)) = (find(left), constant(right)) {
                return test(column, compared(*op, constant)?);
            }
            let (column, constant) = (find(right)?, constant(left)?);
            test(column, compared(op.swap()?, constant)?)
        }
        Expr::Between(between) if !between.negated => {
            let column = find(&between.expr)?;
            match (constant(&between.low)?, constant(&between.high)?) {
                (Constant::Number(from), Constant::Number(to)) => {
                    test(column, Is::Between(from, to))
                }
                _ => None,
            }
        }
        Expr::InList(list) if !list.negated => {
            let column = find(&list.expr)?;
            let (mut numbers, mut texts) = (BTreeSet::new(), BTreeSet::new());
            for one in &list.list {
                match constant(one)? {
                    Constant::Number(number) => numbers.insert(number),
                    Constant::Text(text) => texts.insert(text),
                };
            }
            match (numbers.is_empty(), texts.is_empty()) {
                (false, true) => test(column, Is::Numbers(numbers)),
                (true, false) => test(column, Is::Texts(texts)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The column that an expression is, a change of type that keeps its value aside.
fn column(expression: &Expr, columns: &[Column]) -> Option<usize> {
    match expression {
        Expr::Column(found) => columns
            .iter()
            .position(|column| column.name == found.name && column.holds != Type::Flag),
        Expr::Cast(cast) => {
            let index = column(&cast.expr, columns)?;
            let to = cast.field.data_type();
            let keeps = match columns[index].holds {
                Type::Id => to.is_signed_integer() && to.primitive_width() == Some(8),
                Type::Text | Type::Word => to.is_string(),
                _ => false,
            };
            keeps.then_some(index)
        }
        _ => None,
    }
}

enum Constant {
    Number(i128),
    Text(String),
}

fn constant(expression: &Expr) -> Option<Constant> {
    let Expr::Literal(value, _) = expression else { return None };
    scalar(value)
}

fn scalar(value: &ScalarValue) -> Option<Constant> {
    let number = match value {
        ScalarValue::Int64(Some(value)) => i128::from(*value),
        ScalarValue::UInt64(Some(value)) => i128::from(*value),
        ScalarValue::Int32(Some(value)) => i128::from(*value),
        ScalarValue::UInt32(Some(value)) => i128::from(*value),
        ScalarValue::Dictionary(_, value) => return scalar(value),
        _ => {
            // Null is equal to nothing, and no text.
            return value.try_as_str().flatten().map(|text| Constant::Text(text.to_owned()));
        }
    };
    Some(Constant::Number(number))
}

fn compared(op: Operator, constant: Constant) -> Option<Is> {
    match constant {
        Constant::Text(text) => (op == Operator::Eq).then(|| Is::Texts(BTreeSet::from([text]))),
        Constant::Number(number) => Some(match op {
            Operator::Eq => Is::Numbers(BTreeSet::from([number])),
            Operator::Lt => Is::Between(i128::MIN, number - 1),
            Operator::LtEq => Is::Between(i128::MIN, number),
            Operator::Gt => Is::Between(number + 1, i128::MAX),
            Operator::GtEq => Is::Between(number, i128::MAX),
            _ => return None,
        }),
    }
}
