//! Prints the names of its callers as `std::backtrace` finds them.
//! Truth: what it prints when nobody traces it.

use std::backtrace::Backtrace;
use std::hint::black_box;
use std::io::Read;

#[inline(never)]
fn show() -> usize {
    let text = Backtrace::force_capture().to_string();
    println!("{text}");
    text.len()
}

#[inline(never)]
fn inner(levels: u32) -> usize {
    black_box(if levels == 0 { show() } else { inner(levels - 1) }) + 1
}

#[inline(never)]
fn outer(levels: u32) -> usize {
    black_box(inner(levels)) + 1
}

fn main() {
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    black_box(outer(0));
    black_box(outer(3));
    std::thread::spawn(|| black_box(outer(1))).join().expect("the thread does not panic");
}
