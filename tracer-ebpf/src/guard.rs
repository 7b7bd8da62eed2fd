//! The guard before stack unwinding.
//!
//! A return probe replaces the return address on the stack. An exception, a panic or a backtrace
//! walks the stack and would find the probe's address there: C++ and Rust programs end with
//! `terminate` or `abort`. So a probe stands on the unwinder's own entry points. It lists what the
//! kernel remembers of the thread's replaced addresses, hands the list to the guard process, and
//! holds the thread until that has written the addresses back. Where an exception has been caught,
//! the same list serves to put the probes' addresses in again for the calls that survived.
//!
//! The thread is held by waiting in place, for microseconds: no helper lets a program sleep until it is
//! woken, and a stop signal would be seen by others. But it must give way to the guard process, which
//! may be waiting for this very CPU, and a kernel without preemption takes a CPU away only where code
//! offers it. Copying from the thread's own memory through the helper for any task's memory is such a
//! place: it pins the page and asks the scheduler each time (`__get_user_pages`). Only sleepable
//! programs may call it.

use core::ffi::c_void;
use core::ptr;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_RB_FORCE_WAKEUP;
use aya_ebpf::helpers::generated::{
    bpf_copy_from_user_task, bpf_get_attach_cookie, bpf_get_current_task, bpf_get_current_task_btf,
};
use aya_ebpf::helpers::{bpf_ktime_get_ns, bpf_loop};
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::{RETURN_SLOTS, RestoreRequest};

use crate::functions::current;
use crate::kernel::read;
use crate::maps::{RESTORED, RESTORES, UPROBES};

/// Longest wait for an answer, ns. Not reached while the guard process lives.
const PATIENCE_NS: u64 = 2_000_000_000;
/// Rounds of waiting; the time bound ends it first.
const ROUNDS: u32 = 1 << 23;

struct Wait {
    tid: u32,
    ticket: u64,
    until_ns: u64,
    /// An address in the thread's memory.
    address: u64,
}

/// At an entry point of the unwinder (cookie 0), and where an exception has been caught (cookie 1).
#[uprobe(sleepable)]
pub fn unwind_guard(ctx: ProbeContext) -> u32 {
    let offsets = UPROBES.load();
    // SAFETY: the helper has no preconditions.
    let task = unsafe { bpf_get_current_task() };
    let utask: u64 = read(task, offsets.utask);
    if utask == 0 {
        return 0;
    }
    let mut instance: u64 = read(utask, offsets.return_instances);
    if instance == 0 {
        return 0;
    }
    // SAFETY: `regs` is the context the kernel handed in.
    let sp = unsafe { (*ctx.regs).rsp };
    let (pid, tid) = current();
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(mut entry) = RESTORES.reserve(0) else {
        return 0;
    };
    let request: *mut RestoreRequest = entry.as_mut_ptr();
    let mut count = 0_u32;
    for slot in 0..RETURN_SLOTS {
        if instance == 0 {
            break;
        }
        let stack: u64 = read(instance, offsets.stack);
        let original: u64 = read(instance, offsets.original);
        // SAFETY: the place was reserved above.
        unsafe { (*request).slots[slot] = [stack, original] };
        count += 1;
        instance = read(instance, offsets.next);
    }
    // SAFETY: the place was reserved above; the helper takes the context the kernel handed in.
    unsafe {
        (*request).ticket = now;
        (*request).pid = pid;
        (*request).tid = tid;
        (*request).count = count;
        (*request).stack_pointer = sp;
        (*request).rearm = bpf_get_attach_cookie(ctx.as_ptr()) as u32;
    }
    entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
    let mut wait = Wait { tid, ticket: now, until_ns: now + PATIENCE_NS, address: sp };
    // SAFETY: the callback has the signature the helper asks for, and `wait` outlives the call.
    unsafe {
        bpf_loop(ROUNDS, is_answered as *mut c_void, ptr::from_mut(&mut wait).cast(), 0);
    }
    0
}

/// 1 ends the waiting.
extern "C" fn is_answered(_round: u64, wait: *mut Wait) -> i64 {
    // SAFETY: the pointer that `unwind_guard` passed.
    let wait = unsafe { &*wait };
    // SAFETY: only this thread and the guard process touch this key.
    if unsafe { RESTORED.get(&wait.tid) }.is_some_and(|ticket| *ticket == wait.ticket) {
        return 1;
    }
    let mut word = 0_u64;
    // SAFETY: writes 8 bytes to `word`; the task is the running one, so it lives. What is read does not
    // matter, nor whether it can be.
    unsafe {
        bpf_copy_from_user_task(
            (&raw mut word).cast(),
            size_of::<u64>() as u32,
            wait.address as *const c_void,
            bpf_get_current_task_btf(),
            0,
        );
    }
    // SAFETY: the helper has no preconditions.
    i64::from(unsafe { bpf_ktime_get_ns() } > wait.until_ns)
}
