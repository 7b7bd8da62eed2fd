//! The files of the project: what git has or would take.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::{output, root};

/// One file, with its text when it is text.
#[derive(Debug)]
pub struct File {
    /// Path relative to the top folder, with `/`.
    pub path: String,
    /// `None` when it is not UTF-8.
    pub text: Option<String>,
}

/// All files of the project.
#[derive(Debug)]
pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    /// Reads every file that is committed or could be (not ignored).
    pub fn read() -> Result<Self> {
        let list = output(
            Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(root()),
        )
        .context("the checks need a git checkout")?;
        let mut files = Vec::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // Listed but deleted: not part of the tree any more.
            let Ok(bytes) = fs::read(root().join(path)) else { continue };
            files.push(File { path: path.to_owned(), text: String::from_utf8(bytes).ok() });
        }
        Ok(Self { files })
    }

    /// Text files whose name ends in `suffix`.
    pub fn texts<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(suffix))
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// Whether there is a file or folder of this name.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.iter().any(|file| {
            file.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether `name` is a file or folder at the top.
    pub fn has_at_top(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.path.split('/').next() == Some(name))
    }
}
