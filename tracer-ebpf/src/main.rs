//! The kernel half of scope: programs at function entry and return, at scheduler, task and system
//! call tracepoints, and the guard before stack unwinding.
//!
//! Every program does the same: is this thread traced, take a place in this CPU's ring, fill one
//! fixed-size record, submit it without waking anybody. What does not fit is counted exactly.
//! Absent here: stacks, durations, names; the user half makes those from the records.

#![no_std]
#![no_main]
// The target has no atomic read-modify-write in `core`; the instruction is written out instead.
#![feature(asm_experimental_arch)]

mod functions;
mod guard;
mod kernel;
mod maps;
mod remains;
mod ring;
mod scheduler;
mod syscalls;
mod tasks;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Helpers such as the clock and the ring buffer are reserved to programs under the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
