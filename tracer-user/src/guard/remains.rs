//! Whether replaced return addresses are left on the stacks of a target.
//!
//! A stack is searched for the address of the return probe, word by word, from the stack pointer up. A
//! stale word counts as well: staying too long costs nothing, leaving too early can end the target.

use std::fs;

use super::Orders;
use super::restore::{Restorer, trampoline};
use crate::probe::memory::read_bytes;

/// Longest part of a stack that is searched, bytes.
const LONGEST_STACK: u64 = 64 << 20;

/// Whether any thread of the target has one.
pub fn any(orders: &Orders, _restorer: &Restorer) -> bool {
    if orders.children {
        // Descendants are not known here: every process that has a return probe counts.
        return all_processes().any(process);
    }
    process(orders.pid)
}

fn all_processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn process(pid: u32) -> bool {
    // Without this mapping no return probe was ever hit.
    let Some(address) = trampoline(pid) else { return false };
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    tasks
        .filter_map(|task| task.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .any(|tid| thread(pid, tid, address))
}

fn thread(pid: u32, tid: u32, trampoline: u64) -> bool {
    // "running" while it runs, else the system call, its arguments, stack pointer and instruction.
    let Ok(state) = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")) else {
        // Ended meanwhile.
        return false;
    };
    let words: Vec<&str> = state.split_whitespace().collect();
    let Some(sp) = words
        .len()
        .checked_sub(2)
        .and_then(|index| u64::from_str_radix(words[index].strip_prefix("0x")?, 16).ok())
    else {
        // Running: where its stack ends is not known. Looked at again soon.
        return true;
    };
    let Some(end) = mapping_end(pid, sp) else { return false };
    let length = (end - sp).min(LONGEST_STACK) as usize;
    let Ok(bytes) = read_bytes(pid, sp & !7, length & !7) else { return false };
    bytes.chunks_exact(8).any(|word| word == trampoline.to_ne_bytes())
}

/// End of the mapping that holds an address.
fn mapping_end(pid: u32, address: u64) -> Option<u64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    maps.lines().find_map(|line| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start..end).contains(&address).then_some(end)
    })
}
