//! Names of system calls. Numbers are those of the recorded machine, not of this one.

use syscalls::{Errno, aarch64, x86_64};

/// Numbers above this have no name on any machine that is known here.
const LAST: u32 = 1_023;

/// Name of the system call with this number on a machine as `uname -m` prints it.
#[must_use]
pub fn name(machine: &str, number: u32) -> Option<&'static str> {
    let number = number as usize;
    match machine {
        "x86_64" => x86_64::Sysno::new(number).map(|call| call.name()),
        "aarch64" => aarch64::Sysno::new(number).map(|call| call.name()),
        _ => None,
    }
}

/// Number and name of every system call of a machine.
pub fn all(machine: &str) -> impl Iterator<Item = (u32, &'static str)> {
    (0..=LAST).filter_map(move |number| Some((number, name(machine, number)?)))
}

/// Name of the error that a result stands for, such as `ENOENT`.
#[must_use]
pub fn error(result: i64) -> Option<&'static str> {
    match result {
        -4095..=-1 => Errno::new(i32::try_from(-result).ok()?).name(),
        _ => None,
    }
}
