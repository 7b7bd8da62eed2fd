//! The one place that reads files: sources and folders of patterns.

use std::path::Path;

use crate::error::Error;
use crate::language::Language;
use crate::patterns::{Pattern, Patterns};
use crate::source_file::SourceFile;

/// A pattern's file may not be larger.
const MOST_PATTERN_BYTES: u64 = 1 << 20;

/// Reads and parses a file; `name` is the path that node ids are made of.
///
/// # Errors
///
/// When its extension belongs to no language, it cannot be read, or [`SourceFile::parse`] fails.
pub fn source(path: &Path, name: &str) -> Result<SourceFile, Error> {
    let language =
        Language::by_path(name).ok_or_else(|| Error::UnknownLanguage { path: name.to_owned() })?;
    let bytes = std::fs::read(path).map_err(|source| read(path, source))?;
    SourceFile::parse(name, bytes, language)
}

/// Adds the patterns of a folder to a set: `FOLDER/LANGUAGE/*.scm`, in the order of their names.
/// How many there were.
///
/// # Errors
///
/// When a folder or file cannot be read, or a pattern is wrong; the patterns before it are added.
pub fn patterns(folder: &Path, into: &mut Patterns) -> Result<usize, Error> {
    let mut added = 0;
    for language in Language::all() {
        let folder = folder.join(language.name());
        if !folder.is_dir() {
            continue;
        }
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(|source| read(&folder, source))? {
            let path = entry.map_err(|source| read(&folder, source))?.path();
            if path.extension().is_some_and(|extension| extension == "scm") {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            let size = std::fs::metadata(&path).map_err(|source| read(&path, source))?.len();
            if size > MOST_PATTERN_BYTES {
                let (path, limit) = (path.display().to_string(), MOST_PATTERN_BYTES as usize);
                return Err(Error::TooLarge { path, bytes: size as usize, limit });
            }
            let text = std::fs::read_to_string(&path).map_err(|source| read(&path, source))?;
            into.add(Pattern::parse(&path.display().to_string(), &text, language)?);
            added += 1;
        }
    }
    Ok(added)
}

fn read(path: &Path, source: std::io::Error) -> Error {
    Error::Read { path: path.display().to_string(), source }
}
