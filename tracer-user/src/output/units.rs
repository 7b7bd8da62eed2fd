//! Numbers and names for people.

pub use scope_timeline::units::{count, counted, duration, moment, percent, size};

/// Text fit for a terminal: control characters are replaced, since names come from files nobody
/// vouches for.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A line of a file, by the end of its path.
pub fn place(file: &str, line: u32) -> String {
    format!("{}:{line}", file.rsplit('/').next().unwrap_or(file))
}
