//! What tests need besides Rust: programs, and tracefs.

use std::path::Path;

use crate::install;
use crate::project::{as_root, interactive, run, which};

/// Programs, the Debian packages they come in, and whether only kernel tests use them.
const PROGRAMS: [(&str, &str, bool); 4] = [
    ("gcc", "gcc", false),
    ("g++", "g++", false),
    ("valgrind", "valgrind", true),
    ("tmux", "tmux", false),
];

/// Installs missing programs where that is possible. Where it is not, the tests that need one
/// say that they did not run.
pub fn programs(with_kernel: bool) {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _, kernel)| (with_kernel || !kernel) && which(program).is_none())
        .map(|(_, package, _)| *package)
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Err(error) = install::packages(&missing, &missing.join(", ")) {
        eprintln!("note: {error:#}");
    }
}

/// Mounts tracefs when it is not.
pub fn tracefs() {
    let folder = "/sys/kernel/tracing";
    if Path::new(folder).join("events").exists() || !Path::new(folder).exists() {
        return;
    }
    let Some(mut mount) = as_root("mount", interactive()) else { return };
    if let Err(error) = run(mount.args(["-t", "tracefs", "tracefs", folder])) {
        eprintln!("note: {error:#}");
    }
}
