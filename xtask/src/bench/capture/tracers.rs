//! The tracers that are compared: each attaches to a site of the running target, has it call, and
//! says how many calls it recorded.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::TARGET_CPU;
use super::programs::Programs;
use super::recorder::{Recorder, on_tracer_cpu};
use super::target::{Target, Timed};
use crate::project::{output, run, which};

/// A way to trace, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracer {
    Untraced,
    /// Empty BPF programs at the sites that scope chooses.
    Floor,
    Scope,
    /// With `--no-syscalls`.
    ScopeNoSyscalls,
    Perf,
    Bpftrace,
    /// Starts its own copy of the target: it cannot attach.
    Uftrace,
}

/// What one round of a tracer came to.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    pub timed: Timed,
    /// Calls the tracer recorded; `None` when it records nothing.
    pub recorded: Option<u64>,
    /// Calls the tracer says it lost.
    pub lost: u64,
}

impl Tracer {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untraced => "untraced",
            Self::Floor => "floor",
            Self::Scope => "scope",
            Self::ScopeNoSyscalls => "scope --no-syscalls",
            Self::Perf => "perf",
            Self::Bpftrace => "bpftrace",
            Self::Uftrace => "uftrace",
        }
    }

    /// Measures `calls` calls of `site`. `None` when this tracer is not to be had here.
    pub fn measure(
        self,
        programs: &Programs,
        target: &mut Target,
        site: &str,
        calls: u64,
    ) -> Result<Option<Round>> {
        match self {
            Self::Untraced => {
                let timed = target.call(site, calls)?;
                Ok(Some(Round { timed, recorded: None, lost: 0 }))
            }
            Self::Floor => floor(programs, target, site, calls),
            Self::Scope => scope(programs, target, site, calls, &[]).map(Some),
            Self::ScopeNoSyscalls => {
                scope(programs, target, site, calls, &["--no-syscalls"]).map(Some)
            }
            Self::Perf if which("perf").is_some() => perf(programs, target, site, calls).map(Some),
            Self::Bpftrace if which("bpftrace").is_some() => {
                bpftrace(programs, target, site, calls).map(Some)
            }
            Self::Uftrace if which("uftrace").is_some() => uftrace(programs, site, calls).map(Some),
            _ => Ok(None),
        }
    }
}

/// `scope __floor PID`: the same sites and the same way to attach, with programs that return at once.
fn floor(
    programs: &Programs,
    target: &mut Target,
    site: &str,
    calls: u64,
) -> Result<Option<Round>> {
    let pid = target.pid().to_string();
    let arguments = ["__floor", pid.as_str(), "--function", site, "--all"];
    let Some(recorder) = Recorder::start_scope(&programs.scope, &programs.folder, &arguments)?
    else {
        return Ok(None);
    };
    let timed = target.call(site, calls)?;
    recorder.stop()?;
    Ok(Some(Round { timed, recorded: None, lost: 0 }))
}

fn scope(
    programs: &Programs,
    target: &mut Target,
    site: &str,
    calls: u64,
    options: &[&str],
) -> Result<Round> {
    let trace = programs.folder.join("cost.scope");
    let pid = target.pid().to_string();
    let arguments = [&[pid.as_str(), "--function", site, "--all"], options].concat();
    let recorder = start_scope_trace(programs, &trace, &arguments)?;
    let timed = target.call(site, calls)?;
    recorder.stop()?;
    let report = report(programs, &trace)?;
    Ok(Round {
        timed,
        recorded: Some(calls_of(&report, site)),
        lost: report["lost_events"].as_u64().context("a report has lost_events")?.div_ceil(2),
    })
}

/// Starts `scope trace` and waits until its probes are in. The trace replaces an older one.
pub fn start_scope_trace(
    programs: &Programs,
    trace: &Path,
    arguments: &[&str],
) -> Result<Recorder> {
    if trace.exists() {
        fs::remove_dir_all(trace).context("cannot remove the last round's trace")?;
    }
    let trace = trace.to_str().context("the target folder's path is not UTF-8")?;
    let mut all = vec!["trace", "--no-tui", "--quiet", "--output", trace];
    all.extend(arguments);
    match Recorder::start_scope(&programs.scope, &programs.folder, &all)? {
        Some(recorder) => Ok(recorder),
        None => {
            let said = fs::read_to_string(programs.folder.join("scope.stderr")).unwrap_or_default();
            bail!("scope trace did not attach: {}", said.trim())
        }
    }
}

/// `scope report` of a trace, all functions.
pub fn report(programs: &Programs, trace: &Path) -> Result<Value> {
    let mut report = Command::new(&programs.scope);
    report.arg("report").arg(trace).args(["--json", "--limit", "0"]);
    serde_json::from_str(&output(&mut report)?).context("scope report prints JSON")
}

/// Calls of one function in a report.
pub fn calls_of(report: &Value, function: &str) -> u64 {
    let functions = report["functions"].as_array().map(Vec::as_slice).unwrap_or_default();
    functions
        .iter()
        .find(|row| row["symbol"] == function)
        .and_then(|row| row["calls"].as_u64())
        .unwrap_or(0)
}

/// `perf record` with an entry and a return probe, made in tracefs: `perf probe` wants debug info of
/// the functions, which assembly does not have.
fn perf(programs: &Programs, target: &mut Target, site: &str, calls: u64) -> Result<Round> {
    let probes = TracefsProbes::make(target, site)?;
    let folder = &programs.folder;
    let (control, acknowledged) = (folder.join("perf.control"), folder.join("perf.ack"));
    for fifo in [&control, &acknowledged] {
        let _ = fs::remove_file(fifo);
        run(Command::new("mkfifo").arg(fifo))?;
    }
    let data = folder.join("perf.data");
    let fifos = format!("fifo:{},{}", control.display(), acknowledged.display());
    let mut command = on_tracer_cpu("perf");
    command
        .args(["record", "--quiet", "--mmap-pages", "4096", "--delay", "-1", "--control", &fifos])
        .args(["--event", &probes.events(), "--pid", &target.pid().to_string(), "--output"])
        .arg(&data)
        .stdin(Stdio::null());
    let recorder = Recorder::start(&mut command, &folder.join("perf.stderr"))?;
    // perf opens both ends of its pipes at once, so neither opening waits for ever.
    let mut enable = fs::OpenOptions::new().read(true).write(true).open(&control)?;
    let mut answer = fs::OpenOptions::new().read(true).write(true).open(&acknowledged)?;
    enable.write_all(b"enable\n").context("cannot talk to perf")?;
    let mut buffer = [0; 8];
    let _ = answer.read(&mut buffer).context("perf does not answer")?;
    let timed = target.call(site, calls)?;
    recorder.stop()?;
    let mut stats = Command::new("perf");
    stats.args(["report", "--stats", "--input"]).arg(&data);
    let (samples, lost) = perf_samples(&output(&mut stats)?);
    Ok(Round { timed, recorded: Some(samples / 2), lost: lost.div_ceil(2) })
}

/// Samples and lost samples of both events, from `perf report --stats`. Its first block is a sum
/// with percentages, in which lost samples are counted by the piece of data that tells of them.
fn perf_samples(stats: &str) -> (u64, u64) {
    let sum = |name: &str| -> u64 {
        stats
            .lines()
            .filter(|line| !line.contains('%'))
            .filter_map(|line| line.trim().strip_prefix(name)?.trim().parse::<u64>().ok())
            .sum()
    };
    (sum("SAMPLE events:"), sum("LOST_SAMPLES events:"))
}

/// An entry and a return probe in tracefs; removed when dropped.
struct TracefsProbes;

const UPROBE_EVENTS: &str = "/sys/kernel/tracing/uprobe_events";

impl TracefsProbes {
    fn make(target: &Target, site: &str) -> Result<Self> {
        let place = file_offset(target, site)?;
        // What an interrupted bench left behind.
        let _ = Self::write("-:scope_bench/entry");
        let _ = Self::write("-:scope_bench/exit");
        Self::write(&format!("p:scope_bench/entry {place}"))?;
        Self::write(&format!("r:scope_bench/exit {place}"))?;
        Ok(Self)
    }

    fn events(&self) -> String {
        "scope_bench:entry,scope_bench:exit".to_owned()
    }

    fn write(line: &str) -> Result<()> {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(UPROBE_EVENTS)
            .with_context(|| format!("cannot open {UPROBE_EVENTS}"))?;
        writeln!(file, "{line}").with_context(|| format!("the kernel refuses `{line}`"))
    }
}

impl Drop for TracefsProbes {
    fn drop(&mut self) {
        let _ = Self::write("-:scope_bench/entry");
        let _ = Self::write("-:scope_bench/exit");
    }
}

/// `PATH:OFFSET` of a function in the target's file.
fn file_offset(target: &Target, site: &str) -> Result<String> {
    let address = *target.addresses.get(site).context("the target names its functions")?;
    let maps = fs::read_to_string(format!("/proc/{}/maps", target.pid()))
        .context("cannot read the target's mappings")?;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let range = fields.next().and_then(|range| range.split_once('-'));
        let Some((start, end)) = range.and_then(|(a, b)| Some((hex(a)?, hex(b)?))) else {
            continue;
        };
        let offset = fields.nth(1).and_then(hex);
        let path = fields.nth(2);
        if let (Some(offset), Some(path)) = (offset, path)
            && (start..end).contains(&address)
        {
            return Ok(format!("{path}:{:#x}", address - start + offset));
        }
    }
    bail!("{site} is in no mapping of the target")
}

fn bpftrace(programs: &Programs, target: &mut Target, site: &str, calls: u64) -> Result<Round> {
    let folder = &programs.folder;
    let path = programs.calls.display();
    let text = format!(
        "uprobe:{path}:{site} {{ printf(\"%d %llu entry\\n\", tid, nsecs); }}\n\
         uretprobe:{path}:{site} {{ printf(\"%d %llu exit\\n\", tid, nsecs); }}\n\
         interval:ms:20 {{ if (@ready == 0) {{ @ready = 1; printf(\"ready\\n\"); }} }}\n"
    );
    let (script, printed) = (folder.join("script.bt"), folder.join("bpftrace.out"));
    fs::write(&script, text).context("cannot write a script")?;
    let output = fs::File::create(&printed).context("cannot write bpftrace's output")?;
    let mut command = on_tracer_cpu("bpftrace");
    command
        .args(["-B", "line", "-p", &target.pid().to_string()])
        .arg(&script)
        .env("BPFTRACE_PERF_RB_PAGES", "4096")
        .stdin(Stdio::null());
    let errors = folder.join("bpftrace.stderr");
    let mut recorder = Recorder::start_printing(&mut command, output.into(), &errors)?;
    // Probes are attached in the order of the script.
    recorder.wait_until("bpftrace's probes are in", || {
        fs::read_to_string(&printed).is_ok_and(|text| text.contains("ready"))
    })?;
    let timed = target.call(site, calls)?;
    recorder.stop()?;
    let text = fs::read_to_string(&printed).context("bpftrace wrote no output")?;
    let recorded = text.lines().filter(|line| line.ends_with(" exit")).count() as u64;
    Ok(Round { timed, recorded: Some(recorded), lost: timed.calls.saturating_sub(recorded) })
}

fn uftrace(programs: &Programs, site: &str, calls: u64) -> Result<Round> {
    let data = programs.folder.join("uftrace.data");
    if data.exists() {
        fs::remove_dir_all(&data).context("cannot remove the last round's recording")?;
    }
    let mut command = on_tracer_cpu("uftrace");
    command
        .args(["record", "--no-libcall", "--no-event", "--patch", site, "--data"])
        .arg(&data)
        .arg(&programs.calls)
        .arg(TARGET_CPU.to_string());
    let mut target = Target::start(&mut command)?;
    let timed = target.call(site, calls)?;
    target.finish()?;
    let mut report = Command::new("uftrace");
    report.args(["report", "--no-pager", "-f", "call", "--data"]).arg(&data);
    Ok(Round { timed, recorded: Some(uftrace_calls(&output(&mut report)?, site)), lost: 0 })
}

/// Calls of a function in `uftrace report -f call`.
fn uftrace_calls(report: &str, site: &str) -> u64 {
    report
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let calls = words.next()?.parse().ok()?;
            (words.next() == Some(site)).then_some(calls)
        })
        .next()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_statistics_of_perf() {
        let stats = "Aggregated stats:\n    SAMPLE events:     199098  (84.7%)\n\
                     LOST_SAMPLES events:          2  ( 0.0%)\nscope_bench:entry stats:\n\
                     SAMPLE events:      99551\n    LOST_SAMPLES events:        449\n\
                     scope_bench:exit stats:\n   SAMPLE events:      99547\n\
                     LOST_SAMPLES events:        453\n";
        assert_eq!(perf_samples(stats), (199_098, 902));
    }

    #[test]
    fn reads_the_calls_uftrace_reports() {
        let report =
            "     Calls  Function\n  ========  =====\n      1000  site_push\n         2  main\n";
        assert_eq!(uftrace_calls(report, "site_push"), 1000);
        assert_eq!(uftrace_calls(report, "site_mov"), 0);
    }
}
