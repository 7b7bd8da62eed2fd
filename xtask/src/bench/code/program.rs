//! The program whose tables are built: a crate of parts, each of which repeats four modules
//! (`program/`) with other constants and so other types, that use the standard library as
//! programs do. It is built with the profile of a release that can be traced, once: cargo sees
//! when nothing changed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::run;

/// The modules: name, text.
const MODULES: [(&str, &str); 4] = [
    ("documents", include_str!("program/documents.rs")),
    ("orders", include_str!("program/orders.rs")),
    ("packets", include_str!("program/packets.rs")),
    ("routes", include_str!("program/routes.rs")),
];

/// The line of a module that differs in each copy.
const SEED: &str = "const SEED: u64 = 1;";

/// How large a program is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Crates.
    pub parts: u32,
    /// Copies of each module in each crate.
    pub copies: u32,
}

/// A little more than 20,000 functions with code: a copy of all four modules is some 400, with the
/// instances of generic functions that come with it.
pub const LARGE: Size = Size { parts: 17, copies: 6 };

/// Writes and builds the program below a folder; where it is.
pub fn build(folder: &Path, size: Size) -> Result<PathBuf> {
    let sources = folder.join("program");
    for (path, text) in sources_of(size) {
        write_changed(&sources.join(path), &text)?;
    }
    let target = folder.join("target");
    // Options of the checkout, or of whoever runs this, would make another program.
    run(Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--offline"])
        .current_dir(&sources)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .arg("--target-dir")
        .arg(&target))?;
    Ok(target.join("release/subject"))
}

/// All files, by their paths.
fn sources_of(size: Size) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut manifest = "[package]\nname = \"subject\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                        [workspace]\nmembers = [\"part_*\"]\n\n\
                        [profile.release]\ndebug = true\n\n[dependencies]\n"
        .to_owned();
    let mut main = "fn main() {\n    let seed = std::env::args().count() as u64;\n    \
                    let mut figure = 0_u64;\n"
        .to_owned();
    for part in 0..size.parts {
        let name = format!("part_{part:02}");
        // Writing to a string cannot fail.
        let _ = writeln!(manifest, "{name} = {{ path = \"{name}\" }}");
        let _ = writeln!(main, "    figure = figure.rotate_left(11) ^ {name}::run(seed);");
        let own =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        files.push((Path::new(&name).join("Cargo.toml"), own));
        files.extend(part_of(&name, part * size.copies, size.copies));
    }
    main += "    println!(\"{figure}\");\n}\n";
    files.push(("Cargo.toml".into(), manifest));
    files.push(("src/main.rs".into(), main));
    files
}

/// The sources of a part; its copies are numbered from `first` on.
fn part_of(name: &str, first: u32, copies: u32) -> Vec<(PathBuf, String)> {
    let folder = Path::new(name).join("src");
    let mut files = Vec::new();
    let (mut modules, mut calls) = (String::new(), String::new());
    for number in first..first + copies {
        for (at, (module, text)) in MODULES.iter().enumerate() {
            let seed = (u64::from(number) * 4 + at as u64 + 1) * 7_919;
            let text = text.replacen(SEED, &format!("const SEED: u64 = {seed};"), 1);
            files.push((folder.join(format!("{module}_{number}.rs")), text));
            let _ = writeln!(modules, "pub mod {module}_{number};");
            let _ = write!(calls, " ^ {module}_{number}::run(seed)");
        }
    }
    let run = format!("\npub fn run(seed: u64) -> u64 {{\n    seed{calls}\n}}\n");
    files.push((folder.join("lib.rs"), modules + &run));
    files
}

/// Writes a file where it would be another: cargo goes by the times of files.
fn write_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_has_a_seed_of_its_own() {
        let files = sources_of(Size { parts: 2, copies: 3 });
        let mut seeds: Vec<&str> = files
            .iter()
            .filter_map(|(_, text)| text.lines().find(|line| line.starts_with("const SEED")))
            .collect();
        assert_eq!(seeds.len(), 2 * 3 * MODULES.len());
        assert!(!seeds.contains(&SEED));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 2 * 3 * MODULES.len());
    }
}
