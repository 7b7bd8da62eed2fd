//! How the ends of calls are seen, and whether that is safe for the target.
//!
//! A return probe replaces the return address on the stack. Four kinds of target do not bear that; for
//! them calls are counted and not timed, and the recording says so.

use std::fs;

use crate::cli::Returns;
use crate::probe::attach::{Mechanism, ReturnProbes};
use crate::record::target::Files;

/// The decision, and why calls are not timed where they are not.
#[derive(Debug)]
pub struct Decision {
    /// What is done.
    pub probes: ReturnProbes,
    /// Why not [`ReturnProbes::Replace`], as a sentence.
    pub why_not: Option<String>,
}

/// Decides for a target; `pid` is the process whose state is looked at.
#[must_use]
pub fn decide(wish: Returns, pid: u32, files: &Files, mechanism: Mechanism) -> Decision {
    let why_not = match wish {
        Returns::None => return Decision { probes: ReturnProbes::None, why_not: None },
        Returns::Probe => None,
        Returns::Auto => hazard(pid, files, mechanism),
    };
    match why_not {
        None => Decision { probes: ReturnProbes::Replace, why_not: None },
        Some(why) => Decision {
            probes: ReturnProbes::None,
            why_not: Some(format!(
                "calls are counted but not timed: {why}; --returns probe times them all the same"
            )),
        },
    }
}

/// Libraries that can switch stacks but do so for a few programs only: the C library offers it, and
/// OpenSSL's has asynchronous jobs for programs that drive special hardware.
const MAY_SWITCH: [&str; 2] = ["libc.", "libcrypto."];

fn hazard(pid: u32, files: &Files, mechanism: Mechanism) -> Option<String> {
    let switcher = files.modules.iter().chain(&files.others).find(|module| {
        let name = module.module.name();
        module.image.switches_stacks && !MAY_SWITCH.iter().any(|may| name.starts_with(may))
    });
    if let Some(module) = switcher {
        return Some(format!(
            "{} switches stacks (coroutines), and a return probe would end it with SIGILL",
            module.module.name()
        ));
    }
    if mechanism == Mechanism::PerfEvent
        && files.modules.iter().any(|module| module.image.can_unwind)
    {
        return Some(
            "the target can throw or panic, and this kernel (before 6.6) cannot guard its stack"
                .into(),
        );
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map_or("", str::trim)
    };
    if field("x86_Thread_features").contains("shstk") {
        return Some("the target has a shadow stack, which guards its return addresses".into());
    }
    if field("Seccomp") == "2"
        && kernel().is_some_and(|kernel| ((6, 11)..(6, 14)).contains(&kernel))
    {
        return Some(
            "the target has a seccomp filter, and return probes of this kernel enter it by a system \
             call that the filter may kill"
                .into(),
        );
    }
    None
}

/// Version of the running kernel: major, minor.
fn kernel() -> Option<(u32, u32)> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
