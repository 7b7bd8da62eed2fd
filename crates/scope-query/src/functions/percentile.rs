//! `percentile(number, share)`: as the timeline's reports count: exact by nearest rank while there are
//! few values, to three significant digits where there are many.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_float64_array, as_int64_array, as_list_array};
use datafusion::common::{Result as EngineResult, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use hdrhistogram::Histogram;

/// Values kept one by one: as many as [`scope_timeline::Durations`] keeps.
const FEW: usize = 256;
/// Significant digits beyond.
const DIGITS: u8 = 3;
/// Largest value told apart.
const MOST: u64 = 1 << 62;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Percentile {
    signature: Signature,
}

impl Percentile {
    pub(crate) fn new() -> Self {
        let takes = vec![DataType::Int64, DataType::Float64];
        Self { signature: Signature::exact(takes, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        "percentile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> EngineResult<Box<dyn Accumulator>> {
        Ok(Box::new(Values::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> EngineResult<Vec<FieldRef>> {
        let list = DataType::new_list(DataType::Int64, true);
        Ok(vec![
            Arc::new(Field::new(format!("{}[share]", args.name), DataType::Float64, true)),
            Arc::new(Field::new(format!("{}[values]", args.name), list, true)),
        ])
    }
}

/// Values so far. Those below 0, which no duration is, are kept apart from the histogram's.
#[derive(Debug, Default)]
struct Values {
    share: Option<f64>,
    few: Vec<i64>,
    many: Option<Box<Histogram<u64>>>,
    least: i64,
    greatest: i64,
    count: u64,
}

impl Values {
    fn add(&mut self, value: i64, times: u64) -> EngineResult<()> {
        (self.least, self.greatest) = match self.count {
            0 => (value, value),
            _ => (self.least.min(value), self.greatest.max(value)),
        };
        self.count += times;
        if self.many.is_none() && times == 1 && self.few.len() < FEW {
            self.few.push(value);
            return Ok(());
        }
        let few = std::mem::take(&mut self.few);
        let histogram = match &mut self.many {
            Some(histogram) => histogram,
            None => {
                let mut made = Histogram::new(DIGITS).map_err(wrong)?;
                made.auto(true);
                self.many.insert(Box::new(made))
            }
        };
        for value in few {
            histogram.record(cut(value)).map_err(wrong)?;
        }
        histogram.record_n(cut(value), times).map_err(wrong)
    }

    fn quantile(&self, share: f64) -> Option<i64> {
        if let Some(histogram) = &self.many {
            let value = histogram.value_at_quantile(share);
            return Some(i64::try_from(value).unwrap_or(i64::MAX).clamp(self.least, self.greatest));
        }
        let mut sorted = self.few.clone();
        sorted.sort_unstable();
        let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    fn share_is(&mut self, share: f64) -> EngineResult<()> {
        if !(0.0..=1.0).contains(&share) {
            return exec_err!("percentile: {share} is no share; write for example 0.99");
        }
        self.share = Some(share);
        Ok(())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        let numbers = as_int64_array(&values[0])?;
        let shares = as_float64_array(&values[1])?;
        if let Some(share) = shares.iter().flatten().next() {
            self.share_is(share)?;
        }
        numbers.iter().flatten().try_for_each(|value| self.add(value, 1))
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        Ok(ScalarValue::Int64(self.share.and_then(|share| self.quantile(share))))
    }

    fn size(&self) -> usize {
        let many =
            self.many.as_ref().map_or(0, |many| size_of_val(&**many) + many.distinct_values() * 8);
        size_of_val(self) + self.few.capacity() * 8 + many
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        let mut pairs: Vec<i64> = Vec::new();
        let mut pair = |value: i64, count: u64| {
            pairs.extend([value, i64::try_from(count).unwrap_or(i64::MAX)]);
        };
        self.few.iter().for_each(|value| pair(*value, 1));
        if let Some(many) = &self.many {
            for bucket in many.iter_recorded() {
                let value = i64::try_from(bucket.value_iterated_to()).unwrap_or(i64::MAX);
                pair(value, bucket.count_at_value());
            }
            // The extremes are known exactly.
            pair(self.least, 0);
            pair(self.greatest, 0);
        }
        let pairs: Vec<ScalarValue> = pairs.into_iter().map(ScalarValue::from).collect();
        let list = ScalarValue::new_list_nullable(&pairs, &DataType::Int64);
        Ok(vec![ScalarValue::Float64(self.share), ScalarValue::List(list)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        if let Some(share) = as_float64_array(&states[0])?.iter().flatten().next() {
            self.share_is(share)?;
        }
        for list in as_list_array(&states[1])?.iter().flatten() {
            let pairs = as_int64_array(&list)?;
            let (pairs, _) = pairs.values().as_chunks::<2>();
            // Buckets reach beyond what was seen; the extremes say how far.
            let exact: Vec<i64> = pairs.iter().filter(|[_, n]| *n == 0).map(|[v, _]| *v).collect();
            for [value, count] in pairs.iter().filter(|[_, count]| *count > 0) {
                let value = match exact.as_slice() {
                    [least, greatest] => (*value).clamp(*least, *greatest),
                    _ => *value,
                };
                self.add(value, u64::try_from(*count).unwrap_or_default())?;
            }
            for value in exact {
                self.least = self.least.min(value);
                self.greatest = self.greatest.max(value);
            }
        }
        Ok(())
    }
}

fn cut(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default().min(MOST)
}

fn wrong(error: impl std::fmt::Display) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::Execution(format!("percentile: {error}"))
}
