//! Tables of earlier runs, kept by build id, so that a second look at a binary starts at once.
//!
//! A file of the cache is named after what it was made of ([`CacheKey`]) and the format's version; it
//! holds the tables as they are used, behind a checksum. It is written aside and renamed, so a
//! reader sees all of it or nothing. What cannot be read counts as absent, and is written anew.
//! Beyond the limit the files that were not used for longest go first.
//!
//! The folder belongs to the user who runs the program. Under `sudo` that is root: where the
//! environment still points to the invoking user's folder, `/var/cache/scope` is used, since root
//! must not follow paths that others can change.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::format::TABLES_VERSION;
use super::tables::CodeTables;
use crate::elf;
use crate::file::FileBytes;

/// Bytes that a user's cache may take.
pub const DEFAULT_LIMIT: u64 = 2 << 30;

/// Ending of the files.
const ENDING: &str = "tables";

/// Age from which an unfinished file is rubbish.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What tables are made of, as a file name: a build id and the shape of the files, since a stripped
/// binary shares its build id with the whole one; the hash of the contents where there is no id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// For a binary, and the debug file that is read with it.
    #[must_use]
    pub fn of(binary: &[u8], debug_file: Option<&[u8]>) -> Self {
        let mut hash = Sha256::new();
        for bytes in [Some(binary), debug_file].into_iter().flatten() {
            hash.update((bytes.len() as u64).to_le_bytes());
            match (elf::build_id_of(bytes), elf::section_headers(bytes)) {
                (Some(_), Some(headers)) => hash.update(headers),
                _ => hash.update(bytes),
            }
        }
        let id = elf::build_id_of(binary).unwrap_or_else(|| "none".to_owned());
        let hash = elf::hexadecimal(&hash.finalize()[..8]);
        // A build id may be of any length; as a name the beginning is enough beside the hash.
        Self(format!("{}-{hash}", &id[..id.len().min(64)]))
    }
}

/// A folder of tables.
#[derive(Clone, Debug)]
pub struct CodeCache {
    folder: PathBuf,
    limit: u64,
}

impl CodeCache {
    /// A cache in a folder, of at most `limit` bytes. The folder is made when something is stored.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, limit: u64) -> Self {
        Self { folder: folder.into(), limit }
    }

    /// The user's cache: `$XDG_CACHE_HOME/scope`, or `~/.cache/scope`; `None` where there is no place.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let user = rustix::process::geteuid().as_raw();
        let folder = user_folder(&|name| std::env::var_os(name), user)?;
        Some(Self::new(folder.join("code"), DEFAULT_LIMIT))
    }

    /// Where the files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The tables of a key. Marks them as used.
    #[must_use]
    pub fn load(&self, key: &CacheKey) -> Option<CodeTables> {
        let file = File::open(self.path(key)).ok()?;
        let tables = CodeTables::open(FileBytes::map(&file).ok()?).ok()?;
        // Without the mark they go earlier than they should: no reason to refuse them.
        let _ = file.set_modified(SystemTime::now());
        Some(tables)
    }

    /// Keeps tables, and removes the oldest where there is too much. Tables that alone exceed the
    /// limit are not kept.
    ///
    /// # Errors
    ///
    /// When the folder or the file cannot be written.
    pub fn store(&self, key: &CacheKey, tables: &CodeTables) -> io::Result<()> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let size = tables.as_bytes().len() as u64;
        if size > self.limit {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.make_room(self.limit - size);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let aside = self.folder.join(format!("{}-{number}.tmp", std::process::id()));
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)
            .and_then(|mut file| file.write_all(tables.as_bytes()))
            .and_then(|()| fs::rename(&aside, self.path(key)));
        if written.is_err() {
            // Nothing is lost with it.
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn path(&self, key: &CacheKey) -> PathBuf {
        self.folder.join(format!("{}.v{TABLES_VERSION}.{ENDING}", key.0))
    }

    /// Removes the files that were not used for longest, until `limit` bytes are left at most.
    fn make_room(&self, limit: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let now = SystemTime::now();
        let mut files = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let ending = path.extension().and_then(|ending| ending.to_str());
            let age = now.duration_since(used).unwrap_or_default();
            match ending {
                Some(ENDING) => files.push((used, metadata.len(), path)),
                Some("tmp") if age > ABANDONED => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= limit {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                total -= size;
            }
        }
    }
}

/// The folder that the environment names, if it is the user's own.
fn user_folder(variable: &dyn Fn(&str) -> Option<OsString>, user: u32) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let owner = base
        .as_deref()
        .and_then(|base| base.ancestors().find_map(|path| Some(fs::metadata(path).ok()?.uid())));
    match base {
        Some(base) if owner == Some(user) => Some(base.join("scope")),
        _ if user == 0 => Some(PathBuf::from("/var/cache/scope")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &Path)], user: u32) -> Option<PathBuf> {
        let find = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.as_os_str().to_owned())
        };
        user_folder(&find, user)
    }

    #[test]
    fn the_environment_names_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let user = fs::metadata(home.path()).unwrap().uid();
        let (home, other) = (home.path(), home.path().join("elsewhere"));
        assert_eq!(folder(&[("HOME", home)], user), Some(home.join(".cache/scope")));
        assert_eq!(
            folder(&[("HOME", home), ("XDG_CACHE_HOME", &other)], user),
            Some(other.join("scope"))
        );
        let relative = Path::new("cache");
        let both = [("HOME", home), ("XDG_CACHE_HOME", relative)];
        assert_eq!(folder(&both, user), Some(home.join(".cache/scope")));
    }

    #[test]
    fn the_folder_of_another_user_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let user = fs::metadata(home.path()).unwrap().uid();
        assert_eq!(folder(&[("HOME", home.path())], user + 1), None);
        let others = [("HOME", Path::new("/proc/self/no-such-home"))];
        assert_eq!(folder(&others, user + 1), None);
    }

    #[test]
    fn root_without_a_folder_of_its_own_uses_the_system_one() {
        assert_eq!(folder(&[], 0), Some(PathBuf::from("/var/cache/scope")));
        assert_eq!(folder(&[], 1), None);
    }
}
