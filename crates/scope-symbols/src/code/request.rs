//! The files that the tables are made of, besides the binary itself.

use crate::debug_file::DebugFileRequest;

/// A file that would add something, asked for while tables are built. What is answered is checked;
/// a file of another build is as good as none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileRequest {
    /// The separate debug file.
    Debug(DebugFileRequest),
    /// The supplementary file that several debug files share (`dwz -m`).
    Supplementary {
        /// As the debug file names it: absolute, or relative to its own folder.
        name: String,
        /// Build id, lower-case hexadecimal; empty: unknown.
        build_id: String,
    },
    /// The package of all split units, beside the binary: `BINARY.dwp`.
    Package,
    /// One split unit (`.dwo`).
    Split {
        /// Folder in which the compiler ran.
        compiled_in: String,
        /// Name, relative to that folder or absolute.
        name: String,
        /// Id that the file must carry.
        id: u64,
    },
}

impl FileRequest {
    /// The file, as a person would name it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Debug(request) => match (&request.link, &request.build_id) {
                (Some((name, _)), _) => name.clone(),
                (None, Some(id)) => format!("debug file of build id {id}"),
                (None, None) => "debug file".to_owned(),
            },
            Self::Supplementary { name, .. } | Self::Split { name, .. } => name.clone(),
            Self::Package => "package of split units".to_owned(),
        }
    }
}
