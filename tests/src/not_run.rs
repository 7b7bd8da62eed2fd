//! How a test says that it could not run here.

use std::fs::OpenOptions;
use std::io::Write;

/// Says that the test `name` could not run, and why: "valgrind is missing". The caller then
/// returns; `cargo xtask test` counts and names the test at its end instead of taking it for
/// passed.
///
/// Appends `name`, a tab, `why` and a newline to the file that `SCOPE_NOT_RUN_FILE` names, and
/// prints the same for people who run the test by itself.
///
/// # Panics
///
/// When that file cannot be written: then the test would look green.
pub fn not_run(name: &str, why: &str) {
    println!("not run: {name}: {why}");
    let Some(path) = std::env::var_os("SCOPE_NOT_RUN_FILE") else { return };
    let line = format!("{name}\t{}\n", why.replace('\n', " "));
    let written = OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("cannot write to {}: {error}", path.display());
    }
}
