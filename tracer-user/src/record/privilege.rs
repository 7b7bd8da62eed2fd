//! What this process may do.

use anyhow::{bail, ensure};

/// A capability that recording needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name, as in capabilities(7).
    pub name: &'static str,
    bit: u32,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// All of them. `CAP_SYS_ADMIN` stands for the first two.
pub const NEEDED: [Capability; 3] = [
    Capability { name: "CAP_BPF", bit: 39, purpose: "load BPF programs" },
    Capability { name: "CAP_PERFMON", bit: 38, purpose: "attach them to programs" },
    Capability { name: "CAP_SYS_PTRACE", bit: 19, purpose: "read the target's files and memory" },
];

const SYS_ADMIN: u32 = 21;

/// Those that are missing.
#[must_use]
pub fn missing() -> Vec<Capability> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
        .unwrap_or(0);
    missing_in(effective)
}

fn missing_in(effective: u64) -> Vec<Capability> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    NEEDED
        .into_iter()
        .filter(|capability| {
            let implied = capability.bit >= 38 && has(SYS_ADMIN);
            !has(capability.bit) && !implied
        })
        .collect()
}

/// Whether process ids here are those that the kernel half sees; `None` where that is not known.
#[must_use]
pub fn in_initial_pid_namespace() -> Option<bool> {
    /// The initial pid namespace, by its inode (`PROC_PID_INIT_INO`).
    const INITIAL: &str = "pid:[4026531836]";
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.as_os_str() == INITIAL)
}

/// Refuses to go on without the capabilities, or inside a container.
///
/// # Errors
///
/// Naming each missing capability.
pub fn require() -> anyhow::Result<()> {
    ensure!(
        in_initial_pid_namespace() != Some(false),
        "process ids inside a container are not those that the kernel sees; run scope on the host, \
         it traces processes in containers from there"
    );
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing
        .iter()
        .map(|capability| format!("{} (to {})", capability.name, capability.purpose))
        .collect();
    bail!("not permitted to record: {} missing; run it as root, with sudo", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_misses_nothing_and_nobody_misses_all() {
        assert!(missing_in(u64::MAX).is_empty());
        assert_eq!(missing_in(0).len(), 3);
        assert_eq!(missing_in(1 << SYS_ADMIN | 1 << 19), []);
    }
}
