//! Records into the ring of the current CPU; what does not fit is counted.
//!
//! The place is reserved before the clock is read. So a record's time is never earlier than the
//! moment its place was taken, and a reader that saw a ring empty at time T knows that nothing older
//! than T can still appear in it: merging the rings needs no guessed window.

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use aya_log_ebpf::warn;
use tracer_common::{Loss, Record, RecordKind};

use crate::maps::{CONTROL, LOSSES, LOST, RINGS};

/// Who and what a record is about.
pub struct Head {
    pub pid: u32,
    pub tid: u32,
    pub id: u32,
    pub kind: RecordKind,
    pub flags: u8,
}

/// Sends one record. `false`: it was lost, and counted.
#[inline(always)]
pub fn send<C: aya_ebpf::EbpfContext>(ctx: &C, head: Head, a: u64, b: u64) -> bool {
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let Some(ring) = RINGS.get(cpu) else {
        return lost(ctx, head.pid, head.tid, head.kind);
    };
    let Some(mut entry) = ring.reserve(0) else {
        return lost(ctx, head.pid, head.tid, head.kind);
    };
    entry.write(Record {
        // SAFETY: the helper has no preconditions.
        time_ns: unsafe { bpf_ktime_get_ns() },
        pid: head.pid,
        tid: head.tid,
        id: head.id,
        cpu: cpu as u16,
        kind: head.kind as u8,
        flags: head.flags,
        a,
        b,
    });
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    true
}

/// Counts one lost record, for the thread and for the CPU; always `false`.
#[inline(always)]
fn lost<C: aya_ebpf::EbpfContext>(ctx: &C, pid: u32, tid: u32, kind: RecordKind) -> bool {
    if !count_loss(pid, tid, kind as u8) {
        warn!(ctx, "no room to count the losses of thread {} apart", tid);
    }
    false
}

/// `false`: counted for the CPU only, the map of threads is full.
#[inline(never)]
fn count_loss(pid: u32, tid: u32, kind: u8) -> bool {
    let which = match kind {
        1 => 0,
        2 => 1,
        _ => 2,
    };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let epoch = CONTROL.get(0).map_or(0, |control| control.epoch);
    let loss = LOSSES.get_ptr_mut(&tid).or_else(|| {
        let fresh = Loss { pid, first_ns: now, last_ns: now, epoch, ..Loss::NONE };
        let _ = LOSSES.insert(&tid, &fresh, 1);
        LOSSES.get_ptr_mut(&tid)
    });
    let totals = LOST.get_ptr_mut(0);
    let Some(loss) = loss else {
        if let Some(totals) = totals {
            add(unsafe { &raw mut (*totals).unattributed[which] });
        }
        return false;
    };
    // SAFETY: a map value, present for the whole program run: entries are never deleted while
    // probes are attached.
    unsafe {
        if (*loss).epoch != epoch {
            (*loss).epoch = epoch;
            (*loss).first_ns = now;
        }
        (*loss).last_ns = now;
        add(&raw mut (*loss).counts[which]);
    }
    if let Some(totals) = totals {
        add(unsafe { &raw mut (*totals).counts[which] });
    }
    true
}

/// An increment that an interrupt or another CPU cannot undo.
#[inline(always)]
fn add(counter: *mut u64) {
    // SAFETY: `counter` points into a map value, 8-byte aligned.
    unsafe {
        core::arch::asm!("lock *(u64 *)({counter} + 0) += {one}", counter = in(reg) counter, one = in(reg) 1_u64);
    }
}
