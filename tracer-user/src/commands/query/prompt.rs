//! The prompt: statements that end with `;` and commands that begin with `\`, as in psql. What is not
//! typed at a terminal is read to its end and ends at the first error.

mod complete;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    ValidationResult, Validator, default_emacs_keybindings,
};
use scope_query::{Session, Type};

use super::Asked;
use crate::output;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{counted, duration};

/// Statements that are remembered.
const HISTORY: usize = 1_000;
/// Name of the menu of completions.
const MENU: &str = "completions";
/// Statements read from a pipe are no longer than this.
const MOST_BYTES: u64 = 16 << 20;

/// Runs what is typed until the end of input.
pub fn run(session: &mut Session, asked: Asked) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return piped(session, asked);
    }
    let mut line = editor(session)?;
    let mut stderr = io::stderr();
    writeln!(stderr, "SQL; \\d lists tables, \\? helps, \\q leaves")?;
    loop {
        match line.read_line(&Mark)? {
            Signal::Success(text) => match act(session, &text, asked) {
                Ok(Next::Read) => {}
                Ok(Next::Leave) => return Ok(()),
                Err(error) => output::error(&error),
            },
            Signal::CtrlC => {}
            _ => return Ok(()),
        }
    }
}

/// Statements of a file or a pipe.
fn piped(session: &mut Session, asked: Asked) -> anyhow::Result<()> {
    let mut text = String::new();
    io::stdin().take(MOST_BYTES + 1).read_to_string(&mut text).context("cannot read statements")?;
    if text.len() as u64 > MOST_BYTES {
        bail!("cannot read statements: there are more than {}", output::units::size(MOST_BYTES));
    }
    for statement in statements(&text) {
        super::answer(session, statement, asked, None)?;
    }
    Ok(())
}

/// Whether reading goes on.
enum Next {
    Read,
    Leave,
}

fn act(session: &mut Session, text: &str, asked: Asked) -> anyhow::Result<Next> {
    let text = text.trim();
    if let Some(command) = text.strip_prefix('\\') {
        let mut words = command.trim_end_matches(';').split_whitespace();
        return match (words.next(), words.next()) {
            (Some("q"), _) => Ok(Next::Leave),
            (Some("d"), None) => list(session),
            (Some("d"), Some(table)) => describe(session, table),
            (Some("df"), _) => functions(session),
            (Some("?" | "h"), _) => help(),
            _ => bail!("\\{command} is no command; \\? lists them"),
        };
    }
    for statement in statements(text) {
        let begun = Instant::now();
        let rows = super::answer(session, statement, asked, None)?;
        let passed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        writeln!(io::stderr(), "{}, {}", counted(rows, "row"), duration(passed))?;
    }
    Ok(Next::Read)
}

fn list(session: &Session) -> anyhow::Result<Next> {
    let mut table = Table::new(&[("table", Align::Left), ("a row is", Align::Left)]);
    for known in session.tables() {
        table.row(vec![known.name.to_owned(), known.about.to_owned()]);
    }
    show(&table)
}

fn describe(session: &Session, name: &str) -> anyhow::Result<Next> {
    let tables = session.tables();
    let Some(known) = tables.iter().find(|table| table.name == name) else {
        let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
        bail!("there is no table {name}; there are {}", names.join(", "));
    };
    let heads = [("column", Align::Left), ("type", Align::Left), ("", Align::Left)];
    let mut table = Table::new(&heads);
    for column in known.columns {
        let holds = match column.holds {
            Type::Int | Type::Id | Type::Bits => "integer",
            Type::Flag => "flag",
            Type::Text | Type::Word => "text",
        };
        table.row(vec![column.name.to_owned(), holds.to_owned(), column.about.to_owned()]);
    }
    show(&table)
}

fn functions(session: &Session) -> anyhow::Result<Next> {
    let mut table = Table::new(&[("function", Align::Left), ("", Align::Left)]);
    for function in session.functions() {
        table.row(vec![function.usage.to_owned(), function.about.to_owned()]);
    }
    show(&table)
}

fn show(table: &Table) -> anyhow::Result<Next> {
    let mut out = output::stdout();
    table.write(&mut out, terminal_width())?;
    out.flush()?;
    Ok(Next::Read)
}

fn help() -> anyhow::Result<Next> {
    let text = "\
\\d          tables
\\d TABLE    columns of a table
\\df         functions of traces
\\q          leave (also Ctrl-D)

A statement ends with a semicolon and may take several lines. Tab completes, Ctrl-R searches what was
typed before, Ctrl-C stops a statement that runs.
";
    io::stdout().write_all(text.as_bytes())?;
    Ok(Next::Read)
}

/// The statements of a text; semicolons within quotes and comments end none.
fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut start) = (Vec::new(), 0);
    for end in ends(text) {
        found.push(&text[start..end]);
        start = end + 1;
    }
    found.push(&text[start..]);
    found.retain(|statement| !statement.trim().is_empty());
    found
}

/// Where statements end: the places of their semicolons.
fn ends(text: &str) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let past = |end: &str, from: usize| {
            rest.get(from..)
                .and_then(|rest| rest.find(end))
                .map_or(rest.len(), |found| from + found + end.len())
        };
        let first = rest.chars().next().map_or(1, char::len_utf8);
        at += match rest.as_bytes() {
            [b'\'', ..] => past("'", 1),
            [b'"', ..] => past("\"", 1),
            [b'-', b'-', ..] => past("\n", 2),
            [b'/', b'*', ..] => past("*/", 2),
            [b';', ..] => {
                ends.push(at);
                1
            }
            _ => first,
        };
    }
    ends
}

fn editor(session: &Session) -> anyhow::Result<Reedline> {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    let menu = ColumnarMenu::default().with_name(MENU);
    let mut line = Reedline::create()
        .with_completer(Box::new(complete::Names::of(session)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_validator(Box::new(Ends))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    // Without a place for it there is a history all the same, until the end.
    if let Some(file) = history_file()
        && let Ok(history) = FileBackedHistory::with_file(HISTORY, file)
    {
        line = line.with_history(Box::new(history));
    }
    Ok(line)
}

fn history_file() -> Option<PathBuf> {
    crate::commands::bookmarks::state_folder().map(|folder| folder.join("query-history"))
}

/// A statement is read on until it ends.
struct Ends;

impl Validator for Ends {
    fn validate(&self, line: &str) -> ValidationResult {
        let text = line.trim();
        let after = ends(text).last().map(|end| &text[end + 1..]);
        match after {
            _ if text.is_empty() || text.starts_with('\\') => ValidationResult::Complete,
            Some(after) if after.trim().is_empty() => ValidationResult::Complete,
            _ => ValidationResult::Incomplete,
        }
    }
}

/// What stands before a line.
struct Mark;

impl Prompt for Mark {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("scope")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("     > ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!(" (search: {}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ends, statements};
    use reedline::{ValidationResult, Validator};

    #[test]
    fn statements_end_at_semicolons_that_are_none_of_texts_or_comments() {
        for (text, expected) in [
            ("select 1", &["select 1"] as &[&str]),
            ("select 1; select 2;", &["select 1", " select 2"]),
            ("select ';' ; x", &["select ';' ", " x"]),
            ("select 'it''s;' ; x", &["select 'it''s;' ", " x"]),
            ("a -- b;\n; c", &["a -- b;\n", " c"]),
            ("a /* ; */ \"x;\" ;", &["a /* ; */ \"x;\" "]),
            (" ; ;", &[]),
            ("'äö", &["'äö"]),
            ("ä;ö", &["ä", "ö"]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn a_line_is_complete_with_its_semicolon() {
        let complete = |text| matches!(Ends.validate(text), ValidationResult::Complete);
        for text in ["", "select 1;", "select 1; ", "\\d", "\\d calls"] {
            assert!(complete(text), "{text}");
        }
        for text in ["select 1", "select ';", "select 1; select 2", "-- ;"] {
            assert!(!complete(text), "{text}");
        }
    }
}
