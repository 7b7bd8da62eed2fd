//! What a probe costs on this machine, measured on functions of our own.
//!
//! Three functions that begin with the three kinds of instruction; each is called in a loop with and
//! without an empty program at its entry and return.

use std::arch::global_asm;
use std::io;
use std::time::Instant;

use super::attach::{AttachError, FileSites, Mechanism, Probes, own_site_of};
use super::object::Object;

global_asm!(
    ".globl scope_site_nop5",
    ".type scope_site_nop5, @function",
    "scope_site_nop5: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00",
    "ret",
    ".size scope_site_nop5, . - scope_site_nop5",
    ".globl scope_site_push",
    ".type scope_site_push, @function",
    "scope_site_push: push %rbp",
    "pop %rbp",
    "ret",
    ".size scope_site_push, . - scope_site_push",
    ".globl scope_site_mov",
    ".type scope_site_mov, @function",
    "scope_site_mov: mov %edi, %eax",
    "ret",
    ".size scope_site_mov, . - scope_site_mov",
    options(att_syntax)
);

unsafe extern "C" {
    safe fn scope_site_nop5();
    safe fn scope_site_push();
    safe fn scope_site_mov();
}

/// Cost of one entry and return probe with an empty program, ns a call, over the bare call.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct ProbeCost {
    /// On a 5-byte nop.
    pub nop5: f64,
    /// On an instruction that the kernel emulates.
    pub emulated: f64,
    /// On an instruction that is single-stepped.
    pub single_stepped: f64,
}

/// Measures; takes a few tens of milliseconds.
///
/// # Errors
///
/// When the probes cannot be attached.
pub fn measure(object: &mut Object, mechanism: Mechanism) -> Result<ProbeCost, AttachError> {
    let mut one = |function: extern "C" fn(), rounds: u32| -> Result<f64, AttachError> {
        let refused =
            |error: io::Error| AttachError::Refused { path: "/proc/self/exe".into(), error };
        let bare = time(function, rounds);
        let sites = FileSites {
            file: std::fs::File::open("/proc/self/exe").map_err(refused)?,
            offsets: vec![own_site_of(function as usize as u64).map_err(refused)?],
            cookies: vec![0],
        };
        let probes = Probes::attach_empty(object, mechanism, &[sites], std::process::id())?;
        let probed = time(function, rounds);
        drop(probes);
        Ok((probed - bare).max(0.0))
    };
    Ok(ProbeCost {
        nop5: one(scope_site_nop5, 20_000)?,
        emulated: one(scope_site_push, 20_000)?,
        single_stepped: one(scope_site_mov, 2_000)?,
    })
}

/// Best of five rounds, ns a call: other work on the machine only adds.
fn time(function: extern "C" fn(), rounds: u32) -> f64 {
    let round = || {
        let begin = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(function)();
        }
        begin.elapsed().as_nanos() as f64 / f64::from(rounds)
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}
