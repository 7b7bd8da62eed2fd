//! `cargo xtask ebpf`: builds the kernel half.
//!
//! The built object is committed beside its sources, so that everybody else needs stable Rust
//! alone. `scope.bpf.sources` beside it says what it was built from: a test compares that with
//! the sources, by content and not by time, since a checkout gives every file the same age.

mod linker;
pub mod sources;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::project::{is_executable, root, run as run_command, shown, target_dir, which};
use toolchain::Toolchain;

const TARGET: &str = "bpfel-unknown-none";

/// Options of `cargo xtask ebpf`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Build into the target folder only, leave the committed object as it is, and print the
    /// path of the fresh one (for `SCOPE_BPF_OBJECT`).
    #[arg(long)]
    check: bool,
}

/// Builds the object; with `--check` prints its path as the only line on stdout.
pub fn run(options: &Options) -> Result<()> {
    let toolchain = toolchain::find_or_install()?;
    let linker = linker::find_or_install(&toolchain)?;
    eprintln!("building the kernel half with {toolchain}, {linker}");
    let built = build(&toolchain, &linker.path)?;
    if options.check {
        // Whether that may be committed so is the business of `cargo xtask tidy`.
        if let Err(error) = sources::check() {
            eprintln!("note: {error:#}");
        }
        println!("{}", built.display());
        return Ok(());
    }
    let committed = root().join(sources::OBJECT);
    fs::copy(&built, &committed).with_context(|| format!("cannot write {}", sources::OBJECT))?;
    sources::write(&format!("{toolchain}, {linker}"))?;
    eprintln!("wrote {} and {}", sources::OBJECT, sources::LIST);
    Ok(())
}

/// Compiles `tracer-ebpf` and returns the object.
fn build(toolchain: &Toolchain, linker: &Path) -> Result<PathBuf> {
    let folder = root().join("tracer-ebpf");
    if !folder.join("Cargo.toml").exists() {
        bail!("{} has no Cargo.toml", folder.display());
    }
    let mut cargo = Command::new(&toolchain.cargo);
    clear_cargo_environment(&mut cargo);
    cargo
        .current_dir(&folder)
        .args(["build", "--release", "--locked", "-Z", "build-std=core", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(target_dir().join("ebpf"))
        .env("RUSTC", &toolchain.rustc)
        // Debian's compiler is a stable one that calls itself so; the kernel half needs
        // `build-std`, which is a nightly feature of either.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(toolchain, linker)?.join("\u{1f}"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = cargo.output().with_context(|| format!("cannot run {}", shown(&cargo)))?;
    if !output.status.success() {
        bail!("the kernel half does not build ({})", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let objects: Vec<PathBuf> = messages.lines().filter_map(executable_of).collect();
    match objects.as_slice() {
        [object] => strip(object, toolchain),
        [] => bail!("cargo built the kernel half but names no object"),
        several => bail!("the kernel half has {} objects; one is expected", several.len()),
    }
}

/// What cargo was told by whoever runs this program is about the host, not about BPF.
fn clear_cargo_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let kept = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_TERM_COLOR", "CARGO_HTTP_CAINFO"];
        let about_cargo = ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTDOC"];
        if about_cargo.iter().any(|prefix| text.starts_with(prefix))
            && !kept.contains(&text.as_ref())
            && !text.starts_with("CARGO_REGISTR")
            && !text.starts_with("CARGO_SOURCE")
        {
            command.env_remove(&name);
        }
    }
}

fn rust_flags(toolchain: &Toolchain, linker: &Path) -> Result<Vec<String>> {
    let mut flags = vec![
        "-Cdebuginfo=2".to_owned(),
        format!("-Clinker={}", utf8(linker)?),
        "-Clink-arg=--btf".to_owned(),
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
    ];
    // Paths of the machine end up in debug info and panic messages; they would make the object
    // differ from one machine to the next.
    let mut places = vec![(root(), "."), (toolchain.sysroot.join("lib/rustlib/src/rust"), "/rust")];
    // Sources of registry crates lie in a folder an index, named for the index.
    let registry = cargo_home()?.join("registry/src");
    for index in registry.read_dir().into_iter().flatten().flatten() {
        places.push((index.path(), "/crates"));
    }
    // The compiler may see the sources through a link, and names whichever it sees.
    for place in places.clone() {
        if let Ok(real) = place.0.canonicalize()
            && real != place.0
        {
            places.push((real, place.1));
        }
    }
    for (from, to) in places {
        flags.push(format!("--remap-path-prefix={}={to}", utf8(&from)?));
    }
    Ok(flags)
}

/// Takes the DWARF out, which nobody reads: the kernel and the loader use the BTF, which stays.
fn strip(object: &Path, toolchain: &Toolchain) -> Result<PathBuf> {
    let stripped = object.with_file_name("scope.bpf.o");
    run_command(Command::new(objcopy(toolchain)?).arg("--strip-debug").arg(object).arg(&stripped))?;
    Ok(stripped)
}

/// LLVM's objcopy: rustup's toolchains bring one, Debian's comes with LLVM.
fn objcopy(toolchain: &Toolchain) -> Result<PathBuf> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let candidates = [
        Some(toolchain.sysroot.join(format!("lib/rustlib/{host}/bin/rust-objcopy"))),
        Some(format!("/usr/lib/llvm-{}/bin/llvm-objcopy", toolchain.llvm).into()),
        which(&format!("llvm-objcopy-{}", toolchain.llvm)),
        which("llvm-objcopy"),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|file| is_executable(file))
        .context("llvm-objcopy is missing; it comes with the LLVM tools of your system")
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("the home folder is unknown; set CARGO_HOME")?;
    Ok(home.join(".cargo"))
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The object a line of cargo's JSON tells of, if it does.
fn executable_of(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    // Build scripts are executables too, of the host.
    let kinds = message["target"]["kind"].as_array()?;
    if !kinds.iter().any(|kind| kind == "bin") {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}
