//! What the scheduler does to traced threads.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use tracer_common::{Record, RecordKind};

use crate::functions::current;
use crate::kernel::Task;
use crate::maps::{PROCESSES, setting};
use crate::ring::{Head, send};

/// `sched_switch(preempt, prev, next[, prev_state])`.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn sched_switch(ctx: RawTracePointContext) -> i32 {
    let preempted: u64 = ctx.arg(0);
    let previous = Task(ctx.arg(1));
    let next = Task(ctx.arg(2));
    let pid = previous.pid();
    if is_traced(pid) {
        let state = if setting!(task.switch_has_state) != 0 {
            ctx.arg::<u64>(3) as u32
        } else {
            previous.state()
        };
        let flags = if preempted & 0xff != 0 { Record::FLAG_PREEMPTED } else { 0 };
        let kind = RecordKind::SwitchOut;
        send(&ctx, Head { pid, tid: previous.tid(), id: 0, kind, flags }, u64::from(state), 0);
    }
    let pid = next.pid();
    if is_traced(pid) {
        let kind = RecordKind::SwitchIn;
        send(&ctx, Head { pid, tid: next.tid(), id: 0, kind, flags: 0 }, 0, 0);
    }
    0
}

/// `sched_waking(task)`, in the context of the waker.
#[raw_tracepoint(tracepoint = "sched_waking")]
pub fn sched_waking(ctx: RawTracePointContext) -> i32 {
    let task = Task(ctx.arg(0));
    let pid = task.pid();
    if is_traced(pid) {
        let (waker_pid, waker) = current();
        let kind = RecordKind::Waking;
        send(&ctx, Head { pid, tid: task.tid(), id: waker, kind, flags: 0 }, u64::from(waker_pid), 0);
    }
    0
}

/// Whether events of the process are wanted. The idle task is process 0.
#[inline(always)]
pub fn is_traced(pid: u32) -> bool {
    // SAFETY: only the presence is looked at.
    pid != 0 && unsafe { PROCESSES.get(&pid) }.is_some()
}
