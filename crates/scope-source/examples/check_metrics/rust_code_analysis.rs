//! What rust-code-analysis says (crates.io `rust-code-analysis-cli`): a tree of spaces a file,
//! whose numbers hold those of the spaces in them.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::compare::{TheirFunction, Theirs};

pub fn read(program: &str, folder: &Path) -> Result<Theirs, Box<dyn Error>> {
    let output =
        Command::new(program).args(["--metrics", "-O", "json", "-p"]).arg(folder).output()?;
    let mut files = Theirs::new();
    for file in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
        let file = file?;
        let mut functions = Vec::new();
        collect(&file, &mut functions);
        files.insert(file["name"].as_str().unwrap_or_default().to_owned(), functions);
    }
    if files.is_empty() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(files)
}

fn collect(space: &Value, out: &mut Vec<TheirFunction>) {
    let sum = |of: &Value| of["metrics"]["cyclomatic"]["sum"].as_f64().unwrap_or_default();
    let inner: &[Value] = space["spaces"].as_array().map_or(&[], Vec::as_slice);
    if space["kind"] == "function"
        && let (Some(start), Some(name)) = (space["start_line"].as_u64(), space["name"].as_str())
    {
        let own = sum(space) - inner.iter().map(sum).sum::<f64>();
        let name = name.to_owned();
        out.push(TheirFunction { start: start as u32, name, cyclomatic: own as u32 });
    }
    inner.iter().for_each(|inner| collect(inner, out));
}
