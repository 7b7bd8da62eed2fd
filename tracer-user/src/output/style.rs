//! Colours. Few, each with one meaning; the text says the same without them.

use anstyle::{AnsiColor, Style};

/// Failure.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Loss, and what should be looked at.
pub const WARNING: Style = AnsiColor::Yellow.on_default();
/// Heads of tables and sections.
pub const HEAD: Style = Style::new().bold();
/// What is there for completeness.
pub const DIM: Style = Style::new().dimmed();
