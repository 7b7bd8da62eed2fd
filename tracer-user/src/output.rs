//! What people and programs read: units, tables, colours, JSON, errors.
//!
//! Nothing here knows traces. Everything goes through a writer that reports failure, never through
//! `println!`, which panics when the reader has gone.

pub mod json;
pub mod progress;
pub mod style;
pub mod table;
pub mod units;

use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};

use crate::cli::Color;

/// Standard output, buffered; colours are taken out where they are not wanted.
pub type Out = BufWriter<AutoStream<io::StdoutLock<'static>>>;

/// Decides about colours for the whole program.
pub fn set_color(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Standard output. Flush it before the program ends, so that a failed write is seen.
pub fn stdout() -> Out {
    BufWriter::with_capacity(1 << 16, AutoStream::auto(io::stdout().lock()))
}

/// Warnings that wait while something else has the terminal.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);
/// So many wait at most.
const MOST_HELD: usize = 100;

/// Keeps warnings back from now on: the screen belongs to a UI.
pub fn hold_warnings() {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

/// Prints the warnings that were kept back, and those to come as they come.
pub fn release_warnings() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    held.iter().flatten().for_each(|text| warning(text));
}

fn warning(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let style = style::WARNING;
    // As below.
    let _ = writeln!(stderr, "scope: {style}warning{style:#}: {text}");
}

/// Has warnings of the program and its libraries printed to standard error, a line each.
pub fn show_warnings() {
    struct Lines;

    impl log::Log for Lines {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.level() <= log::Level::Warn && metadata.target().starts_with("scope")
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                let text = units::printable(&record.args().to_string());
                let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
                match held.as_mut() {
                    Some(held) if held.len() < MOST_HELD => held.push(text),
                    Some(_) => {}
                    None => warning(&text),
                }
            }
        }

        fn flush(&self) {}
    }

    // There is one already only in tests of this very program.
    if log::set_logger(&Lines).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}

/// Prints an error as one line: `scope: what: why; what to do`.
pub fn error(error: &anyhow::Error) {
    let mut stderr = anstream::stderr().lock();
    let style = style::ERROR;
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(stderr, "{style}scope{style:#}: {}", units::printable(&sentence(error)));
}

/// An error and its causes; one that its successor already tells is not told twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    #[test]
    fn an_error_is_one_sentence_that_repeats_nothing() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error = Err::<(), _>(cause)
            .context("cannot open x: no such file")
            .context("report")
            .expect_err("made from an error");
        assert_eq!(super::sentence(&error), "report: cannot open x: no such file");
    }
}
