//! Commands in the documents exist, with the options they are shown with.
//!
//! `cargo xtask` lines are compared with this program's own command line, `scope` lines with what
//! `scope COMMAND --help` prints, since the crate of that command cannot be linked here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use serde_json::Value;

use super::Problem;
use super::tree::Tree;
use crate::project::{cargo, output, shown};

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut known = HashMap::new();
    learn_xtask(&crate::Arguments::command(), "cargo xtask", &mut known);
    learn_scope(&build_scope()?, &mut known)?;
    let documents = tree.texts(".md").filter(|(path, _)| *path != "CHANGELOG.md");
    Ok(documents.flat_map(|(path, text)| check_document(path, text, &known)).collect())
}

/// Options of each command, by the command as it is typed: `scope trace`.
type Known = HashMap<String, Vec<String>>;

fn learn_xtask(command: &clap::Command, name: &str, known: &mut Known) {
    let options = command.get_arguments().filter_map(clap::Arg::get_long);
    known.insert(name.to_owned(), options.map(|option| format!("--{option}")).collect());
    for sub in command.get_subcommands() {
        learn_xtask(sub, &format!("{name} {}", sub.get_name()), known);
    }
}

fn learn_scope(scope: &Path, known: &mut Known) -> Result<()> {
    let overview = output(Command::new(scope).arg("--help"))?;
    known.insert("scope".to_owned(), options_in(&overview));
    let commands = commands_in(&overview);
    if commands.is_empty() {
        bail!("`scope --help` lists no commands");
    }
    for command in commands {
        let help = output(Command::new(scope).args([command.as_str(), "--help"]))?;
        known.insert(format!("scope {command}"), options_in(&help));
    }
    Ok(())
}

/// Builds `scope` as `cargo test` does, so that nothing is built twice.
fn build_scope() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--package", "tracer-user", "--message-format", "json"]);
    let messages = output(&mut build)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "scope")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("`{}` built no scope", shown(&build)))
}

/// The names under `Commands:` in a help text.
fn commands_in(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

/// The options a help text describes: words at the start of a line that begin with `-`.
fn options_in(help: &str) -> Vec<String> {
    help.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split_whitespace().take_while(|word| word.starts_with('-')))
        .map(|word| word.trim_end_matches(',').to_owned())
        .collect()
}

fn check_document(path: &str, text: &str, known: &Known) -> Vec<Problem> {
    let mut in_shell = false;
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            in_shell = matches!(language.trim(), "sh" | "bash" | "console");
        } else if in_shell && let Err(why) = check_line(line, known) {
            problems.push(Problem::at(path, index + 1, why));
        }
    }
    problems
}

fn check_line(line: &str, known: &Known) -> Result<(), String> {
    let line = line.split(" #").next().unwrap_or("").trim();
    for command in line.split(['|', ';', '&']).map(str::trim) {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        while words.first().is_some_and(|word| {
            matches!(*word, "$" | "sudo") || word.split_once('=').is_some_and(|(n, _)| is_name(n))
        }) {
            words.remove(0);
        }
        match words.as_slice() {
            ["cargo", "xtask", rest @ ..] => check_words("cargo xtask", rest, known)?,
            [program, rest @ ..] if *program == "scope" || program.ends_with("/scope") => {
                check_words("scope", rest, known)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

fn check_words(program: &str, words: &[&str], known: &Known) -> Result<(), String> {
    let mut command = program.to_owned();
    for word in words.iter().take_while(|word| !word.starts_with('-')) {
        let longer = format!("{command} {word}");
        if known.contains_key(&longer) {
            command = longer;
        } else if known.keys().any(|name| name.starts_with(&format!("{command} "))) {
            return Err(format!("`{longer}` is no command"));
        }
    }
    let options = known.get(&command).map(Vec::as_slice).unwrap_or_default();
    for option in words.iter().take_while(|word| **word != "--").filter(|w| w.starts_with('-')) {
        let option = option.split('=').next().unwrap_or(option);
        if !options.iter().any(|other| other == option) && !matches!(option, "--help" | "-h") {
            return Err(format!("`{command}` has no option {option}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERVIEW: &str = "Record\n\nUsage: scope <COMMAND>\n\nCommands:\n  trace   Record a\n          \
                            process\n  report  Say\n  help    Print\n\nOptions:\n  -h, --help\n";
    const TRACE: &str =
        "Options:\n  -F, --function <GLOB>\n          Functions\n      --quiet  No\n";

    fn problem(line: &str) -> Option<String> {
        let mut known = HashMap::from([("scope".to_owned(), options_in(OVERVIEW))]);
        for command in commands_in(OVERVIEW) {
            known.insert(format!("scope {command}"), options_in(TRACE));
        }
        learn_xtask(&crate::Arguments::command(), "cargo xtask", &mut known);
        check_document("a.md", &format!("```sh\n{line}\n```\n"), &known)
            .pop()
            .map(|problem| problem.text)
    }

    #[test]
    fn commands_and_options_that_exist_pass() {
        for line in [
            "sudo scope trace 12 -F 'a b' --quiet -- ls --whatever   # comment --no",
            "scope report x | head -3",
            "cargo xtask test --offline name",
            "SCOPE_BPF_OBJECT=$(cargo xtask ebpf --check) cargo xtask test --kernel",
            "cargo build --release",
        ] {
            assert_eq!(problem(line), None, "{line}");
        }
    }

    #[test]
    fn others_are_found() {
        for (line, why) in [
            ("scope flame x", "`scope flame` is no command"),
            ("target/release/scope trace 1 --slow", "`scope trace` has no option --slow"),
            ("cargo xtask tset", "`cargo xtask tset` is no command"),
            ("cargo xtask test --ofline", "`cargo xtask test` has no option --ofline"),
        ] {
            assert_eq!(problem(line).as_deref(), Some(why), "{line}");
        }
    }
}
