//! What lizard says (PyPI `lizard`).

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::compare::{TheirFunction, Theirs};

pub fn read(program: &str, folder: &Path) -> Result<Theirs, Box<dyn Error>> {
    let output = Command::new(program).arg("--csv").arg(folder).output()?;
    let mut files = Theirs::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((path, function)) = function(line) {
            files.entry(path).or_default().push(function);
        }
    }
    if files.is_empty() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(files)
}

/// NLOC, CCN, tokens, parameters, length, "place", "file", "name", "long name", start, end
fn function(line: &str) -> Option<(String, TheirFunction)> {
    let (numbers, texts) = line.split_once(",\"")?;
    let parts: Vec<&str> = texts.split("\",").collect();
    let [_, file, name, .., lines] = &parts[..] else { return None };
    let function = TheirFunction {
        start: lines.split(',').next()?.parse().ok()?,
        name: name.trim_matches('"').to_owned(),
        cyclomatic: numbers.split(',').nth(1)?.parse().ok()?,
    };
    Some((file.trim_matches('"').to_owned(), function))
}
