//! A walk over all threads that tells which return probes the kernel still expects.
//!
//! The guard reads it to learn when it may leave: probes that are gone leave the calls behind that
//! were open, each with the address of the kernel's return probe on the stack.

use core::ffi::c_void;

use aya_ebpf::bindings::{pt_regs, seq_file, task_struct};
use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_task_pt_regs};
use tracer_common::{OpenReturn, RETURN_SLOTS};

use crate::kernel::{Task, read};
use crate::maps::UPROBES;

/// What the kernel hands to a program that walks threads (`struct bpf_iter__task`).
#[repr(C)]
pub struct Walk {
    meta: *mut Meta,
    task: *mut task_struct,
}

/// `struct bpf_iter_meta`, its beginning.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
}

/// Runs for each thread, and once more without one at the end.
///
/// # Safety
///
/// The kernel calls it with its own context.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn open_returns(ctx: *mut Walk) -> i32 {
    // SAFETY: the context the kernel handed in; the verifier checks every access.
    let (meta, thread) = unsafe { ((*ctx).meta, (*ctx).task) };
    if thread.is_null() {
        return 0;
    }
    let offsets = UPROBES.load();
    let utask: u64 = read(thread as u64, offsets.utask);
    if utask == 0 {
        return 0;
    }
    let mut instance: u64 = read(utask, offsets.return_instances);
    if instance == 0 {
        return 0;
    }
    let task = Task(thread as u64);
    // SAFETY: `thread` is the task the kernel handed in; its registers at the last entry to the kernel
    // lie at the top of its kernel stack for as long as it lives.
    let stack_pointer = unsafe { (*(bpf_task_pt_regs(thread) as *const pt_regs)).rsp };
    let mut found = OpenReturn { pid: task.pid(), tid: task.tid(), stack_pointer, slot: 0 };
    for _ in 0..RETURN_SLOTS {
        if instance == 0 {
            break;
        }
        found.slot = read(instance, offsets.stack);
        // SAFETY: `meta.seq` is the kernel's output for this walk; `found` is plain bytes without padding.
        unsafe {
            bpf_seq_write(
                (*meta).seq,
                (&raw const found).cast::<c_void>(),
                size_of::<OpenReturn>() as u32,
            );
        }
        instance = read(instance, offsets.next);
    }
    0
}
