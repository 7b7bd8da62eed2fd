//! Something being typed at the foot of the screen.

use unicode_segmentation::UnicodeSegmentation;

/// Longest text, in bytes: far more than anybody types.
const LONGEST: usize = 4_096;

/// What is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A moment or a command.
    Command,
    /// A part of a name.
    Find,
    /// The condition of a breakpoint.
    Break,
    /// The name of a mark.
    Mark,
    /// A statement in SQL.
    Query,
}

impl Kind {
    /// What stands before the text.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Command => ":",
            Self::Find => "/",
            Self::Break => "break when ",
            Self::Mark => "mark ",
            Self::Query => "sql ",
        }
    }
}

/// A line that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What it is for.
    pub kind: Kind,
    /// The text so far.
    pub text: String,
    /// Byte of the text that the cursor is at: a border of characters.
    pub cursor: usize,
    /// What is wrong with it, once it was tried.
    pub error: Option<String>,
    /// The row of a list that is selected.
    pub selected: usize,
    /// Which earlier line is shown: so many back.
    pub(super) back: usize,
}

impl Prompt {
    /// An empty line.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, text: String::new(), cursor: 0, error: None, selected: 0, back: 0 }
    }

    /// Types a character.
    pub fn insert(&mut self, c: char) {
        if self.text.len() + c.len_utf8() <= LONGEST {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        self.changed();
    }

    /// Replaces the text.
    pub fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
        self.changed();
    }

    /// Removes what is before the cursor.
    pub fn backspace(&mut self) {
        let before = self.before();
        self.text.replace_range(before..self.cursor, "");
        self.cursor = before;
        self.changed();
    }

    /// Removes what is after the cursor.
    pub fn delete(&mut self) {
        let after = self.after();
        self.text.replace_range(self.cursor..after, "");
        self.changed();
    }

    /// Moves the cursor left.
    pub fn left(&mut self) {
        self.cursor = self.before();
    }

    /// Moves the cursor right.
    pub fn right(&mut self) {
        self.cursor = self.after();
    }

    /// Moves the cursor to the begin of the line.
    pub fn home(&mut self) {
        self.cursor = 0;
    }

    /// Moves the cursor to the end of the line.
    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    fn changed(&mut self) {
        self.error = None;
        self.selected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Prompt};

    #[test]
    fn the_cursor_moves_over_whole_characters() {
        let mut prompt = Prompt::new(Kind::Find);
        "a解e\u{301}".chars().for_each(|c| prompt.insert(c));
        prompt.left();
        assert_eq!(prompt.cursor, "a解".len());
        prompt.backspace();
        assert_eq!(prompt.text, "ae\u{301}");
        prompt.delete();
        prompt.right();
        prompt.delete();
        assert_eq!((prompt.text.as_str(), prompt.cursor), ("a", 1));
        prompt.home();
        prompt.left();
        prompt.backspace();
        assert_eq!(prompt.cursor, 0);
    }
}
