//! Separate debug files: what is asked for, and a driver that looks for it on disk.
//!
//! The places are GDB's: the build id under `/usr/lib/debug/.build-id`, and the name of
//! `.gnu_debuglink` beside the binary, in `.debug/` there, and below `/usr/lib/debug`. All paths are
//! taken below a root (`/proc/PID/root` for a target in another mount namespace). A candidate counts
//! only if its build id, or the checksum of the link, agrees.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::elf;
use crate::file::FileBytes;
use crate::image::{Image, SymbolError};

/// A debug file that a binary points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugFileRequest {
    /// Build id that both share, lower-case hexadecimal.
    pub build_id: Option<String>,
    /// `.gnu_debuglink`: file name and CRC-32 of the whole file.
    pub link: Option<(String, u32)>,
}

/// Looks for the debug files of one binary.
#[derive(Clone, Debug)]
pub struct DebugFiles {
    root: PathBuf,
    binary: PathBuf,
}

impl DebugFiles {
    /// `root` is put before every path; `binary` is the binary's path below it.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, binary: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), binary: binary.into() }
    }

    /// The first file that fits, or `None`.
    #[must_use]
    pub fn find(&self, request: &DebugFileRequest) -> Option<FileBytes> {
        for path in self.candidates(request) {
            let Some(bytes) = open(&path) else { continue };
            let fits = match (&request.build_id, &request.link) {
                (Some(wanted), _) if elf::build_id_of(&bytes).as_ref() == Some(wanted) => true,
                (_, Some((_, crc))) => crc32fast::hash(&bytes) == *crc,
                _ => false,
            };
            if fits {
                return Some(bytes);
            }
        }
        None
    }

    /// Where a file is looked for, in order.
    #[must_use]
    pub fn candidates(&self, request: &DebugFileRequest) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let below = |path: &Path| self.root.join(path.strip_prefix("/").unwrap_or(path));
        let debug = Path::new("/usr/lib/debug");
        if let Some(id) = request.build_id.as_deref()
            && id.len() > 2
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            let (first, rest) = id.split_at(2);
            found.push(below(&debug.join(".build-id").join(first).join(format!("{rest}.debug"))));
        }
        if let Some((name, _)) = &request.link
            && !name.is_empty()
            && !name.contains('/')
            && name != ".."
        {
            let folder = self.binary.parent().unwrap_or(Path::new("/"));
            // A binary that links to a file of its own name would find itself.
            let beside = folder.join(name);
            if beside != self.binary {
                found.push(below(&beside));
            }
            found.push(below(&folder.join(".debug").join(name)));
            let inside = folder.strip_prefix("/").unwrap_or(folder);
            found.push(below(&debug.join(inside).join(name)));
            // Where /usr is merged the package may know the file by either path.
            match inside.strip_prefix("usr") {
                Ok(short) => found.push(below(&debug.join(short).join(name))),
                Err(_) => found.push(below(&debug.join("usr").join(inside).join(name))),
            }
        }
        found
    }
}

/// Maps a file, reads it, and looks for its debug file where that would help. `path` is the name
/// the image gets.
///
/// # Errors
///
/// When the file cannot be mapped, or is no x86-64 program or shared library.
pub fn load_image(path: &str, file: &File, debug_files: &DebugFiles) -> Result<Image, LoadError> {
    let bytes =
        FileBytes::map(file).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    Ok(Image::load(path, &bytes, &mut |request| debug_files.find(request))?)
}

/// Why [`load_image`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be mapped.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is of no use.
    #[error(transparent)]
    Symbols(#[from] SymbolError),
}

fn open(path: &Path) -> Option<FileBytes> {
    FileBytes::map(&File::open(path).ok()?).ok()
}
