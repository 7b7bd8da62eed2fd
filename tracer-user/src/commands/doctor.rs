//! `scope doctor`: what this machine lets scope do, what that means, and how to get the rest.

use std::fs;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use tracer_common::Settings;

use crate::cli::DoctorArgs;
use crate::output::{self, json, units};
use crate::probe::attach::Mechanism;
use crate::probe::btf::KernelTypes;
use crate::probe::cost::{self, ProbeCost};
use crate::probe::object::{Object, Size};
use crate::probe::sys::UPROBE_MULTI;
use crate::record::privilege;
use crate::record::session::{SYSCALL_TRACEPOINTS, TRACEPOINTS};

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// There.
    Ok,
    /// There in part, or something lesser stands in.
    Limited,
    /// Not there, and recording needs it.
    Missing,
    /// Not looked at, since something else is missing.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    /// What it means, where the verdict is not ok.
    consequence: Option<&'static str>,
    /// What to do about it.
    remedy: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    checks: Vec<Check>,
    /// Cost of an entry and a return probe with an empty program, ns a call.
    probe_cost_ns: Option<ProbeCost>,
}

/// Runs the command; fails when recording is not possible.
///
/// # Errors
///
/// When the output cannot be written.
pub fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let diagnosis = diagnose();
    let mut out = output::stdout();
    if args.json {
        json::document(&mut out, &diagnosis)?;
    } else {
        print(&mut out, &diagnosis)?;
    }
    let able = !diagnosis.checks.iter().any(|check| check.verdict == Verdict::Missing);
    Ok(if able { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(out: &mut impl Write, diagnosis: &Diagnosis) -> anyhow::Result<()> {
    for check in &diagnosis.checks {
        let mark = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Limited => "limited",
            Verdict::Missing => "MISSING",
            Verdict::Unknown => "?",
        };
        writeln!(out, "{mark:<8} {:<22} {}", check.name, check.detail)?;
        for (word, text) in [("means", check.consequence), ("remedy", check.remedy)] {
            if let Some(text) = text {
                writeln!(out, "{:<8} {word}: {text}", "")?;
            }
        }
    }
    if let Some(cost) = diagnosis.probe_cost_ns {
        writeln!(out, "\ncost of an entry and a return probe here, a call:")?;
        for (site, ns) in [
            ("5-byte nop", cost.nop5),
            ("emulated first instruction", cost.emulated),
            ("single-stepped", cost.single_stepped),
        ] {
            writeln!(out, "  {site:<28} {}", units::duration(ns as u64))?;
        }
    }
    let able = !diagnosis.checks.iter().any(|check| check.verdict == Verdict::Missing);
    writeln!(out, "\n{}", if able { "scope can record here" } else { "scope cannot record here" })?;
    Ok(())
}

fn ok(name: &'static str, detail: impl Into<String>) -> Check {
    Check { name, verdict: Verdict::Ok, detail: detail.into(), consequence: None, remedy: None }
}

fn not_ok(
    name: &'static str,
    verdict: Verdict,
    detail: impl Into<String>,
    consequence: &'static str,
    remedy: &'static str,
) -> Check {
    let detail = detail.into();
    Check { name, verdict, detail, consequence: Some(consequence), remedy: Some(remedy) }
}

fn diagnose() -> Diagnosis {
    let mut checks = vec![kernel(), privileges(), lockdown(), namespace(), tracefs()];
    let types = match KernelTypes::load() {
        Ok(types) => {
            checks.push(ok("type information", "BTF of the running kernel is there"));
            types
        }
        Err(error) => {
            checks.push(not_ok(
                "type information",
                Verdict::Missing,
                error.to_string(),
                "neither threads nor system calls can be followed",
                "use a kernel built with CONFIG_DEBUG_INFO_BTF, as distributions do",
            ));
            checks.extend(unknown());
            return Diagnosis { checks, probe_cost_ns: None };
        }
    };
    let loaded = types.uprobe_offsets().map_err(|error| error.to_string()).and_then(|uprobes| {
        let task = types.task_offsets().map_err(|error| error.to_string())?;
        let settings = Settings { task, ..Settings::NONE };
        Object::load(settings, uprobes, Size::Guard).map_err(|error| error.to_string())
    });
    let mut object = match loaded {
        Ok(object) => object,
        Err(error) => {
            checks.push(not_ok(
                "BPF",
                Verdict::Missing,
                error,
                "nothing can be recorded",
                "run it as root; a kernel before 5.8 has no ring buffers",
            ));
            checks.extend(unknown());
            return Diagnosis { checks, probe_cost_ns: None };
        }
    };
    checks.push(ok("BPF", "maps and ring buffers can be created"));
    checks.push(tracepoints(&mut object));
    let mechanism = Mechanism::detect(&object);
    checks.push(match &mechanism {
        Ok(Mechanism::Session) => {
            ok("function probes", "uprobe_session: one program for entry and return")
        }
        Ok(Mechanism::Multi) => not_ok(
            "function probes",
            Verdict::Limited,
            "uprobe_multi: two programs",
            "a call costs a little more than with sessions",
            "Linux 6.13 has sessions",
        ),
        Ok(Mechanism::PerfEvent) => not_ok(
            "function probes",
            Verdict::Limited,
            "perf events, one a site",
            "thousands of functions take seconds to attach and minutes to detach",
            "Linux 6.6 has uprobe_multi",
        ),
        Err(error) => not_ok(
            "function probes",
            Verdict::Missing,
            error.to_string(),
            "no function can be probed",
            "run it as root, on a kernel with CONFIG_UPROBES and CONFIG_BPF_EVENTS",
        ),
    });
    checks.push(match object.uprobe_program("unwind_guard", UPROBE_MULTI) {
        Ok(_) => ok("stack guard", "exceptions and panics unwind through return probes"),
        Err(error) => not_ok(
            "stack guard",
            Verdict::Limited,
            error.to_string(),
            "calls of programs that can throw or panic are counted, not timed",
            "Linux 5.17 has what the guard needs",
        ),
    });
    let probe_cost_ns =
        mechanism.ok().and_then(|mechanism| cost::measure(&mut object, mechanism).ok());
    Diagnosis { checks, probe_cost_ns }
}

fn unknown() -> impl Iterator<Item = Check> {
    ["tracepoints", "function probes", "stack guard"].into_iter().map(|name| Check {
        name,
        verdict: Verdict::Unknown,
        detail: "cannot be found out".into(),
        consequence: None,
        remedy: None,
    })
}

fn kernel() -> Check {
    let uname = rustix::system::uname();
    let text =
        format!("{} {}", uname.release().to_string_lossy(), uname.machine().to_string_lossy());
    if uname.machine() == c"x86_64" {
        return ok("kernel", text);
    }
    not_ok(
        "kernel",
        Verdict::Missing,
        text,
        "probe sites are chosen by x86-64 instructions",
        "record on an x86-64 machine; traces open on any",
    )
}

fn privileges() -> Check {
    let missing = privilege::missing();
    if missing.is_empty() {
        return ok("privileges", "all capabilities are there");
    }
    let names: Vec<&str> = missing.iter().map(|capability| capability.name).collect();
    not_ok(
        "privileges",
        Verdict::Missing,
        format!("{} missing", names.join(", ")),
        "nothing can be recorded; reading traces works",
        "run it as root, with sudo",
    )
}

fn lockdown() -> Check {
    let Ok(text) = fs::read_to_string("/sys/kernel/security/lockdown") else {
        return ok("lockdown", "not known (securityfs is not mounted); the checks below tell");
    };
    let mode = text.split(['[', ']']).nth(1).unwrap_or("none").to_owned();
    if mode == "confidentiality" {
        return not_ok(
            "lockdown",
            Verdict::Missing,
            mode,
            "BPF programs may not read kernel memory",
            "boot with lockdown=integrity or none",
        );
    }
    ok("lockdown", mode)
}

fn namespace() -> Check {
    match privilege::in_initial_pid_namespace() {
        Some(true) => ok("pid namespace", "the initial one"),
        Some(false) => not_ok(
            "pid namespace",
            Verdict::Missing,
            "a container's",
            "process ids here are not those the kernel half sees",
            "run scope on the host; it traces processes in containers from there",
        ),
        None => not_ok(
            "pid namespace",
            Verdict::Limited,
            "not known",
            "process ids may differ from those the kernel half sees",
            "mount /proc",
        ),
    }
}

fn tracefs() -> Check {
    let there = ["/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"]
        .iter()
        .any(|path| fs::metadata(path).is_ok());
    ok("tracefs", if there { "mounted (not needed)" } else { "not mounted (not needed)" })
}

fn tracepoints(object: &mut Object) -> Check {
    let missing: Vec<&str> = TRACEPOINTS
        .iter()
        .chain(&SYSCALL_TRACEPOINTS)
        .copied()
        .filter(|tracepoint| object.attach_tracepoint(tracepoint).is_err())
        .collect();
    if missing.is_empty() {
        return ok("tracepoints", "scheduler, tasks and system calls");
    }
    not_ok(
        "tracepoints",
        Verdict::Missing,
        format!("{} missing", missing.join(", ")),
        "what the scheduler does to threads cannot be recorded",
        "use a kernel with CONFIG_BPF_EVENTS and CONFIG_FTRACE_SYSCALLS",
    )
}
