//! Measurements of one quantity over the rounds of a bench.

/// Values of one quantity, one a round.
#[derive(Clone, Debug, Default)]
pub struct Series {
    values: Vec<f64>,
}

impl Series {
    /// Adds the value of a round.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The median; of an even number of values the mean of the middle two. `None` without values.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        if sorted.len() % 2 == 1 {
            return Some(upper);
        }
        Some((sorted.get(middle.wrapping_sub(1))? + upper) / 2.0)
    }

    /// Smallest and largest value.
    pub fn range(&self) -> Option<(f64, f64)> {
        let smallest = self.values.iter().copied().min_by(f64::total_cmp)?;
        let largest = self.values.iter().copied().max_by(f64::total_cmp)?;
        Some((smallest, largest))
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn medians_and_ranges() {
        for (values, median, range) in [
            (&[3.0, 1.0, 2.0][..], Some(2.0), Some((1.0, 3.0))),
            (&[4.0, 1.0, 2.0, 3.0], Some(2.5), Some((1.0, 4.0))),
            (&[], None, None),
        ] {
            let mut series = Series::default();
            values.iter().for_each(|value| series.push(*value));
            assert_eq!((series.median(), series.range()), (median, range));
        }
    }
}
