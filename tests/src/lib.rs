//! Helpers of the end-to-end tests: where the `scope` binary is, and how a test that cannot run here
//! says so.
//!
//! Absent here: anything about traces or targets; those tests read what `scope` prints, as a user does.

pub mod terminal;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `scope` binary under test: `SCOPE_BIN`, or the one that cargo builds from this workspace, once
/// a run.
///
/// # Panics
///
/// When it cannot be built.
#[must_use]
pub fn scope_binary() -> &'static PathBuf {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let binary = BINARY
        .get_or_init(|| std::env::var_os("SCOPE_BIN").map_or_else(build_scope, |p| Ok(p.into())));
    match binary {
        Ok(path) => path,
        Err(why) => panic!("scope does not build: {why}"),
    }
}

fn build_scope() -> Result<PathBuf, String> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--bin", "scope"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| {
            let (_, rest) = line.split_once("\"executable\":\"")?;
            rest.split_once('"').map(|(path, _)| PathBuf::from(path))
        })
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Says that a test cannot run here: prints `not run: NAME: WHY`, and appends that to the file that
/// `SCOPE_NOT_RUN_FILE` names, from which `cargo xtask test` counts. The test must return after it.
///
/// # Panics
///
/// When the file cannot be written.
pub fn not_run(name: &str, why: &str) {
    let line = format!("not run: {name}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("SCOPE_NOT_RUN_FILE") {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file that SCOPE_NOT_RUN_FILE names takes lines");
    }
}

/// Whether this process may load BPF programs and probe others: the effective user is root.
#[must_use]
pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .and_then(|ids| ids.split_whitespace().nth(1))
            == Some("0")
    })
}

/// The path of the function that calls it, as a test is named: `counts::recursion`.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        let path = std::any::type_name_of_val(&here).trim_end_matches("::here");
        path.split_once("::").map_or(path, |(_, name)| name)
    }};
}

/// Leaves a test that needs root when it does not run as root, and says so.
#[macro_export]
macro_rules! require_root {
    () => {
        if !$crate::is_root() {
            $crate::not_run($crate::test_name!(), "needs root");
            return;
        }
    };
}
