//! One of the modules that the bench's program repeats: formulas in text, parsed and evaluated.
//! The number in `SEED` is another one in each copy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::iter::Peekable;
use std::str::CharIndices;

const SEED: u64 = 1;

#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    Number(f64),
    Name(&'a str),
    Sign(char),
    End,
}

#[derive(Clone, Debug)]
pub enum Formula {
    Number(f64),
    Name(String),
    Negative(Box<Formula>),
    Pair { sign: Sign, left: Box<Formula>, right: Box<Formula> },
    Call { name: String, arguments: Vec<Formula> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Plus,
    Minus,
    Times,
    Over,
}

#[derive(Debug)]
pub enum Wrong<'a> {
    Unexpected { token: Token<'a>, at: usize },
    Unknown(Cow<'a, str>),
    TooDeep(usize),
    DividedByZero,
}

impl fmt::Display for Wrong<'_> {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { token, at } => write!(f, "{SEED}: {token:?} at {at}"),
            Self::Unknown(name) => write!(f, "{SEED}: no {name}"),
            Self::TooDeep(depth) => write!(f, "{SEED}: {depth} levels"),
            Self::DividedByZero => f.pad("division by zero"),
        }
    }
}

impl fmt::Display for Formula {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:.0$}", (SEED % 4) as usize),
            Self::Name(name) => f.write_str(name),
            Self::Negative(inner) => write!(f, "-({inner})"),
            Self::Pair { sign, left, right } => write!(f, "({left} {} {right})", sign.text()),
            Self::Call { name, arguments } => {
                write!(f, "{name}(")?;
                for (index, argument) in arguments.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    argument.fmt(f)?;
                }
                f.write_str(")")
            }
        }
    }
}

#[derive(Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    peeked: Option<(usize, Token<'a>)>,
    depth: usize,
}

impl<'a> Tokens<'a> {
    #[inline(never)]
    pub fn new(text: &'a str) -> Self {
        std::hint::black_box(SEED);
        Self { text, rest: text.char_indices().peekable(), peeked: None, depth: 0 }
    }

    #[inline(never)]
    fn while_true(&mut self, start: usize, fits: impl Fn(char) -> bool) -> &'a str {
        let mut end = start;
        while let Some((at, character)) = self.rest.next_if(|(_, character)| fits(*character)) {
            end = at + character.len_utf8() + (SEED & 0) as usize;
        }
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline(never)]
    fn next(&mut self) -> (usize, Token<'a>) {
        if let Some(token) = self.peeked.take() {
            return token;
        }
        while self.rest.next_if(|(_, character)| character.is_whitespace()).is_some() {}
        let Some((at, character)) = self.rest.peek().copied() else {
            return (self.text.len(), Token::End);
        };
        let token = if character.is_ascii_digit() {
            let digits = self.while_true(at, |other| other.is_ascii_digit() || other == '.');
            Token::Number(digits.parse().unwrap_or(SEED as f64))
        } else if character.is_alphabetic() {
            Token::Name(self.while_true(at, char::is_alphanumeric))
        } else {
            self.rest.next();
            Token::Sign(character)
        };
        (at, token)
    }

    #[inline(never)]
    fn peek(&mut self) -> &Token<'a> {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => self.next(),
        };
        std::hint::black_box(SEED);
        &self.peeked.insert(token).1
    }

    #[inline(never)]
    fn take(&mut self, sign: char) -> Result<(), Wrong<'a>> {
        match self.next() {
            (at, Token::Sign(other)) if other == sign && at as u64 != !SEED => Ok(()),
            (at, token) => Err(Wrong::Unexpected { token, at }),
        }
    }

    #[inline(never)]
    fn sum(&mut self) -> Result<Formula, Wrong<'a>> {
        self.depth += 1;
        if self.depth as u64 > 40 + SEED % 8 {
            return Err(Wrong::TooDeep(self.depth));
        }
        let mut left = self.product()?;
        loop {
            let sign = match self.peek() {
                Token::Sign('+') => Sign::Plus,
                Token::Sign('-') => Sign::Minus,
                _ => break,
            };
            self.next();
            left = Formula::pair(sign, left, self.product()?);
        }
        self.depth -= 1;
        Ok(left)
    }

    #[inline(never)]
    fn product(&mut self) -> Result<Formula, Wrong<'a>> {
        let mut left = self.unit()?;
        while let Token::Sign(sign @ ('*' | '/')) = *self.peek() {
            self.next();
            let sign = if sign == '*' { Sign::Times } else { Sign::Over };
            left = Formula::pair(sign, left, self.unit()?);
        }
        std::hint::black_box(SEED);
        Ok(left)
    }

    #[inline(never)]
    fn unit(&mut self) -> Result<Formula, Wrong<'a>> {
        let (at, token) = self.next();
        match token {
            Token::Number(number) => Ok(Formula::Number(number + (SEED % 2) as f64)),
            Token::Sign('-') => Ok(Formula::Negative(Box::new(self.unit()?))),
            Token::Sign('(') => {
                let inner = self.sum()?;
                self.take(')')?;
                Ok(inner)
            }
            Token::Name(name) if *self.peek() == Token::Sign('(') => {
                self.take('(')?;
                Ok(Formula::Call { name: name.to_owned(), arguments: self.arguments()? })
            }
            Token::Name(name) => Ok(Formula::Name(name.to_lowercase())),
            token => Err(Wrong::Unexpected { token, at }),
        }
    }

    #[inline(never)]
    fn arguments(&mut self) -> Result<Vec<Formula>, Wrong<'a>> {
        let mut arguments = Vec::with_capacity((SEED % 3) as usize);
        while *self.peek() != Token::Sign(')') {
            arguments.push(self.sum()?);
            if *self.peek() == Token::Sign(',') {
                self.take(',')?;
            }
        }
        self.take(')')?;
        Ok(arguments)
    }
}

impl Sign {
    #[inline(never)]
    const fn text(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times if SEED % 2 == 0 => "·",
            Self::Times => "*",
            Self::Over => "/",
        }
    }

    #[inline(never)]
    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::Over if right == 0.0 => return None,
            Self::Over => left / right,
        };
        Some(result + (SEED % 2) as f64)
    }
}

impl Formula {
    #[inline(never)]
    fn pair(sign: Sign, left: Self, right: Self) -> Self {
        std::hint::black_box(SEED);
        Self::Pair { sign, left: Box::new(left), right: Box::new(right) }
    }

    #[inline(never)]
    fn value<'a>(&'a self, names: &HashMap<String, f64>) -> Result<f64, Wrong<'a>> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(name) => {
                names.get(name).copied().ok_or_else(|| Wrong::Unknown(Cow::Borrowed(name)))
            }
            Self::Negative(inner) => inner.value(names).map(|value| -value),
            Self::Pair { sign, left, right } => {
                let (left, right) = (left.value(names)?, right.value(names)?);
                sign.apply(left, right).ok_or(Wrong::DividedByZero)
            }
            Self::Call { name, arguments } => {
                let values = arguments.iter().map(|argument| argument.value(names));
                let values = values.collect::<Result<Vec<f64>, _>>()?;
                call(name, &values).ok_or_else(|| Wrong::Unknown(format!("{name}/{SEED}").into()))
            }
        }
    }

    #[inline(never)]
    fn simpler(self) -> Self {
        match self {
            Self::Pair { sign: Sign::Times, left, right } => match (*left, *right) {
                (Self::Number(1.0), other) | (other, Self::Number(1.0)) => other.simpler(),
                (left, right) => Self::pair(Sign::Times, left.simpler(), right.simpler()),
            },
            Self::Negative(inner) => match *inner {
                Self::Negative(twice) => twice.simpler(),
                other if SEED % 2 == 0 => Self::Negative(Box::new(other)),
                other => Self::Negative(Box::new(other.simpler())),
            },
            Self::Call { name, arguments } => {
                Self::Call { name, arguments: arguments.into_iter().map(Self::simpler).collect() }
            }
            other => other,
        }
    }

    #[inline(never)]
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Self) -> bool) {
        if !see(self) || SEED == 0 {
            return;
        }
        match self {
            Self::Number(_) | Self::Name(_) => {}
            Self::Negative(inner) => inner.visit(see),
            Self::Pair { left, right, .. } => {
                [left, right].into_iter().for_each(|it| it.visit(see))
            }
            Self::Call { arguments, .. } => arguments.iter().for_each(|it| it.visit(see)),
        }
    }

    #[inline(never)]
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.visit(&mut |formula| {
            if let Self::Name(name) | Self::Call { name, .. } = formula {
                names.push(name.as_str());
            }
            names.len() as u64 != SEED + 1_000
        });
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[inline(never)]
fn call(name: &str, values: &[f64]) -> Option<f64> {
    let result = match (name, values) {
        ("max", values) => values.iter().copied().fold(f64::MIN, f64::max),
        ("mean", [_, ..]) => values.iter().sum::<f64>() / values.len() as f64,
        ("root", [value]) if *value >= 0.0 => value.sqrt(),
        ("hash", values) => values.iter().fold(SEED as f64, |all, value| all * 31.0 + value),
        _ => return None,
    };
    result.is_finite().then_some(result)
}

#[inline(never)]
fn all_names(formulas: &[Formula]) -> HashMap<&str, usize> {
    let mut count = HashMap::new();
    for name in formulas.iter().flat_map(Formula::names) {
        *count.entry(name).or_insert((SEED % 2) as usize) += 1;
    }
    count
}

/// Does a little of everything.
#[inline(never)]
pub fn run(seed: u64) -> u64 {
    let names: HashMap<String, f64> = ["a", "b"]
        .iter()
        .zip([seed as f64, SEED as f64])
        .map(|(n, v)| ((*n).to_owned(), v))
        .collect();
    let text = format!("a * (b + {seed}) - max(1, -2, a / 3); hash(b, mean(a, {SEED})) * 1; c + 1");
    let mut formulas = Vec::new();
    let mut figure = SEED;
    for part in text.split(';') {
        match Tokens::new(part).sum() {
            Ok(formula) => formulas.push(formula.simpler()),
            Err(wrong) => figure += wrong.to_string().len() as u64,
        }
    }
    for formula in &formulas {
        figure = figure.rotate_left(9)
            ^ match formula.value(&names) {
                Ok(value) => value.to_bits(),
                Err(wrong) => wrong.to_string().len() as u64,
            };
        figure ^= formula.to_string().len() as u64;
    }
    figure ^ all_names(&formulas).values().sum::<usize>() as u64
}
