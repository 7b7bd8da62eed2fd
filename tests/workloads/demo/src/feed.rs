//! Where orders come from: a burst every few milliseconds, as from a network.

use std::thread;
use std::time::{Duration, Instant};

use crate::queue::Queue;

const BURST: u64 = 24;
const PAUSE: Duration = Duration::from_millis(8);

/// One order.
pub struct Order {
    pub number: u64,
    pub account: usize,
    pub amount: i64,
}

impl Order {
    /// Whether the other side must say yes before the order counts.
    pub fn needs_confirmation(&self) -> bool {
        self.number.is_multiple_of(100)
    }
}

/// Feeds orders into `queue` for ever, at a steady rate.
pub fn run(queue: &Queue<Order>) {
    let mut next = Instant::now();
    let mut number = 0;
    loop {
        for _ in 0..BURST {
            number += 1;
            queue.push(receive(number));
        }
        next += PAUSE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// The order with this number, made up from it.
#[inline(never)]
fn receive(number: u64) -> Order {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    Order { number, account: (mixed % 8192) as usize, amount: (mixed % 20_001) as i64 - 10_000 }
}
