//! Workloads as programs: built from tests/workloads with the flags a test names, once a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// Flags with which C workloads are built unless a test says otherwise.
pub const C_FLAGS: &[&str] = &["-O1", "-g"];
/// Functions begin with a nop of five bytes, which new kernels turn into a call.
pub const NOP5_FLAGS: &[&str] =
    &["-O1", "-g", "-no-pie", "-fno-pie", "-pg", "-mfentry", "-mnop-mcount"];
/// The same as [`C_FLAGS`] for C++.
pub const CPP_FLAGS: &[&str] = &["-O2", "-g", "-std=c++17"];
/// And for Rust.
pub const RUST_FLAGS: &[&str] = &["-Copt-level=2", "-g"];

/// A language's compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Compiler {
    C,
    Cpp,
    Rust,
}

/// A built workload.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

/// Builds the C workload `name` with the default flags.
#[expect(non_snake_case, reason = "reads as the language's name where it is called")]
pub fn C(name: &str) -> Program {
    Program::c(name, C_FLAGS)
}

impl Program {
    /// Builds the C workload `name`.
    pub fn c(name: &str, flags: &[&str]) -> Self {
        Self::build(Compiler::C, name, flags)
    }

    /// Builds the C++ workload `name`.
    pub fn cpp(name: &str, flags: &[&str]) -> Self {
        Self::build(Compiler::Cpp, name, flags)
    }

    /// Builds the Rust workload `name`.
    pub fn rust(name: &str, flags: &[&str]) -> Self {
        Self::build(Compiler::Rust, name, flags)
    }

    /// Where the executable (or library) is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn build(compiler: Compiler, name: &str, flags: &[&str]) -> Self {
        type Key = (Compiler, String, Vec<String>);
        type Slot = Arc<OnceLock<PathBuf>>;
        static BUILT: Mutex<Option<HashMap<Key, Slot>>> = Mutex::new(None);
        let key = (compiler, name.to_owned(), flags.iter().map(|&flag| flag.to_owned()).collect());
        let slot = {
            let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let built = built.get_or_insert_default();
            let number = built.len();
            let slot: &Slot = built.entry(key).or_default();
            (number, Arc::clone(slot))
        };
        let path = slot.1.get_or_init(|| compile(compiler, name, flags, slot.0)).clone();
        Self { path }
    }
}

fn compile(compiler: Compiler, name: &str, flags: &[&str], number: usize) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let folder = run_folder().join(number.to_string());
    std::fs::create_dir_all(&folder).expect("cargo made the folder above");
    let program = folder.join(name);
    let source = sources.join(name);
    match compiler {
        Compiler::Rust => {
            let mut command = Command::new("rustc");
            command.arg(source.with_extension("rs")).args(["--edition", "2024"]).args(flags);
            run(command.arg("-o").arg(&program));
        }
        Compiler::C | Compiler::Cpp => {
            let (compiler, extension) =
                if compiler == Compiler::C { ("cc", "c") } else { ("g++", "cpp") };
            let object = program.with_extension("o");
            let mut command = Command::new(compiler);
            command.arg("-c").arg(source.with_extension(extension)).args(["-w", "-pthread"]);
            run(command.args(flags).arg("-o").arg(&object));
            // `-pg` places nops in the code; at the link it would add a profiler.
            let flags = flags.iter().filter(|flag| **flag != "-pg");
            let mut command = Command::new(compiler);
            run(command.arg(&object).arg("-pthread").args(flags).arg("-o").arg(&program));
        }
    }
    program
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder of this run, with a folder for each variant below: programs keep their plain names, and
/// none is written to while another run executes it. Removes those of runs that have ended.
fn run_folder() -> PathBuf {
    const PREFIX: &str = "workloads-";
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let own = std::process::id();
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    all.join(format!("{PREFIX}{own}"))
}
