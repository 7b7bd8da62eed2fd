//! Whether replaced return addresses are left on the stacks of a target.
//!
//! The kernel keeps a list of them for each thread; a program of the kernel half walks all threads and
//! reports the lists. A list also holds calls that were jumped over, by `longjmp`, an exception or a
//! panic: their places lie below the stack pointer, on the same stack, or hold another address since the
//! guard put back what the unwinder had to see.

use std::collections::HashSet;
use std::fs;
use std::io::Read;

use anyhow::Context;
use aya::Btf;
use aya::programs::Iter;
use tracer_common::OpenReturn;

use super::Orders;
use super::restore::Restorer;
use crate::probe::memory::{Word, read_words};
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

/// Places that were seen not to be returned through. With the probes out no list grows: what was stale
/// once stays so, wherever the thread's stack pointer goes.
#[derive(Debug, Default)]
pub struct Cleared(HashSet<(u32, u64)>);

impl Cleared {
    /// Whether any thread of the target still has a replaced address to return through. To be asked when
    /// the probes are out.
    ///
    /// # Errors
    ///
    /// When the kernel's lists cannot be read.
    pub fn any_remain(
        &mut self,
        object: &mut Object,
        orders: &Orders,
        restorer: &mut Restorer,
    ) -> anyhow::Result<bool> {
        let mut remain = false;
        for found in open_returns(object)? {
            // Descendants are not known here: every process that has a return probe counts.
            if !orders.children && found.pid != orders.pid {
                continue;
            }
            let place = (found.tid, found.slot);
            if !self.0.contains(&place) {
                if is_stale(&found, restorer.trampoline(found.pid)) {
                    self.0.insert(place);
                } else {
                    remain = true;
                }
            }
        }
        Ok(remain)
    }
}

fn open_returns(object: &mut Object) -> anyhow::Result<Vec<OpenReturn>> {
    let program = program(object)?;
    let id = program.attach().context("cannot begin the walk over threads")?;
    let mut walk =
        program.take_link(id)?.into_file().context("cannot begin the walk over threads")?;
    let mut bytes = Vec::new();
    walk.read_to_end(&mut bytes).context("cannot walk over threads")?;
    Ok(bytes.chunks_exact(size_of::<OpenReturn>()).map(parse).collect())
}

fn program(object: &mut Object) -> anyhow::Result<&mut Iter> {
    let program =
        object.ebpf().program_mut(PROGRAM).context("the kernel half has no walk over threads")?;
    Ok(program.try_into()?)
}

fn parse(bytes: &[u8]) -> OpenReturn {
    let int =
        |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(int(at)) | (u64::from(int(at + 4)) << 32);
    OpenReturn { pid: int(0), tid: int(4), stack_pointer: long(8), slot: long(16) }
}

/// Whether nothing will return through this place: it holds another address than `trampoline`, or it lies
/// below the stack pointer, and not because one of the two is on a signal stack. What cannot be told
/// counts as open.
fn is_stale(found: &OpenReturn, trampoline: Option<u64>) -> bool {
    let mut word = [Word { address: found.slot, value: 0 }];
    match read_words(found.pid, &mut word) {
        Ok(()) if trampoline.is_some_and(|replaced| replaced != word[0].value) => return true,
        // The stack is unmapped, or the process has ended.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EFAULT | libc::ESRCH)) => {
            return true;
        }
        Ok(()) | Err(_) => {}
    }
    found.slot < found.stack_pointer
        && mapping(found.pid, found.slot)
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
        let raw = OpenReturn { pid: 3, tid: 4, stack_pointer: 1 << 40, slot: (1 << 41) + 8 };
        let mut bytes = Vec::new();
        bytes.extend(raw.pid.to_ne_bytes());
        bytes.extend(raw.tid.to_ne_bytes());
        bytes.extend(raw.stack_pointer.to_ne_bytes());
        bytes.extend(raw.slot.to_ne_bytes());
        assert_eq!(bytes.len(), size_of_val(&raw));
        assert_eq!(parse(&bytes), raw);
    }

    const TRAMPOLINE: u64 = 0x7fff_ffff_e000;

    #[test]
    fn a_call_below_the_stack_pointer_is_stale_only_on_the_same_stack() {
        let here = std::hint::black_box([TRAMPOLINE; 2]);
        let address = std::ptr::from_ref(&here[0]) as u64;
        let elsewhere = Box::new(TRAMPOLINE);
        let elsewhere = std::ptr::from_ref(&*elsewhere) as u64;
        let pid = std::process::id();
        let stale = |slot, stack_pointer| {
            is_stale(&OpenReturn { pid, tid: pid, stack_pointer, slot }, Some(TRAMPOLINE))
        };
        assert!(stale(address, address + 8));
        assert!(!stale(address + 8, address));
        let (below, above) =
            if address < elsewhere { (address, elsewhere) } else { (elsewhere, address) };
        assert!(!stale(below, above));
    }

    #[test]
    fn a_place_that_holds_another_address_is_stale_wherever_it_lies() {
        let word = std::hint::black_box(0x1234_u64);
        let slot = std::ptr::from_ref(&word) as u64;
        let pid = std::process::id();
        let found = OpenReturn { pid, tid: pid, stack_pointer: slot - 64, slot };
        assert!(is_stale(&found, Some(TRAMPOLINE)));
        assert!(!is_stale(&found, Some(word)));
        assert!(!is_stale(&found, None));
    }

    #[test]
    fn a_stack_that_is_gone_is_stale() {
        let pid = std::process::id();
        let found = OpenReturn { pid, tid: pid, stack_pointer: 0, slot: 8 };
        assert!(is_stale(&found, Some(TRAMPOLINE)));
    }
}
