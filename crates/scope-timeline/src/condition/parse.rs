//! Text to expression, by recursive descent.

use scope_model::CallEnd;
use scope_symbols::glob::Glob;

use super::{Comparison, ConditionError, Expression, StateIs, Test};
use crate::units;

/// Deepest nesting of parentheses and `not`.
const DEEPEST: usize = 64;

const FIELDS: &str = "function, file, within, node, pattern, thread, process, depth, duration, end, \
                      state, syscall or kind";
const ENDS: &str = "returned, unwound, thread_ended, exec, lost, unobserved or never";
const STATES: &str = "running, runnable, blocked, ended or unknown";
const KINDS: [&str; 12] = [
    "enter",
    "leave",
    "switch_in",
    "switch_out",
    "waking",
    "thread_start",
    "thread_exit",
    "rename",
    "exec",
    "syscall_enter",
    "syscall_exit",
    "gap",
];

pub(super) fn parse(text: &str) -> Result<Expression, ConditionError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let expression = parser.any()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.wrong("a ) without its (")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Expression, ConditionError> {
        let mut parts = vec![self.all()?];
        while self.keyword("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, ConditionError> {
        let mut parts = vec![self.unit()?];
        loop {
            if !self.keyword("and")
                && (matches!(self.peek(), None | Some(')')) || self.word() == "or")
            {
                return Ok(one_or(parts, Expression::All));
            }
            parts.push(self.unit()?);
        }
    }

    fn unit(&mut self) -> Result<Expression, ConditionError> {
        if self.depth == DEEPEST {
            return Err(self.wrong("nested too deeply"));
        }
        self.depth += 1;
        let unit = if self.keyword("not") {
            Expression::Not(Box::new(self.unit()?))
        } else if self.peek() == Some('(') {
            let open = self.at;
            self.at += 1;
            let inner = self.any()?;
            if self.peek() != Some(')') {
                let at = open;
                return Err(ConditionError { at, what: "a ( without its )".to_owned() });
            }
            self.at += 1;
            inner
        } else {
            Expression::Test(self.test()?)
        };
        self.depth -= 1;
        Ok(unit)
    }

    fn test(&mut self) -> Result<Test, ConditionError> {
        self.skip_spaces();
        let (start, field) = (self.at, self.word());
        if field.is_empty() {
            return Err(self.expected(&format!("a test: {FIELDS}")));
        }
        self.at += field.len();
        let test = match field {
            "function" => Test::Function(self.equal(field)?, self.glob("a name")?),
            "within" => Test::Within(self.equal(field)?, self.glob("a name")?),
            "file" => Test::File(self.equal(field)?, self.glob("a path")?),
            "node" => Test::Node(self.equal(field)?, self.glob("a kind of node")?),
            "pattern" => Test::Pattern(self.equal(field)?, self.glob("the name of a pattern")?),
            "thread" => {
                let equal = self.equal(field)?;
                match self.value("a thread id or name")? {
                    (name, true) => Test::ThreadName(equal, Glob::new(name)),
                    (name, false) => match name.parse() {
                        Ok(tid) => Test::Tid(equal, tid),
                        Err(_) => Test::ThreadName(equal, Glob::new(name)),
                    },
                }
            }
            "process" => {
                let what = "a process id";
                Test::Process(self.equal(field)?, self.read(what, |text| text.parse().ok())?)
            }
            "depth" => {
                let what = "a number of calls";
                Test::Depth(self.comparison(field)?, self.read(what, |text| text.parse().ok())?)
            }
            "duration" => {
                let what = "a duration such as 5ms";
                let comparison = self.comparison(field)?;
                Test::DurationNs(comparison, self.read(what, |text| units::time_ns(text).ok())?)
            }
            "end" => {
                let equal = self.equal(field)?;
                let end = self.read(ENDS, |text| match text {
                    "never" => Some(None),
                    text => call_end(text).map(Some),
                })?;
                end.map_or(Test::NeverEnds(equal), |end| Test::End(equal, end))
            }
            "state" => Test::State(self.equal(field)?, self.read(STATES, state)?),
            "syscall" => {
                let equal = self.equal(field)?;
                let (name, quoted) = self.value("the name or number of a system call")?;
                match name.parse() {
                    Ok(number) if !quoted => Test::Syscall(equal, number),
                    _ => Test::SyscallName(equal, Glob::new(name)),
                }
            }
            "kind" => {
                let equal = self.equal(field)?;
                let what = format!("a kind of event: {}", KINDS.join(", "));
                let named = |text: &str| KINDS.into_iter().find(|kind| *kind == text);
                Test::Kind(equal, self.read(&what, named)?)
            }
            other => {
                let what = format!(
                    "`{other}` is no test; expected {FIELDS} (for a function, write function=NAME)"
                );
                return Err(ConditionError { at: start, what });
            }
        };
        Ok(test)
    }

    /// `=` or `!=`.
    fn equal(&mut self, field: &str) -> Result<bool, ConditionError> {
        let start = self.at;
        match self.operator() {
            Some(Comparison::Equal) => Ok(true),
            Some(Comparison::Unequal) => Ok(false),
            _ => {
                self.at = start;
                Err(self.expected(&format!("= or != after {field}")))
            }
        }
    }

    fn comparison(&mut self, field: &str) -> Result<Comparison, ConditionError> {
        match self.operator() {
            Some(comparison) => Ok(comparison),
            None => Err(self.expected(&format!("=, !=, <, <=, > or >= after {field}"))),
        }
    }

    fn operator(&mut self) -> Option<Comparison> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let (comparison, length) = [
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("==", Comparison::Equal),
            ("=", Comparison::Equal),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ]
        .into_iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .map(|(sign, comparison)| (comparison, sign.len()))?;
        self.at += length;
        Some(comparison)
    }

    fn glob(&mut self, what: &str) -> Result<Glob, ConditionError> {
        Ok(Glob::new(self.value(what)?.0))
    }

    fn read<T>(
        &mut self,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConditionError> {
        let (text, quoted) = self.value(what)?;
        let end = self.at - usize::from(quoted);
        read(text).ok_or_else(|| ConditionError {
            at: end - text.len(),
            what: format!("`{text}` is not {what}"),
        })
    }

    /// A value, and whether it was quoted.
    fn value(&mut self, what: &str) -> Result<(&'a str, bool), ConditionError> {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let Some(length) = rest[1..].find(quote) else {
                return Err(self.wrong(&format!("a {quote} without its second one")));
            };
            self.at += length + 2;
            return Ok((&rest[1..=length], true));
        }
        let length = bare_length(rest);
        if length == 0 {
            return Err(self.expected(what));
        }
        self.at += length;
        Ok((&rest[..length], false))
    }

    /// The letters that come next.
    fn word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = &self.text[self.at..];
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        &rest[..rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())]
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.word() == keyword;
        if found {
            self.at += keyword.len();
        }
        found
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.text[self.at..].chars().next()
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, what: &str) -> ConditionError {
        ConditionError { at: self.at, what: what.to_owned() }
    }

    /// `what` was expected, and something else or nothing is there.
    fn expected(&mut self, what: &str) -> ConditionError {
        let found = match self.peek() {
            None => "the condition ends".to_owned(),
            Some(c) => match self.word() {
                "" => format!("found `{c}`"),
                word => format!("found `{word}`"),
            },
        };
        self.wrong(&format!("expected {what}; {found}"))
    }
}

fn one_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// Length of a value without quotes: up to a space or a `)`, those inside matched brackets aside.
fn bare_length(rest: &str) -> usize {
    let mut skip_to = 0;
    for (at, c) in rest.char_indices() {
        if at < skip_to {
            continue;
        }
        match c {
            '(' | '<' | '[' | '{' => skip_to = at + matched(&rest[at..]).unwrap_or(c.len_utf8()),
            ')' => return at,
            c if c.is_whitespace() => return at,
            _ => {}
        }
    }
    rest.len()
}

/// Length of the text up to where its first character, a bracket, is closed.
fn matched(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' => open.push(')'),
            '<' => open.push('>'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            // The arrow of a function type closes nothing.
            '>' if text[..at].ends_with('-') => {}
            ')' | '>' | ']' | '}' => {
                if open.pop() != Some(c) {
                    return None;
                }
                if open.is_empty() {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn call_end(text: &str) -> Option<CallEnd> {
    (0..=u8::MAX).map_while(CallEnd::from_number).find(|end| end.name() == text)
}

fn state(text: &str) -> Option<StateIs> {
    Some(match text {
        "running" => StateIs::Running,
        "runnable" => StateIs::Runnable,
        "blocked" => StateIs::Blocked,
        "ended" => StateIs::Ended,
        "unknown" => StateIs::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expression, fully bracketed.
    fn shape(expression: &Expression) -> String {
        let join = |parts: &[Expression], word: &str| {
            let parts: Vec<String> = parts.iter().map(shape).collect();
            format!("({})", parts.join(word))
        };
        match expression {
            Expression::All(parts) => join(parts, " and "),
            Expression::Any(parts) => join(parts, " or "),
            Expression::Not(part) => format!("not {}", shape(part)),
            Expression::Test(test) => format!("{test:?}"),
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(shape(&parse(text).unwrap()), expected, "{text}");
    }

    #[test]
    fn every_test_is_read() {
        for (text, expected) in [
            ("function=parse*", r#"Function(true, Glob("parse*"))"#),
            ("function != a::b", r#"Function(false, Glob("a::b"))"#),
            ("within='a b'", r#"Within(true, Glob("a b"))"#),
            ("file=src/*.rs", r#"File(true, Glob("src/*.rs"))"#),
            ("thread=17", "Tid(true, 17)"),
            ("thread=\"17\"", r#"ThreadName(true, Glob("17"))"#),
            ("thread=worker-*", r#"ThreadName(true, Glob("worker-*"))"#),
            ("process=4", "Process(true, 4)"),
            ("depth >= 100", "Depth(GreaterOrEqual, 100)"),
            ("duration>1.5ms", "DurationNs(Greater, 1500000)"),
            ("duration <= 7ns", "DurationNs(LessOrEqual, 7)"),
            ("end=unwound", "End(true, Unwound)"),
            ("end!=never", "NeverEnds(false)"),
            ("state=blocked", "State(true, Blocked)"),
            ("syscall=futex", r#"SyscallName(true, Glob("futex"))"#),
            ("syscall=202", "Syscall(true, 202)"),
            ("kind=switch_out", r#"Kind(true, "switch_out")"#),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn and_binds_closer_than_or_and_may_be_left_out() {
        for text in [
            "depth=1 and depth=2 or depth=3 and not depth=4",
            "(depth=1 depth=2) or depth=3 (not depth=4)",
            "((depth=1)and((depth=2)))or(depth=3 not(depth=4))",
        ] {
            check(
                text,
                "((Depth(Equal, 1) and Depth(Equal, 2)) or (Depth(Equal, 3) and not Depth(Equal, 4)))",
            );
        }
    }

    #[test]
    fn names_keep_their_brackets() {
        for (text, name) in [
            ("(function=send(int, char) depth=1)", "send(int, char)"),
            ("(function=<T as Trait>::f depth=1)", "<T as Trait>::f"),
            ("(function=f<fn(u8) -> Vec<u8>> depth=1)", "f<fn(u8) -> Vec<u8>>"),
            ("(function=operator< depth=1)", "operator<"),
            ("(function='a) b' depth=1)", "a) b"),
            ("(function=notify depth=1)", "notify"),
        ] {
            check(text, &format!("(Function(true, Glob({name:?})) and Depth(Equal, 1))"));
        }
    }

    #[test]
    fn what_is_no_condition_says_where_and_what_was_expected() {
        let error = |text: &str| parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(error(""), @"at character 1: expected a test: function, file, within, node, pattern, thread, process, depth, duration, end, state, syscall or kind; the condition ends");
        insta::assert_snapshot!(error("parse"), @"at character 1: `parse` is no test; expected function, file, within, node, pattern, thread, process, depth, duration, end, state, syscall or kind (for a function, write function=NAME)");
        insta::assert_snapshot!(error("function parse"), @"at character 10: expected = or != after function; found `parse`");
        insta::assert_snapshot!(error("function > parse"), @"at character 10: expected = or != after function; found `>`");
        insta::assert_snapshot!(error("function="), @"at character 10: expected a name; the condition ends");
        insta::assert_snapshot!(error("duration>5 and"), @"at character 15: expected a test: function, file, within, node, pattern, thread, process, depth, duration, end, state, syscall or kind; the condition ends");
        insta::assert_snapshot!(error("duration > soon"), @"at character 12: `soon` is not a duration such as 5ms");
        insta::assert_snapshot!(error("depth>-1"), @"at character 7: `-1` is not a number of calls");
        insta::assert_snapshot!(error("end=died"), @"at character 5: `died` is not returned, unwound, thread_ended, exec, lost, unobserved or never");
        insta::assert_snapshot!(error("state='up'"), @"at character 8: `up` is not running, runnable, blocked, ended or unknown");
        insta::assert_snapshot!(error("kind=call"), @"at character 6: `call` is not a kind of event: enter, leave, switch_in, switch_out, waking, thread_start, thread_exit, rename, exec, syscall_enter, syscall_exit, gap");
        insta::assert_snapshot!(error("depth=1 or (depth=2"), @"at character 12: a ( without its )");
        insta::assert_snapshot!(error("depth=1)"), @"at character 8: a ) without its (");
        insta::assert_snapshot!(error("function='a"), @"at character 10: a ' without its second one");
        insta::assert_snapshot!(error(&"(".repeat(100)), @"at character 65: nested too deeply");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in prop_oneof![
                any::<String>(),
                "(function|depth|not|and|or|end|[()=<>!'\" a-z0-9*ä]){0,20}",
            ]
        ) {
            if let Err(error) = parse(&text) {
                prop_assert!(text.is_char_boundary(error.at), "{error}");
            }
        }
    }
}
