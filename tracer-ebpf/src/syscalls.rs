//! System calls of traced threads, so that a blocked slice names what it waits in.

use aya_ebpf::bindings::pt_regs;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use tracer_common::RecordKind;

use crate::functions::current;
use crate::ring::{Head, send};
use crate::scheduler::is_traced;

/// `uretprobe` and `uprobe` on x86-64: how probes themselves enter the kernel. They leave it, like
/// `rt_sigreturn`, under no number.
const UNSEEN: [u64; 3] = [335, 336, u64::MAX];

/// `sys_enter(regs, number)`.
#[btf_tracepoint(function = "sys_enter")]
pub fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    record(&ctx, ctx.arg(1), RecordKind::SyscallEnter, 0);
    0
}

/// `sys_exit(regs, result)`. The registers still hold the number. These programs run at every return
/// through a probe as well: the verifier knows the type of the registers, so the load is a plain one.
#[btf_tracepoint(function = "sys_exit")]
pub fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    let regs: *const pt_regs = ctx.arg(0);
    // SAFETY: the registers the kernel handed in.
    let number = unsafe { (*regs).orig_rax };
    record(&ctx, number, RecordKind::SyscallExit, ctx.arg(1));
    0
}

#[inline(always)]
fn record(ctx: &BtfTracePointContext, number: u64, kind: RecordKind, result: u64) {
    if UNSEEN.contains(&number) {
        return;
    }
    let (pid, tid) = current();
    if is_traced(pid) {
        send(ctx, Head { pid, tid, id: number as u32, kind, flags: 0 }, result, 0);
    }
}
