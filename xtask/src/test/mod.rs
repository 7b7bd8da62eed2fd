//! `cargo xtask test`: every test that can run here, and the names of those that cannot.
//!
//! The tests are plain `cargo test` targets. This adds what cargo does not do: it installs the
//! programs some tests need, runs the kernel tests as root, and counts a test that could not run
//! apart from those that passed (see [`outcome`]).

mod outcome;
mod setup;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::{
    as_root, cargo, interactive, output, root, run as run_shown, shown, target_dir,
};
use outcome::Outcome;
pub use setup::tracefs as mount_tracefs;

/// The test target that needs root and a real kernel; a plain `cargo test` leaves it out.
const KERNEL: &str = "kernel";

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only the tests that run as any user.
    #[arg(long, conflicts_with = "kernel")]
    offline: bool,
    /// Only the tests on the real kernel.
    #[arg(long)]
    kernel: bool,
    /// Test what users run, optimised; takes longer to build.
    #[arg(long)]
    release: bool,
    /// Run only the tests whose name contains this.
    filter: Option<String>,
}

/// Runs the tests; an error when one failed or none ran.
pub fn run(options: &Options) -> Result<()> {
    setup::programs(!options.offline);
    let not_run = NotRunFile::create()?;
    let mut total = Outcome::default();
    // Of the whole workspace, here and below: what is built of others is the same for all of it, and
    // is built once.
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin", "scope"]);
    run_shown(release(&mut build, options))?;
    if !options.kernel {
        let mut tests = cargo();
        tests.args(["test", "--no-fail-fast", "--workspace"]).args(&options.filter);
        tests.envs(environment(options, &not_run));
        total.add(&counted(release(&mut tests, options))?);
    }
    if !options.offline {
        total.add(&kernel_tests(options, &not_run)?);
    }
    total.take_not_run(&not_run.read()?);
    print!("{total}");
    if total.failed > 0 {
        bail!("tests failed");
    }
    if total.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// The command, of the profile that the options ask for.
fn release<'a>(command: &'a mut Command, options: &Options) -> &'a mut Command {
    if options.release { command.arg("--release") } else { command }
}

/// Builds the kernel tests as this user and runs them as root, one at a time: they measure.
fn kernel_tests(options: &Options, not_run: &NotRunFile) -> Result<Outcome> {
    let binary = build_kernel_tests(options)?;
    let filter: Vec<&str> = options.filter.iter().map(String::as_str).collect();
    let Some(mut command) = as_root("env", interactive()) else {
        return unprivileged(&binary, &filter);
    };
    setup::tracefs();
    command
        .args(environment(options, not_run).iter().map(|(name, value)| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            pair
        }))
        .arg(&binary)
        .arg("--test-threads=1")
        .args(filter)
        .current_dir(root().join("tests"));
    counted(&mut command)
}

fn build_kernel_tests(options: &Options) -> Result<PathBuf> {
    let mut build = cargo();
    release(&mut build, options)
        .args(["test", "--workspace", "--test", KERNEL, "--no-run"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let built = build.output().with_context(|| format!("cannot run {}", shown(&build)))?;
    if !built.status.success() {
        bail!("the kernel tests do not build");
    }
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == KERNEL)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built the kernel tests but names no program")
}

/// Without root every kernel test is one that did not run.
fn unprivileged(binary: &Path, filter: &[&str]) -> Result<Outcome> {
    let list = output(Command::new(binary).args(["--list", "--format", "terse"]).args(filter))?;
    let mut outcome = Outcome::default();
    for name in list.lines().filter_map(|line| line.strip_suffix(": test")) {
        outcome.not_run.push((name.to_owned(), "needs root".to_owned()));
    }
    Ok(outcome)
}

/// What tests find in their environment besides what is there already.
fn environment(options: &Options, not_run: &NotRunFile) -> Vec<(String, OsString)> {
    let profile = if options.release { "release" } else { "debug" };
    let mut environment = vec![
        ("SCOPE_NOT_RUN_FILE".to_owned(), not_run.path.clone().into_os_string()),
        ("SCOPE_BIN".to_owned(), target_dir().join(profile).join("scope").into_os_string()),
    ];
    // Root's own surroundings differ; the tests need the compilers of whoever runs them.
    for name in
        ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR", "SCOPE_BPF_OBJECT"]
    {
        if let Some(value) = std::env::var_os(name) {
            environment.push((name.to_owned(), value));
        }
    }
    environment
}

/// Runs a test command, shows its output while it comes and counts the tests in it.
fn counted(command: &mut Command) -> Result<Outcome> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", shown(command)))?;
    let mut outcome = Outcome::default();
    let stdout = child.stdout.take().context("a piped child has an output")?;
    let mut reader = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).context("cannot read the tests' output")? == 0 {
            break;
        }
        std::io::stdout().write_all(&line).context("cannot write to standard output")?;
        outcome.read_line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && outcome.failed == 0 {
        // Did not build, or died before it could say what failed.
        outcome.failed = 1;
        outcome.failures.push(format!("{} ({status})", shown(command)));
    }
    Ok(outcome)
}

/// The file to which tests write that they could not run.
struct NotRunFile {
    path: PathBuf,
}

impl NotRunFile {
    fn create() -> Result<Self> {
        let path = target_dir().join(format!("tests-not-run.{}", std::process::id()));
        fs::create_dir_all(target_dir()).context("cannot make the target folder")?;
        fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }

    fn read(&self) -> Result<String> {
        fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))
    }
}

impl Drop for NotRunFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
