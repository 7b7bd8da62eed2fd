//! `cargo xtask demo`: traces a small order service for two seconds and shows the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::project::{as_root, cargo, interactive, is_root, output, root, run, target_dir};

/// Where the workload's sources are, relative to the top folder.
pub const WORKLOAD: &str = "tests/workloads/demo";

/// Runs the demo.
pub fn demo() -> Result<()> {
    let (scope, trace) = recorded(&root().join(WORKLOAD))?;
    println!();
    run(Command::new(&scope).arg("report").arg(&trace).args(["--limit", "15"]))?;
    println!("{}", closer_look(&scope, &trace));
    Ok(())
}

/// Builds scope, and the workload from its sources in a folder, and records that; where scope is, and
/// the trace.
pub fn recorded(workload: &Path) -> Result<(PathBuf, PathBuf)> {
    eprintln!("building scope and the workload");
    // Without SQL, whose engine takes longer to build than the demo takes.
    let lean = ["--package", "tracer-user", "--no-default-features"];
    run(cargo().args(["build", "--quiet", "--release"]).args(lean))?;
    let target = target_dir();
    run(cargo()
        .args(["build", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(workload.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target.join("demo")))?;
    let scope = target.join("release/scope");
    let trace = target.join("demo.scope");
    remove(&trace)?;
    let workload = Workload::start(&target.join("demo/release/demo"))?;
    record(&scope, workload.child.id(), &trace)?;
    Ok((scope, trace))
}

fn record(scope: &Path, pid: u32, trace: &Path) -> Result<()> {
    let Some(mut command) = as_root(scope, interactive()) else {
        bail!("tracing needs root and sudo is not to be had; run `cargo xtask demo` as root");
    };
    if !is_root() {
        eprintln!("tracing needs root (it loads programs into the kernel): using sudo");
    }
    eprintln!("tracing process {pid} for two seconds");
    let pid = pid.to_string();
    command.args(["trace", pid.as_str(), "--no-tui", "--duration", "2s", "--output"]).arg(trace);
    run(&mut command)?;
    if !is_root() {
        // The trace belongs to whoever asked for it.
        let id = |what| output(Command::new("id").arg(what));
        let owner = format!("{}:{}", id("-u")?.trim(), id("-g")?.trim());
        if let Some(mut chown) = as_root("chown", interactive()) {
            run(chown.args(["-R", &owner]).arg(trace))?;
        }
    }
    Ok(())
}

fn remove(trace: &Path) -> Result<()> {
    match fs::remove_dir_all(trace) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the older {}", trace.display()))
        }
        _ => Ok(()),
    }
}

fn closer_look(scope: &Path, trace: &Path) -> String {
    let short = |path: &Path| {
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(here).unwrap_or(path).display().to_string()
    };
    let (scope, trace) = (short(scope), short(trace));
    format!(
        "\nThe trace is in {trace}. To look closer:\n\
         \n  {scope} replay {trace}                     walk through it in the terminal (docs/tour.md)\
         \n  {scope} report {trace} --sort self         what keeps the CPU busy\
         \n  {scope} report {trace} --sort off-cpu      what waits\
         \n  {scope} report {trace} --by-thread         who does it\
         \n  {scope} dump {trace} -F '*confirm*'        every call to the slow service\
         \n  {scope} info {trace}                       what was recorded, lost and left out\n\
         \nOn a process of yours: sudo {scope} trace PID --duration 2s"
    )
}

/// The running workload; ended when dropped, and by itself if this process is killed.
struct Workload {
    child: Child,
}

impl Workload {
    fn start(program: &Path) -> Result<Self> {
        let child = Command::new(program)
            .arg("60")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let workload = Self { child };
        workload.wait_for_threads()?;
        Ok(workload)
    }

    /// Waits until it is at work: a trace of its start-up would tell another story.
    fn wait_for_threads(&self) -> Result<()> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::read_dir(&tasks).context("the workload ended at once")?.count() < 9 {
            if Instant::now() > deadline {
                bail!("the workload does not start its threads");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
