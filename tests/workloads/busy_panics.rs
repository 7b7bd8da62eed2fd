//! Keeps two threads busy panicking through frames and catching, and prints one line a batch; as many
//! batches as its first argument says, or until its input ends; exit status 7.
//! Truth: the lines depend on the batch number alone, never on the time or on a tracer.

use std::hint::black_box;
use std::io::{Read, Write};
use std::panic::{catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

#[inline(never)]
fn mix(x: u64) -> u64 {
    black_box((x ^ (x >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
}

struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        black_box(mix(self.0));
    }
}

#[inline(never)]
fn descend(levels: u64, x: u64) -> u64 {
    let guard = Guard(x);
    if levels == 0 {
        panic_any(mix(x));
    }
    black_box(descend(levels - 1, mix(x)).wrapping_add(guard.0))
}

#[inline(never)]
fn attempt(x: u64) -> u64 {
    match catch_unwind(|| descend(x % 9, x)) {
        Ok(value) => value,
        Err(payload) => payload.downcast::<u64>().map_or(0, |value| mix(*value)),
    }
}

#[inline(never)]
fn batch(number: u64) -> u64 {
    (0..100).fold(number, |hash, i| mix(hash.wrapping_add(attempt(hash.wrapping_add(i)))))
}

static INPUT_ENDED: AtomicBool = AtomicBool::new(false);

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let batches = std::env::args().nth(1).map(|text| text.parse::<u64>().expect("a number"));
    println!("ready");
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        INPUT_ENDED.store(true, Relaxed);
    });
    let mut number = 0;
    while batches.map_or_else(|| !INPUT_ENDED.load(Relaxed), |batches| number < batches) {
        let second = thread::spawn(move || batch(number * 2 + 1));
        let hash = batch(number * 2);
        let other = second.join().expect("the batch catches its panics");
        println!("batch {number} {hash:016x} {other:016x}");
        std::io::stdout().flush().expect("standard output takes lines");
        number += 1;
    }
    std::process::exit(7);
}
