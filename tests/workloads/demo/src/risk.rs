//! Whether an order is too risky: the hot spot.

use crate::feed::Order;

const PATHS: u64 = 4;
const STEPS: u64 = 6_000;

/// Whether the order may go on.
#[inline(never)]
pub fn check(order: &Order) -> bool {
    let worst = (0..PATHS).map(|path| simulate(order, path)).fold(f64::INFINITY, f64::min);
    worst > -1.0e9
}

/// Value of the order at the end of one random walk of the price.
#[inline(never)]
fn simulate(order: &Order, path: u64) -> f64 {
    let mut state = order.number.wrapping_mul(PATHS) + path + 1;
    let mut price = 100.0_f64;
    for _ in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let step = (state >> 40) as f64 / f64::from(1 << 24) - 0.5;
        price += step * 0.1;
    }
    price * order.amount as f64
}
