//! Bytes, lines and columns.

use serde::{Deserialize, Serialize};

/// A place in a file as editors and DWARF count: line and column from 1, columns in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

/// A range of bytes and the places of its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start_byte: u32,
    /// One past the last byte.
    pub end_byte: u32,
    /// Place of the first byte.
    pub start: Position,
    /// Place one past the last byte.
    pub end: Position,
}

/// Where the lines of a text begin.
#[derive(Clone, Debug, Default)]
pub struct LineIndex {
    starts: Vec<u32>,
    length: u32,
}

impl LineIndex {
    /// Reads a text; lines end with `\n`.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at as u32 + 1)).collect();
        Self { starts, length }
    }

    /// How many lines there are; a text that ends with a line break has an empty last one.
    #[must_use]
    pub fn lines(&self) -> u32 {
        self.starts.len() as u32
    }

    /// The place of a byte.
    #[must_use]
    pub fn position(&self, byte: u32) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Position { line: line as u32, column: byte - start + 1 }
    }

    /// Places of both ends of a range.
    #[must_use]
    pub fn span(&self, start_byte: u32, end_byte: u32) -> Span {
        let (start, end) = (self.position(start_byte), self.position(end_byte));
        Span { start_byte, end_byte, start, end }
    }

    /// The bytes of a line, from 1, with its line break.
    #[must_use]
    pub fn line(&self, line: u32) -> Option<std::ops::Range<u32>> {
        let at = (line as usize).checked_sub(1)?;
        let start = *self.starts.get(at)?;
        Some(start..self.starts.get(at + 1).copied().unwrap_or(self.length))
    }

    /// The byte at a place, when the line has it.
    #[must_use]
    pub fn byte(&self, position: Position) -> Option<u32> {
        let range = self.line(position.line)?;
        let byte = range.start.checked_add(position.column.checked_sub(1)?)?;
        (byte <= range.end).then_some(byte)
    }
}
