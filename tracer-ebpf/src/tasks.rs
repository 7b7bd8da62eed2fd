//! Birth, renaming and death of traced threads and processes.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use tracer_common::{Record, RecordKind};

use crate::functions::current;
use crate::kernel::{Task, read};
use crate::maps::{PROCESSES, setting};
use crate::ring::{Head, send};
use crate::scheduler::is_traced;

const CLONE_VM: u64 = 0x100;
const CLONE_THREAD: u64 = 0x1_0000;

/// `task_newtask(task, clone_flags)`, in the context of the parent, before the child runs.
#[raw_tracepoint(tracepoint = "task_newtask")]
pub fn task_newtask(ctx: RawTracePointContext) -> i32 {
    let (parent_pid, parent) = current();
    if !is_traced(parent_pid) {
        return 0;
    }
    let child = Task(ctx.arg(0));
    let clone_flags: u64 = ctx.arg(1);
    let pid = child.pid();
    let mut flags = 0;
    if clone_flags & CLONE_VM != 0 {
        flags |= Record::FLAG_SHARES_MEMORY;
    }
    if clone_flags & CLONE_THREAD != 0 {
        flags |= Record::FLAG_SAME_PROCESS;
    } else if setting!(follow_forks) == 0 || PROCESSES.insert(&pid, &1, 0).is_err() {
        return 0;
    }
    let (a, b) = child.name();
    send(&ctx, Head { pid, tid: child.tid(), id: parent, kind: RecordKind::NewTask, flags }, a, b);
    0
}

/// `sched_process_exec(task, old_tid, binprm)`.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn sched_process_exec(ctx: RawTracePointContext) -> i32 {
    let task = Task(ctx.arg(0));
    let pid = task.pid();
    if is_traced(pid) {
        let old_tid = ctx.arg::<u64>(1) as u32;
        let (a, b) = task.name();
        let tid = task.tid();
        let kind = RecordKind::Exec;
        send(&ctx, Head { pid, tid, id: old_tid, kind, flags: 0 }, a, b);
        let kind = RecordKind::Program;
        send(&ctx, Head { pid, tid, id: 0, kind, flags: 0 }, task.code_start(), 0);
    }
    0
}

/// `sched_process_exit(task)`.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn sched_process_exit(ctx: RawTracePointContext) -> i32 {
    let task = Task(ctx.arg(0));
    let pid = task.pid();
    if is_traced(pid) {
        let flags = if task.is_last() { Record::FLAG_LAST_THREAD } else { 0 };
        let code = u64::from(task.exit_code());
        send(&ctx, Head { pid, tid: task.tid(), id: 0, kind: RecordKind::TaskExit, flags }, code, 0);
    }
    0
}

/// `task_rename(task, name)`.
#[raw_tracepoint(tracepoint = "task_rename")]
pub fn task_rename(ctx: RawTracePointContext) -> i32 {
    let task = Task(ctx.arg(0));
    let pid = task.pid();
    if is_traced(pid) {
        let name: u64 = ctx.arg(1);
        let (a, b) = (read(name, 0), read(name, 8));
        send(&ctx, Head { pid, tid: task.tid(), id: 0, kind: RecordKind::Rename, flags: 0 }, a, b);
    }
    0
}
