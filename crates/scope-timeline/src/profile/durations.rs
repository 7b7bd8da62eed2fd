//! Durations of calls: exact while they are few, a histogram of three significant digits when they
//! are many. Most functions are called seldom, and a histogram takes tens of kilobytes.

use hdrhistogram::Histogram;

/// Durations kept one by one.
const FEW: usize = 256;

/// Significant decimal digits of a percentile.
const DIGITS: u8 = 3;

/// Longest duration told apart: 146 years. Keeps a damaged trace from growing histograms.
const LONGEST_NS: u64 = 1 << 62;

/// Why a histogram takes any duration up to that.
const TAKEN: &str = "a resizable histogram takes any value";

/// How long calls took.
#[derive(Clone, Debug)]
pub struct Durations {
    count: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
    /// All of them, while there is no histogram.
    few: Vec<u64>,
    many: Option<Histogram<u32>>,
}

impl Default for Durations {
    fn default() -> Self {
        Self { count: 0, sum_ns: 0, min_ns: u64::MAX, max_ns: 0, few: Vec::new(), many: None }
    }
}

impl Durations {
    /// How many calls these are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The shortest, ns.
    #[must_use]
    pub fn min_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min_ns)
    }

    /// The longest, ns.
    #[must_use]
    pub fn max_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_ns)
    }

    /// The arithmetic mean, ns, cut to an integer.
    #[must_use]
    pub fn mean_ns(&self) -> Option<u64> {
        let mean = self.sum_ns.checked_div(u128::from(self.count))?;
        Some(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The duration, ns, that the share `quantile` (0 to 1) of the calls did not exceed, to three
    /// significant digits at least.
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> Option<u64> {
        if let Some(histogram) = &self.many {
            // A bucket of the histogram may reach beyond what was seen.
            return Some(histogram.value_at_quantile(quantile).clamp(self.min_ns, self.max_ns));
        }
        let mut sorted = self.few.clone();
        sorted.sort_unstable();
        let rank = (quantile.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// How many of them took no longer than that, to three significant digits at least.
    #[must_use]
    pub fn count_up_to(&self, ns: u64) -> u64 {
        match &self.many {
            Some(histogram) => histogram.count_between(0, ns.min(LONGEST_NS)),
            None => self.few.iter().filter(|one| **one <= ns).count() as u64,
        }
    }

    /// Adds a duration.
    pub fn record(&mut self, ns: u64) {
        let ns = ns.min(LONGEST_NS);
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.keep(ns);
    }

    /// Takes those of `other` in.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        match &other.many {
            None => other.few.iter().for_each(|ns| self.keep(*ns)),
            Some(histogram) => {
                self.histogram().add(histogram).expect(TAKEN);
            }
        }
    }

    fn keep(&mut self, ns: u64) {
        if self.many.is_none() && self.few.len() < FEW {
            self.few.push(ns);
        } else {
            self.histogram().record(ns).expect(TAKEN);
        }
    }

    fn histogram(&mut self) -> &mut Histogram<u32> {
        self.many.get_or_insert_with(|| {
            let mut histogram = Histogram::new(DIGITS).expect("1 to 5 digits are allowed");
            histogram.auto(true);
            for ns in std::mem::take(&mut self.few) {
                histogram.record(ns).expect(TAKEN);
            }
            histogram
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Durations, FEW};

    fn of(values: impl IntoIterator<Item = u64>) -> Durations {
        let mut durations = Durations::default();
        for value in values {
            durations.record(value);
        }
        durations
    }

    #[test]
    fn no_call_has_no_duration() {
        let none = Durations::default();
        assert_eq!(
            (none.min_ns(), none.mean_ns(), none.quantile_ns(0.5), none.max_ns()),
            (None, None, None, None)
        );
    }

    #[test]
    fn few_durations_are_exact() {
        let durations = of([30, 10, 20]);
        assert_eq!(durations.min_ns(), Some(10));
        assert_eq!(durations.mean_ns(), Some(20));
        assert_eq!(durations.quantile_ns(0.5), Some(20));
        assert_eq!(durations.quantile_ns(0.99), Some(30));
        assert_eq!(durations.quantile_ns(0.0), Some(10));
        assert_eq!(durations.max_ns(), Some(30));
    }

    #[test]
    fn many_durations_keep_three_digits() {
        let durations = of((1..=100_000).map(|n| n * 1_000));
        for (quantile, exact) in [(0.5, 50_000_000.0), (0.9, 90_000_000.0), (0.99, 99_000_000.0)] {
            let got = durations.quantile_ns(quantile).unwrap() as f64;
            assert!((got - exact).abs() / exact < 0.001, "{quantile}: {got}");
        }
        assert_eq!(durations.quantile_ns(1.0), Some(100_000_000));
        assert_eq!(durations.min_ns(), Some(1_000));
        assert_eq!(durations.count(), 100_000);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        for (left, right) in [(2, 3), (FEW, 1), (1, 4 * FEW), (4 * FEW, 1), (4 * FEW, 5 * FEW)] {
            let mut sum = of((0..left as u64).map(|n| n * 7));
            sum.add(&of((left as u64..(left + right) as u64).map(|n| n * 7)));
            let whole = of((0..(left + right) as u64).map(|n| n * 7));
            assert_eq!(sum.count(), whole.count());
            assert_eq!(sum.mean_ns(), whole.mean_ns());
            assert_eq!(sum.quantile_ns(0.9), whole.quantile_ns(0.9), "{left} + {right}");
        }
    }

    #[test]
    fn an_absurd_duration_is_cut_not_a_panic() {
        let durations = of((0..=FEW as u64).map(|_| u64::MAX));
        assert_eq!(durations.quantile_ns(0.5), Some(1 << 62));
    }
}
