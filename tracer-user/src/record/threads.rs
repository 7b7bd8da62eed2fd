//! The threads that are there when recording begins, from `/proc`.

use std::fs;

use scope_model::{Pid, RawEvent, RawKind, ThreadName, Tid};

use super::drain::now_ns;
use super::pipeline::FoundThread;

/// Task state bits of the kernel (`include/linux/sched.h`), by the letters of `/proc/PID/stat`.
const STATES: [(char, u32); 5] = [('S', 1), ('D', 2), ('T', 4), ('t', 8), ('I', 0x402)];

/// All threads of a process; `start_ns` is the start of the trace. Threads that end meanwhile are
/// left out. Without `syscalls`, the system call that a thread is in is not said: its end would not be seen.
#[must_use]
pub fn find(pid: u32, start_ns: u64, syscalls: bool) -> Vec<FoundThread> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|tid| find_one(pid, tid, start_ns, syscalls))
        .collect()
}

fn find_one(pid: u32, tid: u32, start_ns: u64, syscalls: bool) -> Option<FoundThread> {
    let folder = format!("/proc/{pid}/task/{tid}");
    let name = fs::read_to_string(format!("{folder}/comm")).ok()?;
    let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
    let call = if syscalls {
        fs::read_to_string(format!("{folder}/syscall")).unwrap_or_default()
    } else {
        String::new()
    };
    let found_ns = now_ns();
    let raw = |time_ns, kind| RawEvent { time_ns, pid: Pid(pid), tid: Tid(tid), kind };
    let birth = RawKind::NewTask {
        parent: Tid(0),
        same_process: true,
        shares_memory: true,
        name: ThreadName::new(name.trim_end()),
    };
    Some(FoundThread {
        start: raw(start_ns, birth),
        state: state(&stat, &call).into_iter().map(|kind| raw(found_ns, kind)).collect(),
        found_ns,
    })
}

/// What a thread that is off its CPU waits in. A running one says nothing: where it runs is known
/// with its next event.
fn state(stat: &str, call: &str) -> Vec<RawKind> {
    // The name may hold anything, also spaces and parentheses.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return Vec::new() };
    let fields: Vec<&str> = fields.split(' ').collect();
    let Some(letter) = fields.first().and_then(|field| field.chars().next()) else {
        return Vec::new();
    };
    let Some((_, state)) = STATES.iter().find(|(known, _)| *known == letter) else {
        return Vec::new();
    };
    /// Field 39 of `/proc/PID/stat`, counted from the state (3).
    const PROCESSOR: usize = 36;
    let cpu = fields.get(PROCESSOR).and_then(|field| field.parse().ok()).unwrap_or(0);
    let mut kinds = Vec::new();
    if let Some(number) = call.split(' ').next().and_then(|word| word.parse().ok()) {
        kinds.push(RawKind::SyscallEnter { number });
    }
    kinds.push(RawKind::SwitchOut { cpu, state: *state });
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeping_thread_with_an_odd_name_is_understood() {
        let fields = vec!["S"; 1].into_iter().chain(vec!["1"; 35]).chain(["3"]).collect::<Vec<_>>();
        let stat = format!("7 (a) b) {}", fields.join(" "));
        let kinds = state(&stat, "202 0x1 0x2");
        assert_eq!(kinds[0], RawKind::SyscallEnter { number: 202 });
        assert_eq!(kinds[1], RawKind::SwitchOut { cpu: 3, state: 1 });
    }

    #[test]
    fn a_running_thread_says_nothing() {
        assert!(state("7 (x) R 1 2", "running").is_empty());
    }
}
