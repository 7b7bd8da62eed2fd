//! Timing of single questions, and what is told of many.

use std::time::{Duration, Instant};

/// How long questions of one kind took.
#[derive(Clone, Debug, Default)]
pub struct Times {
    micros: Vec<f64>,
}

impl Times {
    /// Adds a question.
    pub fn push(&mut self, passed: Duration) {
        self.micros.push(passed.as_secs_f64() * 1e6);
    }

    /// Adds the questions of another kind.
    pub fn extend(&mut self, other: &Self) {
        self.micros.extend_from_slice(&other.micros);
    }

    /// The time that a share of the questions (from 0 to 1) did not exceed, in µs; 0 for none.
    pub fn micros(&self, share: f64) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() as f64 * share) as usize;
        sorted.get(rank).or(sorted.last()).copied().unwrap_or_default()
    }

    /// The same in ms.
    pub fn millis(&self, share: f64) -> f64 {
        self.micros(share) / 1e3
    }

    /// How many questions there were.
    pub fn len(&self) -> usize {
        self.micros.len()
    }
}

/// Does something; what came of it and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

/// In ms.
pub fn millis(passed: Duration) -> f64 {
    passed.as_secs_f64() * 1e3
}

/// A number that looks random and is the same in every run.
pub fn scatter(number: u64) -> u64 {
    (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times() {
        let mut times = Times::default();
        assert_eq!(times.micros(0.5), 0.0);
        (0..100).rev().for_each(|micros| times.push(Duration::from_micros(micros)));
        assert_eq!((times.micros(0.5), times.micros(0.99), times.micros(1.0)), (50.0, 99.0, 99.0));
        assert_eq!(times.millis(0.5), 0.05);
    }
}
