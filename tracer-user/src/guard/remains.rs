//! Whether replaced return addresses are left on the stacks of a target.
//!
//! The kernel keeps a list of them for each thread; a program of the kernel half walks all threads and
//! reports those whose list is not empty. The list may also hold calls that were jumped over
//! (`longjmp`, an exception): they lie below the stack pointer, on the same stack.

use std::collections::HashSet;
use std::fs;
use std::io::Read;

use anyhow::Context;
use aya::Btf;
use aya::programs::Iter;
use tracer_common::OpenReturns;

use super::Orders;
use crate::probe::object::Object;

/// Name of the program in the kernel half.
const PROGRAM: &str = "open_returns";

/// Loads the program that [`Cleared::any_remain`] runs.
///
/// # Errors
///
/// When the kernel refuses it.
pub fn load(object: &mut Object) -> anyhow::Result<()> {
    let types = Btf::from_sys_fs().context("cannot read the kernel's types")?;
    program(object)?.load("task", &types).context("cannot load the walk over threads")
}

/// Threads all of whose calls were seen jumped over. With the probes out, a list only shrinks: what was
/// stale once stays so, wherever the thread's stack pointer goes.
#[derive(Debug, Default)]
pub struct Cleared(HashSet<(u32, u64)>);

impl Cleared {
    /// Whether any thread of the target still has a replaced address to return through. To be asked when
    /// the probes are out.
    ///
    /// # Errors
    ///
    /// When the kernel's list cannot be read.
    pub fn any_remain(&mut self, object: &mut Object, orders: &Orders) -> anyhow::Result<bool> {
        let mut remain = false;
        for found in open_returns(object)? {
            // Descendants are not known here: every process that has a return probe counts.
            if !orders.children && found.pid != orders.pid {
                continue;
            }
            let thread = (found.tid, found.outermost);
            if !self.0.contains(&thread) {
                if is_stale(&found) {
                    self.0.insert(thread);
                } else {
                    remain = true;
                }
            }
        }
        Ok(remain)
    }
}

fn open_returns(object: &mut Object) -> anyhow::Result<Vec<OpenReturns>> {
    let program = program(object)?;
    let id = program.attach().context("cannot begin the walk over threads")?;
    let mut walk =
        program.take_link(id)?.into_file().context("cannot begin the walk over threads")?;
    let mut bytes = Vec::new();
    walk.read_to_end(&mut bytes).context("cannot walk over threads")?;
    Ok(bytes.chunks_exact(size_of::<OpenReturns>()).map(parse).collect())
}

fn program(object: &mut Object) -> anyhow::Result<&mut Iter> {
    let program =
        object.ebpf().program_mut(PROGRAM).context("the kernel half has no walk over threads")?;
    Ok(program.try_into()?)
}

fn parse(bytes: &[u8]) -> OpenReturns {
    let int =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(int(at)) | (u64::from(int(at + 4)) << 32);
    OpenReturns { pid: int(0), tid: int(4), stack_pointer: long(8), outermost: long(16) }
}

/// Whether even the outermost call is gone: it lies below the stack pointer, and not because one of
/// the two is on a signal stack.
fn is_stale(found: &OpenReturns) -> bool {
    found.outermost < found.stack_pointer
        && mapping(found.pid, found.outermost)
            .is_none_or(|(start, end)| (start..end).contains(&found.stack_pointer))
}

/// Bounds of the mapping that holds an address.
fn mapping(pid: u32, address: u64) -> Option<(u64, u64)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    maps.lines().find_map(|line| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start..end).contains(&address).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_layout_of_the_kernel_half() {
        let raw = OpenReturns { pid: 3, tid: 4, stack_pointer: 1 << 40, outermost: (1 << 41) + 8 };
        let mut bytes = Vec::new();
        bytes.extend(raw.pid.to_ne_bytes());
        bytes.extend(raw.tid.to_ne_bytes());
        bytes.extend(raw.stack_pointer.to_ne_bytes());
        bytes.extend(raw.outermost.to_ne_bytes());
        assert_eq!(bytes.len(), size_of_val(&raw));
        assert_eq!(parse(&bytes), raw);
    }

    #[test]
    fn a_call_below_the_stack_pointer_is_stale_only_on_the_same_stack() {
        let here = 0_u64;
        let address = std::ptr::from_ref(&here) as u64;
        let pid = std::process::id();
        let elsewhere = std::ptr::from_ref(&PROGRAM) as u64;
        let found =
            |outermost, stack_pointer| OpenReturns { pid, tid: pid, stack_pointer, outermost };
        assert!(is_stale(&found(address, address + 8)));
        assert!(!is_stale(&found(address + 8, address)));
        let (low, high) = (address.min(elsewhere), address.max(elsewhere));
        assert!(!is_stale(&found(low, high)));
    }
}
