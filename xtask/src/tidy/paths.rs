//! No text names a place of the machine it was written on.

use anyhow::Result;

use super::Problem;
use super::tree::Tree;

/// Folders of a machine. In two parts, so that this file does not name them itself. A home counts
/// by the hidden folders that tools keep there: its bare name also stands for other roots.
const PLACES: [(&str, &str); 2] = [("/ro", "ot/."), ("/wo", "rk/")];

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    Ok(tree
        .texts("")
        .flat_map(|(file, text)| text.lines().enumerate().map(move |line| (file, line)))
        .filter_map(|(file, (index, line))| {
            let path = machine_path(line)?;
            Some(Problem::at(file, index + 1, format!("names `{path}…`")))
        })
        .collect())
}

/// The first folder of [`PLACES`] that `text` names from the root on. Behind another path, as in
/// `/proc/PID/root/`, it is something else.
pub(super) fn machine_path(text: &str) -> Option<String> {
    PLACES.iter().map(|(a, b)| format!("{a}{b}")).find(|place| {
        text.match_indices(place.as_str()).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "_-./}>*".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_from_the_root_on_counts() {
        let root = format!("/ro{}/.", "ot");
        for (text, found) in [
            (format!("see {root}x"), true),
            (format!("\"{root}x\""), true),
            (format!("/proc/self{root}x"), false),
            (format!("/proc/{{pid}}{root}x"), false),
            ("/root-cause".to_owned(), false),
        ] {
            assert_eq!(machine_path(&text).is_some(), found, "{text}");
        }
    }
}
