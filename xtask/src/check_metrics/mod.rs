//! `cargo xtask check-metrics`: graphs and metrics of real sources, beside other tools.
//!
//! It fetches pinned crates through cargo, takes Go's own library from the installed toolchain, and
//! runs scope-source's examples `check_metrics` and `check_edits` on them, which say what they check.
//! The tools are taken from below `target/`, where `--install` puts them, or from the path; one that
//! is missing is named as not run.

mod tools;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::{cargo, output, run as run_shown, target_dir, which};

/// Options of `cargo xtask check-metrics`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Install the tools below `target/` where they are missing (minutes).
    #[arg(long)]
    install: bool,
}

/// Sources that a crate carries.
struct Carried {
    name: &'static str,
    language: &'static str,
    package: &'static str,
    version: &'static str,
    folder: &'static str,
}

/// A row of [`CRATES`].
const fn carried(
    name: &'static str,
    language: &'static str,
    package: &'static str,
    version: &'static str,
    folder: &'static str,
) -> Carried {
    Carried { name, language, package, version, folder }
}

const CRATES: [Carried; 13] = [
    carried("grep-searcher 0.1.14", "rust", "grep-searcher", "0.1.14", ""),
    carried("grep-printer 0.2.2", "rust", "grep-printer", "0.2.2", ""),
    carried("regex-automata 0.4.18", "rust", "regex-automata", "0.4.18", ""),
    carried("regex-syntax 0.8.11", "rust", "regex-syntax", "0.8.11", ""),
    carried("ignore 0.4.34", "rust", "ignore", "0.4.34", ""),
    carried("serde_json 1.0.154", "rust", "serde_json", "1.0.154", ""),
    carried("tokio 1.54.1", "rust", "tokio", "1.54.1", ""),
    carried("zstd 1.5.7 (C)", "c", "zstd-sys", "2.1.2+zstd.1.5.7", "zstd/lib"),
    carried("zlib of libz-sys 1.1.31 (C)", "c", "libz-sys", "1.1.31", "src/zlib"),
    carried("lz4 1.10.0 (C)", "c", "lz4-sys", "1.11.1+lz4-1.10.0", "liblz4/lib"),
    carried("LevelDB 1.22 (C++)", "cpp", "leveldb-sys", "2.0.9", "deps/leveldb-1.22"),
    carried("Snappy 1.1.7 (C++)", "cpp", "leveldb-sys", "2.0.9", "deps/snappy-1.1.7"),
    carried("libFuzzer (C++)", "cpp", "libfuzzer-sys", "0.4.13", "libfuzzer"),
];

/// Packages of Go's library.
const GO: [&str; 3] = ["net/http", "go/types", "encoding/json"];

/// Fetches, compares, fails where a graph is wrong or too many differences are unexplained.
pub fn run(options: &Options) -> Result<()> {
    let folder = target_dir().join("check-metrics");
    let mut tools: Vec<OsString> = Vec::new();
    for tool in tools::ALL {
        match tool.find(&folder, options.install)? {
            Some(program) => tools.extend([tool.option.into(), program.into()]),
            None => eprintln!("{} is missing; `--install` installs it", tool.name_and_version()),
        }
    }
    let mut projects = crates(&folder)?;
    projects.extend(go()?);
    example("check_metrics", tools.iter().chain(&projects))?;
    println!();
    example("check_edits", projects.iter())
}

/// Runs an example of scope-source.
fn example<'a>(name: &str, arguments: impl Iterator<Item = &'a OsString>) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "scope-source", "--example", name, "--"]);
    run_shown(command.args(arguments))
}

/// Has cargo fetch the crates, as dependencies of a package that is never built.
fn crates(folder: &Path) -> Result<Vec<OsString>> {
    let package = folder.join("sources");
    fs::create_dir_all(package.join("src"))?;
    let mut manifest = "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
                        [workspace]\n[dependencies]\n"
        .to_owned();
    let mut known = Vec::new();
    for Carried { package, version, .. } in CRATES {
        if !known.contains(&package) {
            known.push(package);
            let (number, _) = version.split_once('+').unwrap_or((version, ""));
            manifest += &format!("{package} = \"={number}\"\n");
        }
    }
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::write(package.join("src/lib.rs"), "")?;
    run_shown(cargo().current_dir(&package).args(["fetch", "--quiet"]))?;
    let metadata = output(cargo().current_dir(&package).args(["metadata", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("cargo's metadata names no packages")?;
    let mut arguments = Vec::new();
    for Carried { name, language, package, version, folder } in CRATES {
        let found = packages.iter().find(|one| one["name"] == package && one["version"] == version);
        let manifest = found.and_then(|one| one["manifest_path"].as_str());
        let manifest = manifest.with_context(|| format!("cargo has no {package} {version}"))?;
        let sources = Path::new(manifest).parent().unwrap_or(Path::new(".")).join(folder);
        arguments.push(project(name, language, &sources));
    }
    Ok(arguments)
}

/// Packages of the installed Go's library; none where there is no Go.
fn go() -> Result<Vec<OsString>> {
    if which("go").is_none() {
        eprintln!("Go is missing: its library is not looked at");
        return Ok(Vec::new());
    }
    let root = output(Command::new("go").args(["env", "GOROOT"]))?;
    let version = output(Command::new("go").args(["env", "GOVERSION"]))?;
    let root = PathBuf::from(root.trim()).join("src");
    if !root.is_dir() {
        bail!("{} is missing; on Debian `apt-get install golang-src` installs it", root.display());
    }
    let named = |package: &&str| format!("{package} of {} (Go)", version.trim());
    Ok(GO.iter().map(|package| project(&named(package), "go", &root.join(package))).collect())
}

fn project(name: &str, language: &str, folder: &Path) -> OsString {
    let mut argument = OsString::from(format!("{name}:{language}="));
    argument.push(folder);
    argument
}
