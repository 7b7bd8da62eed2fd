//! A place in a source, as text.

use serde::{Deserialize, Serialize};

/// A place in a source, as the debug information has it. Lines and columns from 1, columns in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodePlace {
    /// Path, as the binary has it.
    pub file: String,
    /// Line.
    pub line: u32,
    /// Column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl std::fmt::Display for CodePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
