//! Bookmarks: moments of a trace that somebody gave a name, kept as JSON in the trace's folder, or in
//! the user's state folder for a trace that is packed or cannot be written.
//!
//! They are no part of the recording: no other file says that they are there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use scope_store::Trace;
use scope_timeline::Bookmarks;
use serde::{Deserialize, Serialize};

/// Its name in the folder of a trace.
const FILE: &str = "bookmarks.json";
/// Larger files are refused: nobody writes so many by hand.
const MOST_BYTES: u64 = 1 << 20;
/// Version of the file.
const VERSION: u32 = 1;

/// A named moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// Number of the event that comes next.
    pub moment: u64,
    /// Time of the moment since the start of the trace, ns.
    pub t_ns: i64,
    /// What somebody noted about it; may be empty.
    #[serde(default)]
    pub note: String,
}

/// Bookmarks by name.
pub type Named = BTreeMap<String, Bookmark>;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    bookmarks: Named,
}

/// The bookmarks of a trace, and where they may be kept.
#[derive(Debug)]
pub struct Kept {
    /// Where bookmarks are looked for, those that count least first.
    places: Vec<PathBuf>,
    /// By place.
    named: Vec<Named>,
}

impl Kept {
    /// Reads the bookmarks of a trace.
    pub fn of(trace: &Trace) -> anyhow::Result<Self> {
        let mut places = Vec::new();
        if trace.path().is_dir() {
            places.push(trace.path().join(FILE));
        }
        let manifest = trace.manifest();
        let own = format!("{}-{}.json", manifest.created_unix_ns, manifest.target.pid);
        places.extend(state_folder().map(|folder| folder.join("bookmarks").join(own)));
        let named = places.iter().map(|path| read(path)).collect::<anyhow::Result<_>>()?;
        Ok(Self { places, named })
    }

    /// All of them. What the user keeps apart counts more than what is in the trace.
    pub fn all(&self) -> Named {
        self.named.iter().flat_map(Clone::clone).collect()
    }

    /// As the timeline takes them.
    pub fn moments(&self) -> Bookmarks {
        Bookmarks(self.all().into_iter().map(|(name, mark)| (name, mark.moment)).collect())
    }

    /// Keeps a bookmark, in the place of one of that name. Returns the file it is in.
    pub fn put(mut self, name: &str, bookmark: Bookmark) -> anyhow::Result<PathBuf> {
        let mut last = None;
        for number in 0..self.places.len() {
            let mut named = self.named[number].clone();
            named.insert(name.to_owned(), bookmark.clone());
            match write(&self.places[number], &named) {
                Ok(()) => {
                    // An older one elsewhere would hide it.
                    for other in (0..self.places.len()).filter(|other| *other != number) {
                        if self.named[other].remove(name).is_some() {
                            write(&self.places[other], &self.named[other])?;
                        }
                    }
                    return Ok(self.places.swap_remove(number));
                }
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => bail!("nowhere to keep a bookmark: set HOME or XDG_STATE_HOME"),
        }
    }

    /// Removes a bookmark; whether there was one.
    pub fn remove(mut self, name: &str) -> anyhow::Result<bool> {
        let mut any = false;
        for (path, named) in self.places.iter().zip(&mut self.named) {
            if named.remove(name).is_some() {
                write(path, named)?;
                any = true;
            }
        }
        Ok(any)
    }
}

/// Where the user's own files about traces are kept.
pub fn state_folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("scope"))
}

fn read(path: &Path) -> anyhow::Result<Named> {
    let context = || format!("cannot read the bookmarks in {}", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        // A state folder of somebody else has nothing for this user.
        Err(error)
            if [ErrorKind::NotFound, ErrorKind::PermissionDenied].contains(&error.kind()) =>
        {
            return Ok(Named::new());
        }
        Err(error) => return Err(error).with_context(context),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).with_context(context)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{}: it is larger than any list of bookmarks; move it away", context());
    }
    let document: Document = serde_json::from_slice(&bytes).with_context(context)?;
    if document.version > VERSION {
        bail!("{}: it is of a newer scope; use that", context());
    }
    Ok(document.bookmarks)
}

/// Replaces a file as a whole; one without bookmarks goes.
fn write(path: &Path, named: &Named) -> anyhow::Result<()> {
    let context = || format!("cannot keep bookmarks in {}", path.display());
    if named.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(context),
            _ => Ok(()),
        };
    }
    // The trace's own folder is there; the user's is made.
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    let document = Document { version: VERSION, bookmarks: named.clone() };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
        .with_context(context)
}
