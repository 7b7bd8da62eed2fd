//! Compiles small programs in a folder that goes away.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use scope_symbols::{DebugFiles, Image, ImageFunction, load_image};

pub struct Build {
    folder: tempfile::TempDir,
}

impl Build {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command in the folder; its words are separated by spaces.
    pub fn run(&self, command: &str) {
        let mut words = command.split_whitespace();
        let mut process = Command::new(words.next().unwrap());
        let output = process.args(words).current_dir(self.folder.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
    }

    /// Compiles one source file to the program `program`, and reads it.
    pub fn image(&self, compiler: &str, source_name: &str, source: &str) -> Image {
        self.write(source_name, source);
        self.run(&format!("{compiler} {source_name} -o program"));
        self.load("program")
    }

    pub fn load(&self, name: &str) -> Image {
        load(&self.path(name))
    }
}

/// Reads a file; its debug files are looked for below its own folder.
pub fn load(path: &Path) -> Image {
    let name = path.to_str().unwrap();
    load_image(name, &File::open(path).unwrap(), &DebugFiles::new("/", path)).unwrap()
}

#[track_caller]
pub fn function<'i>(image: &'i Image, name: &str) -> &'i ImageFunction {
    let found: Vec<_> = image.functions.iter().filter(|function| function.name == name).collect();
    match found[..] {
        [one] => one,
        _ => panic!(
            "{} functions are called {name}; there are {:?}",
            found.len(),
            image.functions.iter().map(|function| &function.name).collect::<Vec<_>>()
        ),
    }
}
