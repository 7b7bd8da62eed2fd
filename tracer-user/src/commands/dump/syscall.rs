//! Names of system calls. Numbers are those of the recorded machine, not of this one.

use scope_store::Trace;
use syscalls::{Errno, aarch64, x86_64};

/// Name of the system call with this number on the trace's machine.
pub fn name(trace: &Trace, number: u32) -> Option<&'static str> {
    let number = number as usize;
    match trace.manifest().host.machine.as_str() {
        "x86_64" => x86_64::Sysno::new(number).map(|call| call.name()),
        "aarch64" => aarch64::Sysno::new(number).map(|call| call.name()),
        _ => None,
    }
}

/// Name of the error that a result stands for, such as `ENOENT`.
pub fn error(result: i64) -> Option<&'static str> {
    match result {
        -4095..=-1 => Errno::new(i32::try_from(-result).ok()?).name(),
        _ => None,
    }
}
