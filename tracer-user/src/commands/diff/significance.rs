//! Whether two sets of durations differ by more than chance: the two-sample Kolmogorov-Smirnov test.
//!
//! The statistic is the largest distance between the two cumulative distributions, looked for at quantiles
//! of both; its distribution is Kolmogorov's with Stephens' correction for small samples, as in Press et
//! al., Numerical Recipes, section 14.3.

use scope_timeline::Durations;

/// Quantiles of each side at which the distributions are compared.
const PLACES: u32 = 200;
/// Terms of the sum, which falls off faster than geometrically.
const TERMS: u32 = 100;

/// How likely durations that differ so much are if nothing changed; `None` where there are none.
pub fn chance(a: &Durations, b: &Durations) -> Option<f64> {
    if a.count() == 0 || b.count() == 0 {
        return None;
    }
    let (n, m) = (a.count() as f64, b.count() as f64);
    let share = |of: &Durations, ns: u64| of.count_up_to(ns) as f64 / of.count() as f64;
    let mut distance = 0.0_f64;
    for side in [a, b] {
        for place in 0..=PLACES {
            let Some(ns) = side.quantile_ns(f64::from(place) / f64::from(PLACES)) else { continue };
            // The distributions are steps: just before one they may be as far apart as at it.
            for ns in [ns.saturating_sub(1), ns] {
                distance = distance.max((share(a, ns) - share(b, ns)).abs());
            }
        }
    }
    let root = (n * m / (n + m)).sqrt();
    Some(tail((root + 0.12 + 0.11 / root) * distance))
}

/// Kolmogorov's distribution: how likely more than `lambda` is.
fn tail(lambda: f64) -> f64 {
    // Below this the sum converges too slowly, and is 1 to six digits.
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |k: u32| {
        let k = f64::from(k);
        (-2.0 * k * k * lambda * lambda).exp()
    };
    let sum: f64 = (1..=TERMS).map(|k| if k % 2 == 1 { term(k) } else { -term(k) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use scope_timeline::Durations;

    use super::{chance, tail};

    fn of(values: impl IntoIterator<Item = u64>) -> Durations {
        let mut durations = Durations::default();
        values.into_iter().for_each(|ns| durations.record(ns));
        durations
    }

    /// Numbers that look like chance, and are the same each time.
    fn noise(seed: u64, count: usize) -> impl Iterator<Item = u64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % 1_000
        })
        .take(count)
    }

    #[test]
    fn the_distribution_has_its_known_values() {
        // Smirnov's table.
        for (lambda, expected) in
            [(0.5, 0.963_945), (1.0, 0.270_000), (1.36, 0.049_486), (1.63, 0.009_846)]
        {
            assert!((tail(lambda) - expected).abs() < 1e-5, "{lambda}: {}", tail(lambda));
        }
        assert_eq!(tail(0.0), 1.0);
        assert!(tail(10.0) < 1e-80);
    }

    #[test]
    fn equal_durations_are_no_difference() {
        assert_eq!(chance(&of([5; 100]), &of([5; 90])), Some(1.0));
        assert_eq!(chance(&of([5]), &Durations::default()), None);
    }

    #[test]
    fn chance_alone_is_not_significant_and_a_shift_is() {
        for count in [60, 5_000] {
            let (a, b) = (of(noise(1, count)), of(noise(2, count)));
            assert!(chance(&a, &b).unwrap() > 0.05, "{count}");
            let shifted = of(noise(3, count).map(|ns| ns + 500));
            assert!(chance(&a, &shifted).unwrap() < 1e-6, "{count}");
        }
    }

    #[test]
    fn few_calls_say_little() {
        assert!(chance(&of([1, 2]), &of([100, 200])).unwrap() > 0.05);
    }
}
