//! The driver: tables of a file on disk, from the cache or built.

use std::fs::File;

use super::build::{BuildError, Progress};
use super::cache::{CacheKey, CodeCache};
use super::request::FileRequest;
use super::tables::CodeTables;
use crate::debug_file::{DebugFiles, LoadError};
use crate::elf::Elf;
use crate::file::FileBytes;
use crate::image::SymbolError;

/// Tables, and where they come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The tables.
    pub tables: CodeTables,
    /// They were in the cache.
    pub from_cache: bool,
}

/// The tables of a file: from the cache where it has them, else built, and stored there unless a file
/// was missing that may be found another time. A cache that cannot be written is none.
///
/// `path` names the file in errors; `progress` is told while tables are built.
///
/// # Errors
///
/// When the file cannot be mapped, or is no x86-64 program or shared library.
pub fn load_code(
    path: &str,
    file: &File,
    debug_files: &DebugFiles,
    cache: Option<&CodeCache>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Loaded, LoadError> {
    let bytes =
        FileBytes::map(file).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    let mut debug_file = {
        let elf = Elf::parse(path, &bytes)?;
        let wanted = !(elf.has_dwarf() && elf.has_symbol_table());
        let request = wanted.then(|| elf.debug_file_request()).flatten();
        request.and_then(|request| debug_files.find(&request))
    };
    let cached = cache.map(|cache| (cache, CacheKey::of(&bytes, debug_file.as_deref())));
    if let Some((cache, key)) = &cached
        && let Some(tables) = cache.load(key)
    {
        return Ok(Loaded { tables, from_cache: true });
    }
    let mut find = |request: &FileRequest| match request {
        FileRequest::Debug(_) => debug_file.take(),
        other => debug_files.find_part(other),
    };
    let tables =
        CodeTables::build(path, &bytes, &mut find, progress).map_err(|error| match error {
            BuildError::Symbols(error) => error,
            // More than 4 GiB of names: of a file of this size the format has no room for all.
            BuildError::Tables(error) => {
                SymbolError::Damaged { path: path.to_owned(), what: error.to_string() }
            }
        })?;
    if let Some((cache, key)) = &cached
        && tables.facts().missing.is_empty()
    {
        // The next run builds them again: nothing else is lost.
        let _ = cache.store(key, &tables);
    }
    Ok(Loaded { tables, from_cache: false })
}
