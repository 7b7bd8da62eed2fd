//! Function entry and return.
//!
//! Three ways to be attached, chosen by the user half: one session program for both (Linux 6.13),
//! a pair under `uprobe_multi` (6.6), the same pair under perf-event uprobes.

use core::ffi::c_void;

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{bpf_get_attach_cookie, bpf_get_func_ip};
use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_probe_read_user};
use aya_ebpf::macros::{uprobe, uretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use tracer_common::{FunctionFlags, Record, RecordKind};

use crate::kernel::signal_stack_holds;
use crate::maps::{FUNCTIONS, PROCESSES, setting};
use crate::ring::{Head, send};

/// From a session's entry: the return is to be seen.
const WATCH_RETURN: u32 = 0;
/// From a session's entry: leave the return alone.
const SKIP_RETURN: u32 = 1;

/// Entry and return of a function under one link. At the return, the instruction pointer is
/// already the caller's.
///
/// Written without aya's attribute, whose programs always return 0: here the result of the entry says
/// whether the kernel is to watch the return.
///
/// # Safety
///
/// The kernel calls it with its own context.
#[unsafe(no_mangle)]
#[unsafe(link_section = "uprobe")]
pub unsafe extern "C" fn function_session(regs: *mut c_void) -> u32 {
    let ctx = ProbeContext::new(regs);
    // SAFETY: `regs` is the context the kernel handed in; the helper takes that context.
    let (ip, probed) = unsafe { ((*ctx.regs).rip, bpf_get_func_ip(ctx.as_ptr())) };
    if ip == probed {
        return enter(&ctx);
    }
    // SAFETY: as above.
    let (sp, value) = unsafe { ((*ctx.regs).rsp, (*ctx.regs).rax) };
    leave(&ctx, sp.wrapping_sub(8), value, 0);
    0
}

/// Entry of a function.
#[uprobe]
pub fn function_entry(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

/// Return of a function, through a return probe.
#[uretprobe]
pub fn function_exit(ctx: RetProbeContext) -> u32 {
    // SAFETY: `regs` is the context the kernel handed in.
    let (sp, value) = unsafe { ((*ctx.regs).rsp, (*ctx.regs).rax) };
    leave(&ctx, sp.wrapping_sub(8), value, 0);
    0
}

/// A `ret` instruction: the return of a function whose return address must not be replaced.
#[uprobe]
pub fn function_ret_site(ctx: ProbeContext) -> u32 {
    // SAFETY: `regs` is the context the kernel handed in.
    let (sp, value) = unsafe { ((*ctx.regs).rsp, (*ctx.regs).rax) };
    leave(&ctx, sp, value, Record::FLAG_RET_SITE);
    0
}

/// Does nothing: what a probe costs at the least.
#[uprobe]
pub fn function_empty(_ctx: ProbeContext) -> u32 {
    0
}

/// The kernel takes calls below the stack pointer for gone when it installs a return probe. On a signal
/// stack that lies above the thread's own, it would so forget live ones, and end the target when they
/// return: calls there get no return probe.
#[inline(always)]
fn enter(ctx: &ProbeContext) -> u32 {
    let (pid, tid) = current();
    if !is_traced(pid) {
        return SKIP_RETURN;
    }
    // SAFETY: the helper takes the context the kernel handed in.
    let id = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) } as u32;
    if FUNCTIONS.get(id).is_none_or(|flags| flags & FunctionFlags::ENABLED == 0) {
        return SKIP_RETURN;
    }
    // SAFETY: `regs` is the context the kernel handed in.
    let sp = unsafe { (*ctx.regs).rsp };
    let on_signal_stack = signal_stack_holds(sp);
    let watched = setting!(watch_returns) != 0 && !on_signal_stack;
    let mut flags = 0;
    if !watched {
        flags |= Record::FLAG_UNWATCHED;
    }
    if on_signal_stack {
        flags |= Record::FLAG_SIGNAL_STACK;
    }
    // SAFETY: the helper checks the address and fails on a bad one.
    let return_address = unsafe { bpf_probe_read_user(sp as *const u64) }.unwrap_or(0);
    let head = Head { pid, tid, id, kind: RecordKind::Entry, flags };
    if send(ctx, head, sp, return_address) && watched { WATCH_RETURN } else { SKIP_RETURN }
}

#[inline(always)]
fn leave<C: EbpfContext>(ctx: &C, entry_sp: u64, value: u64, flags: u8) {
    let (pid, tid) = current();
    if !is_traced(pid) {
        return;
    }
    // SAFETY: the helper takes the context the kernel handed in.
    let id = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) } as u32;
    send(ctx, Head { pid, tid, id, kind: RecordKind::Exit, flags }, entry_sp, value);
}

/// Process and thread id of the running thread.
#[inline(always)]
pub fn current() -> (u32, u32) {
    let both = bpf_get_current_pid_tgid();
    ((both >> 32) as u32, both as u32)
}

/// Probes bound to one process by the kernel need no look-up.
#[inline(always)]
fn is_traced(pid: u32) -> bool {
    // SAFETY: nothing is ever removed and inserted again within one run of a program.
    setting!(filter_functions) == 0 || unsafe { PROCESSES.get(&pid) }.is_some()
}
