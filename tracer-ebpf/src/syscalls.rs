//! System calls of traced threads, so that a blocked slice names what it waits in.

use core::mem::offset_of;

use aya_ebpf::bindings::pt_regs;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use tracer_common::RecordKind;

use crate::functions::current;
use crate::kernel::read;
use crate::ring::{Head, send};
use crate::scheduler::is_traced;

/// `uretprobe` and `uprobe` on x86-64: how probes themselves enter the kernel. They leave it, like
/// `rt_sigreturn`, under no number.
const UNSEEN: [u64; 3] = [335, 336, u64::MAX];

/// `sys_enter(regs, number)`.
#[raw_tracepoint(tracepoint = "sys_enter")]
pub fn sys_enter(ctx: RawTracePointContext) -> i32 {
    record(&ctx, ctx.arg(1), RecordKind::SyscallEnter, 0);
    0
}

/// `sys_exit(regs, result)`. The registers still hold the number.
#[raw_tracepoint(tracepoint = "sys_exit")]
pub fn sys_exit(ctx: RawTracePointContext) -> i32 {
    let number = read(ctx.arg(0), offset_of!(pt_regs, orig_rax) as u32);
    record(&ctx, number, RecordKind::SyscallExit, ctx.arg(1));
    0
}

#[inline(always)]
fn record(ctx: &RawTracePointContext, number: u64, kind: RecordKind, result: u64) {
    if UNSEEN.contains(&number) {
        return;
    }
    let (pid, tid) = current();
    if is_traced(pid) {
        send(ctx, Head { pid, tid, id: number as u32, kind, flags: 0 }, result, 0);
    }
}
