//! Messages of commits that are not published yet name no machine.

use std::process::Command;

use anyhow::Result;

use super::Problem;
use super::paths::machine_path;
use super::tree::Tree;
use crate::project::{output, root};

pub(super) fn check(_: &Tree) -> Result<Vec<Problem>> {
    // What is published cannot be changed; without an upstream nothing tells what is.
    let mut log = Command::new("git");
    log.args(["log", "-z", "--format=%h %B", "@{upstream}..HEAD"]).current_dir(root());
    Ok(check_messages(&output(&mut log).unwrap_or_default()))
}

fn check_messages(log: &str) -> Vec<Problem> {
    log.split('\0')
        .filter_map(|message| message.split_once(' '))
        .filter_map(|(commit, text)| Some((commit, machine_path(text)?)))
        .map(|(commit, path)| Problem::of(commit, format!("the message names `{path}…`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_path_in_a_message_is_found() {
        let log = format!("abc1234 a: b\n\nSee /ro{}/.x.\n\0def5678 c: d\n", "ot");
        let found = check_messages(&log);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "abc1234");
    }
}
