//! Panics that unwind through probed frames, are caught, resumed, or end their thread.
//! Truth: every function counts its own calls.

use std::hint::black_box;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// Counts one call. The counter's address goes through memory: an instruction with a lock prefix, which
/// the kernel refuses to probe, must not be the function's first.
#[inline(always)]
fn called(counter: &AtomicU64) {
    black_box(counter).fetch_add(1, Relaxed);
}

macro_rules! truth {
    ($($counter:ident $name:literal)*) => {
        $(static $counter: AtomicU64 = AtomicU64::new(0);)*
        fn tell() {
            $(println!("{{\"function\":\"panics::{}\",\"calls\":{}}}", $name, $counter.load(Relaxed));)*
        }
    };
}

truth! {
    DESCEND "descend"
    FAIL "fail"
    CLEAN_UP "clean_up"
    CAUGHT "caught"
    RESUMED "resumed"
    THREAD_BODY "thread_body"
    CALM "calm"
}

const ROUNDS: u32 = 500;

/// Its drop calls a probed function while the stack is being unwound.
struct Guard(u32);

impl Drop for Guard {
    fn drop(&mut self) {
        black_box(clean_up(self.0));
    }
}

#[inline(never)]
fn clean_up(x: u32) -> u32 {
    called(&CLEAN_UP);
    black_box(x + 1)
}

#[inline(never)]
fn calm(x: u32) -> u32 {
    called(&CALM);
    black_box(x * 2)
}

#[inline(never)]
fn fail(x: u32) -> u32 {
    called(&FAIL);
    if black_box(true) {
        panic!("round {x}");
    }
    x
}

#[inline(never)]
fn descend(levels: u32, x: u32) -> u32 {
    called(&DESCEND);
    let guard = Guard(levels);
    let below = if levels == 0 { fail(x) } else { descend(levels - 1, x) };
    black_box(below + guard.0)
}

#[inline(never)]
fn caught(x: u32) -> u32 {
    called(&CAUGHT);
    match catch_unwind(|| descend(5, x)) {
        Ok(value) => value,
        Err(_) => calm(x),
    }
}

#[inline(never)]
fn resumed(x: u32) -> u32 {
    called(&RESUMED);
    match catch_unwind(AssertUnwindSafe(|| descend(2, x))) {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

#[inline(never)]
fn thread_body(x: u32) -> u32 {
    called(&THREAD_BODY);
    black_box(descend(3, x))
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    let mut sum = 0u64;
    for round in 0..ROUNDS {
        sum += u64::from(caught(round));
        sum += catch_unwind(|| resumed(round)).map_or_else(|_| u64::from(calm(round)), u64::from);
    }
    // A panic at the bottom of more frames than the kernel has return probes for.
    for round in 0..10 {
        sum += catch_unwind(|| descend(120, round)).map_or(1, u64::from);
    }
    for round in 0..20 {
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(move || thread_body(round))).collect();
        sum += threads.into_iter().map(|t| u64::from(t.join().is_err())).sum::<u64>();
    }
    println!("{{\"fact\":\"sum\",\"value\":{sum}}}");
    tell();
}
