//! What is to be recorded: a process, checked, and the files it is made of.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rayon::prelude::*;
use scope_model::{Module, ModuleId};
use scope_symbols::process::{self, FileStatus, Mappings, ProcessModule};
use scope_symbols::{DebugFiles, FileBytes, Image};

/// Folders searched for libraries by name that are not mapped yet.
const LIBRARY_FOLDERS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/local/lib",
    "/lib64",
    "/usr/lib64",
    "/usr/lib",
];

/// Libraries that hold unwinders and may be loaded only when the first stack is unwound.
const UNWINDERS: [&str; 5] =
    ["libgcc_s.so.1", "libstdc++.so.6", "libc++abi.so.1", "libunwind.so.1", "libunwind.so.8"];

/// A file with functions.
#[derive(Debug)]
pub struct LoadedModule {
    /// As the trace names it.
    pub module: Module,
    /// The very file that is or will be mapped.
    pub file: File,
    /// Its symbols.
    pub image: Image,
    /// Where its debug files are looked for.
    pub debug_files: DebugFiles,
}

/// The files of a target.
#[derive(Debug)]
pub struct Files {
    /// The modules functions are chosen from; the main executable first.
    pub modules: Vec<LoadedModule>,
    /// Further files that are mapped, or that hold unwinders: where the guard stands, and where a name may
    /// be found that the modules do not have.
    pub others: Vec<LoadedModule>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Files {
    /// The images that a plan looks at, with the main executable's id; `None` without one.
    #[must_use]
    pub fn images(&self) -> Option<(ModuleId, Vec<(ModuleId, &Image)>)> {
        let all = self.modules.iter().chain(&self.others);
        let images =
            all.enumerate().map(|(id, module)| (ModuleId(id as u32), &module.image)).collect();
        Some((self.modules.first()?.module.id, images))
    }

    /// Paths of the modules besides the main executable.
    #[must_use]
    pub fn named(&self) -> Vec<String> {
        self.modules.iter().skip(1).map(|module| module.image.path.clone()).collect()
    }
}

/// Refuses what cannot be traced, saying why.
///
/// # Errors
///
/// For no process, a thread, a kernel thread, an ended or a 32-bit process, and scope itself.
pub fn check(pid: u32) -> anyhow::Result<()> {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else {
        bail!("no process {pid}: it has ended or never was; `ps -e` lists the running ones");
    };
    let field = |name: &str| field(&status, name);
    let leader: u32 = field("Tgid").parse().unwrap_or(pid);
    ensure!(
        leader == pid,
        "{pid} is a thread of process {leader}; trace {leader}, which records all its threads"
    );
    ensure!(!field("State").starts_with(['Z', 'X']), "process {pid} has ended already");
    ensure!(pid != std::process::id(), "{pid} is scope itself; choose another process");
    let unreadable = |error| {
        or_ended(pid, anyhow::Error::new(error).context(format!("cannot tell what {pid} is")))
    };
    ensure!(
        !process::is_kernel_thread(pid).map_err(unreadable)?,
        "{pid} ({}) is a kernel thread, which has no functions of a program; choose a user process",
        field("Name")
    );
    ensure!(
        !process::is_32_bit(pid).map_err(unreadable)?,
        "process {pid} ({}) is a 32-bit program; only 64-bit ones can be traced",
        field("Name")
    );
    Ok(())
}

/// What an error means when the process that it is about ends meanwhile: any file of `/proc` may be gone
/// half way.
#[must_use]
pub fn or_ended(pid: u32, error: anyhow::Error) -> anyhow::Error {
    let lives = fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| !field(&status, "State").starts_with(['Z', 'X']));
    if lives { error } else { error.context(format!("process {pid} ended before it was recorded")) }
}

/// A field of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map_or("", str::trim)
}

/// The files of a running process: the main executable and the modules named.
///
/// # Errors
///
/// When one cannot be read, or a named module is nowhere.
pub fn of_process(pid: u32, names: &[String]) -> anyhow::Result<Files> {
    files_of(pid, names).map_err(|error| or_ended(pid, error))
}

fn files_of(pid: u32, names: &[String]) -> anyhow::Result<Files> {
    let mappings = process::modules(pid)
        .with_context(|| format!("cannot read the mappings of process {pid}"))?;
    let main = process::main_module(pid, &mappings)
        .with_context(|| format!("cannot find the executable of process {pid}"))?
        .with_context(|| format!("process {pid} has no executable mapped; it is ending"))?;
    let mut warnings = Vec::new();
    let mut wanted = vec![main];
    let mut unmapped = Vec::new();
    for name in names {
        match mappings.modules.iter().position(|module| is_named(module, name)) {
            Some(index) if wanted.contains(&index) => {}
            Some(index) => wanted.push(index),
            None => unmapped.push(name),
        }
    }
    for index in &wanted {
        warn_of_change(pid, &mappings.modules[*index], &mut warnings);
    }
    let root = process::root(pid);
    let mut modules = Vec::new();
    for index in &wanted {
        modules.push(load_mapped(pid, &mappings.modules[*index], Debug::Wanted)?);
    }
    for name in unmapped {
        let path = find_library(&root, name).with_context(|| not_found(name, &mappings))?;
        warnings.push(format!("{name} is not loaded yet; its functions are probed for when it is"));
        modules.push(load_file(&root, &path, Debug::Wanted)?);
    }
    let mapped: Vec<LoadedModule> = mappings
        .modules
        .par_iter()
        .enumerate()
        .filter(|(index, _)| !wanted.contains(index))
        // A file that is no program (a mapped font) has no unwinder.
        .filter_map(|(_, module)| load_mapped(pid, module, Debug::Unwanted).ok())
        .collect();
    let others = with_unloaded_unwinders(&root, mapped);
    Ok(numbered(Files { modules, others, warnings }))
}

/// The files of a command that is about to be run.
///
/// # Errors
///
/// As [`of_process`]; a script has no functions.
pub fn of_command(program: &Path, names: &[String]) -> anyhow::Result<Files> {
    let root = Path::new("/");
    let mut modules = vec![load_file(root, program, Debug::Wanted)?];
    for name in names {
        let path = find_library(root, name).with_context(|| {
            format!("no library {name} in the usual folders; give --module the path of the file")
        })?;
        modules.push(load_file(root, &path, Debug::Wanted)?);
    }
    let others = with_unloaded_unwinders(root, Vec::new());
    Ok(numbered(Files { modules, others, warnings: Vec::new() }))
}

/// The file that a command name stands for, as a shell would find it.
///
/// # Errors
///
/// When there is none, or it is a script.
pub fn find_program(name: &OsString) -> anyhow::Result<PathBuf> {
    let given = Path::new(name);
    let runs = |path: &Path| {
        fs::metadata(path)
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let path = if given.components().count() > 1 || name.to_string_lossy().contains('/') {
        given.to_path_buf()
    } else {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders)
            .map(|folder| folder.join(given))
            .find(|path| runs(path))
            .with_context(|| format!("no command {}: not found in PATH", given.display()))?
    };
    let head = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(runs(&path), "{} is not executable", path.display());
    if let Some(line) = head.strip_prefix(b"#!") {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let interpreter = String::from_utf8_lossy(&line[..end]).trim().to_owned();
        bail!(
            "{} is a script for {interpreter}; trace that: scope trace -- {interpreter} {}",
            path.display(),
            path.display()
        );
    }
    Ok(path)
}

/// Whether separate debug files are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Debug {
    Wanted,
    Unwanted,
}

fn load_mapped(pid: u32, module: &ProcessModule, debug: Debug) -> anyhow::Result<LoadedModule> {
    let (file, opened) = process::open(pid, module)
        .with_context(|| format!("cannot open {} of process {pid}", module.path))?;
    let root = process::root(pid);
    load(&module.path, file, DebugFiles::new(root, &module.path), debug)
        .with_context(|| format!("opened as {}", opened.display()))
}

fn load_file(root: &Path, path: &Path, debug: Debug) -> anyhow::Result<LoadedModule> {
    let inside = root.join(path.strip_prefix("/").unwrap_or(path));
    let inside = if path.is_absolute() { inside } else { path.to_path_buf() };
    let file = File::open(&inside).with_context(|| format!("cannot open {}", inside.display()))?;
    let name = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let name = name.display().to_string();
    load(&name, file, DebugFiles::new(root, &name), debug)
}

fn load(path: &str, file: File, files: DebugFiles, debug: Debug) -> anyhow::Result<LoadedModule> {
    let bytes = FileBytes::map(&file).with_context(|| format!("cannot map {path}"))?;
    let image = Image::load(path, &bytes, &mut |request| match debug {
        Debug::Wanted => files.find(request),
        Debug::Unwanted => None,
    })?;
    let build_id = image.build_id.clone();
    Ok(LoadedModule {
        module: Module { id: ModuleId(0), path: path.to_owned(), build_id },
        file,
        image,
        debug_files: files,
    })
}

fn numbered(mut files: Files) -> Files {
    for (index, module) in files.modules.iter_mut().enumerate() {
        module.module.id = ModuleId(index as u32);
    }
    files
}

fn is_named(module: &ProcessModule, name: &str) -> bool {
    if name.contains('/') {
        return module.path == name
            || fs::canonicalize(name).is_ok_and(|path| path == Path::new(&module.path));
    }
    let file = module.name();
    // libfoo, libfoo.so and foo all name libfoo.so.1.
    file == name
        || file.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
        || file
            .strip_prefix("lib")
            .and_then(|file| file.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(".so"))
}

fn find_library(root: &Path, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        let path = PathBuf::from(name);
        let inside = root.join(path.strip_prefix("/").unwrap_or(&path));
        return (inside.is_file() || path.is_file()).then_some(path);
    }
    LIBRARY_FOLDERS
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| root.join(path.strip_prefix("/").unwrap_or(path)).is_file())
}

fn not_found(name: &str, mappings: &Mappings) -> String {
    let loaded: Vec<&str> = mappings.modules.iter().map(ProcessModule::name).collect();
    format!(
        "no module {name} in the process or the usual folders; loaded are {}; give the path of a \
         library that is loaded later",
        loaded.join(", ")
    )
}

fn warn_of_change(pid: u32, module: &ProcessModule, warnings: &mut Vec<String>) {
    match process::status(pid, module) {
        Ok(FileStatus::Deleted) => warnings.push(format!(
            "{} was deleted since the process started; the mapped file is traced",
            module.path
        )),
        Ok(FileStatus::Replaced { .. }) => warnings.push(format!(
            "{} was replaced since the process started; the mapped file is traced, not the new one",
            module.path
        )),
        _ => {}
    }
}

/// Unwinders that a target loads only when it needs one stand guard from the start.
fn with_unloaded_unwinders(root: &Path, mapped: Vec<LoadedModule>) -> Vec<LoadedModule> {
    let mut others = mapped;
    for name in UNWINDERS {
        if others.iter().any(|module| module.module.name() == name) {
            continue;
        }
        if let Some(path) = find_library(root, name)
            && let Ok(module) = load_file(root, &path, Debug::Unwanted)
        {
            others.push(module);
        }
    }
    others
}
