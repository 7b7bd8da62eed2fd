//! Separate debug files: what is asked for, and a driver that looks for it on disk.
//!
//! The places are GDB's: the build id under `/usr/lib/debug/.build-id`, and the name of
//! `.gnu_debuglink` beside the binary, in `.debug/` there, and below `/usr/lib/debug`. All paths are
//! taken below a root (`/proc/PID/root` for a target in another mount namespace). A candidate counts
//! only if its build id, or the checksum of the link, agrees.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::code::FileRequest;
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

    /// A file other than the debug file itself, for [`CodeTables`](crate::code::CodeTables). What is
    /// found is not yet known to fit.
    #[must_use]
    pub fn find_part(&self, request: &FileRequest) -> Option<FileBytes> {
        self.part_candidates(request).iter().find_map(|path| open(path))
    }

    /// Where [`DebugFiles::find_part`] looks, in order.
    #[must_use]
    pub fn part_candidates(&self, request: &FileRequest) -> Vec<PathBuf> {
        let folder = self.binary.parent().unwrap_or(Path::new("/"));
        match request {
            FileRequest::Debug(request) => self.candidates(request),
            FileRequest::Package => {
                let mut name = self.binary.as_os_str().to_owned();
                name.push(".dwp");
                vec![self.below(Path::new(&name))]
            }
            FileRequest::Split { compiled_in, name, .. } => {
                let built = Path::new(compiled_in).join(name);
                let mut found = vec![self.below(&built), self.below(&folder.join(name))];
                let moved = built.file_name().map(|name| self.below(&folder.join(name)));
                found.extend(moved);
                found
            }
            FileRequest::Supplementary { name, build_id } => {
                let id = Some(build_id.clone()).filter(|id| !id.is_empty());
                let by_id = DebugFileRequest { build_id: id, link: None };
                let mut found = self.candidates(&by_id);
                let inside = folder.strip_prefix("/").unwrap_or(folder);
                let debug = Path::new("/usr/lib/debug");
                // A name is relative to the debug file, which may lie in any of its places; of the
                // folders of build ids one is as good as another.
                for folder in [
                    folder.to_owned(),
                    folder.join(".debug"),
                    debug.join(inside),
                    debug.join(".build-id/00"),
                ] {
                    found.push(self.below(&resolved(&folder.join(name))));
                }
                found
            }
        }
    }

    fn below(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where a file is looked for, in order.
    #[must_use]
    pub fn candidates(&self, request: &DebugFileRequest) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let below = |path: &Path| self.below(path);
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

/// The path with `..` taken away by the text: folders on the way need not exist.
fn resolved(path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            other => resolved.push(other),
        }
    }
    resolved
}

/// Names come from files that are not trusted: what is no plain file is not even opened.
fn open(path: &Path) -> Option<FileBytes> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    FileBytes::map(&File::open(path).ok()?).ok()
}
